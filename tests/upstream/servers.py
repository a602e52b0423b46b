"""Servers that say what a test wants, and a fan-out in front of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from yarl import URL

from gateway.config import Target
from gateway.errors import (
    UpstreamError,
)
from gateway.upstream.fanout import Fanout
from gateway.upstream.target import Call, read_address

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
GZIPPED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"


class Upstream:
    """A server that answers every request with the same bytes; `hold` makes it wait, `kept` keeps what it was sent."""

    def __init__(self, reply: bytes, *, keep_open: bool = False) -> None:
        self.reply = reply
        self.keep_open = keep_open
        self.hold: asyncio.Event | None = None
        self.kept: list[bytes] = []
        self.connections = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                self.kept.append(head + await reader.readexactly(length))
                if self.hold is not None:
                    await self.hold.wait()
                writer.write(self.reply)
                await writer.drain()
                if not self.keep_open:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the gateway hung up
        finally:
            writer.close()


@asynccontextmanager
async def upstream(
    reply: bytes, *, keep_open: bool = False, **limits: Any
) -> AsyncIterator[tuple[Fanout, Upstream, URL]]:
    """Give a fan-out, the server behind it and the server's address."""
    server = Upstream(reply, keep_open=keep_open)
    async with (
        await asyncio.start_server(server.answer, "127.0.0.1", 0) as listening,
        Fanout(Target(**limits)) as fanout,
    ):
        port = listening.sockets[0].getsockname()[1]
        yield fanout, server, URL(f"http://127.0.0.1:{port}/rest/v1/delivery")


def make_call(url: URL, seconds: float = 10.0) -> Call:
    return Call(
        read_address(url), b"{}", {"Content-Type": "application/json"}, asyncio.get_running_loop().time() + seconds
    )


async def outcome_of(fanout: Fanout, url: URL, seconds: float = 10.0) -> type[Exception]:
    with pytest.raises(UpstreamError) as caught:
        await fanout.ask(make_call(url, seconds))
    assert fanout.under_way == 0
    return caught.type


def pack(template: bytes, body: bytes) -> bytes:
    return template % (len(body), body)
