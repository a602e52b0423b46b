"""A whole container as a file and back: one JSON document a line, revisions, ids and dates kept (NDJSON).

The first line says what the file is and how many instances it has, the second is the container's own record, the rest
are its instances. Taking the same file in twice changes nothing the second time.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError, InvalidBody
from gateway.offers.instances import Change, Conflict, Refused, Saved, Space, Verdict
from gateway.offers.registry import Registry
from gateway.offers.restoring import restore
from gateway.store.entities import Entities

_AT_ONCE = 64
_MOST_ROUNDS = 20
Progress = Callable[[int], object]


class Header(Struct, frozen=True, kw_only=True):
    """The first line of a file."""

    format: str = "gateway-entities"
    version: int = 1
    organization: str
    sandbox: str
    container: str
    instances: int


class Taken(Struct):
    """What became of a file: instances that are now as it says, those that are newer here, and those refused."""

    saved: int = 0
    newer: list[str] = []
    refused: list[str] = []


class TransferError(GatewayError):
    """The file or the container cannot be used."""


async def read_container(
    entities: Entities, space: Space, container: str, progress: Progress
) -> tuple[bytes, list[bytes]]:
    """Give a container's record and all its instances as of one moment; raises TransferError when there is none."""
    record = await entities.read_container(space, container)
    if record is None:
        raise TransferError(f"there is no container {container} in sandbox {space.sandbox} of {space.organization}")
    for _ in range(_MOST_ROUNDS):
        found = await _read_instances(entities, space, container, progress)
        if found is not None:
            return record.document, [found[instance_id] for instance_id in sorted(found)]
    raise TransferError("the container changes faster than it can be read; try again")


async def _read_instances(
    entities: Entities, space: Space, container: str, progress: Progress
) -> dict[str, bytes] | None:
    """Read everything, then what changed meanwhile; None where the change stream does not reach back so far."""
    after = await entities.sequence(space, container)
    found: dict[str, bytes] = {}
    async for batch in entities.snapshot(space, container):
        found.update((one.instance_id, one.document) for one in batch)
        progress(len(batch))
    while events := await entities.changes(space, container, after):
        after = events[-1].sequence
        for instance_id in {event.instance_id for event in events if event.instance_id != container}:
            now = await entities.read(space, container, instance_id)
            found.pop(instance_id, None)
            if now is not None:
                found[instance_id] = now.document
    return None if events is None else found


def write_lines(file: BinaryIO, header: Header, record: bytes, instances: Sequence[bytes]) -> None:
    """Write a file."""
    file.write(msgspec.json.encode(header) + b"\n")
    for document in (record, *instances):
        file.write(document + b"\n")


def read_lines(file: Iterable[bytes]) -> tuple[Header, bytes, list[bytes]]:
    """Give header, container and instances of a file; raises TransferError when it is another one, or broken off."""
    lines = iter(file)
    try:
        header = msgspec.json.decode(next(lines, b""), type=Header)
    except msgspec.DecodeError as error:
        raise TransferError(f"line 1: this file was not written by `gateway entities export`: {error}") from error
    if (header.format, header.version) != ("gateway-entities", 1):
        raise TransferError("line 1: this file is of another version of the gateway")
    record = next(lines, b"").strip()
    instances = [line.strip() for line in lines if line.strip()]
    if len(instances) != header.instances:
        raise TransferError(f"the file has {len(instances)} instances instead of {header.instances}: it broke off")
    return header, record, instances


def check_lines(registry: Registry, record: bytes, instances: Sequence[bytes]) -> tuple[Change, list[Change]]:
    """Give what to write; raises TransferError that names the first line which is not valid."""
    return _restore(registry, record, 2, is_container=True), [
        _restore(registry, document, number) for number, document in enumerate(instances, 3)
    ]


def _restore(registry: Registry, document: bytes, number: int, *, is_container: bool = False) -> Change:
    try:
        return restore(registry, document, is_container=is_container)
    except InvalidBody as error:
        raise TransferError(f"line {number}: {error.message}") from error


async def write_container(
    entities: Entities, space: Space, record: Change, instances: Sequence[Change], progress: Progress
) -> Taken:
    """Make a container what a file says; nothing is removed, and nothing that is newer here is changed.

    What refers to an instance further down is tried again after it.
    """
    taken = Taken()
    _count(taken, record, await entities.import_container(space, record))
    waiting = list(instances)
    while waiting:
        refused: list[tuple[Change, Refused]] = []
        for batch in _batches(waiting):
            verdicts = await asyncio.gather(
                *(entities.import_instance(space, record.instance_id, change) for change in batch)
            )
            for change, verdict in zip(batch, verdicts, strict=True):
                if isinstance(verdict, Refused):
                    refused.append((change, verdict))
                else:
                    _count(taken, change, verdict)
            progress(sum(not isinstance(verdict, Refused) for verdict in verdicts))
        if len(refused) == len(waiting):
            taken.refused = [f"{change.instance_id}: {verdict.faults}" for change, verdict in refused]
            return taken
        waiting = [change for change, _ in refused]
    return taken


def _count(taken: Taken, change: Change, verdict: Verdict) -> None:
    if isinstance(verdict, Saved):
        taken.saved += 1
    elif isinstance(verdict, Conflict):
        taken.newer.append(change.instance_id)
    else:
        taken.refused.append(f"{change.instance_id}: {type(verdict).__name__.lower()}")


def _batches(changes: Sequence[Change]) -> Iterator[list[Change]]:
    left = iter(changes)
    while batch := list(islice(left, _AT_ONCE)):
        yield batch
