"""Compiled catalogues that follow their containers: loaded on first use, swapped whole, never holding the event loop.

A change made by this worker is in the next decision, one made elsewhere within about a quarter of a second (dec:AL1,
X4). While the repository's Redis is away decisions go on from the last snapshot (gw:R5).
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import Struct

from gateway.errors import StoreError, StoreTimeout
from gateway.garbage import without_collections
from gateway.offers.catalog import EMPTY, Catalog, Gone, Slices, apply
from gateway.offers.instances import Instance, Space
from gateway.offers.inventory import PersonalizedOffer
from gateway.store.places import Place, find_place
from gateway.telemetry import get_log

_POLL_S = 0.25
_PATIENCE_S = 0.5
_SLICE_S = 0.001
_MOST_CHANGES = 1000
_LARGE = 500
_DROP_AT_ONCE = 64
_DROP_AFTER_S = 5.0
FORGET_AFTER_S = 5.0
"""How long counters outlive their offer: whoever has not heard of its end yet must not count from 0 (dec:CA7, X4)."""

Result = TypeVar("Result")
Forget = Callable[[Space, str, str], Awaitable[object]]


class Source(Protocol):
    """What catalogues are made from: `store.entities.Entities`."""

    async def sequence(self, space: Space, container: str) -> int:
        """Give the number of the container's last change."""

    async def changes(self, space: Space, container: str, after: int, most: int = 1000) -> Any:
        """Give the changes after one (a list of Event), None where the stream does not know it any more."""

    def snapshot(self, space: Space, container: str) -> AsyncIterator[list[Instance]]:
        """Give every instance in batches."""

    async def read_instances(self, space: Space, container: str, ids: Sequence[str]) -> dict[str, Instance]:
        """Give instances by instance id."""

    async def read_container(self, space: Space, container: str) -> Instance | None:
        """Give a container's own record."""


class View(Struct, frozen=True):
    """A container as decisions see it: one snapshot, and the profiles of its creator, who may read it too."""

    catalog: Catalog
    owners: tuple[str, ...]


class _Record(Struct):
    owners: tuple[str, ...] = ()


_read_record = msgspec.json.Decoder(_Record).decode


class Ends(NamedTuple):
    """Who is told of catalogues that are not used any more, and of offers that were deleted."""

    let_go: Callable[[Catalog], None]
    forget: Callable[[Space, str, list[str]], None]


