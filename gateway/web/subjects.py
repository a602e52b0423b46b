"""What a repository request is about: the containers of a sandbox, or the instances of one container.

Both are read, written and deleted by the same handlers; this is where they differ.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from gateway.errors import Problem
from gateway.offers.instances import Change, Instance, JsonObject, Space, Verdict
from gateway.offers.operations import Operation
from gateway.offers.repository import Needs, Neighbours
from gateway.store.entities import Entities
from gateway.web.rest import Call

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_OWNERS = "owners"
_NONE = msgspec.Raw(b"[]")
_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
MOST_REFERRERS = 10_000


def is_id(text: str) -> bool:
    """Whether a part of a path can be an id the repository has made."""
    return _UUID.fullmatch(text) is not None


class Subject(Protocol):
    """A kind of things that requests are about."""

    container: str

    async def read(self, instance_id: str) -> Instance:
        """Give one of them; raises Problem 404."""

    async def save(self, change: Change, write_id: str) -> Verdict:
        """Write one of them."""

    async def ask_delete(self, expected: int | None, operation: Operation) -> Verdict:
        """Mark one of them as being deleted."""

    async def meet(self, needs: Needs) -> Neighbours:
        """Read what a write has to look at beside the instance itself."""

    def locate_operation(self, operation: Operation) -> str:
        """Give the path of an operation's outcome."""


class Instances:
    """The instances of a container the caller may see; `contexts` are the container's product contexts."""

    def __init__(self, entities: Entities, space: Space, container: str, contexts: Sequence[str]) -> None:
        self.container = container
        self.contexts = tuple(contexts)
        self._entities = entities
        self._space = space

    async def read(self, instance_id: str) -> Instance:
        """Give an instance; raises Problem 404 (Q14, E3)."""
        found = None
        if is_id(instance_id):
            found = await self._entities.read(self._space, self.container, instance_id)
        if found is None:
            raise Problem(404, "instance-not-found", "There is no instance with this instanceId in the container")
        return found

    async def save(self, change: Change, write_id: str) -> Verdict:
        """Write an instance."""
        return await self._entities.save(self._space, self.container, change, write_id)

    async def ask_delete(self, expected: int | None, operation: Operation) -> Verdict:
        """Mark an instance as being deleted."""
        return await self._entities.ask_delete(self._space, self.container, expected, operation)

    async def delete_now(self, instance_id: str, expected: int | None, write_id: str) -> Verdict:
        """Delete an instance that nothing can refer to."""
        return await self._entities.delete_now(self._space, self.container, instance_id, expected, write_id)

    async def meet(self, needs: Needs) -> Neighbours:
        """Read referenced instances, and whoever refers to the one that is written."""
        by_id: Mapping[str, Instance] = {}
        if needs.at_ids:
            by_id = await self._entities.read_by_ids(self._space, self.container, needs.at_ids)
        if not needs.referrers_of:
            return Neighbours(by_id=by_id)
        sequence = await self._entities.sequence(self._space, self.container)
        found = await self._entities.referrers(self._space, self.container, needs.referrers_of, MOST_REFERRERS)
        if len(found) >= MOST_REFERRERS:
            message = f"More than {MOST_REFERRERS} references to this instance would have to be looked at"
            raise Problem(422, "fallback-in-use", message)
        at_ids = {referrer.at_id for referrer in found if referrer.at_id}
        referring = await self._entities.read_by_ids(self._space, self.container, sorted(at_ids))
        return Neighbours(by_id=by_id, referrers=tuple(referring.values()), sequence=sequence)

    def locate_operation(self, operation: Operation) -> str:
        """Give the path of an operation's outcome (U12)."""
        return f"/{self.container}/operations/{operation.operation_id}"


class Containers:
    """The containers of the caller's sandbox that the caller may see.

    A container's record also names the profiles of whoever created it, its owners, who may write to it (§0 X1); they
    are kept in the stored document and never shown.
    """

    container = ""

    def __init__(self, call: Call) -> None:
        self._entities = call.services.entities
        self._caller = call.caller
        self._owners: tuple[str, ...] = call.caller.grants.profiles

    async def read(self, instance_id: str) -> Instance:
        """Give a container; raises Problem 404 also for one the caller may not see (C2)."""
        found = None
        if is_id(instance_id):
            found = await self._entities.read_container(self._caller.space, instance_id)
        if found is not None:
            found, self._owners = part_owners(found)
        if found is None or not self._caller.grants.may_read(instance_id, self._owners):
            raise Problem(404, "container-not-found", "There is no container with this id")
        return found

    def check_writable(self, instance_id: str) -> None:
        """Raise Problem 403 when the caller may see, but not change, the container that was read (C2)."""
        if not self._caller.grants.may_write(instance_id, self._owners):
            raise Problem(403, "write-forbidden", "The token may read this container, not change it")

    async def list_visible(self) -> list[Instance]:
        """Give every container the caller may see (C1)."""
        parted = [part_owners(one) for one in await self._entities.list_containers(self._caller.space)]
        grants = self._caller.grants
        return [found for found, owners in parted if grants.may_read(found.instance_id, owners)]

    async def save(self, change: Change, write_id: str) -> Verdict:
        """Write a container's record; a new one belongs to its creator's profiles."""
        document = _read_members(change.document) | {_OWNERS: msgspec.Raw(msgspec.json.encode(self._owners))}
        whole = msgspec.structs.replace(change, document=msgspec.json.encode(document))
        return await self._entities.save_container(self._caller.space, whole, write_id)

    async def ask_delete(self, expected: int | None, operation: Operation) -> Verdict:
        """Mark a container as being deleted; its owners may read the outcome when it is gone."""
        receipt = operation.receipt | {_OWNERS: self._owners}
        whole = msgspec.structs.replace(operation, receipt=receipt)
        return await self._entities.ask_delete_container(self._caller.space, expected, whole)

    async def meet(self, _needs: Needs) -> Neighbours:
        """Containers refer to nothing."""
        return Neighbours()

    def locate_operation(self, operation: Operation) -> str:
        """Give the path of an operation's outcome (U12)."""
        return f"/{operation.instance_id}/operations/{operation.operation_id}"


def part_owners(stored: Instance) -> tuple[Instance, tuple[str, ...]]:
    """Give a container as it may be shown, and the profiles of its creator."""
    members = _read_members(stored.document)
    owners = tuple(msgspec.json.decode(members.pop(_OWNERS, _NONE)))
    return msgspec.structs.replace(stored, document=msgspec.json.encode(members)), owners


def part_receipt(receipt: JsonObject) -> tuple[JsonObject, tuple[str, ...]]:
    """Give a container's receipt as it may be shown, and the profiles of its creator."""
    shown = dict(receipt)
    owners: Any = shown.pop(_OWNERS, ())
    return shown, tuple(owners)


async def open_container(call: Call, *, write: bool = False) -> Instances:
    """Give the container of the path (§9.7 steps 5 and 6); raises Problem 404 or 403."""
    container = call.names["container"]
    containers = Containers(call)
    record = await containers.read(container)
    if write:
        containers.check_writable(container)
    contexts = msgspec.json.decode(_read_members(record.document).get("productContexts", _NONE))
    return Instances(call.services.entities, call.caller.space, container, contexts)
