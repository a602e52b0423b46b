"""Whether what Redis acknowledged would survive it: asked on each new connection, and after each write (gw:R4).

With `appendfsync always` or `no` Redis writes its append-only file before it replies. With `everysec` it puts the write
off for up to two seconds while the disk is busy with the last fsync, but replies at once: a server killed then would
have acknowledged what is in no file. `confirm` waits for that.
"""

import asyncio

from gateway.config import DurabilityLevel
from gateway.errors import ScriptFailed, StoreTimeout, StoreUnsafe
from gateway.store.connection import Store
from gateway.store.safety import read_info

_LOOK_S = 0.005
_NONE = -1


class Durability:
    """The promise that is kept for the writes of one store."""

    def __init__(self, store: Store, level: DurabilityLevel, patience_s: float) -> None:
        """Keep `level`; `patience_s` is how long a busy disk is waited for."""
        self._store = store
        self._level = level
        self._patience_s = patience_s
        self._checked = _NONE
        self._delays_writes = True

    async def check(self) -> None:
        """Raise StoreUnsafe where this Redis cannot keep the promise; asks once a connection."""
        connection = self._store.counts.reconnected
        if self._level == "memory" or self._checked == connection:
            return
        facts = read_info(bytes(await self._store.call("INFO")))
        policy = await self._ask_policy()
        if fault := find_fault(self._level, facts, policy):
            raise StoreUnsafe(fault)
        self._delays_writes = policy not in ("always", "no")
        self._checked = connection

    async def _ask_policy(self) -> str:
        """Give appendfsync, or "" where Redis does not let us ask."""
        try:
            reply = await self._store.call("CONFIG", "GET", "appendfsync")
        except ScriptFailed:
            return ""
        return bytes(reply[1]).decode() if len(reply) == 2 else ""

    async def confirm(self) -> None:
        """Return when every write acknowledged before this call is in the append-only file, or raise StoreError."""
        if self._level == "memory" or not self._delays_writes:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        while not is_written(read_info(bytes(await self._store.call("INFO", "persistence")))):
            if loop.time() > deadline:
                raise StoreTimeout("Redis did not get a write into its append-only file in time")
            await asyncio.sleep(_LOOK_S)


def find_fault(level: DurabilityLevel, facts: dict[str, str], policy: str) -> str:
    """Say why a Redis with these facts of INFO and this appendfsync cannot keep `level`; "" where it can."""
    if facts.get("aof_enabled") != "1":
        return _FAULT.format(level, _NO_LOG)
    if facts.get("maxmemory_policy", "").startswith("allkeys-"):
        return _FAULT.format(level, "it may evict any key when memory is short: set maxmemory-policy noeviction")
    if level == "fsync" and policy != "always":
        return _FAULT.format(level, f"its appendfsync is {policy or 'not to be asked for'}: set appendfsync always")
    return ""


_NO_LOG = "it keeps no append-only file: set appendonly yes"
_FAULT = 'Redis cannot keep repository.durability = "{}", {} (or choose another durability)'


def is_written(facts: dict[str, str]) -> bool:
    """Whether INFO persistence shows that everything acknowledged before it was asked is in the append-only file.

    Redis tries to write before it sends replies, this one too, and puts that off only while an fsync is under way.
    Raises StoreUnsafe where there is no such file any more.
    """
    if facts.get("aof_enabled") != "1":
        raise StoreUnsafe(_FAULT.format("log", _NO_LOG))
    return facts.get("aof_pending_bio_fsync") == "0" or facts.get("aof_buffer_length") == "0"
