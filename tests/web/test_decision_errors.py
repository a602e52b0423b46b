"""Every row of the error table of decisions, and the order of checks (dec §12, dec:X6)."""

import json
from typing import Any

import pytest

from tests.stage import Answer, Stage
from tests.web.callers import PROBLEM, Caller
from tests.web.deciders import REQUEST, RESPONSE, XDM, Shop, request

DRY = {"xdm:dryRun": True}
NOWHERE = "018f7a60-0000-7000-8000-000000000000"


@pytest.fixture
async def shop(bundled_stage: Stage) -> Shop:
    """Give a container with one activity `a` of one offer."""
    shop = await Shop(Caller(bundled_stage)).open()
    await shop.add_offer("only", 1)
    await shop.add_activity("a")
    return shop


def problem(answer: Answer) -> tuple[int, str]:
    """Give status and slug, and make sure that it is a problem document."""
    assert answer.headers["Content-Type"] == PROBLEM, answer.raw
    assert answer.body["status"] == answer.status
    assert answer.body["errors"]
    return answer.status, answer.body["type"].removeprefix("/problems/")


def pointers(answer: Answer) -> list[tuple[str, str]]:
    return [(each["pointer"], each["code"]) for each in answer.body["errors"]]


async def test_who_calls_is_looked_at_first(shop: Shop):
    """Dec §2, §12: 401, 403, 404 before anything else, and no leak of what exists."""
    bad = b"{"
    assert problem(await shop.ask("POST", "decisions", bad, Authorization=None)) == (401, "unauthenticated")
    assert problem(await shop.ask("POST", "decisions", bad, x_api_key="wrong")) == (403, "api-key-rejected")
    assert problem(await shop.ask("POST", "decisions", bad, x_sandbox_name="dev")) == (403, "sandbox-rejected")
    here = shop.caller.container
    for container in (NOWHERE, "nonsense", f"{here}x"):
        shop.caller.container = container
        for method, path in (("POST", "decisions"), ("GET", "offers"), ("GET", "diagnostics"), ("POST", "events")):
            assert problem(await shop.ask(method, path)) == (404, "container-not-found"), (container, path)


async def test_read_permission_suffices(shop: Shop):
    """dec:D1, D2, D3, D4."""
    reader = "Bearer demo-reader"
    activity = shop.made["a"]["@id"]
    assert (await shop.decide(activity, body=DRY, Authorization=reader)).status == 200
    assert (await shop.ask("GET", f"offers?activityId={activity}", Authorization=reader)).status == 200
    assert (await shop.ask("GET", "diagnostics", Authorization=reader)).status == 200


async def test_other_methods_and_paths(shop: Shop):
    answer = await shop.ask("GET", "decisions")
    assert problem(answer) == (405, "method-not-allowed")
    assert answer.headers["Allow"] == "OPTIONS, POST"
    assert problem(await shop.ask("GET", "propositions")) == (404, "no-such-path")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, f'{XDM}; schema="{RESPONSE};version=1.0"'),
        ("*/*", f'{XDM}; schema="{RESPONSE};version=1.0"'),
        (f'{XDM}; schema="{RESPONSE};version=1.0"', f'{XDM}; schema="{RESPONSE};version=1.0"'),
        (f"{PROBLEM}, {XDM}", f'{XDM}; schema="{RESPONSE};version=1.0"'),
        ("application/json", "application/json"),
        (f'{XDM}; schema="https://ns.adobe.com/other"', None),
        ("text/html", None),
    ],
)
async def test_the_form_of_the_answer(shop: Shop, accept: str | None, expected: str | None):
    """dec:T2."""
    answer = await shop.decide(shop.made["a"]["@id"], body=DRY, Accept=accept)
    if expected is None:
        assert problem(answer) == (406, "not-acceptable")
    else:
        assert (answer.status, answer.headers["Content-Type"]) == (200, expected)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (f'{XDM}; schema="{REQUEST};version=1.0"', (200, "")),
        (XDM, (200, "")),
        ("application/json; charset=utf-8", (200, "")),
        (f'{XDM}; schema="{REQUEST};version=0.9"', (400, "invalid-body")),
        (f'{XDM}; schema="{REQUEST};version=2.0"', (415, "unknown-schema")),
        ("text/plain", (415, "unsupported-media-type")),
        (None, (415, "unsupported-media-type")),
    ],
)
async def test_the_form_of_the_request(shop: Shop, content_type: str | None, expected: tuple[int, str]):
    """dec:T1."""
    answer = await shop.decide(shop.made["a"]["@id"], body=DRY, Content_Type=content_type)
    assert (answer.status, "") == expected if answer.status == 200 else problem(answer) == expected


