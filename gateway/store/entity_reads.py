"""Reading business objects: one at a time, by @id, by reference, whole containers, and what changed (gw:R1-R3)."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from gateway.errors import StoreError
from gateway.offers.instances import Instance, Referrer, Space
from gateway.offers.operations import MOST_REFERENCES, Outcome
from gateway.store.connection import Store
from gateway.store.pipeline import Counts
from gateway.store.places import Place, digest_space, find_place, is_id, name_containers
from gateway.store.scripts import SCRIPTS

_READ_INSTANCES, _READ_REFERRERS = SCRIPTS["read_instances"], SCRIPTS["read_referrers"]
_AT_ONCE = 250
_BATCH_BYTES = 2_000_000
_POLL_S = 0.25
_State = Literal["pending", "deleted", "rejected"]


class Event(Struct, frozen=True):
    """One entry of a container's change stream: an instance came to `revision`, or is gone.

    Sequence numbers only grow; they have gaps. The container's own record has events too, with the container's id.
    """

    sequence: int
    instance_id: str
    revision: int
    gone: bool


class EntityReader:
    """Reads the repository; every method raises StoreError when Redis cannot answer."""

    def __init__(self, store: Store) -> None:
        """Read through `store`, whose timeout should allow for large replies."""
        self._store = store

    @property
    def connected(self) -> bool:
        """Whether Redis can be asked now."""
        return self._store.connected

    @property
    def counts(self) -> Counts:
        """What became of the commands of the repository's connection."""
        return self._store.counts

    async def read(self, space: Space, container: str, instance_id: str) -> Instance | None:
        """Give an instance, or None where the container has none of this id."""
        place = find_place(space, container)
        if place is None or not is_id(instance_id) or instance_id == container:
            return None
        return (await self._read_all(place, [instance_id]))[0]

    async def read_by_ids(self, space: Space, container: str, at_ids: Iterable[str]) -> dict[str, Instance]:
        """Give the instances with these @ids, by @id; unknown ones are left out."""
        place = find_place(space, container)
        found: dict[str, Instance] = {}
        if place is None:
            return found
        wanted = list(dict.fromkeys(at_ids))
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]
            rows = await self._store.call("HMGET", place.key("at_ids"), *map(_encode, some))
            pairs = [(at_id, row.partition(b" ")[0].decode()) for at_id, row in zip(some, rows, strict=True) if row]
            instances = await self._read_all(place, [instance_id for _, instance_id in pairs])
            found |= {at_id: one for (at_id, _), one in zip(pairs, instances, strict=True) if one is not None}
        return found

    async def read_instances(self, space: Space, container: str, ids: Sequence[str]) -> dict[str, Instance]:
        """Give the instances with these instance ids; unknown ones are left out."""
        place = find_place(space, container)
        found: dict[str, Instance] = {}
        if place is None:
            return found
        for first in range(0, len(ids), _AT_ONCE):
            some = await self._read_all(place, list(ids[first : first + _AT_ONCE]))
            found |= {one.instance_id: one for one in some if one is not None}
        return found

    async def referrers(self, space: Space, container: str, at_id: str, most: int = MOST_REFERENCES) -> list[Referrer]:
        """Give who refers to an @id and where, at most `most` of them, ordered by instance id.

        More than a few hundred are read in several steps: read `sequence` first where it matters that all were there.
        """
        place = find_place(space, container)
        if place is None:
            return []
        keys = [place.key("records"), place.key("referrers")]
        found: list[Referrer] = []
        while len(found) < most:
            last = found[-1].instance_id if found else ""
            args: list[bytes | str | int] = [_encode(at_id), most - len(found), last]
            some = read_referrers(await self._store.run(_READ_REFERRERS, keys, args))
            if not some:
                break
            found += some
        return found

    async def sequence(self, space: Space, container: str) -> int:
        """Give the number of the container's last change; 0 where there is no such container."""
        place = find_place(space, container)
        if place is None:
            return 0
        last = await self._store.call("XREVRANGE", place.key("changes"), "+", "-", "COUNT", 1)
        return _read_event(last[0]).sequence if last else 0

    async def changes(self, space: Space, container: str, after: int, most: int = 1000) -> list[Event] | None:
        """Give up to `most` changes after the one numbered `after`, oldest first.

        None means that the stream does not know `after` any more: it was trimmed, or the container is gone, or Redis
        was restored from a backup. Then read `sequence`, take a new `snapshot` and go on from there.
        """
        place = find_place(space, container)
        if place is None:
            return None
        # From `after` itself on: finding it proves that nothing in between was trimmed away or never happened.
        rows = await self._store.call("XRANGE", place.key("changes"), f"{after}-0", "+", "COUNT", most + 1)
        events = [_read_event(row) for row in rows]
        return events[1:] if events and events[0].sequence == after else None

    async def snapshot(self, space: Space, container: str, schema: str = "") -> AsyncIterator[list[Instance]]:
        """Give every instance (of a schema's short name, or all) in batches, ordered by instance id.

        Read `sequence` first: with the `changes` after it applied on top the result is consistent.
        """
        place = find_place(space, container)
        last = ""
        while place is not None:
            keys = [place.key(name) for name in ("listing", "documents", "marks")]
            rows = await self._store.run(_READ_INSTANCES, keys, [schema, last, _AT_ONCE, _BATCH_BYTES])
            if not rows:
                return
            batch = [_read_instance(*row) for row in zip(rows[::3], rows[1::3], rows[2::3], strict=True)]
            last = batch[-1].instance_id
            yield batch

    async def follow(self, space: Space, container: str, after: int) -> AsyncIterator[list[Event]]:
        """Give changes as they come, within about 250 ms, never an empty list; ends where `changes` would give None.

        While Redis is away it waits.
        """
        while True:
            try:
                events = await self.changes(space, container, after)
            except StoreError:  # the store counts and logs it; what was read so far stays good (gw:R5)
                events = []
            if events is None:
                return
            if events:
                after = events[-1].sequence
                yield events
            else:
                await asyncio.sleep(_POLL_S)

    async def read_container(self, space: Space, container: str) -> Instance | None:
        """Give a container's own record."""
        place = find_place(space, container)
        return (await self._read_all(place, [container]))[0] if place else None

    async def list_containers(self, space: Space) -> list[Instance]:
        """Give the records of a space's containers, ordered by repo:createdDate, then id (C6)."""
        ids = await self._store.call("SMEMBERS", name_containers(digest_space(space)))
        records = await asyncio.gather(*(self.read_container(space, one.decode()) for one in ids))
        return sorted((record for record in records if record is not None), key=_created)

    async def read_operation(self, space: Space, container: str, operation_id: str) -> Outcome | None:
        """Give how far a delete is; None where it is unknown or was decided over an hour ago (D10)."""
        place = find_place(space, container)
        if place is None or not is_id(operation_id):
            return None
        names = ("instance", "state", "receipt", "referrers")
        row = await self._store.call("HMGET", place.operation(operation_id), *names)
        return read_outcome(operation_id, row) if row[0] else None

    async def _read_all(self, place: Place, ids: list[str]) -> list[Instance | None]:
        if not ids:
            return []
        documents, marks = await asyncio.gather(
            self._store.call("HMGET", place.key("documents"), *ids), self._store.call("HMGET", place.key("marks"), *ids)
        )
        rows = zip(ids, documents, marks, strict=True)
        return [_read_instance(one.encode(), document, mark) if document else None for one, document, mark in rows]


