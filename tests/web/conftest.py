"""A stage for every test of the edge, on an empty Redis."""

from collections.abc import AsyncIterator

import pytest

from gateway.store.connection import Store
from tests.stage import Stage, run_stage


@pytest.fixture
async def stage(redis_url: str, store: Store) -> AsyncIterator[Stage]:
    """Run a gateway with a stand-in Target on an empty Redis."""
    async with run_stage(redis_url) as stage:
        yield stage
