"""A stage for every test of the edge, on an empty Redis, and one server for tests that only speak HTTP."""

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.store.connection import Store
from gateway.store.embedded import EmbeddedServer
from tests.stage import Stage, run_stage
from tests.store.servers import connected
from tests.web.callers import Caller


@pytest.fixture
async def stage(redis_url: str, store: Store) -> AsyncIterator[Stage]:
    """Run a gateway with a stand-in Target on an empty Redis."""
    async with run_stage(redis_url) as stage:
        yield stage


@pytest.fixture(scope="session")
def bundled_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of the bundled server: for tests in which the kind of server makes no difference."""
    with EmbeddedServer(tmp_path_factory.mktemp("bundled"), "") as server:
        yield server.url


@pytest.fixture
async def clean_url(bundled_url: str) -> str:
    """Give the URL of the bundled server, emptied."""
    async with connected(bundled_url) as store:
        await store.call("FLUSHALL")
    return bundled_url


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
