"""The load: prepared requests over keep-alive connections, replies read just far enough to judge them.

It is a bare protocol on purpose: a client library would cost more a request than the servers under test. `run_closed`
sends as soon as a reply is there and finds the peak; `run_open` sends by a constant schedule and counts each time from
when the request was due, so that a server that stalls is charged for every request that had to wait.
"""

import asyncio
import gc
import time
from collections.abc import Callable

from msgspec import Struct

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"Content-Length: "
_GOOD = b"HTTP/1.1 200 "
_DEGRADED = b"X-Gateway-Degraded"
_TICK_S = 0.001
_PATIENCE_S = 10.0

MakeRequest = Callable[[int], bytes]


class BenchError(Exception):
    """The benchmark cannot measure what it is meant to measure."""


class Window(Struct):
    """What one window of load gave: good replies, others, time in s, and each good reply's latency in s."""

    good: int = 0
    failed: int = 0
    elapsed: float = 0.0
    latencies: list[float] = []


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way; `due` is when that one should have been sent."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._part = b""
        self._transport: asyncio.Transport
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # loop.create_connection makes no other kind

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self._transport.write(request)

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._part:
            data = self._part + data
        head = data.find(_HEAD_END)
        if head >= 0:
            at = data.find(_LENGTH, 0, head) + len(_LENGTH)
            start = head + len(_HEAD_END)
            if len(data) >= start + int(data[at : data.find(b"\r\n", at)]):
                self._part = b""
                good = data.startswith(self._load.good) and data.startswith(self._load.begins, start)
                self._load.take_reply(self, good=good and data.find(_DEGRADED, 0, head) < 0)
                return
        self._part = data

    def connection_lost(self, _exc: Exception | None) -> None:
        self._load.lose(self)


class Load:
    """Connections to one server; one window of load at a time runs over them."""

    def __init__(self, make_request: MakeRequest, begins: bytes, good: bytes = _GOOD) -> None:
        """Send what `make_request(n)` gives for the n-th request; a good reply and its body begin as said."""
        self.begins = begins
        self.good = good
        self._make_request = make_request
        self._sent = 0
        self._idle: list[_Connection] = []
        self._open = 0
        self._window = Window()
        self._next: Callable[[_Connection], None] = self._idle.append
        self._all_idle = asyncio.Event()

    async def connect(self, host: str, port: int, count: int) -> None:
        """Open `count` connections; they stay open between windows."""
        for _ in range(count):
            _, connection = await asyncio.get_running_loop().create_connection(lambda: _Connection(self), host, port)
            self._idle.append(connection)
        self._open = count

    def close(self) -> None:
        """Close every connection."""
        self._next = self._idle.append
        for connection in self._idle:
            connection.close()

    async def run_closed(self, seconds: float) -> Window:
        """Keep every connection busy for `seconds`."""
        end = 0.0

        def send_again(connection: _Connection) -> None:
            now = time.perf_counter()
            if now < end:
                connection.send(self._make(), now)
            else:
                self._rest(connection)

        def begin() -> None:
            nonlocal end
            end = time.perf_counter() + seconds
            for connection in self._take_idle():
                send_again(connection)

        return await self._run(send_again, begin)

    async def run_open(self, seconds: float, per_s: float) -> Window:
        """Send `per_s` requests a second for `seconds`, whatever the server does."""
        begun, total, sent = 0.0, int(seconds * per_s), 0

        def send_due() -> None:
            nonlocal sent
            most = min(total, int((time.perf_counter() - begun) * per_s) + 1)
            while self._idle and sent < most:
                self._idle.pop().send(self._make(), begun + sent / per_s)
                sent += 1
            if sent >= total and len(self._idle) == self._open:
                self._all_idle.set()

        def rest_and_send(connection: _Connection) -> None:
            self._idle.append(connection)
            send_due()

        def tick() -> None:  # between replies; the loop's timers are no finer than a millisecond
            send_due()
            if sent < total:
                asyncio.get_running_loop().call_later(_TICK_S, tick)

        def begin() -> None:
            nonlocal begun
            begun = time.perf_counter()
            tick()

        return await self._run(rest_and_send, begin)

    async def _run(self, following: Callable[[_Connection], None], begin: Callable[[], None]) -> Window:
        window = self._window = Window(latencies=[])
        self._all_idle.clear()
        self._next = following
        gc.collect()
        gc.disable()
        started = time.perf_counter()
        try:
            begin()
            await self._settle()
        finally:
            window.elapsed = time.perf_counter() - started
            self._next = self._idle.append
            gc.enable()
        if not self._open:
            raise BenchError(f"the server closed every connection, after {window.good} good replies")
        return window

    async def _settle(self) -> None:
        """Wait until nothing is under way; raises BenchError when no reply comes any more."""
        seen = -1
        while seen != (seen := self._window.good + self._window.failed):
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._all_idle.wait()
            except TimeoutError:
                continue
            return
        raise BenchError(f"no reply for {_PATIENCE_S:.0f} s, after {self._window.good} good ones")

    def take_reply(self, connection: _Connection, *, good: bool) -> None:
        """Count a reply and go on with its connection."""
        if good:
            self._window.good += 1
            self._window.latencies.append(time.perf_counter() - connection.due)
        else:
            self._window.failed += 1
        self._next(connection)

    def lose(self, connection: _Connection) -> None:
        """Count a connection that closed, with what was under way on it."""
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        else:
            self._window.failed += 1
        if len(self._idle) == self._open:
            self._all_idle.set()

    def _make(self) -> bytes:
        self._sent += 1
        return self._make_request(self._sent)

    def _take_idle(self) -> list[_Connection]:
        idle, self._idle = self._idle, []
        return idle

    def _rest(self, connection: _Connection) -> None:
        self._idle.append(connection)
        if len(self._idle) == self._open:
            self._all_idle.set()
