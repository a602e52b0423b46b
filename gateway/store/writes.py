"""Writes whose outcome is known: repeated when a reply was lost, acknowledged when the append-only file has them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from gateway.errors import StoreTimeout, StoreUnreachable
from gateway.store.connection import Store
from gateway.store.durability import Durability
from gateway.store.scripts import Script

_LOOK_S = 0.02


class Writes:
    """Sends writes that may be sent twice, because Redis remembers them or because twice is as good as once."""

    def __init__(self, store: Store, durability: Durability, patience_s: float) -> None:
        """Repeat a write for `patience_s` seconds while nobody knows whether it was made."""
        self._store = store
        self._durability = durability
        self._patience_s = patience_s

    async def run(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes | str | int]) -> Any:
        """Run a script that knows a repeated write when it sees one, and give its reply; raises StoreError."""
        return await self._repeat(partial(self._store.run, script, keys, args))

    async def call(self, *args: bytes | str | int) -> Any:
        """Send a command that does not mind being repeated, and give its reply; raises StoreError."""
        return await self._repeat(partial(self._store.call, *args))

    async def _repeat(self, write: Callable[[], Awaitable[Any]]) -> Any:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        if not self._store.connected:
            raise StoreUnreachable("There is no connection to Redis")
        while True:
            try:
                await self._durability.check()
                reply = await write()
                await self._durability.confirm()
            except (StoreTimeout, StoreUnreachable):
                if loop.time() > deadline:
                    raise
            else:
                return reply
            await self._await_connection(deadline)

    async def _await_connection(self, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while not self._store.connected and loop.time() < deadline:  # noqa: ASYNC110 - a store has no Event for it
            await asyncio.sleep(_LOOK_S)
