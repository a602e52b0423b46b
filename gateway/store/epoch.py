"""The epoch of the store that counts caps: an emptied store is noticed, and trusted with nothing (gw:C6).

At first start the store gets a random token, and so does a record elsewhere: a file of every gateway. Every shard has
the token beside its counters, and every claim asks for it in the same step. A token that is missing or another one
while the record knows one means that counts were lost: offers with a cap are out until an operator restores the data
or says `gateway caps reset --epoch`, which begins a new epoch that names the ones it replaces.
"""

import contextlib
import os
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway.errors import ConfigError, StoreError
from gateway.ids import new_id
from gateway.store.cap_keys import EPOCH, FORMER, SHARDS, Shard
from gateway.store.cluster import Nodes
from gateway.telemetry import get_log

_WHOLE = "the whole store"
_MOST_REPLACED = 16


class Stored(Struct, frozen=True):
    """What the store says of its epoch; an empty token where it says nothing."""

    token: str = ""
    shards: int = 0
    replaces: tuple[str, ...] = ()


class Record:
    """A file that knows the token; with an empty path nothing is kept."""

    def __init__(self, path: str) -> None:
        """Use the file at `path`."""
        self._path = Path(path) if path else None

    def read(self) -> str:
        """Give the token, or ""; raises ConfigError for a file that cannot be read."""
        if self._path is None:
            return ""
        try:
            return self._path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read caps.record = {self._path}: {error}") from error

    def write(self, token: str) -> None:
        """Keep the token; where that fails it is logged, and an emptied store is noticed by running gateways only."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            draft.write_text(f"{token}\n", encoding="ascii")
            draft.replace(self._path)
        except OSError as error:
            get_log().warning("caps.record_not_kept", detail=f"caps.record = {self._path}: {error.strerror}")


class Epoch:
    """The epoch as one gateway knows it."""

    def __init__(self, nodes: Nodes, record: Record, shards: int) -> None:
        """Know nothing yet: `look` asks."""
        self._nodes = nodes
        self._record = record
        self._shards = shards
        self._admitted: set[str] = set()
        self._replaced: tuple[str, ...] = ()
        self._faults: set[str] = set()
        self.token = record.read()

    @property
    def is_lost(self) -> bool:
        """Whether the store was found without what it should have, and caps are closed."""
        return bool(self._faults)

    async def look(self) -> bool:
        """Ask the store for its epoch, begin one where nobody knows of any; gives whether it is the right one.

        Raises StoreError, and ConfigError where counters are laid out for another number of shards.
        """
        stored = await read_epoch(self._nodes)
        if not stored.token and not self.token:
            await self._nodes.call("HSETNX", EPOCH, "shards", self._shards)
            await self._nodes.call("HSETNX", EPOCH, "token", new_id())
            stored = await read_epoch(self._nodes)
        if stored.token and stored.shards != self._shards:
            raise ConfigError(
                f"caps.shards = {self._shards}, but the counters in Redis are spread over {stored.shards}: set that, "
                "or empty this Redis and say `gateway caps reset --epoch`"
            )
        if stored.token and (not self.token or self.token in stored.replaces):
            self._adopt(stored)
        is_right = bool(stored.token) and stored.token == self.token
        self._note(_WHOLE, is_right=is_right)
        self._replaced = stored.replaces if is_right else ()
        return is_right

    def is_admitted(self, shard: Shard) -> bool:
        """Whether a shard is known to be of this epoch: `admit` has nothing to ask."""
        return shard.name in self._admitted

    async def admit(self, shard: Shard) -> bool:
        """Make sure a shard is of this epoch, and begin it where it never was; False where its counts were lost.

        Raises StoreError.
        """
        if shard.name in self._admitted:
            return True
        if not self.token and not await self.look():
            return False
        found = _text(await self._nodes.call("GET", shard.epoch))
        is_right = found == self.token or await self._begin(shard)
        self._note(shard.name, is_right=is_right)
        if is_right:
            await self._nodes.call("SADD", SHARDS, shard.name)
            self._admitted.add(shard.name)
        return is_right

    async def readmit(self, shard: Shard) -> bool:
        """Look again at a shard that a claim has found without this epoch; raises StoreError."""
        self._admitted.discard(shard.name)
        return await self.look() and await self.admit(shard)

    async def _begin(self, shard: Shard) -> bool:
        """Give a shard the token where that is right: never begun, or replaced by an operator's reset."""
        if not await self.look():
            return False
        # In this order: whoever begins a shard writes its token first and registers it afterwards.
        is_known = int(await self._nodes.call("SISMEMBER", SHARDS, shard.name)) == 1
        found = _text(await self._nodes.call("GET", shard.epoch))
        if found in self._replaced and found:
            await self._nodes.call("SET", shard.epoch, self.token)
        elif found or is_known:
            return found == self.token
        else:
            await self._nodes.call("SET", shard.epoch, self.token, "NX")
        return _text(await self._nodes.call("GET", shard.epoch)) == self.token

    def _adopt(self, stored: Stored) -> None:
        self._record.write(stored.token)
        self.token = stored.token
        self._admitted.clear()

    def _note(self, what: str, *, is_right: bool) -> None:
        was_lost = self.is_lost
        if is_right:
            self._faults.discard(what)
        else:
            self._faults.add(what)
        if was_lost and not self.is_lost:
            get_log().info("caps.restored")
        elif self.is_lost and not was_lost:
            get_log().error("caps.lost", detail="counts were lost: see `gateway caps reset --help`")


async def read_epoch(nodes: Nodes) -> Stored:
    """Ask the store for its epoch; raises StoreError."""
    token, shards, replaces = await nodes.call("HMGET", EPOCH, "token", "shards", "replaces")
    with contextlib.suppress(ValueError):
        return Stored(_text(token), int(_text(shards) or 0), tuple(_text(replaces).split()))
    raise StoreError("The epoch of caps in Redis cannot be read")


async def reset_epoch(nodes: Nodes, record: Record, shards: int) -> str:
    """Begin a new epoch that replaces all that are known, as an operator wants it; gives its token.

    Counts that are still there go on; lost ones begin at 0. Raises StoreError and ConfigError.
    """
    stored, token = await read_epoch(nodes), new_id()
    known = dict.fromkeys(each for each in (record.read(), stored.token, *stored.replaces) if each)
    replaces = " ".join(list(known)[:_MOST_REPLACED])
    await nodes.call("HSET", EPOCH, "token", token, "shards", stored.shards or shards, "replaces", replaces)
    await nodes.call("SUNIONSTORE", FORMER, FORMER, SHARDS)
    await nodes.call("DEL", SHARDS)  # a shard that was lost is begun anew; one that is there has a replaced token
    record.write(token)
    return token


def _text(value: Any) -> str:
    return "" if value is None else bytes(value).decode("utf-8", "replace")
