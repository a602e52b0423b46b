"""The real servers the tests run on: the bundled one, and Redis 7.0 where it is installed."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from gateway.store.connection import Store


def installed_servers() -> dict[str, str]:
    """Name of each server there is, and the path EmbeddedServer takes for it ("" is its own choice)."""
    redis = os.environ.get("GATEWAY_TEST_REDIS_SERVER") or shutil.which("redis-server")
    return {"valkey": ""} | ({"redis": redis} if redis else {})


@asynccontextmanager
async def connected(url: str, **limits: Any) -> AsyncIterator[Store]:
    """Connect a store with limits no test on a busy machine runs into, unless it gives its own."""
    roomy = {"timeout_ms": 10_000, "connect_timeout_ms": 10_000, "max_waiting": 20_000}
    store = await Store.connect(url, **(roomy | limits))
    try:
        yield store
    finally:
        await store.close()


async def wait_until(holds: Callable[[], bool]) -> None:
    """Wait, at most 10 s, until something outside this loop holds."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - processes and connections have no asyncio.Event to wait for
            await asyncio.sleep(0.005)


async def wait_until_connected(store: Store, *, connected: bool = True) -> None:
    """Wait, at most 10 s, until the store is connected, or until it is not."""
    await wait_until(lambda: store.connected is connected)
