"""Address to place over HTTP: bounded, remembered, never a reason to fail (spec on-device §6.3)."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.config import Artifact
from gateway.delivery.geo import CALLER
from gateway.demo.target import StandIn, Trouble
from gateway.upstream.geo import GeoLookup

ZURICH = "203.0.113.7"


@asynccontextmanager
async def open_lookup(url: str, timeout_ms: int = 5000) -> AsyncIterator[GeoLookup]:
    lookup = GeoLookup(Artifact(geo_url=url, geo_timeout_ms=timeout_ms))
    try:
        yield lookup
    finally:
        await lookup.close()


@pytest.fixture
async def stand_in() -> AsyncIterator[tuple[StandIn, str]]:
    target = StandIn(["demo"])
    port = await target.start()
    yield target, f"http://127.0.0.1:{port}/v1/geo"
    await target.stop()


async def test_a_place_is_looked_up_once_and_remembered(stand_in: tuple[StandIn, str]) -> None:
    async with open_lookup(stand_in[1]) as lookup:
        places = [await lookup.look_up(ZURICH) for _ in range(3)]
        assert [place["x-geo-city"] for place in places] == ["ZURICH"] * 3
        assert stand_in[0].geo_lookups == 1
        assert (await lookup.look_up("198.51.100.1"))["x-geo-country-code"] == "US"
        assert lookup.failed == 0


async def test_the_address_is_sent_as_x_forwarded_for_and_the_marker_sends_none() -> None:
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("X-Forwarded-For"))
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/geo", answer)
    async with TestServer(app) as server, open_lookup(str(server.make_url("/geo"))) as lookup:
        await lookup.look_up(ZURICH)
        await lookup.look_up(CALLER)
        await lookup.look_up("fe80::1%eth0\r\nX-Evil: 1")
    assert seen == [ZURICH, None]
    assert lookup.failed == 1


TROUBLES = [
    Trouble(on="geo", **{kind: True})
    for kind in ("drop", "truncate", "garbage", "hang", "huge", "gzip_bomb", "slow_drip")
]
TROUBLES += [Trouble(on="geo", status=status) for status in (302, 403, 404, 429, 500, 503)]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: f"{trouble.kind} {trouble.status or ''}")
async def test_a_failed_look_up_is_empty_counted_and_asked_again(
    stand_in: tuple[StandIn, str], trouble: Trouble
) -> None:
    """on-device §6.3 GATEWAY: a failure is not remembered for an hour."""
    slow = trouble.hang or trouble.slow_drip
    async with open_lookup(stand_in[1], timeout_ms=300 if slow else 10_000) as lookup:
        stand_in[0].trouble = trouble
        assert await lookup.look_up(ZURICH) == {}
        assert lookup.failed == 1
        stand_in[0].trouble = None
        assert (await lookup.look_up(ZURICH)).get("x-geo-city") == "ZURICH"


ODD: dict[str, bytes] = {
    "a list": b"[]",
    "null": b"null",
    "a text": b'"ZURICH"',
    "very deep": b"[" * 8000 + b"]" * 8000,
    "deep in an object": b'{"x-geo-city":' + b"[" * 8000 + b"]" * 8000 + b"}",
    "not UTF-8": b'{"x-geo-city":"\xff"}',
    "empty": b"",
}


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD)
async def test_an_odd_answer_is_none_and_is_not_remembered(raw: bytes) -> None:
    answers: list[bytes] = [raw, json.dumps({"x-geo-city": "ZURICH"}).encode()]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=answers.pop(0), content_type="application/json")

    app = web.Application()
    app.router.add_get("/geo", answer)
    async with TestServer(app) as server, open_lookup(str(server.make_url("/geo"))) as lookup:
        assert await lookup.look_up(ZURICH) == {}
        assert await lookup.look_up(ZURICH) == {"x-geo-city": "ZURICH"}


async def test_nobody_listening_is_a_failure() -> None:
    async with open_lookup("http://127.0.0.1:9/geo") as lookup:
        assert await lookup.look_up(ZURICH) == {}
        assert lookup.failed == 1


async def test_no_more_places_are_remembered_than_allowed(
    stand_in: tuple[StandIn, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.upstream.geo._REMEMBERED", 2)
    async with open_lookup(stand_in[1]) as lookup:
        for last in (1, 2, 3, 3, 2, 1):
            found: dict[str, Any] = await lookup.look_up(f"203.0.113.{last}")
            assert found["x-geo-city"] == "ZURICH"
        assert stand_in[0].geo_lookups == 4, "of three, the oldest was forgotten"
