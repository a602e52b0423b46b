"""Pages of lists and searches, from this worker's index after it has caught up with the store (gw:R3)."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from msgspec import Struct

from gateway.offers.instances import Instance, Space
from gateway.offers.query import ListQuery


class Source(Protocol):
    """What the index reads: `store.entities.Entities`."""

    async def sequence(self, space: Space, container: str) -> int:
        """Give the number of the container's last change."""

    async def changes(self, space: Space, container: str, after: int, most: int = 1000) -> Any:
        """Give the changes after one (a list of Event), None where the stream does not know it any more."""

    def snapshot(self, space: Space, container: str) -> AsyncIterator[list[Instance]]:
        """Give every instance in batches."""

    async def read(self, space: Space, container: str, instance_id: str) -> Instance | None:
        """Give an instance, or None."""


class Item(Struct, frozen=True):
    """One result: the stored envelope, and the share of terms it matches (searches only)."""

    document: bytes
    score: float | None = None


class Page(Struct, frozen=True):
    """One page: `total` counts from its first item to the end of the list (L2); `next_start` is None on the last."""

    items: tuple[Item, ...]
    total: int
    next_start: str | None = None

    @property
    def count(self) -> int:
        """How many items this page has."""
        return len(self.items)


class Index:
    """The lists of every container this worker has been asked for; the least recently used ones are let go.

    SQLite runs in a thread for each container: the event loop only waits. Raises StoreError when Redis cannot be
    asked, Problem 400 invalid-filter when a query takes longer than allowed.
    """

    def __init__(self, source: Source, schemas: Any, most_containers: int = 64) -> None:
        """Index what `source` (Entities) keeps, as the registry `schemas` declares it."""
        raise NotImplementedError

    async def page(self, space: Space, container: str, query: ListQuery) -> Page:
        """Give a page of a container's instances as of now: own writes and everybody's earlier ones included (Z1)."""
        raise NotImplementedError

    async def page_of(self, instances: Sequence[Instance], query: ListQuery) -> Page:
        """Give a page of these instances alone, e.g. the containers that a caller may see (U1, U3)."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the threads."""
        raise NotImplementedError
