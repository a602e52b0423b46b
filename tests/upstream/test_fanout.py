"""The door to other hosts: whatever comes back over a real socket is an object or an UpstreamError (gw:F3, F7)."""

import asyncio
import gc
import gzip
import ssl
import zlib

import msgspec
import pytest
import trustme
from yarl import URL

from gateway.config import Target
from gateway.errors import (
    UpstreamError,
    UpstreamGarbled,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreached,
)
from gateway.upstream.connection import Connection
from gateway.upstream.fanout import Fanout, Pending
from gateway.upstream.target import Call, read_address
from tests.upstream.servers import GZIPPED, OK, Upstream, make_call, outcome_of, pack, upstream

GARBLED = {
    "not JSON": pack(OK, b"<html>"),
    "no body": pack(OK, b""),
    "a list": pack(OK, b"[]"),
    "null": pack(OK, b"null"),
    "NaN": pack(OK, b'{"a":NaN}'),
    "1e999": pack(OK, b'{"a":1e999}'),
    "not UTF-8": pack(OK, b'{"a":"\xff"}'),
    "a lone surrogate": pack(OK, b'{"a":"\\ud800"}'),
    "100,000 deep": pack(OK, b"[" * 100_000),
    "cut": b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a":1}',
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "cut chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    "gzip that is none": pack(GZIPPED, b"{}"),
    "cut gzip": pack(GZIPPED, gzip.compress(b'{"a":"' + b"x" * 5000 + b'"}')[:-20]),
    "deflate that is none": b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: 2\r\n\r\n{}",
    "a gzip bomb": pack(GZIPPED, gzip.compress(b'{"a":"' + b"x" * 10_000_000 + b'"}')),
    "a bomb without a length": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
    + gzip.compress(b'{"a":"' + b"x" * 10_000_000 + b'"}'),
    "a deflate bomb": b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nConnection: close\r\n\r\n"
    + zlib.compress(b" " * 10_000_000),
    "beyond the limit": pack(OK, b'{"a":"' + b"x" * 1_100_000 + b'"}'),
    "beyond the limit without a length": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    b'{"a":"' + b"x" * 1_100_000 + b'"}',
}
BROKEN = {
    "nothing": b"",
    "no HTTP": b"HELLO\r\n\r\n",
    "binary": bytes(range(256)) + b"\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a bad status": b"HTTP/1.1 abc OK\r\n\r\n",
    "a bad length": b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "a header of 100 KB": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 20_000,
    "an encoding nobody has": b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
    "a switch of protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a cookie that is none": b"HTTP/1.1 200 OK\r\nSet-Cookie: \xff\x00;;=\r\nContent-Length: 2\r\n\r\n[]",
}


@pytest.mark.parametrize("name", GARBLED)
async def test_an_answer_that_cannot_be_read_is_garbled(name: str) -> None:
    async with upstream(GARBLED[name], max_response_kb=1024) as (fanout, _server, url):
        assert issubclass(await outcome_of(fanout, url), UpstreamGarbled)


@pytest.mark.parametrize("name", BROKEN)
async def test_an_answer_that_is_no_http_is_an_upstream_error(name: str) -> None:
    async with upstream(BROKEN[name]) as (fanout, _server, url):
        assert issubclass(await outcome_of(fanout, url), UpstreamError)


@pytest.mark.parametrize(
    "reply", [pack(OK, b'{"a":1}'), pack(GZIPPED, gzip.compress(b'{"a":1}'))], ids=["plain", "gzip"]
)
async def test_an_object_is_given_as_it_is(reply: bytes) -> None:
    async with upstream(reply) as (fanout, _server, url):
        assert await fanout.ask(make_call(url)) == {"a": 1}


async def test_an_answer_of_exactly_the_limit_is_read() -> None:
    body = b'{"a":"' + b"x" * (1024 - 8) + b'"}'
    async with upstream(pack(OK, body), max_response_kb=1) as (fanout, _server, url):
        assert len((await fanout.ask(make_call(url)))["a"]) == 1016
    async with upstream(pack(OK, body + b" "), max_response_kb=1) as (fanout, _server, url):
        assert await outcome_of(fanout, url) is UpstreamGarbled


async def test_a_refusal_carries_targets_status() -> None:
    async with upstream(b'HTTP/1.1 420 Calm\r\nContent-Length: 17\r\n\r\n{"message":"too"}') as (fanout, _server, url):
        with pytest.raises(UpstreamRefused) as caught:
            await fanout.ask(make_call(url))
        assert (caught.value.upstream_status, caught.value.upstream_message) == (420, "too")


async def test_a_redirect_is_a_refusal_and_is_not_followed() -> None:
    """gw:S9."""
    async with upstream(b"HTTP/1.1 307 x\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n") as (
        fanout,
        server,
        url,
    ):
        assert await outcome_of(fanout, url) is UpstreamRefused
        assert len(server.kept) == 1