class Shelf:
    """One container's catalogue, kept up to date by a task of its own."""

    def __init__(self, source: Source, space: Space, container: str, ends: Ends) -> None:
        """Begin to load it."""
        self.view: View | None = None
        self.looked_s = 0.0
        """When the repository was last asked with success, by the monotonic clock."""
        self._source = source
        self._where = space, container
        self._ends = ends
        self._sequence = -1
        self._asked, self._reached = 1, 0
        self._wake, self._turn = asyncio.Event(), asyncio.Event()
        self._trouble: StoreError | None = None
        self._task = asyncio.create_task(self._follow(), name="catalogue.follow")

    def note_change(self) -> None:
        """Look for changes at once; whoever comes from now on waits for them."""
        self._asked += 1
        self._wake.set()

    @property
    def is_current(self) -> bool:
        """Whether everything this worker has acknowledged is in the view."""
        return self._reached >= self._asked

    async def meet(self, until: float) -> View | None:
        """Give a view with everything acknowledged so far, None where there is no such container.

        Waits until `until` (of the loop's clock) at most, and never long for a catalogue that is only to be renewed.
        Raises StoreError where there has never been one.
        """
        target, loop = self._asked, asyncio.get_running_loop()
        limit = until if self.view is None else min(until, loop.time() + _PATIENCE_S)
        try:
            async with asyncio.timeout_at(limit):
                while self._reached < target and self._trouble is None:
                    await self._turn.wait()
        except TimeoutError as error:
            if self.view is None:
                raise StoreTimeout("The catalogue of this container is not loaded yet") from error
        if self.view is None and self._trouble is not None:
            raise self._trouble
        return self.view

    async def close(self) -> None:
        """Stop following."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if self.view is not None:
            self._ends.let_go(self.view.catalog)
            self.view = None

    async def _follow(self) -> None:
        while True:
            target = self._asked
            self._wake.clear()
            try:
                await self._catch_up()
                self._reached, self._trouble, self.looked_s = target, None, time.monotonic()
            except StoreError as error:
                if self._trouble is None:  # told once, until it is over
                    get_log().warning("catalogue.not_followed", container=self._where[1], detail=error.message)
                self._trouble = error
            except Exception as error:  # noqa: BLE001 - a defect must be seen, and must not end the following
                get_log().error("catalogue.failed", container=self._where[1], exc_info=error)
                self._trouble = StoreError("The catalogue of this container cannot be made")
            turn, self._turn = self._turn, asyncio.Event()
            turn.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await self._wake.wait()

    async def _catch_up(self) -> None:
        if self.view is None or self._sequence < 0:
            await self._load()
        while self.view is not None:
            events = await self._source.changes(*self._where, self._sequence, _MOST_CHANGES)
            if events is None:  # trimmed, restored from a backup, or the container is gone
                await self._load()
                return
            if not events:
                return
            await self._take(self.view, list(dict.fromkeys(event.instance_id for event in events)))
            self._sequence = events[-1].sequence

    async def _load(self) -> None:
        """Read the whole container."""
        started = time.perf_counter()
        record = await self._source.read_container(*self._where)
        sequence = await self._source.sequence(*self._where)
        instances: list[Instance] = []
        if record is not None:
            async for batch in self._source.snapshot(*self._where):
                instances += batch
        last, self.view = self.view, None if record is None else await _make_view(record, instances)
        self._sequence = sequence
        if last is not None:
            self._ends.let_go(last.catalog)
        if self.view is not None:
            ms = round((time.perf_counter() - started) * 1000, 1)
            count = len(self.view.catalog.offers)
            get_log().info("catalogue.loaded", container=self._where[1], offers=count, ms=ms)

    async def _take(self, view: View, ids: list[str]) -> None:
        """Take over changed instances; the container's own record is one that says who may read."""
        owners, container = view.owners, self._where[1]
        if container in ids:
            ids.remove(container)
            record = await self._source.read_container(*self._where)
            owners = _read_record(record.document).owners if record is not None else ()
        found = await self._source.read_instances(*self._where, ids)
        changes = [found.get(one) or Gone(one) for one in ids]
        catalog = await _compile(view.catalog, changes) if changes else view.catalog
        known = view.catalog.inventory.by_instance
        gone = [known[one.instance_id] for one in changes if isinstance(one, Gone) and one.instance_id in known]
        self.view = View(catalog, owners)
        if deleted := [one.at_id for one in gone if isinstance(one, PersonalizedOffer)]:
            self._ends.forget(*self._where, deleted)


async def _make_view(record: Instance, instances: list[Instance]) -> View:
    catalog = await _compile(EMPTY, instances) if instances else EMPTY
    return View(catalog, _read_record(record.document).owners)


async def _compile(catalog: Catalog, changes: Sequence[Instance | Gone]) -> Catalog:
    with without_collections(large=len(changes) > _LARGE):
        return await drive(apply(catalog, changes, datetime.now(UTC)))


async def drive(slices: Slices[Result]) -> Result:
    """Give the result of work in slices; whoever else waits for the event loop comes in between."""
    since = time.perf_counter()
    while True:
        try:
            next(slices)
        except StopIteration as end:
            result: Result = end.value
            return result
        if time.perf_counter() - since > _SLICE_S:
            await asyncio.sleep(0)
            since = time.perf_counter()


