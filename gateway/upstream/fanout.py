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
from gateway.upstream.connection import Connection
from gateway.upstream.edges import Edge, Edges
from gateway.upstream.retries import MOST, RetryBudget, is_passing, is_safe, judge, pause_s
from gateway.upstream.target import Call, Outcome, read_reply


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
        self.loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[JsonObject] = self.loop.create_future()
        self.ended.cancel()  # what a wait that has ended holds in place of its own
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

    def start(self, call: Call) -> "Awaited":
        """Send `call`; where a connection is kept, the request is on the wire when this returns.

        The caller must await `reply()` or call `end()`.
        """
        pending = Awaited(self, call)
        self.launch(pending)
        return pending

    def launch(self, pending: "Pending") -> None:
        """Do what `start` does for a call that is told what becomes of it; never before this returns."""
        now = self.loop.time()
        pending.edge = edge = self.edges.find(pending.call.address.origin, now)
        self.under_way += 1
        pending.timer = self.loop.call_at(pending.call.deadline, pending.expire)
        if self.under_way > self._target.max_in_flight + self._target.max_waiting:
            self._fail_soon(pending, UpstreamOverloaded("too many calls to Target are already waiting"))
        elif not edge.breaker.lets_through(now):
            why = "Target has failed too often lately; few calls are made until it is back"
            self._fail_soon(pending, CircuitOpen(why))
        else:
            self._retries.note_call()
            self._begin(pending, now)

    def fail(self, pending: "Pending", error: UpstreamError) -> None:
        """Note that an attempt ended with `error`; another one follows after a short pause where that may help."""
        now = self.loop.time()
        lasted_s = now - pending.begun if pending.begun else 0.0
        if (failed := judge(error, lasted_s, self._target.breaker_timeout_ms / 1000)) is not None:
            self.edges.note(pending.edge, now, failed=failed)
        pause = pause_s(pending.attempts, self._chance())
        if not self._may_repeat(pending, error, now + pause):
            pending.settle(error)
            return
        self._let_go_of_connection(pending)
        pending.begun = 0.0
        pending.task = asyncio.create_task(self._send_again(pending, pause))

    def _may_repeat(self, pending: "Pending", error: UpstreamError, when: float) -> bool:
        in_time = when + self._target.minimum_budget_ms / 1000 <= pending.call.deadline
        if pending.attempts > MOST or not in_time or pending.edge.breaker.is_open:
            return False
        return is_passing(error) and is_safe(error, pending.call.body) and self._retries.take()

    async def _send_again(self, pending: "Pending", pause: float) -> None:
        await asyncio.sleep(pause)  # a call that ends meanwhile cancels this
        self.repeated += 1
        self._begin(pending, self.loop.time())

    async def close(self) -> None:
        """Close every connection."""
        await self.edges.close()

    def _fail_soon(self, pending: "Pending", error: UpstreamError) -> None:
        """Let an attempt that has hardly begun fail in the next turn: who begins it is not called back meanwhile."""
        self.loop.call_soon(pending.fail, error)

    def _begin(self, pending: "Pending", now: float) -> None:
        pending.attempts += 1
        if self._has_place() and (kept := self.edges.take(pending.edge, now)) is not None:
            self._sending += 1
            pending.begun = now
            try:
                self._send(pending, kept)
            except (UpstreamError, ValueError) as error:
                self._fail_soon(pending, _as_upstream_error(error))
        else:
            pending.task = asyncio.create_task(self._connect_and_send(pending))

    def _has_place(self) -> bool:
        return not self._line and self._sending < self._target.max_in_flight

    async def _take_place(self) -> None:
        if self._has_place():
            self._sending += 1
            return
        self._line.append(turn := self.loop.create_future())
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
        connection.send(write_request(pending.call), pending)

    async def _connect_and_send(self, pending: "Pending") -> None:
        try:
            await self._take_place()
            try:
                pending.begun = now = self.loop.time()
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
        is_answered, pending.is_answered = pending.is_answered, False
        if is_answered and connection.is_usable:
            self.edges.keep(pending.edge, connection, self.loop.time())
        else:
            connection.close()
        self._give_place()