async def test_nobody_listening_is_an_upstream_error() -> None:
    async with Fanout(Target()) as fanout:
        assert await outcome_of(fanout, URL("http://127.0.0.1:1/")) is UpstreamUnreached


async def test_cookies_of_target_are_neither_kept_nor_sent() -> None:
    """delivery-api §1: all identity travels in the body; one visitor's cookie must not reach another's call."""
    reply = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\n{}"
    async with upstream(reply, keep_open=True) as (fanout, server, url):
        for _ in range(2):
            await fanout.ask(make_call(url))
        assert server.connections == 1
        assert b"cookie" not in b"".join(server.kept).lower()


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Design T1."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with upstream(pack(OK, b"{}")) as (fanout, _server, url):
        assert await fanout.ask(make_call(url)) == {}


async def test_a_call_ends_at_its_deadline_and_the_next_one_gets_its_own_answer() -> None:
    """gw:F3; design T8: a late answer is never read as the answer to another call."""
    async with upstream(pack(OK, b'{"late":true}'), keep_open=True) as (fanout, server, url):
        server.hold = asyncio.Event()
        assert await outcome_of(fanout, url, 0.1) is UpstreamTimeout
        server.reply = pack(OK, b'{"late":false}')
        server.hold.set()
        assert await fanout.ask(make_call(url)) == {"late": False}


async def test_a_cancelled_call_leaves_nothing_behind() -> None:
    async with upstream(pack(OK, b"{}"), keep_open=True, max_in_flight=1) as (fanout, server, url):
        server.hold = asyncio.Event()
        task = asyncio.create_task(fanout.start(make_call(url)).reply())
        while not server.kept:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert fanout.under_way == 0
        server.hold.set()
        assert await fanout.ask(make_call(url)) == {}


async def test_calls_in_flight_and_in_line_are_bounded() -> None:
    """gw:F7: two at once, three in line, the others turned away at once."""
    async with upstream(pack(OK, b"{}"), keep_open=True, max_in_flight=2, max_waiting=3) as (fanout, server, url):
        server.hold = asyncio.Event()
        calls = [fanout.start(make_call(url)) for _ in range(5)]
        for _ in range(3):
            with pytest.raises(UpstreamOverloaded):
                await fanout.ask(make_call(url))
        while len(server.kept) < 2:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
        assert (server.connections, fanout.under_way) == (2, 5)
        server.hold.set()
        assert await asyncio.gather(*(call.reply() for call in calls)) == [{}] * 5
        assert fanout.under_way == 0


async def test_a_call_in_line_ends_at_its_deadline_too() -> None:
    async with upstream(pack(OK, b"{}"), keep_open=True, max_in_flight=1) as (fanout, server, url):
        server.hold = asyncio.Event()
        first = fanout.start(make_call(url))
        assert await outcome_of_second(fanout, url) is UpstreamTimeout
        server.hold.set()
        assert await first.reply() == {}


async def outcome_of_second(fanout: Fanout, url: URL) -> type[Exception]:
    with pytest.raises(UpstreamError) as caught:
        await fanout.ask(make_call(url, 0.05))
    return caught.type


async def test_a_long_answer_of_many_chunks_is_read_whole() -> None:
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (b'{"a":"', *[b"x" * 1000] * 500, b'"}')]
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"
    async with upstream(reply) as (fanout, _server, url):
        assert len(msgspec.json.encode(await fanout.ask(make_call(url)))) == 500_008


async def test_with_a_kept_connection_the_request_is_on_the_wire_when_start_returns() -> None:
    """Architecture, "start before you decide": no turn of the event loop lies between."""
    async with upstream(pack(OK, b"{}"), keep_open=True) as (fanout, server, url):
        await fanout.ask(make_call(url))
        call = fanout.start(make_call(url))
        assert call.connection is not None
        assert (server.connections, fanout.calls) == (1, 2)
        assert await call.reply() == {}


async def test_a_connection_that_is_to_be_closed_is_not_used_again() -> None:
    reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    async with upstream(reply, keep_open=True) as (fanout, server, url):
        assert [await fanout.ask(make_call(url)) for _ in range(3)] == [{}] * 3
        assert server.connections == 3


async def test_bytes_nobody_asked_for_end_a_kept_connection() -> None:
    """RFC 9112 §9.2: an answer without a request must not become the next visitor's."""
    async with upstream(pack(OK, b'{"a":1}') + pack(OK, b'{"b":2}'), keep_open=True) as (fanout, server, url):
        for _ in range(3):
            assert await fanout.ask(make_call(url)) == {"a": 1}
        assert server.connections == 3


async def test_interim_answers_are_passed_over() -> None:
    reply = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + pack(OK, b'{"a":1}')
    async with upstream(reply, keep_open=True) as (fanout, server, url):
        assert [await fanout.ask(make_call(url)) for _ in range(2)] == [{"a": 1}] * 2
        assert server.connections == 1


