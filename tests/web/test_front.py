"""Connections: plain requests one after the other, aiohttp for all else, and an end in every case."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from msgspec import Struct, field

from gateway.web import front
from gateway.web.connections import JsonServer
from gateway.web.plain import PlainRequest, Request
from gateway.web.response import Answer
from tests.store.servers import wait_until

MOST = 100_000


class House(Struct):
    """A server that tells what it was asked, and by which way the request came in."""

    answer: Callable[[Request], Awaitable[Answer]]
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    server: JsonServer | None = None
    runner: web.ServerRunner | None = None


async def read_all(request: Request) -> bytes:
    return request.body if isinstance(request, PlainRequest) else await request.read()


@asynccontextmanager
async def open_house(keepalive_s: float = 60) -> AsyncIterator[House]:
    async def answer(request: Request) -> Answer:
        body = await read_all(request)
        house.asked.append(f"{'plain' if isinstance(request, PlainRequest) else 'other'} {body.decode()}")
        if body.startswith(b"wait"):
            await house.gate.wait()
        if body == b"fail":
            raise ValueError("a secret word")
        if body == b"break":
            return Answer(200, b"", [("X-A", "a\r\nX-B: b")])
        if body.startswith(b"long"):
            return Answer(200, b"x" * 10_000_000)
        response = Answer(200, b'"%b"' % body)
        if body == b"close":
            response.force_close()
        return response

    house = House(answer)
    server = JsonServer(
        answer,
        most_body=MOST,
        keepalive_timeout=keepalive_s,
        access_log=None,
        logger=logging.Logger("silent"),  # noqa: LOG001
    )
    runner = web.ServerRunner(server, shutdown_timeout=5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    house.server, house.runner, house.port = server, runner, runner.addresses[0][1]
    try:
        yield house
    finally:
        house.gate.set()
        await runner.cleanup()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as found:
        yield found


class Caller:
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
async def call(house: House, room: int = 0) -> AsyncIterator[Caller]:
    """Connect, with `room` bytes for what is not read yet."""
    sock = socket.socket()
    if room:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", house.port))
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


def make(body: bytes = b"a", *headers: bytes) -> bytes:
    lines = [b"POST /a?b=1 HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


async def test_plain_requests_of_one_connection_are_answered_one_after_the_other(house: House) -> None:
    async with call(house) as caller:
        for body in (b"a", b"b", b""):
            caller.send(make(body))
            head, said = await caller.read()
            assert said == b'"%b"' % body
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"Connection" not in head
    assert house.asked == ["plain a", "plain b", "plain "]


async def test_a_request_in_pieces_is_plain_when_they_come_quickly(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "_PATIENCE_S", 20)
    whole = make(b"abc")
    async with call(house) as caller:
        for at in range(len(whole)):
            caller.send(whole[at : at + 1])
            await caller.writer.drain()
            await asyncio.sleep(0)
        assert (await caller.read())[1] == b'"abc"'
        caller.send(make(b"d"))
        assert (await caller.read())[1] == b'"d"'
    assert [one.split()[1] for one in house.asked] == ["abc", "d"]


async def test_a_body_that_does_not_follow_is_waited_for_by_aiohttp(house: House) -> None:
    whole = make(b"abc")
    async with call(house) as caller:
        caller.send(make(b"first"))
        await caller.read()
        caller.send(whole[:-3])
        await wait_until(lambda: bool(house.server and house.server.connections))
        caller.send(b"abc")
        assert (await caller.read())[1] == b'"abc"'
        caller.send(make(b"d"))
        assert (await caller.read())[1] == b'"d"'
    assert house.asked == ["plain first", "other abc", "other d"]


async def test_what_is_odd_goes_to_aiohttp_with_every_byte(house: House) -> None:
    chunked = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    async with call(house) as caller:
        caller.send(make(b"first"))
        await caller.read()
        caller.send(chunked)
        assert (await caller.read())[1] == b'"abc"'
        caller.send(make(b"last"))
        assert (await caller.read())[1] == b'"last"'
    assert house.asked == ["plain first", "other abc", "other last"]


async def test_two_requests_sent_at_once_are_answered_in_order(house: House) -> None:
    async with call(house) as caller:
        caller.send(make(b"a") + make(b"b"))
        assert [(await caller.read())[1] for _ in range(2)] == [b'"a"', b'"b"']
    assert house.asked == ["other a", "other b"]


async def test_a_request_sent_before_the_answer_waits_its_turn(house: House) -> None:
    async with call(house) as caller:
        caller.send(make(b"wait"))
        await wait_until(lambda: bool(house.asked))
        for body in (b"b", b"c"):
            caller.send(make(body))
            await caller.writer.drain()
        house.gate.set()
        assert [(await caller.read())[1] for _ in range(3)] == [b'"wait"', b'"b"', b'"c"']
    assert [one.split()[1] for one in house.asked] == ["wait", "b", "c"]


@pytest.mark.parametrize("sent", [make(b"close"), make(b"a", b"Connection: close")])
async def test_a_connection_ends_where_one_side_says_so(house: House, sent: bytes) -> None:
    async with call(house) as caller:
        caller.send(sent)
        head, _ = await caller.read()
        assert b"\r\nConnection: close\r\n" in head
        assert await caller.read_end() == b""


async def test_no_answer_may_have_a_line_break_in_a_header(house: House) -> None:
    async with call(house) as caller:
        caller.send(make(b"break"))
        whole = await caller.read_end()
    assert whole.startswith(b"HTTP/1.1 500 ")
    assert b"X-B" not in whole


async def test_a_defect_is_answered_and_ends_the_connection(house: House) -> None:
    async with call(house) as caller:
        caller.send(make(b"fail"))
        whole = await caller.read_end()
    assert whole.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in whole


async def test_a_connection_nobody_uses_is_ended() -> None:
    async with open_house(keepalive_s=0.05) as house, call(house) as silent, call(house) as caller:
        caller.send(make(b"a"))
        await caller.read()
        assert await caller.read_end() == b""
        assert await silent.read_end() == b""


async def test_the_time_an_answer_takes_is_no_idle_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "_LOOK_AGAIN_S", 0.01)
    async with open_house(keepalive_s=0.02) as house, call(house) as caller:
        caller.send(make(b"wait"))
        await wait_until(lambda: bool(house.asked))
        await asyncio.sleep(0.1)  # several times as long as a connection may be idle
        house.gate.set()
        assert (await caller.read())[1] == b'"wait"'


async def test_who_does_not_read_is_not_answered_any_further(house: House) -> None:
    async with call(house, room=4096) as caller:
        caller.send(make(b"long"))
        await wait_until(lambda: bool(house.asked))
        caller.send(make(b"next"))
        await asyncio.sleep(0.05)  # enough for what must not happen
        assert house.asked == ["plain long"]
        assert len((await caller.read())[1]) == 10_000_000
        assert (await caller.read())[1] == b'"next"'


async def test_who_never_reads_is_let_go() -> None:
    async with open_house(keepalive_s=0.05) as house, call(house, room=4096) as caller:
        caller.send(make(b"long"))
        await wait_until(lambda: bool(house.asked))
        assert house.server is not None
        await wait_until(lambda: not house.server.fronts)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await caller.read()


async def test_an_answer_is_made_also_when_its_caller_has_gone(house: House) -> None:
    async with call(house) as caller:
        caller.send(make(b"wait"))
        await wait_until(lambda: bool(house.asked))
    assert house.server is not None
    house.gate.set()
    async with call(house) as other:
        other.send(make(b"b"))
        assert (await other.read())[1] == b'"b"'


async def test_at_the_end_idle_connections_close_and_answers_on_their_way_still_leave(house: House) -> None:
    assert house.runner is not None
    async with call(house) as idle, call(house) as busy:
        idle.send(make(b"a"))
        await idle.read()
        busy.send(make(b"wait"))
        await wait_until(lambda: len(house.asked) == 2)
        ending = asyncio.create_task(house.runner.cleanup())
        assert await idle.read_end() == b""
        house.gate.set()
        head, said = await busy.read()
        assert said == b'"wait"'
        assert b"\r\nConnection: close\r\n" in head
        await ending


async def test_at_the_end_nobody_waits_for_an_answer_that_does_not_come(house: House) -> None:
    assert house.server is not None
    async with call(house) as caller:
        caller.send(make(b"wait"))
        await wait_until(lambda: bool(house.asked))
        await house.server.shutdown(0.01)
        assert await caller.read_end() == b""
