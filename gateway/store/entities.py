"""Writing business objects: each write is one script, checked and made as a whole or not at all (gw:R1)."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable

import msgspec

from gateway.config import Repository
from gateway.offers.instances import Change, Missing, Saved, Space, Verdict
from gateway.offers.operations import MOST_REFERENCES, Operation, Outcome
from gateway.store.connection import Store
from gateway.store.durability import Durability
from gateway.store.entity_reads import EntityReader, read_outcome
from gateway.store.places import PENDING, Place, find_place, is_id, name_containers
from gateway.store.scripts import SCRIPTS, Script
from gateway.store.verdicts import read_verdict
from gateway.store.writes import Writes

_SAVE, _DELETE = SCRIPTS["save_entity"], SCRIPTS["delete_entity"]
_MARK, _DECIDE = SCRIPTS["mark_deleting"], SCRIPTS["decide_delete"]
_IMPORTED = _ANY = -1
_VERDICT_LIFE_S = 300
_OPERATION_LIFE_S = 2 * 3600
_DEFAULTS = Repository()

Arguments = list[bytes | str | int]


class Entities(EntityReader):
    """The repository of one Redis.

    A write whose reply is lost is repeated with the same write id for as long as patience lasts, and Redis remembers
    for five minutes what became of an id: nothing happens twice. A StoreTimeout or StoreUnreachable means that nobody
    knows; asking again with the same `write_id` tells.
    """

    def __init__(self, store: Store, settings: Repository = _DEFAULTS) -> None:
        """Write through `store`; nothing is asked of Redis yet."""
        super().__init__(store)
        self._settings = settings
        self._durability = Durability(store, settings.durability, settings.patience_ms / 1000)
        self._writes = Writes(store, self._durability, settings.patience_ms / 1000)
        self.asked = asyncio.Event()
        """Set when a delete has been asked for here; the delete worker clears it."""
        self.changed: Callable[[Place], None] = _tell_nobody
        """Told of each container that was changed here, before the write is acknowledged (dec X4)."""

    async def check(self) -> None:
        """Raise StoreUnsafe where this Redis cannot keep what the configuration demands; writes then do so too."""
        await self._durability.check()

    async def save(self, space: Space, container: str, change: Change, write_id: str = "") -> Verdict:
        """Make a change of an instance; `write_id` names this write (one is made where it is ""), raises StoreError.

        Conflict is also the answer where the @id of a new instance belongs to another one already.
        """
        return await self._save(find_place(space, container), change, change.expected, write_id)

    async def import_instance(self, space: Space, container: str, change: Change, write_id: str = "") -> Verdict:
        """Make an instance what `change` says, revision included; `change.expected` does not matter.

        An instance that has this revision and this document is Saved already; one that has another document at this or
        a higher revision is a Conflict. References are checked: import targets first, or try Refused ones again.
        """
        return await self._save(find_place(space, container), change, _IMPORTED, write_id)

    async def save_container(self, space: Space, change: Change, write_id: str = "") -> Verdict:
        """Make a change of a container's own record: `change.instance_id` is the container's id."""
        return await self._save_container(space, change, change.expected, write_id)

    async def import_container(self, space: Space, change: Change, write_id: str = "") -> Verdict:
        """Do for a container's own record what `import_instance` does."""
        return await self._save_container(space, change, _IMPORTED, write_id)

    async def delete_now(
        self, space: Space, container: str, instance_id: str, expected: int | None, write_id: str = ""
    ) -> Verdict:
        """Delete an instance of a type that nothing can refer to (D1); `expected` None is any revision.

        Saved, Missing, Deleting or Conflict; Refused as still-referenced where something refers to it all the same.
        """
        place = find_place(space, container)
        if place is None:
            return Missing()
        args: Arguments = [container, instance_id, _expect(expected), self._settings.changes_kept, _VERDICT_LIFE_S]
        return await self._write(_DELETE, place, _name(write_id), args)

    async def ask_delete(self, space: Space, container: str, expected: int | None, operation: Operation) -> Verdict:
        """Mark `operation.instance_id` as being deleted and keep the operation (D2, D11): Saved means 202.

        Deleting names the operation that is under way already (D5). The operation id is also the write id.
        """
        place = find_place(space, container)
        if place is None or operation.instance_id == container:
            return Missing()
        return await self._ask_delete(place, expected, operation)

    async def ask_delete_container(self, space: Space, expected: int | None, operation: Operation) -> Verdict:
        """Do for a container what `ask_delete` does; it will be rejected while it holds an instance (C11)."""
        place = find_place(space, operation.instance_id)
        return Missing() if place is None else await self._ask_delete(place, expected, operation)

    async def decide(self, space: Space, container: str, operation_id: str) -> Outcome | None:
        """Decide a pending delete, or give how it was decided; None where it is unknown."""
        place = find_place(space, container)
        return None if place is None or not is_id(operation_id) else await self._decide(place, operation_id)

    async def decide_pending(self, forget_after_s: float = 3600) -> int:
        """Decide every delete that anyone asked for and nobody has decided yet; gives how many there were.

        What is known by name only, because its asker died before it was kept, is forgotten after `forget_after_s`.
        """
        rows = await self._store.call("ZRANGEBYSCORE", PENDING, "-inf", "+inf", "WITHSCORES")
        decided = 0
        for member, asked_s in zip(rows[::2], rows[1::2], strict=True):
            space, container, operation_id = member.decode().split(" ")
            place = Place(space, container)
            outcome = await self._decide(place, operation_id)
            decided += outcome is not None
            if outcome is not None and outcome.state == "deleted" and outcome.instance_id == container:
                await self._unlist(place)
            if outcome is not None or float(asked_s) < time.time() - forget_after_s:
                await self._writes.call("ZREM", PENDING, member)
        return decided

    async def _save_container(self, space: Space, change: Change, expected: int, write_id: str) -> Verdict:
        place = find_place(space, change.instance_id)
        if place is not None:  # listed first: what is listed and does not exist is left out of lists
            await self._writes.call("SADD", name_containers(place.space), place.container)
        return await self._save(place, change, expected, write_id)

    async def _save(self, place: Place | None, change: Change, expected: int, write_id: str) -> Verdict:
        if place is None or not is_id(change.instance_id):
            return Missing()
        record, checks = _describe(change)
        args: Arguments = [
            *(place.container, change.instance_id, expected, change.revision, change.document, record, checks),
            *(self._settings.changes_kept, _VERDICT_LIFE_S),
        ]
        return await self._write(_SAVE, place, _name(write_id), args)

    async def _write(self, script: Script, place: Place, write_id: str, args: Arguments) -> Verdict:
        verdict = read_verdict(await self._writes.run(script, [*place.keys(), place.verdict(write_id)], args))
        if isinstance(verdict, Saved):
            self.changed(place)
        return verdict

    async def _ask_delete(self, place: Place, expected: int | None, operation: Operation) -> Verdict:
        # First where the workers look, then the mark: no mark is ever left without a worker that will see it.
        member = f"{place.space} {place.container} {operation.operation_id}"
        await self._writes.call("ZADD", PENDING, f"{time.time():.3f}", member)
        keys = [*(place.key(name) for name in ("records", "marks", "changes")), place.operation(operation.operation_id)]
        receipt = msgspec.json.encode(operation.receipt)
        args: Arguments = [
            *(place.container, operation.instance_id, _expect(expected), operation.operation_id, receipt),
            self._settings.changes_kept,
        ]
        verdict = read_verdict(await self._writes.run(_MARK, keys, args))
        if isinstance(verdict, Saved):
            self.changed(place)
            self.asked.set()
        else:
            self._store.send("ZREM", PENDING, member)
        return verdict

    async def _decide(self, place: Place, operation_id: str) -> Outcome | None:
        args: Arguments = [place.container, MOST_REFERENCES, self._settings.changes_kept, _OPERATION_LIFE_S]
        row = await self._writes.run(_DECIDE, [*place.keys(), place.operation(operation_id)], args)
        self.changed(place)
        return read_outcome(operation_id, row) if row else None

    async def _unlist(self, place: Place) -> None:
        """Take a deleted container off its space's list, unless it was imported again meanwhile."""
        await self._store.call("SREM", name_containers(place.space), place.container)
        if await self._store.call("HEXISTS", place.key("records"), place.container):
            await self._store.call("SADD", name_containers(place.space), place.container)


def _describe(change: Change) -> tuple[bytes, bytes]:
    """Give what is kept of a change for the indexes, and what has to hold for it to be made."""
    record = {
        "at_id": change.at_id,
        "schemas": change.schemas,
        "references": [(one.pointer, one.target) for one in change.references],
        "names": [_digest(one.schema, one.scope, one.value) for one in change.unique],
    }
    checks: dict[str, object] = {
        "schemas": [one.schemas for one in change.references],
        "pointers": [one.pointer for one in change.unique],
        "guards": change.guards,
    }
    if change.guard_sequence is not None:
        checks["sequence"] = str(change.guard_sequence)
    return msgspec.json.encode(record), msgspec.json.encode(checks)


def _digest(*texts: str) -> str:
    """Give what stands for a unique value: it may be long, and it need not be shown."""
    parts = [text.encode() for text in texts]
    return hashlib.blake2b(b"".join(len(part).to_bytes(8, "big") + part for part in parts), digest_size=16).hexdigest()


def _tell_nobody(_place: Place) -> None:
    """Where no catalogue is kept, nobody has to be told."""


def _expect(revision: int | None) -> int:
    return _ANY if revision is None else revision


def _name(write_id: str) -> str:
    return write_id or secrets.token_hex(16)