async def test_a_head_without_end_is_garbled() -> None:
    async with upstream(b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 20_000, keep_open=True) as (fanout, _server, url):
        assert await outcome_of(fanout, url) is UpstreamGarbled


async def test_certificates_are_checked_and_trusted_ones_are_talked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = Upstream(pack(OK, b'{"a":1}'), keep_open=True)
    async with await asyncio.start_server(server.answer, "127.0.0.1", 0, ssl=context) as listening:
        url = URL(f"https://localhost:{listening.sockets[0].getsockname()[1]}/rest/v1/delivery")
        async with Fanout(Target()) as fanout:
            assert await outcome_of(fanout, url) is UpstreamUnreached
        with authority.cert_pem.tempfile() as path:
            monkeypatch.setenv("SSL_CERT_FILE", path)
            async with Fanout(Target()) as fanout:
                assert [await fanout.ask(make_call(url)) for _ in range(2)] == [{"a": 1}] * 2
    assert server.connections == 1


async def test_who_waits_in_line_is_served_before_a_newcomer() -> None:
    """gw:F3, F7: a place that becomes free is handed over; nobody waits until their deadline behind later calls."""
    async with upstream(pack(OK, b"{}"), keep_open=True, max_in_flight=1) as (fanout, server, url):
        server.hold = asyncio.Event()
        first, second = (
            fanout.start(make_call(url)),
            fanout.start(Call(read_address(url), b"second", {}, make_call(url).deadline)),
        )
        while not server.kept:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
        server.hold.set()
        assert await first.reply() == {}
        third = fanout.start(Call(read_address(url), b"third", {}, make_call(url).deadline))
        assert await asyncio.gather(third.reply(), second.reply()) == [{}, {}]
        assert [kept.rpartition(b"\r\n\r\n")[2] for kept in server.kept] == [b"{}", b"second", b"third"]


async def test_a_failed_dial_gives_its_place_to_the_next_in_line() -> None:
    async with Fanout(Target(max_in_flight=1)) as fanout:
        calls = [fanout.start(make_call(URL("http://127.0.0.1:9/rest/v1/delivery"))) for _ in range(3)]
        for call in calls:
            with pytest.raises(UpstreamError, match="cannot be reached"):
                await call.reply()
        assert fanout.under_way == 0


async def test_connections_that_idle_too_long_are_closed() -> None:
    async with upstream(pack(OK, b"{}"), keep_open=True, keepalive_s=5) as (fanout, server, url):
        await fanout.ask(make_call(url))
        for edge in fanout.edges._edges.values():
            edge.idle[0].idle_since -= 5
        fanout.edges.sweep()
        await fanout.ask(make_call(url))
        assert server.connections == 2


async def test_an_endless_trailer_is_garbled() -> None:
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + b"X-Y: z\r\n" * 40_000
    async with upstream(reply, keep_open=True, max_response_kb=64) as (fanout, _server, url):
        assert await outcome_of(fanout, url) is UpstreamGarbled


async def test_an_answer_that_names_another_request_is_nobodys() -> None:
    """delivery-api §7.1, design T8: the request id is echoed; what bears another is refused, its connection ended."""
    async with upstream(pack(OK, b'{"requestId":"theirs"}'), keep_open=True) as (fanout, server, url):
        for asked, expected in (("ours", UpstreamGarbled), ("theirs", None), ("", None)):
            call = Call(read_address(url), b"{}", {}, make_call(url).deadline, asked)
            if expected is None:
                assert await fanout.ask(call) == {"requestId": "theirs"}
            else:
                with pytest.raises(expected):
                    await fanout.ask(call)
        assert server.connections == 2


async def test_kept_connections_are_bounded_over_all_hosts() -> None:
    """gw:F7: a caller may choose among edges, but not how many sockets that takes."""
    async with (
        upstream(pack(OK, b"{}"), keep_open=True, max_in_flight=1) as (fanout, first, url),
        upstream(pack(OK, b"{}"), keep_open=True) as (_other, second, other_url),
    ):
        for _ in range(2):
            assert [await fanout.ask(make_call(one)) for one in (url, other_url)] == [{}, {}]
        assert fanout.edges.idle == 1
        assert (first.connections, second.connections) == (1, 2)


async def test_a_failed_call_leaves_nothing_for_the_garbage_collector() -> None:
    """Design P15: while Target hangs, hundreds of calls a second end; collecting them held everybody up."""
    async with upstream(pack(OK, b"{}"), keep_open=True) as (fanout, server, url):
        server.hold = asyncio.Event()
        await outcome_of(fanout, url, 0.01)
        await asyncio.sleep(0)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                call = fanout.start(make_call(url, 0.01))
                with pytest.raises(UpstreamTimeout) as caught:
                    await call.reply()
                del call, caught
            await asyncio.sleep(0)
            left = gc.get_objects()
            assert sum(isinstance(one, Pending) for one in left) == 0
            assert sum(isinstance(one, Connection) for one in left) <= 1, "one is still closing"
            del left
        finally:
            gc.enable()
        server.hold.set()
