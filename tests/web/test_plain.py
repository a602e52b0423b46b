"""What the quick reader of requests takes, aiohttp would have read in the same way; all else it leaves alone."""

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.web.front import Serving
from gateway.web.plain import Heads, PlainReader, PlainRequest, Reading
from gateway.web.response import Answer

MOST = 1000
HEAD = b"POST /rest/v1/delivery?client=demo HTTP/1.1\r\nHost: gateway\r\n"


def make(*headers: bytes, body: bytes = b"{}", start: bytes = HEAD) -> bytes:
    return start + b"".join(b"%b\r\n" % one for one in headers) + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def read(data: bytes) -> PlainRequest | Reading:
    return PlainReader(MOST, "10.0.0.1", {}).feed(data)


def test_a_plain_request_is_read() -> None:
    found = read(make(b"X-A:  b \t", b"Cookie: a=\xc3\xa4", body=b'{"a":1}'))
    assert isinstance(found, PlainRequest)
    assert (found.method, found.path, found.raw_path) == (
        "POST",
        "/rest/v1/delivery",
        "/rest/v1/delivery?client=demo",
    )
    assert (found.body, found.remote, found.keep_alive) == (b'{"a":1}', "10.0.0.1", True)
    assert found.headers["x-a"] == "b"
    assert found.headers["COOKIE"] == "a=ä"
    assert found.rel_url.raw_query_string == "client=demo"


def test_one_reader_reads_one_request_after_the_other() -> None:
    reader = PlainReader(MOST, None, {})
    for body in (b"{}", b"", b"[1]"):
        found = reader.feed(make(b"Connection: keep-alive", body=body))
        assert isinstance(found, PlainRequest)
        assert found.body == body


def test_a_head_that_was_read_is_known_again_on_any_connection_of_the_listener() -> None:
    heads: Heads = {}
    first = PlainReader(MOST, "10.0.0.1", heads).feed(make(b"X-A: 1", body=b"[1]"))
    again = PlainReader(MOST, "10.0.0.2", heads).feed(make(b"X-A: 1", body=b"[2]"))
    assert isinstance(first, PlainRequest)
    assert isinstance(again, PlainRequest)
    assert again.headers is first.headers
    assert (first.body, first.remote, again.body, again.remote) == (b"[1]", "10.0.0.1", b"[2]", "10.0.0.2")


@pytest.mark.parametrize(("tail", "means"), [(b"{", Reading.MORE), (b"", Reading.MORE), (b"{}}", Reading.ODD)])
def test_a_known_head_does_not_make_a_body_of_another_length_whole(tail: bytes, means: Reading) -> None:
    heads: Heads = {}
    reader = PlainReader(MOST, None, heads)
    assert isinstance(reader.feed(make()), PlainRequest)
    assert reader.feed(make().removesuffix(b"{}") + tail) is means


def test_a_known_head_is_read_in_pieces_too() -> None:
    reader = PlainReader(MOST, None, {})
    assert isinstance(reader.feed(make()), PlainRequest)
    assert reader.feed(make()[:-1]) is Reading.MORE
    assert isinstance(reader.feed(b"}"), PlainRequest)
    assert isinstance(reader.feed(make()), PlainRequest)


def test_the_rest_of_a_request_is_never_taken_for_a_known_head() -> None:
    reader = PlainReader(5 * MOST, None, {})
    assert isinstance(reader.feed(make()), PlainRequest)
    outer = make(body=make() + b"1")
    assert reader.feed(outer.removesuffix(make() + b"1")) is Reading.MORE
    assert reader.feed(make()) is Reading.MORE
    found = reader.feed(b"1")
    assert isinstance(found, PlainRequest)
    assert found.body == make() + b"1"


def test_what_came_in_pieces_or_is_long_is_not_remembered() -> None:
    heads: Heads = {}
    reader = PlainReader(MOST, None, heads)
    reader.feed(make()[:30])
    assert isinstance(reader.feed(make()[30:]), PlainRequest)
    assert isinstance(reader.feed(make(b"X-A: " + b"a" * 2048)), PlainRequest)
    assert isinstance(reader.feed(make(b"Cookie: a=b")), PlainRequest)
    assert isinstance(reader.feed(make() + b"\r\n"), PlainRequest)
    assert not heads


def test_few_heads_are_remembered_and_none_is_forgotten_for_one_that_is_not() -> None:
    heads: Heads = {}
    reader = PlainReader(MOST, None, heads)
    for number in range(1024):
        assert isinstance(reader.feed(make(b"X-A: %d" % number)), PlainRequest)
    assert len(heads) == 512
    assert isinstance(reader.feed(make(b"Cookie: a=b")), PlainRequest)
    assert len(heads) == 512


def test_listeners_do_not_share_what_they_read() -> None:
    """One may take longer bodies than another."""

    async def refuse(request: PlainRequest) -> Answer:
        raise NotImplementedError(request)

    one, other = (Serving(refuse, asyncio.Protocol, MOST, 1.0) for _ in range(2))
    assert one.heads is not other.heads


def test_a_caller_may_ask_for_the_end_of_the_connection() -> None:
    found = read(make(b"Connection: close"))
    assert isinstance(found, PlainRequest)
    assert not found.keep_alive