class Catalogues:
    """The catalogues of every container this worker decides for; the least recently used ones are let go."""

    def __init__(self, source: Source, most: int, forget: Forget) -> None:
        """Keep `most` catalogues at most; `forget` deletes the counters of a deleted offer (dec §7.3)."""
        self._source = source
        self._most = most
        self._forget = forget
        self._shelves: OrderedDict[tuple[Space, str], Shelf] = OrderedDict()
        self._places: dict[Place, Shelf] = {}
        self._background: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Give how many there are."""
        return len(self._shelves)

    @property
    def oldest_s(self) -> float:
        """For how many seconds the repository could not be asked about some container at most."""
        now = time.monotonic()
        return max((now - shelf.looked_s for shelf in self._shelves.values() if shelf.view), default=0.0)

    def loaded(self, space: Space) -> list[str]:
        """Give the containers of a space that are in memory."""
        return [container for own, container in self._shelves if own == space]

    def peek(self, space: Space, container: str) -> View | None:
        """Give what is known of a container without waiting: perhaps not this worker's last writes; None: nothing."""
        shelf = self._shelves.get((space, container))
        return shelf.view if shelf is not None else None

    def current(self, space: Space, container: str) -> View | None:
        """Give a container that `find` would not wait for, as it gives it; None where `find` has to be asked."""
        key = (space, container)
        shelf = self._shelves.get(key)
        if shelf is None or not shelf.is_current:
            return None
        self._shelves.move_to_end(key)
        return shelf.view

    async def find(self, space: Space, container: str, until: float) -> View | None:
        """Give a container with every change this worker has acknowledged; None where there is none of this id.

        `until` is of the loop's clock. Raises StoreError where it was never loaded and cannot be.
        """
        key = (space, container)
        shelf = self._shelves.get(key) or self.prepare(space, container)
        if shelf is None:
            return None
        self._shelves.move_to_end(key)
        view = shelf.view if shelf.is_current else await shelf.meet(until)
        if view is None:
            self._drop(key)
        return view

    def prepare(self, space: Space, container: str) -> Shelf | None:
        """Begin to load a container; None where it has no id of one."""
        place = find_place(space, container)
        if place is None:
            return None
        if (space, container) not in self._shelves:
            self._make_room()
            ends = Ends(self._let_go, self._forget_offers)
            shelf = self._places[place] = Shelf(self._source, space, container, ends)
            self._shelves[space, container] = shelf
        return self._shelves[space, container]

    def note_change(self, place: Place) -> None:
        """Take notice of a write that is about to be acknowledged (X4)."""
        shelf = self._places.get(place)
        if shelf is not None:
            shelf.note_change()

    async def close(self) -> None:
        """Stop following and let everything go."""
        for shelf in self._shelves.values():
            await shelf.close()
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)
        self._shelves.clear()
        self._places.clear()

    def _make_room(self) -> None:
        while len(self._shelves) >= self._most:
            self._drop(next(iter(self._shelves)))

    def _drop(self, key: tuple[Space, str]) -> None:
        shelf = self._shelves.pop(key, None)
        if shelf is not None:
            self._places = {place: one for place, one in self._places.items() if one is not shelf}
            self._keep(asyncio.create_task(shelf.close(), name="catalogue.close"))

    def _let_go(self, catalog: Catalog) -> None:
        self._keep(asyncio.create_task(_free(catalog), name="catalogue.free"))

    def _forget_offers(self, space: Space, container: str, offers: list[str]) -> None:
        self._keep(asyncio.create_task(self._delete_counters(space, container, offers), name="catalogue.forget"))

    async def _delete_counters(self, space: Space, container: str, offers: list[str]) -> None:
        await asyncio.sleep(FORGET_AFTER_S)
        for offer in offers:
            try:
                await self._forget(space, container, offer)
            except StoreError as error:  # their memory is lost, nothing else: no offer ever has this @id again
                get_log().warning("caps.not_forgotten", container=container, detail=error.message)

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _free(catalog: Catalog) -> None:
    """Free a catalogue piece by piece, once no decision uses it any more."""
    pieces = list(catalog.inventory.by_instance.values())
    del catalog
    await asyncio.sleep(_DROP_AFTER_S)
    while pieces:
        del pieces[-_DROP_AT_ONCE:]
        await asyncio.sleep(0)
