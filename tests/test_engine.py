"""Whole decisions on device, without HTTP in front and Target behind (spec on-device-decisioning §6, §13, §14)."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.config import Artifact, Client
from gateway.demo.target import StandIn, Trouble
from gateway.engine import LocalAnswer, WholeRequest, answer_locally
from gateway.errors import ArtifactMissing
from gateway.ids import new_id
from gateway.tenants import Tenant
from gateway.upstream.artifact_feed import ArtifactFeed
from gateway.upstream.geo import GeoLookup
from tests.delivery.decisions import make_payload, read_request

SHORT: dict[str, Any] = {
    "geoTargetingEnabled": True,
    "responseTokens": ["geo.city"],
    "remoteMboxes": ["remote"],
    "mboxes": {
        "hero": [{"key": "1", "options": [{"type": "html", "content": "x", "eventToken": "t"}]}],
        "low": [
            {
                "key": "125880",
                "when": {"==": [{"var": "allocation"}, 0.48]},
                "options": [{"type": "html", "content": "0.48"}],
            },
        ],
    },
}
HERO = {"execute": {"mboxes": [{"index": 1, "name": "hero"}]}}
CUSTOMER = {"customerIds": [{"id": "c", "integrationCode": "crm", "authenticatedState": "authenticated"}]}
Decide = Callable[..., Awaitable[LocalAnswer]]


@asynccontextmanager
async def open_tenant(folder: Path, settings: Artifact, code: str = "demo", **client: Any) -> AsyncIterator[Tenant]:
    """Give a tenant whose artifact is a file, at 2020-03-26T00:00:00.7Z."""
    path = folder / "rules.json"
    path.write_text(json.dumps(make_payload(SHORT)))
    made = Client(**({"organization_id": "O", "artifact_location": str(path)} | client))
    geo = GeoLookup(settings, lambda *_: None)
    try:
        async with aiohttp.ClientSession() as session:
            feed = ArtifactFeed(code, made, settings, session, lambda *_: None)
            yield Tenant(code, made, feed, geo, new_id, lambda: 1585180800.7)
    finally:
        await geo.close()


async def decide(folder: Path, body: dict[str, Any], settings: Artifact | None = None, **more: Any) -> LocalAnswer:
    asked = {name: more.pop(name) for name in ("session_id", "location_hint", "telemetry") if name in more}
    async with open_tenant(folder, settings or Artifact(), **more) as tenant:
        await tenant.feed.refresh()
        request, whole = read_request(body)
        return await answer_locally(tenant, WholeRequest(request, whole, **asked))


async def test_without_an_artifact_there_is_no_decision(tmp_path: Path) -> None:
    async with open_tenant(tmp_path, Artifact()) as tenant:
        request, whole = read_request(HERO)
        with pytest.raises(ArtifactMissing):
            await answer_locally(tenant, WholeRequest(request, whole))


async def test_the_response_has_exactly_the_members_of_the_specification(tmp_path: Path) -> None:
    """on-device §14."""
    answer = await decide(tmp_path, HERO | {"requestId": "r1", "id": {"tntId": "a.35_0"}})
    assert set(answer.response) == {"status", "requestId", "id", "client", "execute"}
    assert {name: answer.response[name] for name in ("status", "requestId", "id", "client")} == {
        "status": 200,
        "requestId": "r1",
        "id": {"tntId": "a.35_0"},
        "client": "demo",
    }


async def test_what_needs_target_makes_it_206(tmp_path: Path) -> None:
    answer = await decide(
        tmp_path, {"execute": {"mboxes": [{"name": "remote"}, {"name": "unknown"}, {"name": "hero"}]}}
    )
    assert answer.response["status"] == 206
    assert answer.needs.mboxes == ("remote", "unknown")
    assert len(answer.response["execute"]["mboxes"]) == 3


@pytest.mark.parametrize("identity", [None, {}, {"tntId": ""}, CUSTOMER], ids=str)
@pytest.mark.parametrize(("hint", "suffix"), [("", ""), ("35", ".35_0")])
async def test_a_visitor_nobody_knows_gets_a_device_id(tmp_path: Path, identity: Any, hint: str, suffix: str) -> None:
    """on-device §6.1; its GATEWAY line: one with only a customer id too."""
    first, second = [await decide(tmp_path, HERO | {"id": identity}, location_hint=hint) for _ in range(2)]
    bare, _, end = first.response["id"]["tntId"].partition(".")
    assert len(bare) == 32
    assert end == suffix.removeprefix(".")
    assert first.response["id"]["tntId"] != second.response["id"]["tntId"]
    assert first.response["id"].get("customerIds") == (identity or {}).get("customerIds")
    assert first.background is not None
    assert first.background["id"] == first.response["id"]


@pytest.mark.parametrize("identity", [{"thirdPartyId": "t"}, {"marketingCloudVisitorId": "m"}], ids=str)
async def test_a_visitor_somebody_knows_gets_none(tmp_path: Path, identity: Any) -> None:
    assert (await decide(tmp_path, HERO | {"id": identity})).response["id"] == identity


async def test_the_allocation_of_the_specification_through_a_whole_decision(tmp_path: Path) -> None:
    """on-device §16: targettesting, 125880, 4c038b35f1b1453d80a3e7da8208c617 -> 0.48."""
    body = {"id": {"tntId": "4c038b35f1b1453d80a3e7da8208c617.28_0"}, "execute": {"mboxes": [{"name": "low"}]}}
    found = (await decide(tmp_path, body, code="targettesting")).response["execute"]["mboxes"][0]
    assert found["options"][0]["content"] == "0.48"
    assert "options" not in (await decide(tmp_path, body)).response["execute"]["mboxes"][0]


async def test_what_was_displayed_is_told_and_with_telemetry_every_decision_is(tmp_path: Path) -> None:
    """on-device §13."""
    executed = await decide(tmp_path, HERO)
    assert executed.background is not None
    assert executed.background["notifications"][0]["timestamp"] == 1585180800700
    prefetch = {"prefetch": HERO["execute"]}
    assert (await decide(tmp_path, prefetch)).background is None
    told = (await decide(tmp_path, prefetch, telemetry=True)).background
    assert told is not None
    assert set(told) == {"id", "context"}


@pytest.fixture
async def stand_in() -> AsyncIterator[tuple[StandIn, str]]:
    target = StandIn(["demo"])
    port = await target.start()
    yield target, f"http://127.0.0.1:{port}/v1/geo"
    await target.stop()


LOCATED = HERO | {"context": {"channel": "web", "geo": {"ipAddress": "203.0.113.9"}}}


async def test_a_place_is_looked_up_and_goes_along_in_the_background(
    tmp_path: Path, stand_in: tuple[StandIn, str]
) -> None:
    answer = await decide(tmp_path, LOCATED, Artifact(geo_url=stand_in[1], geo_timeout_ms=5000))
    assert answer.response["execute"]["mboxes"][0]["options"][0]["responseTokens"]["geo.city"] == "ZURICH"
    assert answer.background is not None
    assert answer.background["context"]["geo"]["countryCode"] == "CH"


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(on="geo", status=500),
        Trouble(on="geo", drop=True),
        Trouble(on="geo", garbage=True),
        Trouble(on="geo", hang=True),
    ],
    ids=lambda trouble: trouble.kind,
)
async def test_a_failed_look_up_does_not_fail_the_decision(
    tmp_path: Path, stand_in: tuple[StandIn, str], trouble: Trouble
) -> None:
    """on-device §6.3 GATEWAY."""
    stand_in[0].trouble = trouble
    answer = await decide(tmp_path, LOCATED, Artifact(geo_url=stand_in[1], geo_timeout_ms=100))
    tokens = answer.response["execute"]["mboxes"][0]["options"][0]["responseTokens"]
    assert tokens == {"activity.decisioningMethod": "on-device"}


async def test_no_place_is_looked_up_where_that_is_off(tmp_path: Path, stand_in: tuple[StandIn, str]) -> None:
    await decide(tmp_path, LOCATED, Artifact(geo_url=stand_in[1]), geo=False)
    assert stand_in[0].geo_lookups == 0


@pytest.mark.parametrize("traces", [True, False])
async def test_a_trace_is_given_where_it_is_asked_for_and_allowed(tmp_path: Path, traces: bool) -> None:
    """on-device §12; delivery-api §12 GATEWAY: traces show targeting rules."""
    for asked in ({}, {"authorizationToken": "t"}):
        answer = await decide(
            tmp_path, HERO | {"trace": asked, "id": {"tntId": "a.35_0"}}, session_id="s1", traces=traces
        )
        trace = answer.response["execute"]["mboxes"][0].get("trace")
        assert (trace is not None) is traces
    if traces:
        assert set(trace["artifact"]) >= {
            "artifactLocation",
            "pollingInterval",
            "pollingHalted",
            "artifactVersion",
            "artifactRetrievalCount",
            "artifactLastRetrieved",
            "environment",
        }
        assert (trace["artifact"]["pollingInterval"], trace["artifact"]["artifactRetrievalCount"]) == (300_000, 1)
        assert trace["profile"] == {"visitorId": {"tntId": "a", "profileLocation": "35_0"}}
        assert trace["request"]["sessionId"] == "s1"
    assert "trace" not in (await decide(tmp_path, HERO, traces=True)).response["execute"]["mboxes"][0]
