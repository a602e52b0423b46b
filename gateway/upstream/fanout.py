"""The only door to Target: bounded parallel calls, each within its deadline (gw:F2, F3, F7)."""

import asyncio
import ssl
from collections import deque
from types import TracebackType
from typing import Self

from msgspec import Struct

from gateway.config import Target
from gateway.delivery.model import JsonObject
from gateway.errors import UpstreamError, UpstreamOverloaded, UpstreamTimeout
from gateway.upstream.connection import Connection, Limits, Reply
from gateway.upstream.target import Call, read_reply


class Origin(Struct, frozen=True):
    """Where connections go."""

    scheme: str
    host: str
    port: int


class Fanout:
    """Calls to Target: at most `max-in-flight` at once, at most `max-waiting` in line behind them."""

    def __init__(self, target: Target) -> None:
        """Keep the limits; nothing is connected yet."""
        self._target = target
        self._limits = Limits(most=target.max_response_kb * 1024, ratio=target.max_ratio)
        # Reading the trusted certificates takes 40 ms: once, not for each connection.
        self._tls = ssl.create_default_context() if _speaks_tls(target) else None
        self._idle: dict[Origin, deque[Connection]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._line: deque[asyncio.Future[None]] = deque()
        self._sending = 0
        self.under_way = 0
        self.calls = 0

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
        pending = Pending(self, call)
        if self.under_way > self._target.max_in_flight + self._target.max_waiting:
            pending.fail(UpstreamOverloaded("too many calls to Target are already waiting"))
        elif self._has_place() and (kept := self._take_kept(call)) is not None:
            self._sending += 1
            self._send(pending, kept)
        else:
            pending.task = asyncio.create_task(self._connect_and_send(pending))
        return pending

    async def close(self) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for kept in self._idle.values():
            for connection in kept:
                connection.close()
        self._idle.clear()
        await asyncio.sleep(0)  # transports let go of their sockets in the next turn

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

    def _take_kept(self, call: Call) -> Connection | None:
        kept = self._idle.get(origin_of(call))
        oldest = asyncio.get_running_loop().time() - self._target.keepalive_s
        while kept:
            connection = kept.pop()
            if connection.is_usable and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    def _send(self, pending: "Pending", connection: Connection) -> None:
        self.calls += 1
        pending.connection = connection
        connection.send(write_request(pending.call), pending.future)

    async def _connect_and_send(self, pending: "Pending") -> None:
        try:
            await self._take_place()
            try:
                self._send(pending, self._take_kept(pending.call) or await self._connect(origin_of(pending.call)))
            except BaseException:
                if pending.connection is None:
                    self._give_place()
                raise
        except UpstreamError as error:
            pending.fail(error)
        except (OSError, ValueError) as error:
            pending.fail(UpstreamError(f"Target cannot be reached: {type(error).__name__}"))

    async def _connect(self, origin: Origin) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._limits),
            origin.host,
            origin.port,
            ssl=self._tls if origin.scheme == "https" else None,
        )
        return connection

    def let_go(self, pending: "Pending") -> None:
        """Take back the place and, where nothing odd happened, the connection of a call that has ended."""
        self.under_way -= 1
        connection = pending.connection
        if connection is None:
            return
        if connection.is_usable and pending.is_answered:
            loop = asyncio.get_running_loop()
            connection.idle_since = loop.time()
            self._idle.setdefault(origin_of(pending.call), deque()).append(connection)
            if self._sweeper is None:
                self._sweeper = loop.call_later(self._target.keepalive_s, self._sweep)
        else:
            connection.close()
        self._give_place()

    def _sweep(self) -> None:
        """Close connections that have been idle for too long, and forget origins that have none."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._target.keepalive_s
        for origin, kept in list(self._idle.items()):
            while kept and (kept[0].idle_since <= oldest or not kept[0].is_usable):
                kept.popleft().close()
            if not kept:
                del self._idle[origin]
        self._sweeper = loop.call_later(self._target.keepalive_s, self._sweep) if self._idle else None


class Pending:
    """A call under way."""

    __slots__ = ("_ended", "_fanout", "_timer", "call", "connection", "future", "task")

    def __init__(self, fanout: Fanout, call: Call) -> None:
        """Count the call as under way, and see to its deadline."""
        loop = asyncio.get_running_loop()
        self.call = call
        self.future: asyncio.Future[Reply] = loop.create_future()
        self.connection: Connection | None = None
        self.task: asyncio.Task[None] | None = None
        self._fanout = fanout
        self._ended = False
        self._timer = loop.call_at(call.deadline, self._expire)
        fanout.under_way += 1

    @property
    def is_answered(self) -> bool:
        """Whether a whole answer came."""
        return self.future.done() and not self.future.cancelled() and self.future.exception() is None

    async def reply(self) -> JsonObject:
        """Give Target's decoded answer. Raises UpstreamError of the kind that fits."""
        try:
            answer = await self.future
        finally:
            self.end()
        return read_reply(answer.status, answer.body)

    def fail(self, error: UpstreamError) -> None:
        """End the wait with `error`."""
        if not self.future.done():
            self.future.set_exception(error)

    def end(self) -> None:
        """Let go of everything the call holds; an answer that is not there yet is lost."""
        if self._ended:
            return
        self._ended = True
        self._timer.cancel()
        if self.task is not None:
            self.task.cancel()
        if not self.future.done():
            self.future.cancel()
        elif not self.future.cancelled():
            self.future.exception()  # seen: nobody is waiting any more
        self._fanout.let_go(self)

    def _expire(self) -> None:
        self.fail(UpstreamTimeout("Target did not answer in time"))


def _speaks_tls(target: Target) -> bool:
    return target.url.startswith("https:") or target.edge_url.startswith("https:")


def origin_of(call: Call) -> Origin:
    """Give where `call` goes."""
    url = call.url
    return Origin(url.scheme, url.raw_host or "", url.port or (443 if url.scheme == "https" else 80))


def write_request(call: Call) -> bytes:
    """Give the bytes of a request (RFC 9112 §3); raises ValueError for a line break where none may be."""
    lines = [f"POST {call.url.raw_path_qs} HTTP/1.1", f"Host: {call.url.raw_authority}"]
    lines += [f"{name}: {value}" for name, value in call.headers.items()]
    lines += ["Accept-Encoding: gzip, deflate", f"Content-Length: {len(call.body)}"]
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a line break in the head of a request")
    return f"{head}\r\n\r\n".encode() + call.body
