"""gw:F4: secondary mboxes never delay the rest; what has not come when the rest is in is dropped and named."""

import asyncio
from typing import Any

from gateway.demo.target import Trouble
from tests.stage import Stage, run_stage

WEB = {"channel": "web"}
TOLD = {"notifications": [{"id": "n-1", "type": "display", "timestamp": 1700000000000, "tokens": ["t"]}]}
ON = {
    "GATEWAY_CLIENT__DEMO__SECONDARY": '["cart-*"]',
    "GATEWAY_CLIENT__DEMO__SECONDARY_WAIT_MS": "5000",
    "GATEWAY_OUTBOX__ENABLED": "false",
}
NO_WAIT = ON | {"GATEWAY_CLIENT__DEMO__SECONDARY_WAIT_MS": "0"}
LATE = Trouble(hang=True, mboxes=("cart-upsell",))


def ask(*names: str, **more: Any) -> dict[str, Any]:
    mboxes = [{"index": at, "name": name} for at, name in enumerate(names, 1)]
    return {"context": WEB, "execute": {"mboxes": mboxes}} | more


def names_sent(stage: Stage) -> list[list[str]]:
    """Give the mboxes of each call Target got, in the order they came."""
    bodies = [request.body for request in stage.stand_in.requests]
    return [[mbox["name"] for mbox in body.get("execute", {}).get("mboxes", [])] for body in bodies]


async def test_they_travel_apart_and_behind_the_rest(bundled_url: str) -> None:
    """One visitor and one impression in both calls; what is told goes with the first only (get-offers §15)."""
    async with run_stage(bundled_url, ON) as stage:
        answer = await stage.post(ask("cart-upsell", "recommendations", "homepage-hero", "cart-upsell", **TOLD))
        assert answer.body["status"] == 200
        assert "x-gateway-degraded" not in answer.headers
        found = answer.body["execute"]["mboxes"]
        assert [mbox["index"] for mbox in found] == [1, 2, 3, 4]
        assert all(mbox["options"] for mbox in found)
        assert names_sent(stage) == [["recommendations"], ["cart-upsell", "cart-upsell"]]
        first, second = (request.body for request in stage.stand_in.requests)
        assert (first["id"], first["impressionId"]) == (second["id"], second["impressionId"])
        assert first["requestId"] != second["requestId"], "Target tells calls apart by it (get-offers §17)"
        assert ("notifications" in first, "notifications" in second) == (True, False)
        assert answer.body["notifications"] == [{"id": "n-1"}]


async def test_a_request_repeated_while_it_is_under_way_is_asked_once(bundled_url: str) -> None:
    """gw:M6, for both of its calls."""
    async with run_stage(bundled_url, ON) as stage:
        stage.stand_in.trouble = Trouble(delay_ms=300, times=2)
        body = ask("cart-upsell", "recommendations", "homepage-hero", requestId="r", id={"tntId": "a"})
        answers = await asyncio.gather(*(stage.post(body) for _ in range(3)))
        assert [answer.body["status"] for answer in answers] == [200] * 3
        assert all(mbox["options"] for answer in answers for mbox in answer.body["execute"]["mboxes"])
        assert sorted(names_sent(stage)) == [["cart-upsell"], ["recommendations"]]
        assert len({request.body["impressionId"] for request in stage.stand_in.requests}) == 1


async def test_late_ones_are_dropped_and_named(bundled_url: str) -> None:
    async with run_stage(bundled_url, NO_WAIT) as stage:
        stage.stand_in.trouble = LATE
        async with asyncio.timeout(10):
            answer = await stage.post(ask("cart-upsell", "recommendations"), {"X-Request-Timeout-Ms": "60000"})
        assert (answer.status, answer.body["status"]) == (200, 206)
        assert answer.headers["x-gateway-degraded"] == 'secondary;missing="cart-upsell"'
        assert answer.body["execute"]["mboxes"][0] == {"index": 1, "name": "cart-upsell"}
        assert answer.body["execute"]["mboxes"][1]["options"]
        assert stage.running.services.fanout.under_way == 0


async def test_beside_local_items_they_are_not_even_sent_without_time_to_wait(bundled_url: str) -> None:
    async with run_stage(bundled_url, NO_WAIT) as stage:
        answer = await stage.post(ask("homepage-hero", "cart-upsell"))
        assert answer.headers["x-gateway-degraded"] == 'secondary;missing="cart-upsell"'
        assert answer.body["execute"]["mboxes"][0]["options"]
        assert stage.stand_in.received == 0
    async with run_stage(bundled_url, ON) as stage:
        answer = await stage.post(ask("homepage-hero", "cart-upsell"))
        assert (answer.body["status"], names_sent(stage)) == (200, [["cart-upsell"]])


async def test_where_nothing_else_is_asked_they_are_waited_for(bundled_url: str) -> None:
    async with run_stage(bundled_url, NO_WAIT) as stage:
        answer = await stage.post(ask("cart-upsell"))
        assert (answer.body["status"], stage.stand_in.received) == (200, 1)


async def test_the_wait_ends_with_the_deadline(bundled_url: str) -> None:
    async with run_stage(bundled_url, ON | {"GATEWAY_CLIENT__DEMO__SECONDARY_WAIT_MS": "60000"}) as stage:
        stage.stand_in.trouble = LATE
        async with asyncio.timeout(10):
            answer = await stage.post(ask("recommendations", "cart-upsell"), {"X-Request-Timeout-Ms": "300"})
        assert answer.headers["x-gateway-degraded"] == 'upstream-timeout;missing="cart-upsell"'


async def test_what_is_wrong_with_them_spoils_nothing(bundled_url: str) -> None:
    """A refusal as invalid (400) of the secondary call alone is no error of the request."""
    async with run_stage(bundled_url, ON | {"GATEWAY_CLIENT__DEMO__METHOD": "server-side"}) as stage:
        stage.stand_in.trouble = Trouble(status=400, mboxes=("cart-upsell",))
        answer = await stage.post(ask("recommendations", "cart-upsell"))
        assert (answer.status, answer.body["status"]) == (200, 206)
        assert answer.headers["x-gateway-degraded"] == 'upstream-refused;missing="cart-upsell"'


async def test_they_are_answered_also_when_the_rest_failed(bundled_url: str) -> None:
    async with run_stage(bundled_url, ON) as stage:
        stage.stand_in.trouble = Trouble(status=500, mboxes=("recommendations",))
        answer = await stage.post(ask("recommendations", "cart-upsell"))
        assert answer.headers["x-gateway-degraded"] == 'upstream-refused;missing="recommendations"'
        assert answer.body["execute"]["mboxes"][1]["options"]
        assert answer.body["id"]["tntId"]
