"""The stream of notifications on their way to Target (gw:F8): at least once, bounded in length.

What is taken stays pending until `done`; what a lost gateway had taken is taken over when it has been idle.
"""

from typing import Any

from msgspec import Struct

from gateway.errors import ScriptFailed, StoreError
from gateway.store.connection import Store

STREAM = b"{outbox}:notifications"
GROUP = b"gateways"
_FIELD = b"n"
_GONE_MS = 86_400_000


class Entry(Struct, frozen=True):
    """One notification call that was put in; `added_ms` is Redis' own time."""

    id: bytes
    content: bytes

    @property
    def added_ms(self) -> int:
        """When it was put in, ms since the epoch."""
        return int(self.id.partition(b"-")[0])


class NotificationStream:
    """The stream as one gateway sees it; `consumer` is its own name among the gateways of this Redis."""

    def __init__(self, store: Store, consumer: str, max_length: int) -> None:
        """Use `store`; nothing is asked of Redis yet."""
        self._store = store
        self._consumer = consumer
        self._max_length = max_length

    def put(self, content: bytes) -> None:
        """Add an entry without waiting; the oldest entries give way beyond the greatest length."""
        self._store.send("XADD", STREAM, "MAXLEN", "~", self._max_length, "*", _FIELD, content)

    async def open(self) -> None:
        """Make sure the group of gateways exists; raises StoreError."""
        try:
            await self._store.call("XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")
        except ScriptFailed as error:
            if "BUSYGROUP" not in error.message:
                raise
        await self._forget_the_gone()

    async def _forget_the_gone(self) -> None:
        """Take gateways that have been away for a day and left nothing unfinished off the list."""
        for row in await self._store.call("XINFO", "CONSUMERS", STREAM, GROUP):
            facts = dict(zip(row[::2], row[1::2], strict=False))
            if facts[b"pending"] == 0 and facts[b"idle"] > _GONE_MS:
                await self._store.call("XGROUP", "DELCONSUMER", STREAM, GROUP, facts[b"name"])

    async def take(self, count: int, *, after: bytes | None = None) -> list[Entry]:
        """Give up to `count` entries nobody has taken yet, or those `after` an id that we took and did not finish.

        An entry that was dropped meanwhile comes without content. Raises StoreError.
        """
        since = b">" if after is None else after
        reply = await self._store.call(
            "XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", count, "STREAMS", STREAM, since
        )
        return _read_entries(reply[0][1]) if reply else []

    async def take_over(self, idle_ms: int, count: int) -> list[Entry]:
        """Give up to `count` entries that somebody took and did not finish for `idle_ms`; raises StoreError."""
        reply = await self._store.call("XAUTOCLAIM", STREAM, GROUP, self._consumer, idle_ms, "0-0", "COUNT", count)
        return _read_entries(reply[1])

    async def finish(self, entries: list[Entry]) -> None:
        """Forget entries that were sent or given up; raises StoreError."""
        if entries:
            ids = [entry.id for entry in entries]
            await self._store.call("XACK", STREAM, GROUP, *ids)
            await self._store.call("XDEL", STREAM, *ids)

    async def count(self) -> int:
        """Give how many entries wait; raises StoreError."""
        return int(await self._store.call("XLEN", STREAM))


def _read_entries(rows: Any) -> list[Entry]:
    try:
        return [Entry(id=row[0], content=row[1][1] if row[1] else b"") for row in rows]
    except (IndexError, TypeError) as error:
        raise StoreError("An entry of the notification stream cannot be read") from error
