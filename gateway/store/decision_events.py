"""Decision events and feedback: a bounded stream, written without ever delaying a response (dec:EV1-EV3)."""

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from gateway.config import Events as EventSettings
from gateway.errors import ScriptFailed, StoreError
from gateway.offers.instances import JsonObject, Space
from gateway.store.cap_keys import CapKeys
from gateway.store.cluster import Nodes
from gateway.store.packing import pack, pack_script
from gateway.store.scripts import SCRIPTS
from gateway.telemetry import get_log

STREAM = b"decisions:{events}:stream"
SEEN_S = 86_400
"""How long the id of a reported event is remembered (dec:EV3)."""

_ADD_DECISIONS = SCRIPTS["add_decisions"]
_ADD_FEEDBACK = SCRIPTS["add_feedback"]
_BATCH = 64  # Redis does nothing else meanwhile, and an event may have tens of kilobytes
_GATHER_S = 0.005  # a command for each event would cost more than writing it
_PAUSE_S = 0.5
_END_S = 2.0
_encode = msgspec.json.Encoder().encode


class EventCounts(Struct):
    """What became of decision events, for metrics; every figure only grows."""

    put: int = 0
    written: int = 0
    dropped: int = 0


class Recorded(Struct, frozen=True):
    """One entry of the stream: `kind` is "decision" or "feedback"; `added_ms` is Redis' own time."""

    id: str
    kind: str
    space: Space
    container: str
    event: JsonObject

    @property
    def added_ms(self) -> int:
        """When it was added, ms since the epoch."""
        return int(self.id.partition("-")[0])


class DecisionEvents:
    """The stream of decision events as one gateway writes it."""

    def __init__(self, nodes: Nodes, keys: CapKeys, settings: EventSettings) -> None:
        """Queue events; they are written while `run` runs."""
        self.counts = EventCounts()
        self._nodes = nodes
        self._keys = keys
        self._settings = settings
        self._queue: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._is_dropping = False

    @property
    def waiting(self) -> int:
        """How many events are not written yet."""
        return len(self._queue)

    def put(self, space: Space, event: JsonObject) -> None:
        """Queue one decision event (`offers.events`); never waits and never raises (dec:EV1).

        Beyond `events.max-waiting` the event is dropped and counted, and the first one in a row is logged.
        """
        self.counts.put += 1
        if len(self._queue) >= self._settings.max_waiting:
            self._drop("events.max-waiting events wait to be written")
            return
        try:
            written, place = _encode(event), _pack_place(space, event["gw:container"])
        except Exception as error:  # noqa: BLE001 - a defect must be seen, and must not fail a decision that was counted
            self._drop(f"an event cannot be written: {type(error).__name__}: {error}")
            return
        self._queue.append(b"%b$%d\r\n%b\r\n" % (place, len(written), written))
        if not self._filled.is_set():
            self._filled.set()

    async def run(self) -> None:
        """Write what is queued, for as long as the task lives."""
        while True:
            await self._filled.wait()
            await asyncio.sleep(_GATHER_S)
            try:
                await self.flush()
            except StoreError:
                await asyncio.sleep(_PAUSE_S)

    async def flush(self) -> None:
        """Write all that is queued; raises StoreError, and what was not written stays queued.

        An event whose reply was lost is written again: readers tell it by its proposition id.
        """
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            try:
                await self._write(batch)
            except ScriptFailed as failure:
                for _ in batch:
                    self._drop(failure.message)
            except BaseException:  # nobody knows what was written: whoever comes next writes it again
                self._queue.extendleft(reversed(batch))
                raise
            else:
                self.counts.written += len(batch)
                self._is_dropping = False
        self._filled.clear()

    async def end(self) -> None:
        """Write what is queued, at most for two seconds; what is left then is dropped and counted."""
        try:
            async with asyncio.timeout(_END_S):
                await self.flush()
        except (StoreError, TimeoutError):
            while self._queue:
                self._queue.popleft()
                self._drop("the gateway ended before the event was written")

    async def put_feedback(self, space: Space, container: str, events: Sequence[JsonObject]) -> int:
        """Keep feedback events, each `@id` once in 24 h; gives how many were new (dec:EV3). Raises StoreError.

        When it raises, some may have been kept: sending all again keeps each once.
        """
        added = await asyncio.gather(*(self._add(space, container, event) for event in events))
        return sum(added)

    async def read(self, after: str = "-", count: int = 100) -> list[Recorded]:
        """Give up to `count` entries after an id, oldest first; "-" begins with the oldest. Raises StoreError."""
        since = after if after == "-" else f"({after}"
        rows = await self._nodes.call("XRANGE", STREAM, since, "+", "COUNT", count)
        return [_read(row) for row in rows]

    async def newest(self, count: int) -> list[Recorded]:
        """Give up to `count` of the newest entries, oldest first; raises StoreError."""
        rows = await self._nodes.call("XREVRANGE", STREAM, "+", "-", "COUNT", count) if count > 0 else []
        return [_read(row) for row in reversed(rows)]

    async def last_id(self) -> str:
        """Give the id of the newest entry, "-" where there is none; raises StoreError."""
        rows = await self._nodes.call("XREVRANGE", STREAM, "+", "-", "COUNT", 1)
        return bytes(rows[0][0]).decode() if rows else "-"

    async def _write(self, batch: Sequence[bytes]) -> None:
        head = pack_script(_ADD_DECISIONS, 1, 2 + 4 * len(batch)) + pack(STREAM, b"%d" % self._settings.max_length)
        await self._nodes.ask_packed(_ADD_DECISIONS, STREAM, b"".join((head, *batch)))

    async def _add(self, space: Space, container: str, event: JsonObject) -> int:
        digest = self._keys.digest_event(space, container, str(event["@id"]))
        keys = [STREAM, f"decisions:{{events}}:seen:{digest}".encode()]
        where = (space.organization, space.sandbox, container)
        args: list[bytes | str | int] = [self._settings.max_length, SEEN_S, *where, _encode(event)]
        return int((await self._nodes.run(_ADD_FEEDBACK, keys, args)).reply)

    def _drop(self, reason: str) -> None:
        self.counts.dropped += 1
        if not self._is_dropping:
            get_log().error("events.dropped", detail=reason)
        self._is_dropping = True


@lru_cache(maxsize=256)
def _pack_place(space: Space, container: str) -> bytes:
    """Give the arguments that come before an event's own: those of its place."""
    return pack(space.organization.encode(), space.sandbox.encode(), container.encode())


def _read(row: Any) -> Recorded:
    try:
        texts = [bytes(text).decode() for text in row[1]]
        facts = dict(zip(texts[::2], texts[1::2], strict=True))
        return Recorded(
            id=bytes(row[0]).decode(),
            kind=facts["kind"],
            space=Space(facts["organization"], facts["sandbox"]),
            container=facts["container"],
            event=msgspec.json.decode(facts["event"]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise StoreError("An entry of the stream of decision events cannot be read") from error
