"""Pages of lists and searches, from this worker's index after it has caught up with the store (gw:R3)."""

import asyncio
import weakref
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol, TypeVar

from gateway.errors import Problem
from gateway.offers.instances import Instance, Space
from gateway.offers.query import ListQuery, Schemas
from gateway.store.listing.database import Database, Item, Page
from gateway.store.listing.engine import check_engine

__all__ = ["Index", "Item", "Page", "Source"]

MOST_CHANGES = 1000
MOST_READS = 50
"""Instances that are read from Redis at a time."""

MOST_APPLIED = 8
"""Instances brought into the index in one go, about 1 ms: in between the event loop has its turn for certain."""

LONG_PAGE = 1 << 18
MOST_HELD = 256 << 20
"""Bytes of long pages that may be on their way at once."""

Result = TypeVar("Result")


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

    async def list_containers(self, space: Space) -> list[Instance]:
        """Give the records of a space's containers."""


class Thread:
    """Runs a database, one call after the other, where it holds up nobody else."""

    def __init__(self, name: str) -> None:
        """Start nothing before there is something to do."""
        self._pool = ThreadPoolExecutor(1, name)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Wait for a call; one that is no longer waited for is done all the same."""
        done: list[Result] = []  # in the future the result would stay until the garbage collector finds it
        await asyncio.get_running_loop().run_in_executor(self._pool, lambda: done.append(work()))
        return done.pop()

    def run_later(self, work: Callable[[], object]) -> None:
        """Do something that nobody waits for."""
        self._pool.submit(work)

    def end(self) -> None:
        """Take on nothing more; what was taken on is done."""
        self._pool.shutdown(wait=False)


def _close_all(databases: Sequence[Database]) -> None:
    for each in databases:
        each.close()


class Shelf:
    """One container's database and how far it has come."""

    def __init__(self, source: Source, schemas: Schemas, space: Space, container: str) -> None:
        """Start with nothing: the first page reads the whole container."""
        self._source = source
        self._schemas = schemas
        self._where = space, container
        self._database: Database | None = None
        self._sequence = -1
        self._thread = Thread("index")
        self._lock = asyncio.Lock()
        self.users = 0

    async def page(self, query: ListQuery) -> Page:
        """Give a page as of the moment this is called, or later."""
        self.users += 1
        try:
            database = await self._catch_up(await self._source.sequence(*self._where))
            return await self._thread.run(partial(database.page, query))
        finally:
            self.users -= 1

    async def prepare(self) -> None:
        """Read the container before anybody asks for a page."""
        self.users += 1
        try:
            await self._catch_up(await self._source.sequence(*self._where))
        finally:
            self.users -= 1

    async def _catch_up(self, target: int) -> Database:
        """Bring the database to a sequence number at least; start again where the changes in between are not known."""
        async with self._lock:
            if self._database is not None and target < self._sequence:
                self._let_go()
            while self._database is None or self._sequence < target:
                if self._database is None:
                    await self._build()
                else:
                    await self._follow(self._database)
            return self._database

    async def _build(self) -> None:
        """Read the whole container."""
        sequence = await self._source.sequence(*self._where)
        made: list[Database] = []  # also when nobody waits any more for what the thread has begun to make
        try:
            await self._thread.run(partial(self._make, made))
            (database,) = made
            async for instances in self._source.snapshot(*self._where):
                await self._apply(database, instances, ())
            await self._thread.run(database.finish)
        except BaseException:
            self._thread.run_later(partial(_close_all, made))
            raise
        self._database, self._sequence = database, sequence

    def _make(self, made: list[Database]) -> None:
        made.append(Database(self._schemas, self._where[1]))

    async def _follow(self, database: Database) -> None:
        """Take over the next changes."""
        events = await self._source.changes(*self._where, self._sequence, MOST_CHANGES)
        if not events:
            self._let_go()
            return
        container = self._where[1]  # its own record has events too, and is no instance
        ids = [each for each in dict.fromkeys(event.instance_id for event in events) if each != container]
        for first in range(0, len(ids), MOST_READS):
            some = ids[first : first + MOST_READS]
            found = await asyncio.gather(*(self._source.read(*self._where, each) for each in some))
            gone = [each for each, instance in zip(some, found, strict=True) if instance is None]
            await self._apply(database, [instance for instance in found if instance is not None], gone)
        self._sequence = events[-1].sequence

    async def _apply(self, database: Database, instances: Sequence[Instance], gone: Iterable[str]) -> None:
        """Bring instances into a database, a few at a time: what waits for a page comes in between."""
        for first in range(0, len(instances), MOST_APPLIED):
            await self._thread.run(partial(database.apply, instances[first : first + MOST_APPLIED]))
        if gone:
            await self._thread.run(partial(database.apply, (), gone))

    def _let_go(self) -> None:
        """Forget a database whose changes are not known any more."""
        if self._database is not None:
            self._thread.run_later(self._database.close)
            self._database = None

    def close(self) -> None:
        """Free the memory and end the thread."""
        self._let_go()
        self._thread.end()