async def test_the_older_form_is_answered_with_the_newer_response(shop: Shop):
    """dec:T1, §4.2."""
    body = {
        "xdm:offerActivities": [{"xdm:offerActivity": shop.made["a"]["@id"]}],
        "xdm:identityMap": {"CRM": [{"xdm:id": "c-1"}]},
        "xdm:dryRun": True,
    }
    for content_type in ("application/json", f'{XDM}; schema="{REQUEST};version=0.9"'):
        answer = await shop.ask("POST", "decisions", body, Content_Type=content_type)
        assert answer.status == 200, answer.raw
        assert answer.body["xdm:propositions"][0]["xdm:options"][0]["xdm:id"] == shop.made["only"]["@id"]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"a":1,"a":2}', b'"\xff"', b'{"a":' * 100 + b"1" + b"}" * 100, b"null"]
)
async def test_what_is_no_json_object_is_an_invalid_body(shop: Shop, raw: bytes):
    """dec:X6, Q1."""
    answer = await shop.ask("POST", "decisions", raw, Content_Type="application/json")
    assert problem(answer) == (400, "invalid-body")
    assert pointers(answer) == [("", "malformed-json")]


async def test_every_fault_of_a_body_is_listed(shop: Shop):
    """dec:X6, Q1, Q4."""
    body: dict[str, Any] = request((shop.made["a"]["@id"], 31), **{"xdm:dryRun": "yes"})
    body["xdm:profiles"] = [{}]
    answer = await shop.ask("POST", "decisions", body, Content_Type="application/json")
    assert problem(answer) == (400, "invalid-body")
    assert [pointer for pointer, _ in pointers(answer)] == [
        "/xdm:dryRun",
        "/xdm:profiles/0/xdm:identityMap",
        "/xdm:propositionRequests/0/xdm:itemCount",
    ]


async def test_only_a_dry_run_can_be_asked_for_another_instant(shop: Shop):
    """dec:X9, the row of gw:at."""
    answer = await shop.decide(shop.made["a"]["@id"], body={"gw:at": "2024-01-01T00:00:00Z"})
    assert (problem(answer), pointers(answer)) == ((400, "invalid-body"), [("/gw:at", "needs-dry-run")])


async def test_a_profile_in_the_request_has_to_be_enabled(shop: Shop):
    """Dec §3, gw:P1."""
    body = request(shop.made["a"]["@id"], **DRY)
    body["xdm:profiles"][0]["gw:profile"] = {}
    answer = await shop.ask("POST", "decisions", body, Content_Type="application/json")
    assert pointers(answer) == [("/xdm:profiles/0/gw:profile", "not-enabled")]


async def test_a_body_may_have_256_kib(shop: Shop):
    body = json.dumps(request(shop.made["a"]["@id"], **DRY)).encode()
    most = body + b" " * (256 * 1024 - len(body))
    assert (await shop.ask("POST", "decisions", most, Content_Type="application/json")).status == 200
    answer = await shop.ask("POST", "decisions", most + b" ", Content_Type="application/json")
    assert problem(answer) == (413, "too-large")


