"""Notifications of local decisions to Target, in the background: at least once, in batches (gw:F8).

Entries live in a stream outside this process until Target has answered, so a restart loses none. Calls of one
session that differ only in their notifications travel together, at most `outbox.batch` at a time.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from gateway.config import Outbox as OutboxSettings
from gateway.delivery.model import JsonObject
from gateway.errors import StoreError, UpstreamError, UpstreamRefused
from gateway.upstream.fanout import Fanout
from gateway.upstream.target import Call

_IDLE_S = 0.25
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_TAKE = 200
_TAKE_WHEN_BUSY = 20
_BUSY = 0.8
_CALL_S = 5.0
_ABANDONED_MS = 30_000
_AT_ONCE = 16
_TRY_AGAIN = (408, 420, 429)
_encode = msgspec.json.Encoder().encode
_encode_key = msgspec.json.Encoder(order="deterministic").encode


class Entry(Protocol):
    """One entry as the stream keeps it."""

    id: bytes
    content: bytes

    @property
    def added_ms(self) -> int:
        """When it was put in, ms since the epoch."""


class Stream(Protocol):
    """Where entries wait: `store.notifications.NotificationStream`."""

    def put(self, content: bytes) -> None: ...  # noqa: D102
    async def open(self) -> None: ...  # noqa: D102
    async def take(self, count: int, *, after: bytes | None = None) -> list[Any]: ...  # noqa: D102
    async def take_over(self, idle_ms: int, count: int) -> list[Any]: ...  # noqa: D102
    async def finish(self, entries: list[Any]) -> None: ...  # noqa: D102
    async def count(self) -> int: ...  # noqa: D102


class Message(Struct, frozen=True):
    """One background call: whose it is and what it says."""

    client: str
    session_id: str
    body: JsonObject


class Counts(Struct):
    """What became of notification calls; every figure but `waiting` only grows."""

    waiting: int = 0
    """how many the stream held when it was last looked at"""
    put: int = 0
    sent: int = 0
    failed: int = 0
    dropped: int = 0


class Load:
    """How much of the time since it was last asked this thread has been computing, 0 to 1."""

    def __init__(self) -> None:
        """Begin now."""
        self._wall, self._used = time.perf_counter(), time.thread_time()

    def measure(self) -> float:
        """Give the share, and begin anew."""
        wall, used = time.perf_counter(), time.thread_time()
        share = (used - self._used) / max(wall - self._wall, 1e-6)
        self._wall, self._used = wall, used
        return share


class Pace:
    """When to look again: at once, or after failures later and later."""

    def __init__(self) -> None:
        """Begin at once."""
        self.failures = 0
        self.not_before_s = 0.0

    def slow_down(self) -> None:
        """Wait longer than the last time, up to a minute."""
        self.failures += 1
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self.failures, 10)) * random.uniform(0.5, 1.0)
        self.not_before_s = time.monotonic() + pause_s

    def rest(self) -> None:
        """There is nothing to look for until `wake`."""
        self.not_before_s = math.inf

    def wake(self) -> None:
        """Look again, but not before the first pause is over."""
        if math.isinf(self.not_before_s):
            self.not_before_s = time.monotonic() + _FIRST_PAUSE_S


class Outbox:
    """Puts calls into the stream and sends what is in it."""

    def __init__(
        self,
        settings: OutboxSettings,
        stream: Stream,
        fanout: Fanout,
        address: Callable[[Message, float], Call | None],
        clock: Callable[[], float],
    ) -> None:
        """Send through `fanout`; `address(message, deadline)` makes its call, None for a client that is gone."""
        self._settings = settings
        self._stream = stream
        self._fanout = fanout
        self._address = address
        self._clock = clock
        self._reached = b"0"
        self._missed = False
        self.counts = Counts()
        self.on_failure: Callable[[Message, UpstreamError], None] | None = None

    def put(self, client: str, session_id: str, body: JsonObject) -> None:
        """Keep one call for later; it never waits and never fails the decision it belongs to."""
        if not self._settings.enabled:
            return
        told = body.get("notifications") or []
        most = self._settings.batch
        for at in range(0, max(len(told), 1), most):
            self.counts.put += 1
            part = body if len(told) <= most else body | {"notifications": told[at : at + most]}
            self._stream.put(_encode(Message(client, session_id, part)))

    async def run(self) -> None:
        """Send for ever; give way while requests keep the processor busy; after a failure wait, each time longer.

        New entries and those that have to be sent again wait apart, so that calls which Target cannot take do not
        hold up the others.
        """
        fresh, again = Pace(), Pace()
        load = Load()
        while True:
            busy = load.measure() > _BUSY
            most = _TAKE_WHEN_BUSY if busy else _TAKE
            found = False
            for pace, is_again in ((again, True), (fresh, False)):
                if time.monotonic() >= pace.not_before_s:
                    found = await self._look(pace, most, again=is_again) or found
            if self._missed:
                again.wake()
                self._missed = False
            await asyncio.sleep(0.0 if found and not busy else _IDLE_S)

    async def _look(self, pace: "Pace", most: int, *, again: bool) -> bool:
        try:
            if again or pace.failures:
                await self._stream.open()  # it is gone when Redis was emptied
            found = await self.send_some(most, again=again)
        except (StoreError, UpstreamError):
            pace.slow_down()
            self._missed = self._missed or not again
            return False
        pace.failures = 0
        if again and not found:
            pace.rest()
        return found

    async def send_some(self, most: int = _TAKE, abandoned_ms: int = _ABANDONED_MS, *, again: bool = False) -> bool:
        """Send up to `most` entries, or `again` those that were not finished; gives whether there were any.

        Raises UpstreamError when none of them was taken, and StoreError.
        """
        self.counts.waiting = await self._stream.count()
        entries = await self._stream.take(most, after=self._reached if again else None)
        if not entries and not again:
            entries = await self._stream.take_over(abandoned_ms, most)
        if again:
            self._reached = entries[-1].id if len(entries) == most else b"0"
        if not entries:
            return False
        oldest = self._clock() * 1000 - self._settings.max_age_s * 1000
        stale = [entry for entry in entries if entry.added_ms < oldest or not entry.content]
        fresh = [entry for entry in entries if entry.added_ms >= oldest and entry.content]
        batches, unreadable = gather_batches(fresh, self._settings.batch)
        self.counts.dropped += len(stale) + len(unreadable)
        await self._stream.finish(stale + unreadable)
        slots = asyncio.Semaphore(_AT_ONCE)
        outcomes = await asyncio.gather(*(self._send(batch, slots) for batch in batches))
        failed = [outcome for outcome in outcomes if outcome is not None]
        if failed and len(failed) == len(outcomes):
            raise failed[0]
        self._missed = self._missed or bool(failed)
        return True

    async def _send(self, batch: "Batch", slots: asyncio.Semaphore) -> UpstreamError | None:
        async with slots:
            call = self._address(batch.message, asyncio.get_running_loop().time() + _CALL_S)
            try:
                if call is None:
                    self.counts.dropped += len(batch.entries)
                else:
                    await self._fanout.ask(call)
                    self.counts.sent += len(batch.entries)
            except UpstreamRefused as error:
                self._tell(batch.message, error)
                if error.upstream_status >= 500 or error.upstream_status in _TRY_AGAIN:
                    self.counts.failed += len(batch.entries)
                    return error
                self.counts.dropped += len(batch.entries)  # Target will never take these
            except UpstreamError as error:
                self._tell(batch.message, error)
                self.counts.failed += len(batch.entries)
                return error
            await self._stream.finish(batch.entries)
            return None

    def _tell(self, message: Message, error: UpstreamError) -> None:
        if self.on_failure is not None:
            self.on_failure(message, error)


class Batch(Struct, frozen=True):
    """Entries that travel as one message."""

    message: Message
    entries: list[Any]


def gather_batches(entries: Sequence[Any], most: int) -> tuple[list[Batch], list[Any]]:
    """Join entries that differ only in their notifications, at most `most` a batch; gives what is unreadable too."""
    batches: dict[bytes, list[Batch]] = {}
    unreadable = []
    for entry in entries:
        try:
            message = msgspec.json.decode(entry.content, type=Message)
            told = msgspec.convert(message.body.get("notifications") or [], list[JsonObject])
        except (msgspec.DecodeError, UnicodeDecodeError):
            unreadable.append(entry)
            continue
        rest = {name: value for name, value in message.body.items() if name != "notifications"}
        key = _encode_key([message.client, message.session_id, rest])
        waiting = batches.setdefault(key, [])
        if waiting and len(waiting[-1].message.body["notifications"]) + len(told) <= most:
            waiting[-1].message.body["notifications"].extend(told)
            waiting[-1].entries.append(entry)
        else:
            body = rest | {"notifications": list(told)}
            waiting.append(Batch(Message(message.client, message.session_id, body), [entry]))
    return [batch for waiting in batches.values() for batch in waiting], unreadable
