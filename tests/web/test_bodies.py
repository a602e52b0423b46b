"""Bodies from hostile and odd callers (spec delivery-api §5, §6, §16, §17; gw:F7, F9; design P7, P10)."""

import asyncio
import gzip
import json
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from tests.stage import Stage, run_stage
from tests.web.bodies import ABSENT, Case, list_refused, list_taken, pad, put, whole_body

pytestmark = pytest.mark.asyncio(loop_scope="module")
REFUSED, TAKEN = list_refused(), list_taken()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(bundled_url: str) -> AsyncIterator[Stage]:
    """Run a gateway whose outbox stays silent, so that every key in Redis comes from a request."""
    async with run_stage(bundled_url, {"GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        yield stage


@asynccontextmanager
async def untouched(edge: Stage) -> AsyncIterator[None]:
    """See to it that meanwhile nothing is stored and nothing is sent."""
    store, received = edge.running.services.store, edge.stand_in.received
    await store.call("FLUSHALL")
    yield
    assert await store.call("DBSIZE") == 0
    assert edge.stand_in.received == received


async def test_the_corpora_are_as_large_as_promised() -> None:
    assert len(REFUSED) >= 200
    assert len(TAKEN) >= 40
    assert len({case.name for case in REFUSED}) == len(REFUSED)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
async def test_a_bad_body_is_refused_with_the_member_to_blame(edge: Stage, case: Case) -> None:
    """§17, gw:F9: 400 or 413 with status and message, nothing stored, nothing sent."""
    async with untouched(edge):
        answer = await edge.post(case.raw, {"Cookie": "mbox=PC#a.35_0#99999999999"})
    assert (answer.status, answer.body["status"]) == (case.status, case.status), answer.raw[:300]
    assert set(answer.body) == {"status", "message"}
    assert case.says in answer.body["message"]
    assert len(answer.raw) < 1000
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "case", [case for case in REFUSED if "context" in case.name or case.status == 413], ids=lambda case: case.name
)
async def test_no_member_makes_a_repairing_gateway_fail(edge: Stage, case: Case) -> None:
    """§17 points 5, 6: what a page's headers are copied into is refused all the same."""
    headers = {"Origin": "https://shop.example", "User-Agent": "u", "Sec-CH-UA-Mobile": "?1"}
    async with untouched(edge):
        answer = await edge.post(case.raw, headers)
    repaired = case.name in ("$.context.userAgent = null", "$.context.clientHints = null")
    assert answer.status == (200 if repaired else case.status), answer.raw[:300]
    assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"


async def test_a_body_of_exactly_the_limit_is_accepted(edge: Stage) -> None:
    """Design P7: each limit ±1."""
    assert (await edge.post(pad(256 * 1024))).status == 200


@pytest.mark.parametrize("unit", ['"', '\\"', '"a', '\\\\"', '{"', "]["])
async def test_the_depth_of_an_unfinished_string_is_found_in_linear_time(unit: str) -> None:
    """Design P7 (1 ms to refuse), P15: 250 KB of unfinished strings are looked at once, not once per quote."""
    raw = b'{"a":' + b"[" * 65 + b'"' + unit.encode() * (250_000 // len(unit))
    assert await finish_in_two_seconds_of_work("gateway.delivery.nesting", "is_deeper", raw, 64)


async def test_a_duplicate_among_many_names_is_found_in_linear_time() -> None:
    """Design P15: 256 KB of members must not stop the event loop."""
    names = [f'"{at:x}":1' for at in range(24_000)]
    raw = ("{" + ",".join([*names, names[-1]]) + "}").encode()
    assert await finish_in_two_seconds_of_work("gateway.web.wire", "decode_object", raw, 64)


async def finish_in_two_seconds_of_work(module: str, function: str, raw: bytes, *rest: int) -> bool:
    """Whether a call is done in two seconds of processor time; the operating system ends it when it is not.

    Processor time, not time on the clock: other programs on the machine do not count.
    """
    program = (
        "import resource, sys\n"
        f"from {module} import {function}\n"
        "from gateway.errors import GatewayError\n"
        "raw = sys.stdin.buffer.read()\n"
        "spent = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (spent + 2, spent + 2))\n"
        f"try: {function}(raw, *{rest!r})\n"
        "except GatewayError: pass\n"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdin=asyncio.subprocess.PIPE)
    await child.communicate(raw)
    return child.returncode == 0


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name)
async def test_an_odd_body_is_accepted(accepting: Stage, case: Case) -> None:
    """§5: null is absent, 1.0 is 1, unknown members are ignored, limits are inclusive."""
    answer = await accepting.post(case.raw)
    assert (answer.status, answer.body["client"]) == (200, "demo"), answer.raw[:300]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def accepting(bundled_url: str) -> AsyncIterator[Stage]:
    """Run a gateway that decides and forwards."""
    async with run_stage(bundled_url) as stage:
        yield stage


ASKED = {"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}]}}
RAW = json.dumps(ASKED).encode()
ODD = {
    "no channel": put(ASKED, "$.context.channel", ABSENT),
    "a null channel": put(ASKED, "$.context.channel", None),
    "an unknown channel": put(ASKED, "$.context.channel", "fridge"),
    "a channel of the wrong type": put(ASKED, "$.context.channel", 7),
    "a channel that is a list": put(ASKED, "$.context.channel", ["web"]),
    "no index": put(ASKED, "$.execute.mboxes[0].index", ABSENT),
    "null everywhere": ASKED | dict.fromkeys(["id", "prefetch", "notifications", "property", "trace", "telemetry"]),
    "empty containers": ASKED | {"id": {}, "prefetch": {}, "notifications": [], "telemetry": {}, "experienceCloud": {}},
    "empty lists": ASKED | {"id": {"customerIds": []}, "prefetch": {"mboxes": [], "views": []}},
    "an empty order": put(ASKED, "$.execute.mboxes[0].order", {}),
    "a parameter that is null": put(ASKED, "$.execute.mboxes[0].parameters", {"a": None}),
    "a name in another script": put(ASKED, "$.requestId", "число-一"),
    "50 mboxes": put(ASKED, "$.prefetch", {"mboxes": [{"index": at, "name": f"m{at}"} for at in range(50)]}),
    "a deep member nobody knows": put(ASKED, "$.x", json.loads("[" * 60 + "]" * 60)),
    "400 digits in a member nobody knows": put(ASKED, "$.x", int("9" * 400)),
    "blanks and escapes": b' {\n"context" : {"\\u0063hannel":0},"execute":{"mboxes":[{"name":"homepage-her\\u006f"}]}}',
    "a surrogate pair": b'{"context":{"userAgent":"\\ud83d\\ude00"},"execute":{"mboxes":[{"name":"homepage-hero"}]}}',
}


@pytest.mark.parametrize("name", ODD)
async def test_an_odd_request_is_decided(accepting: Stage, name: str) -> None:
    """§5, §17 point 3."""
    body = ODD[name]
    answer = await accepting.post(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert answer.status == 200, answer.raw[:300]
    assert answer.body["execute"]["mboxes"][0]["options"]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/json; charset=utf-8",
        "application/json; charset=ISO-8859-1",
        "text/plain; charset=no-such-thing",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        ";;;",
        "",
    ],
)
async def test_any_content_type_is_read_as_json(accepting: Stage, content_type: str) -> None:
    """§3.2: never 415 for at.js' text/plain; a missing type is JSON."""
    answer = await accepting.post(RAW, {"Content-Type": content_type})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"


async def test_a_body_without_content_type_is_read_as_json(accepting: Stage) -> None:
    async with accepting.http.post(
        accepting.running.public + "/rest/v1/delivery?client=demo&sessionId=s1",
        data=RAW,
        skip_auto_headers=["Content-Type"],
    ) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_body_is_read(accepting: Stage, encoding: str, pack: object) -> None:
    answer = await accepting.post(pack(RAW), {"Content-Encoding": encoding})  # type: ignore[operator]
    assert answer.body["execute"]["mboxes"][0]["options"]


async def test_a_compressed_body_forwarded_as_it_came_is_plain(bundled_url: str) -> None:
    """Target gets JSON, not what the caller's header announced to us."""
    changes = {"GATEWAY_CLIENT__DEMO__METHOD": "server-side", "GATEWAY_OUTBOX__ENABLED": "false"}
    async with run_stage(bundled_url, changes) as stage:
        body = put(ASKED, "$.requestId", "r") | {
            "id": {"tntId": "a"},
            "experienceCloud": {"analytics": {"supplementalDataId": "0123456789ABCDEF-0123456789ABCDEF"}},
        }
        await stage.post(gzip.compress(json.dumps(body).encode()), {"Content-Encoding": "gzip"})
        assert stage.stand_in.requests[0].body == body
        assert "Content-Encoding" not in stage.stand_in.requests[0].headers


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (RAW, 400),
        (gzip.compress(RAW)[:-12], 400),
        (gzip.compress(RAW) + b"more", 400),
        (gzip.compress(b" " * 300_000), 413),
        (gzip.compress(b" " * 60_000_000), 413),
    ],
    ids=["not gzip", "cut gzip", "gzip and more", "too long inside", "a bomb"],
)
async def test_a_bad_compressed_body_is_refused(edge: Stage, raw: bytes, status: int) -> None:
    """Design P7: a bomb is 413."""
    async with untouched(edge):
        answer = await edge.post(raw, {"Content-Encoding": "gzip"})
    assert (answer.status, answer.body["status"]) == (status, status)


async def test_a_whole_request_is_answered_in_every_part(accepting: Stage) -> None:
    answer = await accepting.post(whole_body())
    assert answer.body["status"] == 200
    assert {"execute", "prefetch", "notifications", "telemetryServerToken"} <= set(answer.body)
    assert [one["name"] for one in answer.body["execute"]["mboxes"]] == ["homepage-hero", "recommendations"]