async def test_entries_that_cannot_be_served_are_all_listed_and_the_first_names_the_problem(shop: Shop):
    """dec:X6, Q2, §5 step 1."""
    draft = await shop.add_activity("draft", [], status="draft")
    live = shop.made["a"]["@id"]
    body = request(live, draft, live, "xcore:offer-activity:none")
    body["xdm:propositionRequests"][0]["xdm:placementId"] = "xcore:offer-placement:none"
    answer = await shop.ask("POST", "decisions", body, Content_Type="application/json")
    assert problem(answer) == (422, "placement-mismatch")
    assert pointers(answer) == [
        ("/xdm:propositionRequests/0/xdm:placementId", "placement-mismatch"),
        ("/xdm:propositionRequests/1/xdm:activityId", "activity-not-live"),
        ("/xdm:propositionRequests/3/xdm:activityId", "activity-not-found"),
    ]
    again = await shop.decide(live, live)
    assert problem(again) == (422, "duplicate-request")


async def test_context_data_is_validated_where_it_is_asked_for(shop: Shop):
    """Dec §3: context-invalid."""
    body = request(shop.made["a"]["@id"], **DRY, **{"xdm:validateContextData": True})
    tag = "https://ns.adobe.com/experience/offer-management/tag"
    body["xdm:profiles"][0]["xdm:contextData"] = [
        {"@type": "https://ns.example.com/unknown", "xdm:data": {}},
        {"@type": f" {tag};version=0.1 ", "xdm:data": {"xdm:name": 1}},
    ]
    answer = await shop.ask("POST", "decisions", body, Content_Type="application/json")
    assert problem(answer) == (422, "context-invalid")
    assert [pointer for pointer, _ in pointers(answer)] == [
        "/xdm:profiles/0/xdm:contextData/0/@type",
        "/xdm:profiles/0/xdm:contextData/1/xdm:data/xdm:name",
    ]


async def test_the_alias_needs_exactly_one_container(shop: Shop):
    """dec:D5."""
    caller = shop.caller
    sent = json.dumps(request(shop.made["a"]["@id"], **DRY)).encode()
    headers = caller.headers | {"Content-Type": "application/json"}
    answer = await caller.stage.ask("POST", "/data/core/ods/decisions", data=sent, headers=headers)
    assert answer.status == 200, answer.raw
    await caller.make_container("Another")
    answer = await caller.stage.ask("POST", "/data/core/ods/decisions", data=sent, headers=headers)
    assert problem(answer) == (422, "container-ambiguous")


async def test_candidates_need_1_to_30_known_activities(shop: Shop):
    """dec:D2."""
    activity = shop.made["a"]["@id"]
    assert problem(await shop.ask("GET", "offers")) == (400, "invalid-parameter")
    many = "&".join(f"activityId={activity}" for _ in range(31))
    assert problem(await shop.ask("GET", f"offers?{many}")) == (400, "invalid-parameter")
    assert problem(await shop.ask("GET", "offers?activityId=x")) == (422, "activity-not-found")
    answer = await shop.ask("GET", f"offers?activityId={activity}", Accept=XDM)
    assert answer.headers["Content-Type"] == XDM
    (listed,) = answer.body["xdm:activityOffers"]
    assert listed["xdm:offerActivity"]["repo:etag"] == "1"
    assert [one["@id"] for one in listed["xdm:offers"]] == [shop.made["only"]["@id"]]
    href = listed["xdm:fallbackOffer"]["_links"]["self"]["href"]
    assert (await shop.caller.ask("GET", href)).body["_instance"]["@id"] == shop.fallback


async def test_diagnostics_of_a_container_without_anything_and_of_one_with_a_broken_rule(shop: Shop):
    """dec:D3, DG1, DG3, DG4."""
    container = shop.caller.container
    await shop.caller.make_container("Empty")
    assert (await shop.ask("GET", "diagnostics")).body == {"xdm:operations": {}}
    shop.caller.container = container
    await shop.add_activity("nothing", [])
    answer = await shop.ask("GET", "diagnostics")
    assert answer.body["xdm:operations"]["xdm:activitiesUpdate"]["xdm:errors"] == []
    assert {one["gw:code"] for one in answer.body["gw:warnings"]} == {"no-candidates"}


async def test_a_deadline_that_is_no_number_is_refused(shop: Shop):
    answer = await shop.decide(shop.made["a"]["@id"], body=DRY, x_request_timeout_ms="soon")
    assert problem(answer) == (400, "invalid-header")
