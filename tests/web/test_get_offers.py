"""`/v1/get-offers` and its like, over HTTP (spec get-offers §2-§14; gw:F3, F5, F7, F9, S3, S8, S10)."""

import asyncio
import json
import time
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.demo.target import Trouble
from tests.stage import Stage, run_stage
from tests.web.envelopes import BOTH, FAR, HERO, call, decided, get

pytestmark = pytest.mark.asyncio(loop_scope="module")
REFUSED = tomllib.loads((Path(__file__).parent.parent / "cases" / "get_offers" / "refused.toml").read_text())["call"]
SHOWN = {"id": "n1", "type": "display", "timestamp": 1_795_322_548_000, "tokens": ["t"], "mbox": {"name": "a"}}
ENDPOINTS = ["get-offers", "send-notifications", "get-attributes"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(bundled_url: str) -> AsyncIterator[Stage]:
    """Run a gateway whose outbox stays silent, so that every call to Target is a request's own."""
    async with run_stage(bundled_url, {"GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def edge(running: Stage) -> Stage:
    """Give the gateway with nothing in its store and nothing in Target's memory."""
    store = running.running.services.store
    assert store
    await store.call("FLUSHALL")
    running.stand_in.requests.clear()
    running.stand_in.trouble = None
    return running


async def test_one_call_is_decided_here_and_by_target(edge: Stage) -> None:
    """gw:F1; §12: `server-side` as soon as Target had a part in it, and what forced that is named."""
    envelope = await get(edge, BOTH)
    assert decided(envelope) == {"homepage-hero": "on-device", "recommendations": "server-side"}
    assert envelope["meta"] == {
        "decisioning_method": "server-side",
        "remote_mboxes": ["recommendations"],
        "remote_views": [],
    }
    assert len(envelope["response_tokens"]) == 2
    [sent] = edge.stand_in.requests
    assert [mbox["name"] for mbox in sent.body["execute"]["mboxes"]] == ["recommendations"]
    assert sent.body["experienceCloud"] == envelope["request"]["experienceCloud"]


@pytest.mark.parametrize(
    ("method", "deciders", "actual"),
    [
        ("on-device", {"homepage-hero"}, "on-device"),
        ("server-side", set(), "server-side"),
        ("hybrid", {"homepage-hero"}, "server-side"),
    ],
)
async def test_a_call_chooses_its_own_method(edge: Stage, method: str, deciders: set[str], actual: str) -> None:
    """§2, §10.1, §15 point 8: on-device never asks Target, server-side always does."""
    envelope = await get(edge, BOTH | {"decisioning_method": method})
    here = {
        mbox["name"]
        for mbox in envelope["response"]["execute"]["mboxes"]
        if mbox.get("options") and mbox["options"][0]["responseTokens"]["activity.decisioningMethod"] == "on-device"
    }
    assert here == deciders
    assert envelope["meta"]["decisioning_method"] == actual
    assert envelope["meta"]["remote_mboxes"] == ["recommendations"], "§10.3: also for remote answers"
    assert envelope["response"]["status"] == (206 if method == "on-device" else 200)
    assert len(edge.stand_in.requests) == (0 if method == "on-device" else 1)


async def test_the_cookie_brings_visitor_and_session_back(edge: Stage) -> None:
    """§4, §5; gw:S3, S10: what goes out as .35-0 is asked for at edge 35."""
    first = await get(edge, BOTH | {"session_id": "s1"})
    assert first["target_cookie"]["value"].startswith("session#s1#")
    assert first["response"]["id"]["tntId"].endswith(".35-0")
    assert "target_location_hint_cookie" not in first
    assert "edgeHost" not in first["response"]
    second = await get(edge, BOTH | {"session_id": "other", "target_cookie": first["target_cookie"]["value"]})
    assert second["response"]["id"] == first["response"]["id"]
    one, two = edge.stand_in.requests
    assert [one.query["sessionId"], two.query["sessionId"]] == ["s1", "s1"], "§5: the cookie wins over the option"
    assert two.body["id"]["tntId"].endswith(".35_0")


async def test_the_session_alone_brings_the_visitor_back(edge: Stage) -> None:
    """gw:S2: concurrent first calls of a session, with and without Target, are one visitor."""
    answers = await asyncio.gather(*(get(edge, body | {"session_id": "shared"}) for body in [HERO, BOTH] * 10))
    assert len({answer["response"]["id"]["tntId"].partition(".")[0] for answer in answers}) == 1


async def test_without_cookie_and_session_every_call_is_a_new_visitor(edge: Stage) -> None:
    """§5: a session id is 32 hexadecimal digits."""
    first, second = await get(edge, HERO), await get(edge, HERO)
    assert first["response"]["id"] != second["response"]["id"]
    session = first["target_cookie"]["value"].split("#")[1]
    assert len(session) == 32
    assert int(session, 16)


async def test_visitor_state_goes_on_where_the_page_was(edge: Stage) -> None:
    """§8: another consumer shares the SDID, the same one begins the next page."""
    first = await get(edge, BOTH | {"consumer_id": "a"})
    state = first["visitor_state"]
    shared = await get(edge, BOTH | {"consumer_id": "b", "visitor_state": state})
    later = await get(edge, BOTH | {"consumer_id": "a", "visitor_state": state})
    sdids = [sent.body["experienceCloud"]["analytics"]["supplementalDataId"] for sent in edge.stand_in.requests]
    assert sdids[0] == sdids[1] != sdids[2]
    assert set(shared["visitor_state"]["DEMO@AdobeOrg"]["sdid"]["supplementalDataIDCurrentConsumed"]) == {
        "payload:a",
        "payload:b",
    }
    assert later["visitor_state"]["DEMO@AdobeOrg"]["sdid"]["supplementalDataIDLast"] == sdids[0]


async def test_the_session_stitches_the_calls_of_a_page(edge: Stage) -> None:
    """gw:M1, M2: without a state, callers at the same time share SDID and calls to Target; a repeated one does not."""
    names = ["a", "b", "c", "d", "e"]
    calls = [get(edge, BOTH | {"session_id": "page", "consumer_id": name}) for name in names]
    envelopes = await asyncio.gather(*calls)
    sdids = {sent.body["experienceCloud"]["analytics"]["supplementalDataId"] for sent in edge.stand_in.requests}
    assert len(sdids) == 1
    assert {
        envelope["request"]["experienceCloud"]["analytics"]["supplementalDataId"] for envelope in envelopes
    } == sdids
    assert len(edge.stand_in.requests) < len(names)
    for envelope, name in zip(envelopes, names, strict=True):
        consumed = envelope["visitor_state"]["DEMO@AdobeOrg"]["sdid"]["supplementalDataIDCurrentConsumed"]
        assert consumed == {f"payload:{name}": True}
    again = await get(edge, HERO | {"session_id": "page", "consumer_id": "a"})
    assert again["request"]["experienceCloud"]["analytics"]["supplementalDataId"] not in sdids


@pytest.mark.parametrize("more", [{}, {"consumer_id": "a"}, {"visitor_state": {}, "consumer_id": "a"}], ids=str)
@pytest.mark.parametrize("names", [["recommendations"], ["homepage-hero", "recommendations"]], ids=len)
async def test_a_call_repeated_while_it_is_under_way_tells_the_sdid_that_was_sent(
    edge: Stage, names: list[str], more: dict[str, Any]
) -> None:
    """gw:M6, §12: one call, whoever made its SDID."""
    edge.stand_in.trouble = Trouble(delay_ms=300, times=1)
    request = {"requestId": "r", "execute": {"mboxes": [{"name": name} for name in names]}}
    asked = {"request": request, "session_id": "page"} | more
    envelopes = await asyncio.gather(*(get(edge, asked) for _ in range(3)))
    [sent] = edge.stand_in.requests
    told = {one["request"]["experienceCloud"]["analytics"]["supplementalDataId"] for one in envelopes}
    assert told == {sent.body["experienceCloud"]["analytics"]["supplementalDataId"]}
    states = [one["visitor_state"]["DEMO@AdobeOrg"]["sdid"] for one in envelopes]
    assert {state["supplementalDataIDCurrent"] for state in states} == told
    consumer = more.get("consumer_id", "target-global-mbox")
    assert [state["supplementalDataIDCurrentConsumed"] for state in states] == [{f"payload:{consumer}": True}] * 3


async def test_the_consumer_may_come_as_with_a_delivery_request(edge: Stage) -> None:
    """gw:M2: in the header, else in the query; the option wins."""
    asked = BOTH | {"session_id": "page"}
    envelopes = [
        await get(edge, asked, headers={"X-Consumer-Id": "a"}, params={"consumerId": "b"}),
        await get(edge, asked, params={"consumerId": "b"}),
        await get(edge, asked | {"consumer_id": "c"}, headers={"X-Consumer-Id": "a"}),
    ]
    consumed = [one["visitor_state"]["DEMO@AdobeOrg"]["sdid"]["supplementalDataIDCurrentConsumed"] for one in envelopes]
    assert consumed == [{f"payload:{name}": True} for name in "abc"]
    assert (
        len({sent.body["experienceCloud"]["analytics"]["supplementalDataId"] for sent in edge.stand_in.requests}) == 1
    )
    for wrong in ({"headers": {"X-Consumer-Id": "x" * 7000}}, {"params": {"consumerId": "x" * 257}}):
        assert (await call(edge, asked, **wrong)).status == 400


async def test_ids_of_the_experience_cloud_reach_target(edge: Stage) -> None:
    """§7, §9."""
    options = {
        "visitor_cookie": f"MCMID|123|MCAAMLH-{FAR}|9|MCAAMB-{FAR}|blob",
        "customer_ids": {"crm": {"id": "c", "authState": 1}},
        "trace": {"authorizationToken": "t"},
    }
    envelope = await get(edge, BOTH | options)
    [sent] = edge.stand_in.requests
    assert sent.body["id"] == {
        "marketingCloudVisitorId": "123",
        "customerIds": [{"id": "c", "integrationCode": "crm", "authenticatedState": "authenticated"}],
    }
    assert sent.body["experienceCloud"]["audienceManager"] == {"locationHint": 9, "blob": "blob"}
    assert sent.body["trace"] == {"authorizationToken": "t"}
    assert envelope["visitor_state"]["DEMO@AdobeOrg"]["customerIDs"] == options["customer_ids"]
    assert len(envelope["trace"]) == 2


async def test_analytics_details_come_with_client_side_logging(edge: Stage) -> None:
    """§12, delivery-api §13."""
    request = BOTH["request"] | {"experienceCloud": {"analytics": {"logging": "client_side"}}}
    envelope = await get(edge, {"request": request, "decisioning_method": "server-side"})
    assert [set(entry["payload"]) for entry in envelope["analytics_details"]] == [{"pe", "tnta"}] * 2


async def test_invalid_items_are_left_out_and_the_rest_is_answered(edge: Stage) -> None:
    """§3."""
    request = {"execute": {"mboxes": [{"name": ""}, {"name": "homepage-hero"}, 5, {}]}}
    envelope = await get(edge, {"request": request})
    assert [mbox["name"] for mbox in envelope["response"]["execute"]["mboxes"]] == ["homepage-hero"]


async def test_notifications_are_passed_on(edge: Stage) -> None:
    """§13: always server-side, no needs are reported."""
    told = {"request": {"notifications": [SHOWN]}, "decisioning_method": "on-device"}
    envelope = await get(edge, told, "send-notifications")
    assert envelope["response"]["notifications"] == [{"id": "n1"}]
    assert envelope["meta"] == {"decisioning_method": "server-side", "remote_mboxes": [], "remote_views": []}
    refused = await call(edge, {"request": {"context": {}}}, "send-notifications")
    assert (refused.status, "notifications required" in refused.body["message"]) == (400, True)


async def test_attributes_are_the_merged_json_offers(edge: Stage) -> None:
    """§14."""
    envelope = await get(edge, {"mbox_names": ["homepage-hero", "unknown"]}, "get-attributes")
    assert envelope["attributes"]["unknown"]["mbox"] == "unknown"
    assert "homepage-hero" in envelope["attributes"]
    asked = envelope["request"]["execute"]["mboxes"]
    assert asked == [{"index": 1, "name": "homepage-hero"}, {"index": 2, "name": "unknown"}]


@pytest.mark.parametrize("names", [None, "homepage-hero", [""], [5], ["x" * 251], [f"m{at}" for at in range(51)]])
async def test_attributes_of_no_names_are_refused(edge: Stage, names: Any) -> None:
    answer = await call(edge, {"mbox_names": names}, "get-attributes")
    assert (answer.status, "$.mbox_names" in answer.body["message"]) == (400, True), answer.raw[:300]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["rule"])
async def test_a_bad_call_is_refused_with_the_option_to_blame(edge: Stage, case: dict[str, Any]) -> None:
    """gw:F9: 400, nothing stored, nothing sent."""
    options = BOTH | case.get("call", {})
    if "long" in case:
        name, length = case["long"]
        options = options | {name: "x" * length}
    store = edge.running.services.store
    assert store
    answer = await call(edge, options)
    assert (answer.status, answer.body["status"]) == (400, 400), answer.raw[:300]
    assert answer.body["message"].partition(" - at ")[2].startswith(case["says"]), answer.body["message"]
    assert len(answer.raw) < 1000
    assert await store.call("DBSIZE") == 0
    assert not edge.stand_in.requests


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"{}", 400),
        (b'{"request":', 400),
        (b'{"request":{},"request":{}}', 400),
        (b'{"request":' + b"[" * 100 + b"]" * 100 + b"}", 400),
        (b'{"request":{"x":"' + b"x" * 300_000 + b'"}}', 413),
        (b'{"request":"\xff"}', 400),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_what_is_no_call_is_refused(edge: Stage, endpoint: str, raw: bytes, status: int) -> None:
    answer = await call(edge, raw, endpoint)
    assert (answer.status, answer.body["status"]) == (status, status)


@pytest.mark.parametrize("budget", ["0", "-1", "soon", "9" * 30, "1.5", "", "\uff11"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_budget_that_is_none_is_refused(edge: Stage, endpoint: str, budget: str) -> None:
    """gw:F3."""
    body = BOTH | {"mbox_names": ["a"], "request": BOTH["request"] | {"notifications": [SHOWN]}}
    headers = {"X-Request-Timeout-Ms": budget}
    answer = await call(edge, body, endpoint, headers=headers)
    assert (answer.status, "x-request-timeout-ms" in answer.body["message"]) == (400, True)


@pytest.mark.parametrize(
    "cookie",
    ["|" * 100_000, "#" * 100_000, "PC#a.35_0#9|" * 8_000, "session#%zz#99999999999", "session#a b#99999999999"],
    ids=lambda cookie: cookie[:12],
)
@pytest.mark.parametrize("option", ["target_cookie", "visitor_cookie"])
async def test_a_strange_cookie_counts_as_none(edge: Stage, option: str, cookie: str) -> None:
    """§4.2, §7.2."""
    envelope = await get(edge, HERO | {option: cookie})
    assert len(envelope["target_cookie"]["value"].split("#")[1]) == 32


async def test_an_odd_location_hint_chooses_no_host(edge: Stage) -> None:
    """gw:S9."""
    envelope = await get(edge, BOTH | {"target_location_hint": "35.evil.example/"})
    assert envelope["response"]["status"] == 200


async def test_default_content_leaves_by_the_deadline_when_target_hangs(edge: Stage) -> None:
    """gw:F3, F5, F9: 200 with what was decided here, and a name for what is missing."""
    edge.stand_in.trouble = Trouble(hang=True)
    begun = time.monotonic()
    answer = await call(edge, BOTH, headers={"X-Request-Timeout-Ms": "300"})
    assert time.monotonic() - begun < 10
    envelope = answer.body
    assert (answer.status, envelope["response"]["status"]) == (200, 206)
    assert envelope["meta"]["degraded"] == ["upstream-timeout"]
    assert answer.headers["X-Gateway-Degraded"] == 'upstream-timeout;missing="recommendations"'
    local, remote = envelope["response"]["execute"]["mboxes"]
    assert local["options"]
    assert remote == {"name": "recommendations", "index": 1}


async def test_lone_notifications_that_nobody_took_are_an_error(edge: Stage) -> None:
    """gw:F8: their sender must know, as on the delivery endpoint."""
    edge.stand_in.trouble = Trouble(hang=True)
    told = {"request": {"notifications": [SHOWN]}}
    answer = await call(edge, told, "send-notifications", headers={"X-Request-Timeout-Ms": "300"})
    assert (answer.status, answer.body["status"]) == (504, 504)


async def test_a_call_that_asks_nothing_opens_nothing(edge: Stage) -> None:
    """gw:S11."""
    store = edge.running.services.store
    assert store
    envelope = await get(edge, {"request": {"context": {"channel": "web"}}, "session_id": "ping123"})
    assert envelope["response"]["status"] == 200
    assert not edge.stand_in.requests
    assert await store.call("DBSIZE") == 0


async def test_another_client_is_refused(edge: Stage) -> None:
    """gw:S12."""
    answer = await call(edge, HERO, params={"client": "other"})
    assert (answer.status, answer.body["message"].endswith("at client")) == (400, True)
    assert (await call(edge, HERO, params={"imsOrgId": "DEMO"})).status == 200


async def test_with_keep_clients_no_member_of_the_envelope_names_an_edge(edge: Stage) -> None:
    """gw:S10; Target itself is asked with the edge."""
    envelope = await get(edge, BOTH | {"target_cookie": f"session#s#{FAR}|PC#abc.35-0#{FAR}"})
    assert envelope["request"]["id"] == {"tntId": "abc.35-0"}
    assert "35_0" not in json.dumps(envelope)
    assert edge.stand_in.requests[-1].body["id"]["tntId"] == "abc.35_0"