class Pending:
    """A call under way, until what became of it is told to its `land`; `begun` is when its latest attempt got a place.

    Nothing waits for it but its deadline: what comes in is taken where it comes in, without a task or a turn of the
    loop.
    """

    __slots__ = (
        "_fanout",
        "attempts",
        "begun",
        "call",
        "connection",
        "edge",
        "is_answered",
        "is_ended",
        "task",
        "timer",
    )
    edge: Edge
    timer: asyncio.TimerHandle

    def __init__(self, fanout: Fanout, call: Call) -> None:
        """Make ready for `Fanout.launch`."""
        self._fanout = fanout
        self.call = call
        self.connection: Connection | None = None
        self.task: asyncio.Task[None] | None = None
        self.attempts = 0
        self.begun = 0.0
        self.is_answered = False
        self.is_ended = False

    def land(self, outcome: Outcome) -> None:
        """Learn what became of the call, once it has ended."""
        raise NotImplementedError

    def take(self, status: int, body: bytes) -> None:
        """Take the answer to an attempt."""
        self.is_answered = True
        fanout = self._fanout
        try:
            found = self._read(status, body)
        except UpstreamError as error:
            fanout.fail(self, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must be told
            self.settle(error)
        else:
            fanout.edges.note(self.edge, fanout.loop.time(), failed=False)
            self.settle(found)

    def _read(self, status: int, body: bytes) -> JsonObject:
        """Give the decoded answer; one that names another request is nobody's, and ends the connection it came on."""
        found, asked = read_reply(status, body), self.call.request_id
        if asked and found.get("requestId", asked) != asked:
            if self.connection is not None:
                self.connection.close()
            raise UpstreamGarbled("Target's answer belongs to another request")
        return found

    def fail(self, error: UpstreamError) -> None:
        """Learn that an attempt failed."""
        if not self.is_ended:
            self._fanout.fail(self, error)

    def settle(self, outcome: Outcome) -> None:
        """End with `outcome`."""
        self._let_go()
        self.land(outcome)

    def end(self) -> None:
        """Let go of everything the call holds; an answer that is not there yet is lost."""
        self._let_go()

    def _let_go(self) -> None:
        if self.is_ended:
            return
        self.is_ended = True
        self.timer.cancel()
        if self.task is not None:
            self.task.cancel()
        self._fanout.let_go(self)

    def expire(self) -> None:
        """End at the deadline."""
        self.fail(UpstreamTimeout("Target did not answer in time"))


class Awaited(Pending):
    """A call that somebody waits for."""

    __slots__ = ("_future",)

    def __init__(self, fanout: Fanout, call: Call) -> None:
        """Make ready for `Fanout.launch`."""
        super().__init__(fanout, call)
        self._future: asyncio.Future[JsonObject] = fanout.loop.create_future()

    async def reply(self) -> JsonObject:
        """Give Target's decoded answer. Raises UpstreamError of the kind that fits."""
        try:
            return await self._future
        finally:
            self.end()

    def land(self, outcome: Outcome) -> None:
        """End the wait."""
        if self._future.done():
            return
        if isinstance(outcome, Exception):
            self._future.set_exception(outcome)
        else:
            self._future.set_result(outcome)

    def end(self) -> None:
        """Let go of everything, the outcome included."""
        super().end()
        if not self._future.done():
            self._future.cancel()
        elif not self._future.cancelled():
            self._future.exception()  # seen: nobody is waiting any more
        # An error knows, by its traceback, the frames that know this call: without this they would wait for the
        # garbage collector, hundreds of them with their connections, and so would everybody else.
        self._future = self._fanout.ended


def _as_upstream_error(error: Exception) -> UpstreamError:
    if isinstance(error, UpstreamError):
        return error
    if isinstance(error, OSError):
        return UpstreamUnreached(f"Target cannot be reached: {type(error).__name__}")
    return UpstreamError("the call to Target cannot be written")


def write_request(call: Call) -> bytes:
    """Give the bytes of a request (RFC 9112 §3); raises ValueError for a line break where none may be."""
    lines = [f"POST {call.address.target} HTTP/1.1", f"Host: {call.address.origin.authority}"]
    lines += [f"{name}: {value}" for name, value in call.headers.items()]
    lines += ["Accept-Encoding: gzip, deflate", f"Content-Length: {len(call.body)}"]
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a line break in the head of a request")
    return f"{head}\r\n\r\n".encode() + call.body
