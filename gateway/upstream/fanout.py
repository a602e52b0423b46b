"""The only door to Target: bounded parallel calls, each within its deadline, some made again (gw:F2, F3, F6, F7)."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from gateway.config import Target
from gateway.delivery.model import JsonObject
from gateway.errors import (
    CircuitOpen,
    UpstreamError,
    UpstreamGarbled,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnreached,
)
from gateway.upstream.connection import Connection, Reply
from gateway.upstream.edges import Edge, Edges
from gateway.upstream.retries import MOST, RetryBudget, is_passing, is_safe, judge, pause_s
from gateway.upstream.target import Call, read_reply


class Fanout:
    """Calls to Target: at most `max-in-flight` at once, at most `max-waiting` in line behind them."""

    def __init__(self, target: Target, chance: Callable[[], float] = random.random) -> None:
        """Keep the limits; nothing is connected yet. `chance` spreads retries in time."""
        self._target = target
        self._chance = chance
        self._retries = RetryBudget(target.retry_percent)
        self._line: deque[asyncio.Future[None]] = deque()
        self._sending = 0
        self.edges = Edges(target)
        self.ended: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.ended.cancel()  # what a call that has ended holds in place of its own
        self.under_way = 0
        self.calls = 0
        self.repeated = 0

    def __repr__(self) -> str:
        """Say how busy it is."""
        return f"<Fanout {self.under_way} under way, {self.calls} calls so far>"

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.close()

    async def ask(self, call: Call) -> JsonObject:
        """Give Target's decoded answer to `call`. Raises UpstreamError of the kind that fits."""
        return await self.start(call).reply()

    def start(self, call: Call) -> "Pending":
        """Send `call`; where a connection is kept, the request is on the wire when this returns.

        The caller must await `reply()` or call `end()`.
        """
        now = asyncio.get_running_loop().time()
        pending = Pending(self, call, self.edges.find(call.url, now))
        if self.under_way > self._target.max_in_flight + self._target.max_waiting:
            pending.fail(UpstreamOverloaded("too many calls to Target are already waiting"))
        elif not pending.edge.breaker.lets_through(now):
            pending.fail(CircuitOpen("Target has failed too often lately; few calls are made until it is back"))
        else:
            self._retries.note_call()
            self._begin(pending, now)
        return pending

    async def repeat(self, pending: "Pending", error: UpstreamError) -> bool:
        """Note that an attempt ended with `error`; gives whether another one is under way, after a short pause."""
        now = asyncio.get_running_loop().time()
        edge, call = pending.edge, pending.call
        lasted_s = now - pending.begun if pending.begun else 0.0
        if (failed := judge(error, lasted_s, self._target.breaker_timeout_ms / 1000)) is not None:
            self.edges.note(edge, now, failed=failed)
        pause = pause_s(pending.attempts, self._chance())
        in_time = now + pause + self._target.minimum_budget_ms / 1000 <= call.deadline
        if pending.attempts > MOST or not in_time or edge.breaker.is_open:
            return False
        if not (is_passing(error) and is_safe(error, call.body) and self._retries.take()):
            return False
        self._let_go_of_connection(pending)
        pending.await_again()
        await asyncio.sleep(pause)
        if pending.is_ended:
            return False
        self.repeated += 1
        self._begin(pending, asyncio.get_running_loop().time())
        return True

    async def close(self) -> None:
        """Close every connection."""
        await self.edges.close()

    def _begin(self, pending: "Pending", now: float) -> None:
        pending.attempts += 1
        if self._has_place() and (kept := self.edges.take(pending.edge, now)) is not None:
            self._sending += 1
            pending.begun = now
            try:
                self._send(pending, kept)
            except (UpstreamError, ValueError) as error:
                pending.fail(_as_upstream_error(error))
        else:
            pending.task = asyncio.create_task(self._connect_and_send(pending))

    def _has_place(self) -> bool:
        return not self._line and self._sending < self._target.max_in_flight

    async def _take_place(self) -> None:
        if self._has_place():
            self._sending += 1
            return
        self._line.append(turn := asyncio.get_running_loop().create_future())
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the place had been handed over already
                self._give_place()
            raise

    def _give_place(self) -> None:
        """Hand a place to the next in line, so that no newcomer takes it, or put it back."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._sending -= 1

    def _send(self, pending: "Pending", connection: Connection) -> None:
        self.calls += 1
        pending.connection = connection
        connection.send(write_request(pending.call), pending.future)

    async def _connect_and_send(self, pending: "Pending") -> None:
        try:
            await self._take_place()
            try:
                pending.begun = now = asyncio.get_running_loop().time()
                kept = self.edges.take(pending.edge, now)
                self._send(pending, kept or await self.edges.connect(pending.edge))
            except BaseException:
                if pending.connection is None:
                    self._give_place()
                raise
        except (UpstreamError, OSError, ValueError) as error:
            pending.fail(_as_upstream_error(error))

    def let_go(self, pending: "Pending") -> None:
        """Take back what a call that has ended holds."""
        self.under_way -= 1
        self._let_go_of_connection(pending)

    def _let_go_of_connection(self, pending: "Pending") -> None:
        """Take back the place and, where nothing odd happened, the connection."""
        connection, pending.connection = pending.connection, None
        if connection is None:
            return
        if connection.is_usable and pending.is_answered:
            self.edges.keep(pending.edge, connection, asyncio.get_running_loop().time())
        else:
            connection.close()
        self._give_place()


class Pending:
    """A call under way; `begun` is when its latest attempt got a place, 0.0 before."""

    __slots__ = ("_fanout", "_timer", "attempts", "begun", "call", "connection", "edge", "future", "is_ended", "task")

    def __init__(self, fanout: Fanout, call: Call, edge: Edge) -> None:
        """Count the call as under way, and see to its deadline."""
        loop = asyncio.get_running_loop()
        self.call = call
        self.edge = edge
        self.future: asyncio.Future[Reply] = loop.create_future()
        self.connection: Connection | None = None
        self.task: asyncio.Task[None] | None = None
        self.attempts = 0
        self.begun = 0.0
        self._fanout = fanout
        self.is_ended = False
        self._timer = loop.call_at(call.deadline, self._expire)
        fanout.under_way += 1

    @property
    def is_answered(self) -> bool:
        """Whether a whole answer came."""
        return self.future.done() and not self.future.cancelled() and self.future.exception() is None

    async def reply(self) -> JsonObject:
        """Give Target's decoded answer, of a further attempt where one may help. Raises UpstreamError that fits."""
        fanout = self._fanout
        try:
            while True:
                try:
                    answer = await self.future
                    found = self._read(answer)
                except UpstreamError as error:
                    if not await fanout.repeat(self, error):
                        raise
                else:
                    fanout.edges.note(self.edge, asyncio.get_running_loop().time(), failed=False)
                    return found
        finally:
            self.end()

    def _read(self, answer: Reply) -> JsonObject:
        """Give the decoded answer; one that names another request is nobody's, and ends the connection it came on."""
        found, asked = read_reply(answer.status, answer.body), self.call.request_id
        if asked and found.get("requestId", asked) != asked:
            if self.connection is not None:
                self.connection.close()
            raise UpstreamGarbled("Target's answer belongs to another request")
        return found

    def await_again(self) -> None:
        """Make ready for another attempt."""
        self.future = asyncio.get_running_loop().create_future()
        self.begun = 0.0

    def fail(self, error: UpstreamError) -> None:
        """End the wait with `error`."""
        if not self.future.done():
            self.future.set_exception(error)

    def end(self) -> None:
        """Let go of everything the call holds; an answer that is not there yet is lost."""
        if self.is_ended:
            return
        self.is_ended = True
        self._timer.cancel()
        if self.task is not None:
            self.task.cancel()
        if not self.future.done():
            self.future.cancel()
        elif not self.future.cancelled():
            self.future.exception()  # seen: nobody is waiting any more
        self._fanout.let_go(self)
        # An error knows, by its traceback, the frames that know this call: without this they would wait for the
        # garbage collector, hundreds of them with their connections, and so would everybody else.
        self.future = self._fanout.ended

    def _expire(self) -> None:
        self.fail(UpstreamTimeout("Target did not answer in time"))


def _as_upstream_error(error: Exception) -> UpstreamError:
    if isinstance(error, UpstreamError):
        return error
    if isinstance(error, OSError):
        return UpstreamUnreached(f"Target cannot be reached: {type(error).__name__}")
    return UpstreamError("the call to Target cannot be written")


def write_request(call: Call) -> bytes:
    """Give the bytes of a request (RFC 9112 §3); raises ValueError for a line break where none may be."""
    lines = [f"POST {call.url.raw_path_qs} HTTP/1.1", f"Host: {call.url.raw_authority}"]
    lines += [f"{name}: {value}" for name, value in call.headers.items()]
    lines += ["Accept-Encoding: gzip, deflate", f"Content-Length: {len(call.body)}"]
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a line break in the head of a request")
    return f"{head}\r\n\r\n".encode() + call.body
