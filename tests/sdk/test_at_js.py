"""What at.js sends, byte for byte as far as delivery-api §4 knows it, without a browser."""

import json
from typing import Any

from tests.stage import Answer, Stage

ORIGIN = "http://shop.example"
AT_JS = {"Content-Type": "text/plain", "Origin": ORIGIN, "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"}
BEACON = AT_JS | {"Content-Type": "text/plain;charset=UTF-8"}
OFFERS: dict[str, Any] = {
    "requestId": "5f2c0a0b8d7e4c1f9a3b6d8e0f1a2b3c",
    "context": {
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0",
        "timeOffsetInMinutes": 60,
        "channel": "web",
        "screen": {"width": 1920, "height": 1080, "orientation": "landscape", "colorDepth": 24, "pixelRatio": 1},
        "window": {"width": 1200, "height": 900},
        "browser": {"host": "shop.example", "webGLRenderer": "none"},
        "address": {"url": "http://shop.example/", "referringUrl": ""},
    },
    "id": {},
    "execute": {"mboxes": [{"index": 0, "name": "homepage-hero"}, {"index": 1, "name": "recommendations"}]},
}


async def send(stage: Stage, body: Any, headers: dict[str, str]) -> Answer:
    return await stage.post(body, headers, version="2.11.4")


def assert_readable(answer: Answer) -> None:
    """Check what a page needs to read an answer to a call with credentials: its very origin, named (§4 point 1)."""
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]


def cookie_of(answer: Answer) -> str:
    [cookie] = answer.headers.getall("Set-Cookie")
    return str(cookie.partition(";")[0])


async def test_a_plain_text_post_with_credentials_needs_no_preflight(stage: Stage) -> None:
    answer = await send(stage, OFFERS, AT_JS)
    assert answer.status == 200
    assert_readable(answer)
    assert [len(mbox["options"]) for mbox in answer.body["execute"]["mboxes"]] == [1, 1]
    assert stage.stand_in.requests[0].body["context"] == OFFERS["context"]


async def test_the_cookie_brings_the_visitor_back(stage: Stage) -> None:
    """gw:S8, S10: at.js finds no edge to leave for, neither in the id nor in a cookie."""
    first = await send(stage, OFFERS, AT_JS)
    tnt_id = first.body["id"]["tntId"]
    assert "_" not in tnt_id
    assert cookie_of(first).startswith("mbox=session#s1#")
    assert tnt_id in cookie_of(first)
    later = AT_JS | {"Cookie": f"theme=dark; {cookie_of(first)}"}
    second = await stage.post(OFFERS, later, sessionId="s2")
    assert second.body["id"]["tntId"] == tnt_id


async def test_a_beacon_is_answered_204_and_its_notification_reaches_target(stage: Stage) -> None:
    """Status 204 without a body, readable all the same (§4 point 2, §8)."""
    first = await send(stage, OFFERS, AT_JS)
    told = {"id": "b1", "type": "display", "timestamp": 1_795_322_548_000, "tokens": ["t1"]}
    body = {
        "context": OFFERS["context"] | {"beacon": True},
        "notifications": [told | {"mbox": {"name": "recommendations"}}],
    }
    answer = await send(stage, body, BEACON | {"Cookie": cookie_of(first)})
    assert (answer.status, answer.raw) == (204, b"")
    assert_readable(answer)
    received = [one for one in stage.stand_in.notifications if one["id"] == "b1"]
    assert [one["tokens"] for one in received] == [["t1"]]
    assert stage.stand_in.impressions["t1"] == 1


async def test_a_preflight_for_json_is_answered_204(stage: Stage) -> None:
    """§4 point 3; the answer itself is then readable too."""
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = await stage.ask("OPTIONS", "/rest/v1/delivery", headers={"Origin": ORIGIN} | asked)
    assert (answer.status, answer.raw) == (204, b"")
    assert_readable(answer)
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"]
    assert_readable(await send(stage, OFFERS, AT_JS | {"Content-Type": "application/json"}))


async def test_an_error_is_json_that_a_page_can_read(stage: Stage) -> None:
    """gw:F9: at.js hangs on an answer that is not JSON, and sees nothing of one without CORS headers."""
    answer = await send(stage, json.dumps(OFFERS).encode()[:-1], AT_JS)
    assert answer.status == answer.body["status"] == 400
    assert answer.body["message"]
    assert_readable(answer)
