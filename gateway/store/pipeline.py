"""One connection's conversation with Redis: commands of a loop turn leave together, replies come back in order.

Redis answers in the order it was asked and its replies carry no number, so a command keeps its place in the queue
whatever becomes of its caller: the reply to a call that was cancelled or timed out is read and dropped.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

import hiredis
from msgspec import Struct

from gateway.errors import StoreError, StoreTimeout, StoreUnreachable

_MORE = object()
_GROUP = 16
"""How many commands leave together at most: Redis is to work on these while others are still being asked for."""
_HELD_BACK = 1024
"""How many bytes uvloop may hold back to the end of a loop turn."""


class Counts(Struct):
    """What became of the commands of one Store, for metrics; every figure only grows."""

    sent: int = 0
    """commands handed to the connection"""
    failed: int = 0
    """commands answered with an error, or lost with their connection"""
    timed_out: int = 0
    """commands not answered within the timeout"""
    dropped: int = 0
    """commands refused before they were sent: no connection, too many waiting, or not encodable"""
    reconnected: int = 0
    """connections made after the first one"""
    flushes: int = 0
    """writes to the socket"""


class Limits(Struct, frozen=True):
    """How long a command may take and how many may be unanswered."""

    timeout_s: float
    max_waiting: int

    @property
    def give_up_s(self) -> float:
        """Age of the oldest unanswered command, in seconds, at which the connection itself is given up."""
        return max(10 * self.timeout_s, 1.0)


class Pipeline(asyncio.Protocol):
    """The queue of unanswered commands on one connection, which it reads itself: no task has to be woken for a reply.

    Whoever had the connection before is still told of its end, for that is who closes it.
    """

    def __init__(self, transport: asyncio.Transport, limits: Limits, counts: Counts) -> None:
        """Take over a connection on which nothing is on its way."""
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._before = transport.get_protocol()
        self._replies = hiredis.Reader(notEnoughData=_MORE)
        self._end: asyncio.Future[str] = self._loop.create_future()
        self._limits = limits
        self._most = limits.max_waiting
        self._counts = counts
        self._waiting: deque[tuple[asyncio.Future[Any] | None, Callable[[Any], None] | None, float]] = deque()
        self._expired = 0  # how many at the head of the queue have been told that they timed out
        self._buffer: list[bytes] = []
        self._timer: asyncio.Handle | None = None
        self._gave_up = False

    @property
    def waiting(self) -> int:
        """How many commands are unanswered."""
        return len(self._waiting)

    def ask(self, command: bytes) -> asyncio.Future[Any]:
        """Queue a packed command; the future gets its reply (also an error reply), StoreTimeout or StoreUnreachable."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._push(command, future, None)
        return future

    def tell(self, command: bytes, answered: Callable[[Any], None]) -> None:
        """Queue a packed command whose reply is given to `answered`, which must not raise."""
        self._push(command, None, answered)

    def _push(self, command: bytes, future: asyncio.Future[Any] | None, answered: Callable[[Any], None] | None) -> None:
        if len(self._waiting) >= self._most:
            self._counts.dropped += 1
            raise StoreError("Too many commands are waiting for Redis already (redis.max-waiting)")
        now = self._loop.time()
        self._waiting.append((future, answered, now))
        buffer = self._buffer
        if not buffer:
            self._loop.call_soon(self._flush)
            if self._timer is None:
                self._timer = self._loop.call_at(now + self._limits.timeout_s, self._let_read)
        buffer.append(command)
        if len(buffer) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        buffer = self._buffer
        if buffer and not self._transport.is_closing():
            self._transport.write(b"".join(buffer))
            self._counts.flushes += 1
            self._counts.sent += len(buffer)
        buffer.clear()

    async def serve(self) -> str:
        """Hand every reply to its caller until the connection ends, and say in words why it ended."""
        self._transport.set_protocol(self)
        self._transport.set_write_buffer_limits(high=_HELD_BACK)
        return await self._end

    def data_received(self, data: bytes) -> None:
        """Take what Redis sent."""
        if self._end.done():
            return
        replies = self._replies
        try:
            replies.feed(data)
            while (reply := replies.gets()) is not _MORE:
                if not self._waiting:
                    self._stop("Redis sent a reply that nobody had asked for")
                    return
                self._settle(reply)
        except hiredis.ProtocolError:
            self._stop("Redis sent a reply that cannot be read")

    def eof_received(self) -> None:
        """Take note that Redis sends nothing more: the connection is of no use then."""
        self._stop("Redis closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection has ended."""
        broke = f"the connection broke: {getattr(exc, 'strerror', None) or type(exc).__name__}"
        self._stop(broke if exc is not None else "Redis closed the connection")
        self._before.connection_lost(exc)

    def _stop(self, why: str) -> None:
        if not self._end.done():
            self._end.set_result("Redis did not answer for too long" if self._gave_up else why)

    def _settle(self, reply: Any) -> None:
        future, answered, _ = self._waiting.popleft()
        if self._expired:
            self._expired -= 1
        if answered is not None:
            answered(reply)
        elif future is not None and not future.done():
            future.set_result(reply)

    def _let_read(self) -> None:
        # A loop that stood still must not look like a slow Redis: what came in meanwhile is read before the verdict.
        self._timer = self._loop.call_soon(self._expire)

    def _expire(self) -> None:
        """Time out every call that is due, and look again when the next one may be."""
        now = self._loop.time()
        self._timer = None
        if self._waiting and now - self._waiting[0][2] >= self._limits.give_up_s:
            self._gave_up = True
            self._transport.abort()
            return
        # Where all are overdue, look again in time for a call that may be queued the very next moment.
        next_due = now + self._limits.timeout_s
        for future, _, asked in islice(self._waiting, self._expired, None):
            if asked + self._limits.timeout_s > now:
                next_due = asked + self._limits.timeout_s
                break
            self._time_out(future)
        if self._waiting:
            self._timer = self._loop.call_at(next_due, self._let_read)

    def _time_out(self, future: asyncio.Future[Any] | None) -> None:
        self._expired += 1
        if future is None or not future.done():
            self._counts.timed_out += 1
        if future is not None and not future.done():
            future.set_exception(StoreTimeout("Redis did not answer in time (redis.timeout-ms)"))

    def close(self) -> None:
        """Drop the connection and fail every call that still waits with StoreUnreachable."""
        if self._timer is not None:
            self._timer.cancel()
        self._buffer.clear()
        self._transport.abort()
        self._counts.failed += len(self._waiting) - self._expired
        for future, _, _ in self._waiting:
            if future is not None and not future.done():
                future.set_exception(
                    StoreUnreachable("The connection to Redis was lost; the command may or may not have been done")
                )
        self._waiting.clear()
