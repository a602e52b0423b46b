"""Hostile bytes in headers, broken HTTP, slow and vanishing callers (design P7-P9; gw:F9)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.demo.target import Trouble
from tests.stage import DELIVERY, Stage, run_stage
from tests.store.servers import wait_until
from tests.web.wires import HERO, MIXED, exchange, make_request, read_json

pytestmark = pytest.mark.asyncio(loop_scope="module")
ORIGIN = b"Origin: https://shop.example"
BEYOND_UTF8 = [b"x\xffy", b"\xed\xa0\x80", b"\xc3", b"\x80", b"\xf4\x90\x80\x80"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(bundled_url: str) -> AsyncIterator[Stage]:
    async with run_stage(bundled_url, {"GATEWAY_WEB__BODY_TIMEOUT_MS": "300"}) as stage:
        yield stage


async def count_failures(edge: Stage) -> float:
    """Give how often the gateway has failed by its own count."""
    text = (await edge.admin("/metrics")).raw.decode()
    lines = [line for line in text.splitlines() if line.startswith('gateway_events_total{event="web.failed"}')]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


@pytest.mark.parametrize("value", BEYOND_UTF8)
@pytest.mark.parametrize(
    "name",
    ["User-Agent", "Sec-CH-UA", "Sec-CH-UA-Full-Version-List", "Sec-CH-UA-Platform", "Sec-CH-UA-Model",
     "Sec-CH-UA-Arch", "Sec-CH-UA-Mobile", "Origin", "Referer", "Accept-Language", "Content-Type",
     "X-Request-Id", "X-Forwarded-For"],
)  # fmt: skip
@pytest.mark.parametrize("body", [HERO, MIXED], ids=["local", "mixed"])
async def test_a_header_that_is_not_utf8_does_no_harm(edge: Stage, name: str, value: bytes, body: bytes) -> None:
    """§3.2: what a browser says of itself is copied into the body; whatever it says, the body stays JSON."""
    headers = [name.encode() + b": " + value] + ([] if name == "Origin" else [ORIGIN])
    status, told, answered = await exchange(edge, make_request(body, *headers))
    assert (status, read_json(answered)["status"]) == (200, 200), answered
    assert told["content-type"] == "application/json;charset=UTF-8"


@pytest.mark.parametrize(
    "cookie",
    [b"mbox=PC#a" + value + b"b#99999999999" for value in BEYOND_UTF8]
    + [
        b"mbox=PC#" + b"a" * 129 + b"#99999999999",
        b"mbox=PC#" + b"a" * 5000 + b"#99999999999",
        b"mbox=PC#a%0D%0ASet-Cookie%3A%20x%3Dy#99999999999",
        b"mbox=PC#a%00b#99999999999",
        b"mbox=PC#%ED%A0%80#99999999999",
        b"mbox=PC##99999999999",
        b"mbox=PC#a#" + b"9" * 400,
        b"mbox=session#x#99999999999|PC#a#not-a-number",
        b"mbox=" + b"|" * 4000,
        b"mbox=" + b"PC#a#99999999999|" * 400,
        b"mbox=%",
        b'mbox="PC#a#99999999999"',
        b"mbox=PC#a#99999999999; mbox=PC#b#99999999999",
        b"mboxEdgeCluster=35; " * 300,
        b"=; ; ;;; =x; mbox",
        b"\xff\xfe=\xff",
    ],
)
@pytest.mark.parametrize("body", [HERO, MIXED], ids=["local", "mixed"])
async def test_a_hostile_cookie_does_no_harm(edge: Stage, cookie: bytes, body: bytes) -> None:
    """gw:S3, design T3: a device id no caller could send in the body is not taken from a cookie either (§6.2: 128)."""
    status, told, answered = await exchange(edge, make_request(body, b"Cookie: " + cookie))
    assert status == 200
    answer = read_json(answered)
    assert (answer["status"], told.get("x-gateway-degraded")) == (200, None)
    tnt_id = answer["id"]["tntId"]
    assert len(tnt_id) <= 128 + len(".35-0")
    assert "x=y" not in told["set-cookie"]


@pytest.mark.parametrize(
    "length",
    [b"abc", b"-1", b"1e3", b"0x10", b"9999999999999999999999", b"", b"1, 2", b"+5"],
    ids=lambda value: value.decode(),
)
async def test_a_bad_content_length_is_refused(edge: Stage, length: bytes) -> None:
    sent = (
        b"POST /rest/v1/delivery?client=demo&sessionId=s1 HTTP/1.1\r\nHost: a\r\nContent-Length: "
        + length
        + b"\r\n\r\n{}"
    )
    status, _told, _answered = await exchange(edge, sent)
    assert status in (400, 413)


BROKEN = {
    "no HTTP": b"HELLO\r\n\r\n",
    "binary": bytes(range(1, 32)) * 4 + b"\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200 + b"\r\n\r\n",
    "HTTP/9.9": b"POST / HTTP/9.9\r\nHost: a\r\n\r\n",
    "no host": b"POST /rest/v1/delivery HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "two hosts": make_request(HERO, b"Host: b"),
    "two lengths": make_request(HERO, b"Content-Length: 3"),
    "length and chunks": make_request(HERO, b"Transfer-Encoding: chunked"),
    "chunks that are none": make_request(HERO, b"Transfer-Encoding: xchunked"),
    "a blank before the colon": make_request(HERO, b"X-A : b"),
    "a folded header": make_request(HERO, b"X-A: b", b" c"),
    "a header without a colon": make_request(HERO, b"X-A"),
    "NUL in a header": make_request(HERO, b"X-A: \x00"),
    "a header of 9 KB": make_request(HERO, ORIGIN, b"X-A: " + b"a" * 9000),
    "a cookie of 9 KB": make_request(HERO, ORIGIN, b"Cookie: a=" + b"a" * 9000),
    "200 headers": make_request(HERO, ORIGIN, *[b"X-%d: a" % at for at in range(200)]),
    "a URL of 9 KB": make_request(HERO, ORIGIN, path=f"{DELIVERY}?client=demo&sessionId=s1&x=" + "a" * 9000),
    "a raw letter beyond ASCII in the URL": make_request(HERO, ORIGIN, path=f"{DELIVERY}?client=demo&sessionId=é"),
    "a bad chunk size": make_request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    + b"zz\r\n{}\r\n0\r\n\r\n",
    "an encoding nobody has": make_request(HERO, ORIGIN, b"Content-Encoding: br"),
}
NEEDS_ANSWER = ("a header of 9 KB", "a cookie of 9 KB", "200 headers", "a URL of 9 KB", "an encoding nobody has")


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_http_is_refused_and_the_gateway_goes_on(edge: Stage, name: str) -> None:
    """Design P7, P9: refused, the connection closed, and the next caller is served."""
    status, _told, _answered = await exchange(edge, BROKEN[name])
    assert 400 <= status < 500
    assert (await exchange(edge, make_request()))[0] == 200


@pytest.mark.parametrize("name", NEEDS_ANSWER)
async def test_a_request_too_large_in_its_head_is_refused_in_json(edge: Stage, name: str) -> None:
    """gw:F9: at.js hangs on an answer that is not JSON; a page with large cookies must not hang."""
    status, told, answered = await exchange(edge, BROKEN[name])
    assert 400 <= status < 500
    assert told["content-type"].startswith("application/json")
    assert read_json(answered)["status"] == status


@pytest.mark.parametrize("expected", [b"100-continue", b"200-maybe"])
async def test_an_expectation_is_met_or_ignored(edge: Stage, expected: bytes) -> None:
    """RFC 9110 §10.1.1; gw:F9: no answer but JSON."""
    status, _told, answered = await exchange(edge, make_request(HERO, ORIGIN, b"Expect: " + expected))
    if status == 100:
        status, answered = int(answered.split()[1]), answered.partition(b"\r\n\r\n")[2]
    assert (status, read_json(answered)["status"]) == (200, 200)


async def test_a_caller_that_waits_to_be_told_to_go_on_is_told(edge: Stage) -> None:
    """RFC 9110 §10.1.1: a caller may hold the body back until it has read 100, or a final status."""
    sent = make_request(HERO, b"Expect: 100-continue").removesuffix(HERO)
    status, _told, _answered = await exchange(edge, sent, first=b"\r\n\r\n")
    assert status == 100


async def test_an_answer_to_head_has_no_body(edge: Stage) -> None:
    """RFC 9110 §9.3.2; design P9: whoever shares the connection, a proxy say, would take it for the next answer."""
    head = make_request(b"").replace(b"POST", b"HEAD").replace(b"Connection: close\r\n", b"")
    status, _told, rest = await exchange(edge, head + make_request(HERO))
    assert status == 405
    assert rest.startswith(b"HTTP/1.1 200")


async def test_a_body_that_does_not_come_gets_408(edge: Stage) -> None:
    """Design P8; gw:F9: aiohttp itself waits for ever."""
    sent = make_request(HERO, ORIGIN)
    status, told, answered = await exchange(edge, sent[:-5], first=b"}")
    assert (status, read_json(answered)["status"]) == (408, 408)
    assert told["access-control-allow-origin"] == "https://shop.example"


async def test_a_caller_that_vanishes_is_no_failure_of_ours(edge: Stage) -> None:
    """gw:F7: a body that breaks off is the caller's doing: no error is logged and none is counted."""
    before = await count_failures(edge)
    for sent in (
        make_request(HERO)[:-5],
        make_request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"5\r\n{",
    ):
        await exchange(edge, sent, hang_up=True)
    await wait_until(lambda: edge.running.services.under_way == 0)
    assert await count_failures(edge) == before


