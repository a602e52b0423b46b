"""What a caller sees when Target goes wrong (spec delivery-api §8; gw:F3, F5, F9)."""

import asyncio
import gc
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from gateway.demo.target import Trouble
from gateway.walk.inbound import Inbound
from tests.stage import Answer, Stage, run_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")
_FILE = Path(__file__).parent.parent / "cases" / "delivery" / "troubles.toml"
TROUBLES = tomllib.loads(_FILE.read_text(encoding="utf-8"))["trouble"]
WEB = {"channel": "web"}
TOLD = {"notifications": [{"id": "n-1", "type": "display", "timestamp": 1700000000000, "tokens": ["t"]}]}
REMOTE = {
    "context": WEB,
    "execute": {"mboxes": [{"index": 7, "name": "recommendations"}, {"index": 8, "name": "cart-upsell"}]},
    "prefetch": {"mboxes": [{"index": 1, "name": "recommendations"}], "views": [{"name": "checkout"}]},
}
MIXED = {
    "context": WEB,
    "execute": {
        "pageLoad": {},
        "mboxes": [
            {"index": 1, "name": "homepage-hero"},
            {"index": 2, "name": "recommendations"},
            {"index": 3, "name": "welcome"},
        ],
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(bundled_url: str) -> AsyncIterator[Stage]:
    async with run_stage(bundled_url, {"GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        yield stage


async def meet(edge: Stage, case: dict[str, Any], body: object, **query: str) -> Answer:
    """Give the answer to `body` while Target is in trouble: whatever happens, it is JSON with a status."""
    edge.stand_in.trouble = msgspec.convert(case["trouble"], Trouble)
    headers = {"X-Request-Timeout-Ms": str(case.get("budget_ms", 10_000)), "X-Request-Id": "mine"}
    async with asyncio.timeout(15):
        answer = await edge.post(body, headers, **query)
    edge.stand_in.trouble = None
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert answer.headers["X-Request-Id"] == "mine"
    assert isinstance(answer.body["status"], int)
    return answer


def assert_error(answer: Answer, status: int) -> None:
    assert (answer.status, answer.body["status"]) == (status, status)
    assert set(answer.body) == {"status", "message"}


@pytest.mark.parametrize("case", TROUBLES, ids=lambda case: case["name"])
async def test_a_remote_request_gets_default_content(edge: Stage, case: dict[str, Any]) -> None:
    """gw:F9: HTTP 200 with 206 in the body and every mbox named; only what Target finds invalid is an error."""
    answer = await meet(edge, case, REMOTE | {"id": {"tntId": "me.35_0"}, "requestId": "r"})
    if "remote" in case:
        assert_error(answer, case["remote"])
        return
    assert (answer.status, answer.body["status"]) == (200, 206)
    assert answer.headers["x-gateway-degraded"].startswith(case["reason"])
    assert {"recommendations", "cart-upsell"} <= set(answer.headers["x-gateway-degraded"].split('"')[1].split())
    assert answer.body["execute"]["mboxes"] == [
        {"name": "recommendations", "index": 7},
        {"name": "cart-upsell", "index": 8},
    ]
    assert answer.body["prefetch"] == {"mboxes": [{"name": "recommendations", "index": 1}], "views": []}
    assert (answer.body["id"]["tntId"], answer.body["requestId"], answer.body["client"]) == ("me.35-0", "r", "demo")
    assert set(answer.body) == {"status", "requestId", "id", "client", "execute", "prefetch"}


@pytest.mark.parametrize("case", TROUBLES, ids=lambda case: case["name"])
async def test_the_local_part_of_a_mixed_request_is_whole(edge: Stage, case: dict[str, Any]) -> None:
    """gw:F5."""
    answer = await meet(edge, case, MIXED)
    assert (answer.status, answer.body["status"]) == (200, 206)
    assert answer.headers["x-gateway-degraded"].startswith(case["reason"])
    hero, missing, welcome = answer.body["execute"]["mboxes"]
    assert hero["options"]
    assert welcome["index"] == 3
    assert missing == {"name": "recommendations", "index": 2}
    assert answer.body["execute"]["pageLoad"]["options"]
    assert "notifications" not in answer.body


@pytest.mark.parametrize("case", TROUBLES, ids=lambda case: case["name"])
async def test_notifications_nobody_took_are_an_error(edge: Stage, case: dict[str, Any]) -> None:
    """§8: 502 or 504, so that the caller sends them again; 400 where Target finds them invalid."""
    assert_error(await meet(edge, case, {"context": WEB} | TOLD), case["told"])


@pytest.mark.parametrize("case", TROUBLES, ids=lambda case: case["name"])
async def test_a_beacon_nobody_took_is_an_error(edge: Stage, case: dict[str, Any]) -> None:
    assert_error(await meet(edge, case, {"context": WEB | {"beacon": True}} | TOLD), case["told"])


@pytest.mark.parametrize("case", TROUBLES, ids=lambda case: case["name"])
async def test_notifications_beside_local_items_are_missed(edge: Stage, case: dict[str, Any]) -> None:
    """§8: some remote part failed: 206 in the body; a missing id means not processed (§6.6)."""
    answer = await meet(
        edge, case, {"context": WEB, "execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}]}} | TOLD
    )
    assert (answer.status, answer.body["status"]) == (200, 206)
    assert answer.body["execute"]["mboxes"][0]["options"]
    assert answer.headers["x-gateway-degraded"].startswith(case["reason"])
    assert answer.body.get("notifications", []) == []


async def test_a_refusal_keeps_nothing_of_its_request(edge: Stage) -> None:
    """gw:Q3, P16: an error that is raised again and again must not hold on to every request it was raised for."""
    for at in range(30):
        await edge.post({"context": WEB} | TOLD, {"X-Request-Timeout-Ms": "20"}, sessionId=f"refused{at}")
    gc.collect()
    assert sum(isinstance(one, Inbound) for one in gc.get_objects()) < 5


async def test_notifications_target_took_are_acknowledged(edge: Stage) -> None:
    answer = await edge.post({"context": WEB} | TOLD)
    assert (answer.status, answer.body["status"], answer.body["notifications"]) == (200, 200, [{"id": "n-1"}])
    assert "execute" not in answer.body
    assert edge.stand_in.notifications[-1]["id"] == "n-1"


async def test_a_beacon_is_answered_without_a_body(edge: Stage) -> None:
    """§8: 204."""
    for body in ({"context": WEB | {"beacon": True}} | TOLD, MIXED | {"context": WEB | {"beacon": True}}):
        received = edge.stand_in.received
        answer = await edge.post(body)
        assert (answer.status, answer.raw) == (204, b"")
        assert "Content-Type" not in answer.headers
        assert edge.stand_in.received == received + 1


async def test_what_target_says_of_an_invalid_request_is_passed_on(edge: Stage) -> None:
    """§9.1; a message is bounded."""
    answer = await meet(edge, {"trouble": {"status": 400}}, REMOTE)
    assert "Asked to answer with status 400" in answer.body["message"]


@pytest.mark.parametrize(
    "value", ["0", "-1", "1.5", "abc", "", " ", "1e3", "0x10", "١٢", "99999999999999999999", "1,2", "+5", "NaN"]
)
async def test_a_deadline_that_is_none_is_refused(edge: Stage, value: str) -> None:
    """gw:F3."""
    received = edge.stand_in.received
    answer = await edge.post(REMOTE, {"X-Request-Timeout-Ms": value})
    assert_error(answer, 400)
    assert "x-request-timeout-ms" in answer.body["message"]
    assert edge.stand_in.received == received


@pytest.mark.parametrize("value", ["1", "29", "40"])
async def test_without_time_target_is_not_asked(edge: Stage, value: str) -> None:
    """gw:F3: with less than the minimum left no call is made, and the local part is answered."""
    received = edge.stand_in.received
    answer = await edge.post(MIXED, {"X-Request-Timeout-Ms": value})
    assert (answer.status, answer.body["status"]) == (200, 206)
    assert answer.headers["x-gateway-degraded"].endswith('budget;missing="recommendations"')  # Redis may be late, too
    assert answer.body["execute"]["mboxes"][0]["options"]
    assert edge.stand_in.received == received


@pytest.mark.parametrize("value", ["10000", "60000", "999999999", "05000"])
async def test_a_long_deadline_is_accepted(edge: Stage, value: str) -> None:
    assert (await edge.post(REMOTE, {"X-Request-Timeout-Ms": value})).body["status"] == 200


async def test_a_hanging_geo_look_up_does_not_outlast_the_deadline(bundled_url: str) -> None:
    """gw:F3: every answer leaves by the deadline, also where the look-up's own time-out is an hour."""
    changes = {"GATEWAY_ARTIFACT__GEO_TIMEOUT_MS": "3600000", "GATEWAY_OUTBOX__ENABLED": "false"}
    async with run_stage(bundled_url, changes) as stage, asyncio.timeout(5):
        stage.stand_in.trouble = Trouble(hang=True, on="geo")
        body = MIXED | {"context": WEB | {"geo": {"ipAddress": "192.0.2.77"}}}
        answer = await stage.post(body, {"X-Request-Timeout-Ms": "300"})
        assert answer.status == 200
        assert answer.body["execute"]["mboxes"][0]["name"] == "homepage-hero"


async def test_a_partial_answer_may_be_206_on_the_wire(bundled_url: str) -> None:
    """§8: only when configured."""
    async with run_stage(bundled_url, {"GATEWAY_WEB__PARTIAL_STATUS": "206"}) as stage:
        assert (await stage.post(MIXED)).status == 200
        answer = await meet(stage, {"trouble": {"status": 500}}, MIXED)
        assert (answer.status, answer.body["status"]) == (206, 206)


async def test_under_overload_a_valid_request_still_gets_200(bundled_url: str) -> None:
    """gw:F9, F7: one call may be under way and none may wait; the others get default content at once."""
    changes = {
        "GATEWAY_UPSTREAM__TARGET__MAX_IN_FLIGHT": "1",
        "GATEWAY_UPSTREAM__TARGET__MAX_WAITING": "1",
        "GATEWAY_OUTBOX__ENABLED": "false",
    }
    async with run_stage(bundled_url, changes) as stage:
        stage.stand_in.trouble = Trouble(hang=True)
        asked = [stage.post(REMOTE, {"X-Request-Timeout-Ms": "700"}, sessionId=f"s{at}") for at in range(6)]
        answers = await asyncio.gather(*asked)
        assert {answer.status for answer in answers} == {200}
        reasons = sorted(answer.headers["x-gateway-degraded"].partition(";")[0] for answer in answers)
        assert reasons == ["upstream-overloaded"] * 4 + ["upstream-timeout"] * 2
        assert stage.stand_in.received == 1


async def test_with_too_many_requests_target_is_not_asked(bundled_url: str) -> None:
    """gw:F7, F9: beyond web.max-waiting only local decisions are made."""
    async with run_stage(bundled_url, {"GATEWAY_WEB__MAX_WAITING": "1", "GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        stage.stand_in.trouble = Trouble(hang=True)
        first = asyncio.create_task(stage.post(REMOTE, {"X-Request-Timeout-Ms": "1000"}))
        await stage.stand_in.wait_received(1)
        second = await stage.post(MIXED, sessionId="s2")
        assert (second.status, second.body["status"]) == (200, 206)
        assert second.headers["x-gateway-degraded"] == 'overload;missing="recommendations"'
        assert second.body["execute"]["mboxes"][0]["options"]
        assert (await first).status == 200


async def test_after_trouble_all_is_well_again(edge: Stage) -> None:
    for case in TROUBLES:
        await meet(edge, case, REMOTE, sessionId=f"again-{case['name'].replace(' ', '-')}")
    answer = await edge.post(REMOTE, sessionId="after")
    assert answer.body["status"] == 200
    assert "x-gateway-degraded" not in answer.headers
    assert edge.running.services.fanout.under_way == 0