ODD = {
    "another method": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no request": b"\x16\x03\x01\x02",
    "an empty line before it": b"\r\n" + make(),
    "a path that is not as it is written": make(start=HEAD.replace(b"/rest", b"/re%73t")),
    "a fragment": make(start=HEAD.replace(b"=demo", b"=demo#a")),
    "two slashes": make(start=HEAD.replace(b"/rest", b"//rest")),
    "a whole URL": make(start=HEAD.replace(b"/rest", b"http://gateway/rest")),
    "HTTP/1.0": make(start=HEAD.replace(b"1.1", b"1.0")),
    "no host": make(start=HEAD.replace(b"Host: gateway\r\n", b"")),
    "no length": HEAD + b"\r\n",
    "a header twice": make(b"X-A: 1", b"x-a: 2"),
    "two hosts": make(b"Host: other"),
    "two lengths": make(b"Content-Length: 2"),
    "pieces of announced length": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length and pieces": make(b"Transfer-Encoding: chunked"),
    "compressed": make(b"Content-Encoding: gzip"),
    "asks whether to go on": make(b"Expect: 100-continue"),
    "asks for something else than HTTP": make(b"Upgrade: websocket", b"Connection: upgrade"),
    "another kind of connection": make(b"Connection: keep-alive, x"),
    "a folded header": make(b"X-A: 1\r\n 2"),
    "a blank before the colon": make(b"X-A : 1"),
    "a bare line feed": make(b"X-A: 1\nX-B: 2"),
    "no header": make(b"X-A"),
    "a header that is not UTF-8": make(b"X-A: \xff"),
    "a control character": make(b"X-A: \x01"),
    "a length with a sign": HEAD + b"Content-Length: +2\r\n\r\n{}",
    "too long a body": make(body=b"1" * (MOST + 1)),
    "too long a body is announced": HEAD + b"Content-Length: 1001\r\n\r\n",
    "far too long a body is announced": HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
    "too long a head": make(b"X-A: " + b"a" * 8190),
    "too many headers": make(*(b"X-%d: 1" % at for at in range(127))),
    "two at once": make() + make(),
    "the beginning of another one": make() + b"P",
    "more than was announced": make() + b"}",
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_left_to_aiohttp(name: str) -> None:
    assert read(ODD[name]) is Reading.ODD


@pytest.mark.parametrize("missing", range(1, len(make())))
def test_while_something_is_missing_there_is_no_request(missing: int) -> None:
    data, reader = make(b"X-A: 1"), PlainReader(MOST, None, {})
    at = max(6, len(data) - missing)
    assert reader.feed(data[:at]) is Reading.MORE
    assert isinstance(reader.feed(data[at:]), PlainRequest)


NAMES = st.sampled_from(
    [b"X-A", b"Cookie", b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Expect", b"Content-Type"]
)
VALUES = st.one_of(
    st.sampled_from([b"1", b"2", b"chunked", b"close", b"keep-alive", b"Keep-Alive", b"100-continue", b"", b" a \t"]),
    st.binary(max_size=6),
)
PATHS = st.one_of(
    st.sampled_from(
        [b"/", b"/a", b"/a?b=c%20d", b"/a?", b"/a?b#c", b"//a", b"/a/../b", b"/a%2f", b"*", b"/a?b?c", b"/a;b"]
    ),
    st.binary(max_size=6).map(lambda rest: b"/" + rest),
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    body = draw(st.binary(max_size=8))
    headers = [(b"Host", b"a"), (b"Content-Length", b"%d" % len(body))]
    headers += draw(st.lists(st.tuples(NAMES, VALUES), max_size=3))
    lines = [b"POST %b HTTP/1.1" % draw(PATHS), *(b"%b:%b" % one for one in draw(st.permutations(headers)))]
    return b"\r\n".join([*lines, b"", body]) + draw(st.sampled_from([b"", b"", b"\r\n", b"x"]))


async def read_like_aiohttp(data: bytes) -> list[tuple[object, ...]]:
    loop = asyncio.get_running_loop()
    parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, max_line_size=8190, max_field_size=8190)
    messages, upgraded, tail = parser.feed_data(data)
    assert not upgraded
    assert not tail
    found = []
    for message, payload in messages:
        headers = sorted((name.lower(), value) for name, value in message.headers.items())
        body = await payload.read()
        found.append((message.method, message.path, message.url.path, headers, body, message.should_close))
    return found


@given(requests())
@example(make())
@settings(max_examples=500)
async def test_a_request_that_is_plain_is_read_as_aiohttp_reads_it(data: bytes) -> None:
    heads: Heads = {}
    for _ in range(2):  # the second time its head is known
        found = PlainReader(MOST, None, heads).feed(data)
        if isinstance(found, PlainRequest):
            headers = sorted((name.lower(), value) for name, value in found.headers.items())
            ours = (found.method, found.raw_path, found.path, headers, found.body, not found.keep_alive)
            assert await read_like_aiohttp(data) == [ours]


@given(st.lists(requests(), max_size=6))
@settings(max_examples=300)
def test_known_heads_change_nothing_about_what_is_read(sent: list[bytes]) -> None:
    heads: Heads = {}
    for data in [*sent, *sent]:
        known, fresh = PlainReader(MOST, None, heads).feed(data), PlainReader(MOST, None, {}).feed(data)
        assert _show(known) == _show(fresh)


def _show(found: PlainRequest | Reading) -> object:
    if isinstance(found, Reading):
        return found
    return found.raw_path, found.path, list(found.headers.items()), found.body, found.keep_alive