async def test_a_caller_that_vanishes_leaves_nothing_under_way(edge: Stage) -> None:
    """Design P3."""
    edge.stand_in.trouble = Trouble(hang=True, mboxes=("recommendations",))
    received = edge.stand_in.received
    host, port = edge.running.public.removeprefix("http://").split(":")
    _reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(make_request(MIXED, b"X-Request-Timeout-Ms: 500"))
    await edge.stand_in.wait_received(received + 1)
    writer.close()
    await wait_until(lambda: edge.running.services.under_way == 0 and edge.running.services.fanout.under_way == 0)
    edge.stand_in.trouble = None
    assert (await exchange(edge, make_request(MIXED)))[0] == 200


async def test_requests_on_one_connection_are_answered_in_order(edge: Stage) -> None:
    """RFC 9112 §9.3.2: pipelining."""
    one = make_request(HERO, b"X-Request-Id: one").replace(b"Connection: close\r\n", b"")
    two = make_request(b"[", b"X-Request-Id: two").replace(b"Connection: close\r\n", b"")
    _status, told, rest = await exchange(edge, one + two + make_request(HERO, b"X-Request-Id: three"))
    assert told["x-request-id"] == "one"
    assert rest.index(b"X-Request-Id: two") < rest.index(b"X-Request-Id: three")
