"""What tests of calls to Target share."""

from collections.abc import AsyncIterator

import pytest

from tests.upstream.joining import Bench, run_bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Give a bench without a window: calls gather while one is under way."""
    async with run_bench(window_ms=0) as bench:
        yield bench