class _Created(Struct):
    """The one member of a document by which containers are ordered."""

    date: str = field(name="repo:createdDate", default="")


def _created(instance: Instance) -> tuple[str, str]:
    return msgspec.json.decode(instance.document, type=_Created).date, instance.instance_id


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _read_instance(instance_id: bytes, document: bytes, mark: bytes | None) -> Instance:
    revision, _, text = document.partition(b" ")
    return Instance(instance_id.decode(), int(revision), text, mark.decode() if mark else "")


def _read_event(row: Any) -> Event:
    try:
        _, instance_id, _, revision, _, gone = row[1]
        return Event(int(row[0].partition(b"-")[0]), instance_id.decode(), int(revision), gone == b"1")
    except (ValueError, IndexError) as error:
        raise StoreError("An entry of a container's change stream cannot be read") from error


def read_referrers(text: bytes) -> list[Referrer]:
    """Read what scripts give of referrers: a JSON list of [@id, instance id, pointer]."""
    return [Referrer(*row) for row in msgspec.json.decode(text) or ()]


def read_outcome(operation_id: str, row: list[bytes]) -> Outcome:
    """Read an operation: instance id, state, receipt and referrers."""
    instance_id, state, receipt, referrers = row
    return Outcome(
        operation_id=operation_id,
        instance_id=instance_id.decode(),
        state=msgspec.convert(state.decode(), type=_State),
        receipt=msgspec.json.decode(receipt),
        referrers=tuple(read_referrers(referrers)),
    )
