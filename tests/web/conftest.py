"""A stage for every test of the edge, on an empty Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from gateway.store.connection import Store
from tests.stage import Stage, run_stage
from tests.web.callers import Caller


def pytest_asyncio_loop_factories(item: pytest.Function) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each test on every event loop that its module names in `LOOPS`, else on Python's own alone."""
    return getattr(item.module, "LOOPS", {"asyncio": asyncio.new_event_loop})


@pytest.fixture
async def stage(redis_url: str, store: Store) -> AsyncIterator[Stage]:
    """Run a gateway with a stand-in Target on an empty Redis."""
    async with run_stage(redis_url) as stage:
        yield stage


@pytest.fixture
async def bundled_stage(clean_url: str) -> AsyncIterator[Stage]:
    """Run a gateway on the bundled server: for tests of HTTP alone."""
    async with run_stage(clean_url) as stage:
        yield stage


@pytest.fixture
async def editor(bundled_stage: Stage) -> Caller:
    """Give the editor of the demonstration, in a container of their own."""
    caller = Caller(bundled_stage)
    await caller.make_container()
    return caller
