"""Reading business objects: one at a time, by @id, by reference, whole containers, and what changed (gw:R1-R3)."""

from collections.abc import AsyncIterator, Iterable

from msgspec import Struct

from gateway.offers.instances import Instance, Referrer, Space
from gateway.offers.operations import MOST_REFERENCES, Outcome


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

    async def read(self, space: Space, container: str, instance_id: str) -> Instance | None:
        """Give an instance, or None where the container has none of this id."""
        raise NotImplementedError

    async def read_by_ids(self, space: Space, container: str, at_ids: Iterable[str]) -> dict[str, Instance]:
        """Give the instances with these @ids, by @id; unknown ones are left out."""
        raise NotImplementedError

    async def referrers(self, space: Space, container: str, at_id: str, most: int = MOST_REFERENCES) -> list[Referrer]:
        """Give who refers to an @id and where, at most `most` of them, ordered by instance id."""
        raise NotImplementedError

    async def sequence(self, space: Space, container: str) -> int:
        """Give the number of the container's last change; 0 where there is no such container."""
        raise NotImplementedError

    async def changes(self, space: Space, container: str, after: int, most: int = 1000) -> list[Event] | None:
        """Give up to `most` changes after the one numbered `after`, oldest first.

        None means that the stream does not know `after` any more: it was trimmed, or the container is gone, or Redis
        was restored from a backup. Then read `sequence`, take a new `snapshot` and go on from there.
        """
        raise NotImplementedError

    def snapshot(self, space: Space, container: str, schema: str = "") -> AsyncIterator[list[Instance]]:
        """Give every instance (of a schema's short name, or all) in batches, ordered by instance id.

        Read `sequence` first: with the `changes` after it applied on top the result is consistent.
        """
        raise NotImplementedError

    def follow(self, space: Space, container: str, after: int) -> AsyncIterator[list[Event]]:
        """Give changes as they come, within about 250 ms, never an empty list; ends where `changes` would give None.

        While Redis is away it waits.
        """
        raise NotImplementedError

    async def read_container(self, space: Space, container: str) -> Instance | None:
        """Give a container's own record."""
        raise NotImplementedError

    async def list_containers(self, space: Space) -> list[Instance]:
        """Give the records of a space's containers, ordered by repo:createdDate, then id (C6)."""
        raise NotImplementedError

    async def read_operation(self, space: Space, container: str, operation_id: str) -> Outcome | None:
        """Give how far a delete is; None where it is unknown or was decided over an hour ago (D10)."""
        raise NotImplementedError
