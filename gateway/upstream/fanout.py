"""The only door to Target: bounded parallel calls, each within its deadline (gw:F2, F3, F7)."""

import asyncio
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
        self._idle: dict[Origin, deque[Connection]] = {}
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
        elif self._sending < self._target.max_in_flight and (kept := self._take_kept(call)) is not None:
            self._send(pending, kept)
        else:
            pending.task = asyncio.create_task(self._connect_and_send(pending))
        return pending

    async def close(self) -> None:
        """Close every connection."""
        for kept in self._idle.values():
            for connection in kept:
                connection.close()
        self._idle.clear()
        await asyncio.sleep(0)  # transports let go of their sockets in the next turn

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
        self._sending += 1
        self.calls += 1
        pending.connection = connection
        connection.send(write_request(pending.call), pending.future)

    async def _connect_and_send(self, pending: "Pending") -> None:
        try:
            while self._sending >= self._target.max_in_flight:
                self._line.append(turn := asyncio.get_running_loop().create_future())
                await turn
            connection = self._take_kept(pending.call)
            if connection is None:
                self._sending += 1  # a connection being made takes its place already
                try:
                    connection = await self._connect(origin_of(pending.call))
                finally:
                    self._sending -= 1
            self._send(pending, connection)
        except UpstreamError as error:
            pending.fail(error)
        except (OSError, ValueError) as error:
            pending.fail(UpstreamError(f"Target cannot be reached: {type(error).__name__}"))

    async def _connect(self, origin: Origin) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._limits), origin.host, origin.port, ssl=True if origin.scheme == "https" else None
        )
        return connection

    def let_go(self, pending: "Pending") -> None:
        """Take back the place and, where nothing odd happened, the connection of a call that has ended."""
        self.under_way -= 1
        connection = pending.connection
        if connection is not None:
            self._sending -= 1
            if connection.is_usable and pending.is_answered:
                connection.idle_since = asyncio.get_running_loop().time()
                self._idle.setdefault(origin_of(pending.call), deque()).append(connection)
            else:
                connection.close()
        while self._line and self._sending < self._target.max_in_flight:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                break


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