class Index:
    """The lists of every container this worker has been asked for; the least recently used ones are let go.

    SQLite runs in a thread for each container: the event loop only waits. Raises StoreError when Redis cannot be
    asked, Problem 400 invalid-filter when a query takes longer than allowed.
    """

    def __init__(self, source: Source, schemas: Schemas, most_containers: int = 64) -> None:
        """Index what `source` (Entities) keeps, as the registry `schemas` declares it.

        Raises ConfigError where this Python's SQLite has no full-text search.
        """
        check_engine()
        self._source = source
        self._schemas = schemas
        self._most = most_containers
        self._shelves: OrderedDict[tuple[Space, str], Shelf] = OrderedDict()
        self._aside = Thread("index-aside")
        self._held = 0

    async def page(self, space: Space, container: str, query: ListQuery) -> Page:
        """Give a page of a container's instances as of now: own writes and everybody's earlier ones included (Z1).

        Raises Problem 503 while pages that are still being sent fill the memory meant for them.
        """
        if self._held > MOST_HELD:
            message = "Many long pages are being read just now; try again, with a smaller limit"
            raise Problem(503, "unavailable", message, headers={"Retry-After": "1"})
        return self._hold(await self._shelf(space, container).page(query))

    async def page_of(self, instances: Sequence[Instance], query: ListQuery) -> Page:
        """Give a page of these instances alone, e.g. the containers that a caller may see (U1, U3)."""
        return await self._aside.run(partial(page_of, self._schemas, instances, query))

    async def prepare(self, spaces: Iterable[Space], most: int) -> None:
        """Read containers one after the other, those changed last first, `most` at most; raises StoreError."""
        records = [(space, one) for space in spaces if most for one in await self._source.list_containers(space)]
        found = [
            (await self._source.sequence(space, one.instance_id), space, one.instance_id) for space, one in records
        ]
        found.sort(key=lambda one: one[0], reverse=True)
        for _, space, container in found[:most]:
            await self._shelf(space, container).prepare()

    def close(self) -> None:
        """End the threads."""
        for shelf in self._shelves.values():
            shelf.close()
        self._shelves.clear()
        self._aside.end()

    def _hold(self, page: Page) -> Page:
        """Count a long page for as long as it exists: slow readers keep it."""
        size = page.size
        if size > LONG_PAGE:
            self._held += size
            weakref.finalize(page, self._release, size).atexit = False
        return page

    def _release(self, size: int) -> None:
        self._held -= size

    def _shelf(self, space: Space, container: str) -> Shelf:
        key = (space, container)
        if key not in self._shelves:
            self._make_room()
            self._shelves[key] = Shelf(self._source, self._schemas, space, container)
        self._shelves.move_to_end(key)
        return self._shelves[key]

    def _make_room(self) -> None:
        """Let the least recently used containers go that nobody waits for."""
        idle = [key for key, shelf in self._shelves.items() if not shelf.users]
        for key in idle[: max(0, len(self._shelves) + 1 - self._most)]:
            self._shelves.pop(key).close()


def page_of(schemas: Schemas, instances: Sequence[Instance], query: ListQuery) -> Page:
    """Give a page of a few instances."""
    database = Database(schemas)
    try:
        database.apply(instances)
        return database.page(query)
    finally:
        database.close()
