"""A server whose handler does as the body says, and raw connections to it: for tests of connections alone."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from msgspec import Struct, field

from gateway.web.connections import JsonServer
from gateway.web.front import Front
from gateway.web.plain import PlainRequest, Request
from gateway.web.response import Answer

MOST = 100_000
LONG = 10_000_000
"""More bytes than any socket takes at once."""


class House(Struct):
    """What its handler was asked, each by which way it came in, and which of it came to an end, however it did."""

    asked: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    server: JsonServer | None = None
    runner: web.ServerRunner | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.runner.addresses[0][1])

    @property
    def front(self) -> Front:
        """Its only plain connection."""
        (front,) = self.server.fronts
        return front

    async def answer(self, request: Request) -> Answer:
        """Do what the body says, in this order: `wait`, `cancel`, `fail`, `break`, `who`, `long`, `close`."""
        is_plain = isinstance(request, PlainRequest)
        body = request.body if is_plain else await request.read()
        self.asked.append(f"{'plain' if is_plain else 'other'} {body.decode()}")
        try:
            return await self._obey(request, body)
        finally:
            self.ended.append(body.decode())

    async def _obey(self, request: Request, body: bytes) -> Answer:
        words = body.split()
        if b"wait" in words:
            await self.gate.wait()
        if b"cancel" in words:
            await cancelled()
        if b"fail" in words:
            raise ValueError("a secret word")
        if b"break" in words:
            return Answer(200, b"", [("X-A", "a\r\nX-B: b")])
        said = str(request.remote).encode() if b"who" in words else body
        answer = Answer(200, b"x" * LONG if b"long" in words else b'"%b"' % said)
        if b"close" in words:
            answer.force_close()
        return answer


async def cancelled() -> None:
    """End as work does that others share and somebody has cancelled."""
    shared = asyncio.get_running_loop().create_future()
    shared.cancel()
    await shared


@asynccontextmanager
async def open_house(keepalive_s: float = 60) -> AsyncIterator[House]:
    house = House()
    house.server = JsonServer(
        house.answer,
        most_body=MOST,
        keepalive_timeout=keepalive_s,
        access_log=None,
        logger=logging.Logger("silent"),  # noqa: LOG001 - one for each server, not shared
    )
    house.runner = web.ServerRunner(house.server, shutdown_timeout=5)
    await house.runner.setup()
    await web.TCPSite(house.runner, "127.0.0.1", 0).start()
    try:
        yield house
    finally:
        house.gate.set()
        await house.runner.cleanup()


class Wire:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self) -> tuple[bytes, bytes]:
        """Give head and body of the next answer."""
        async with asyncio.timeout(20):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            return head, await self.reader.readexactly(int(length.split(b":")[1]))

    async def read_end(self) -> bytes:
        async with asyncio.timeout(20):
            return await self.reader.read()


@asynccontextmanager
async def call(port: int, room: int = 0) -> AsyncIterator[Wire]:
    """Connect, with `room` bytes for what is not read yet."""
    sock = socket.socket()
    if room:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


def make(body: bytes = b"a", *headers: bytes) -> bytes:
    """Give a plain request."""
    lines = [b"POST /a?b=1 HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


def make_odd(body: bytes) -> bytes:
    """Give a request that is for aiohttp."""
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk
