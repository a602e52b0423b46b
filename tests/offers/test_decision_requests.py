"""Requests in both forms: what is read, and every fault with its pointer (dec §3, §4.2, §12)."""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Problem
from gateway.offers.arbitration import Duplicates
from gateway.offers.decision_requests import read_request
from gateway.offers.model import Identity, ResponseFormat, stranger
from gateway.offers.request_schemas import FAMILY

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "offers" / "bad_requests.toml").read_text())["case"]
ONE = {
    "xdm:propositionRequests": [{"xdm:activityId": "a"}],
    "xdm:profiles": [{"xdm:identityMap": {"CRM": [{"xdm:id": "c-1"}]}}],
}
OLD = {"xdm:offerActivities": [{"xdm:offerActivity": "a"}], "xdm:identityMap": {"CRM": [{"xdm:id": "c-1"}]}}
V1, V09 = f"{FAMILY};version=1.0", f"{FAMILY};version=0.9"


def faults(body: object, schema: str | None = None, **more: bool) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as refused:
        read_request(body, schema, **more)
    assert (refused.value.status, refused.value.code) == (400, "invalid-body")
    return [(each.code, each.pointer) for each in refused.value.violations]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_a_faulty_request_is_refused_with_every_pointer(case: dict[str, Any]) -> None:
    """dec:Q1, dec:Q4, dec:X6, dec:X9, dec:T1."""
    assert faults(json.loads(case["body"])) == [tuple(fault) for fault in case["faults"]]


def test_the_newer_form_is_read_whole() -> None:
    """Spec dec §3."""
    identities = {"b": [{"xdm:id": "2"}], "a": [{"xdm:id": "9"}, {"xdm:id": "1"}]}
    body = {
        "xdm:propositionRequests": [
            {"xdm:activityId": "a", "xdm:placementId": "p", "xdm:itemCount": 2.0},
            {"xdm:activityId": "b"},
        ],
        "xdm:profiles": [
            {
                "xdm:identityMap": identities,
                "xdm:decisionRequestId": "page-77",
                "xdm:contextData": [{"@type": "  s;version=1 ", "xdm:data": {"w": 1}}],
                "gw:profile": {"x": 1},
                "gw:events": [{"type": "e"}],
            }
        ],
        "xdm:contextData": [{"@type": "root", "xdm:data": {}}],
        "xdm:allowDuplicatePropositions": {"xdm:acrossActivities": True},
        "xdm:dryRun": True,
        "xdm:validateContextData": True,
        "xdm:responseFormat": {
            "xdm:includeContent": True,
            "xdm:includeMetadata": {"xdm:option": ["name", "colour"], "xdm:unknown": 1},
        },
        "xdm:mergePolicy": {"xdm:id": "m"},
        "xdm:profileModel": 7,
        "gw:trace": True,
        "gw:at": "2024-05-15T12:30:00+02:00",
    }
    request = read_request(body, V1, inline_profile=True)
    assert [(each.activity_id, each.placement_id, each.count) for each in request.asks] == [
        ("a", "p", 2),
        ("b", None, 1),
    ]
    assert request.lookups == (Identity("a", "1"), Identity("a", "9"), Identity("b", "2"))
    assert request.identity_map == identities
    assert [item["@type"] for item in request.context] == ["s;version=1", "root"]
    assert request.context_pointers == ("/xdm:profiles/0/xdm:contextData/0", "/xdm:contextData/0")
    assert request.decision_request_id == "page-77"
    assert request.duplicates == Duplicates(across_activities=True)
    assert request.format == ResponseFormat(content=True, option=frozenset({"name", "colour"}))
    assert (request.is_dry, request.validates_context, request.wants_trace) == (True, True, True)
    assert request.at == datetime(2024, 5, 15, 10, 30, tzinfo=UTC)
    assert (request.merge_policy, request.profile, request.events) == ("m", {"x": 1}, ({"type": "e"},))


def test_the_older_form_means_the_same() -> None:
    """Spec dec §4.2: one option each, its one flag holds for both dimensions."""
    body = {
        "xdm:offerActivities": [{"xdm:offerActivity": "a"}, {"xdm:offerActivity": "b"}],
        "xdm:identityMap": {"CRM": [{"xdm:id": "c"}]},
        "xdm:contextData": [{"@type": "s", "xdm:data": {}}],
        "xdm:dryRun": True,
        "xdm:validateContextData": True,
        "xdm:allowDuplicatePropositions": {"xdm:acrossActivities": True},
        "xdm:profileModel": "x",
    }
    for schema in (None, V09):
        request = read_request(body, schema)
        assert [(each.activity_id, each.count, each.pointer) for each in request.asks] == [
            ("a", 1, "/xdm:offerActivities/0/xdm:offerActivity"),
            ("b", 1, "/xdm:offerActivities/1/xdm:offerActivity"),
        ]
        assert request.duplicates == Duplicates(across_activities=True, across_placements=True)
        assert request.context == ({"@type": "s", "xdm:data": {}},)
        assert request.context_pointers == ("/xdm:contextData/0",)
        assert request.is_dry
        assert request.validates_context


def test_identities_are_bounded() -> None:
    """Every one may be looked up (dec:PR2)."""
    many = [{"xdm:id": str(at)} for at in range(51)]
    assert faults({**OLD, "xdm:identityMap": {"A": many}}) == [("max-items", "/xdm:identityMap")]
    assert len(read_request({**OLD, "xdm:identityMap": {"A": many[:50]}}).lookups) == 50


def test_members_nobody_knows_are_ignored() -> None:
    """dec:Q3."""
    assert read_request({**ONE, "xdm:enrichedAudience": None, "further": [1]}) == read_request(ONE)


@pytest.mark.parametrize(("schema", "body"), [(V09, ONE), (V1, OLD), (V1, {**ONE, **OLD})])
def test_a_content_type_that_contradicts_the_body_is_refused(schema: str, body: dict[str, Any]) -> None:
    """dec:T1."""
    assert [code for code, _ in faults(body, schema)] == ["contradictory-form"]


def test_another_version_is_an_unsupported_content_type() -> None:
    """dec:T1."""
    with pytest.raises(Problem) as refused:
        read_request(ONE, f"{FAMILY};version=2.0")
    assert (refused.value.status, refused.value.code) == (415, "unknown-schema")


def test_the_announced_form_says_what_is_missing() -> None:
    """dec:T1, dec:Q1."""
    assert faults({}, V09) == [("required", "/xdm:identityMap"), ("required", "/xdm:offerActivities")]


def test_a_profile_in_the_request_has_to_be_enabled() -> None:
    """Spec dec §3, `gw:profile` and `gw:events`."""
    body = {**ONE, "xdm:profiles": [{**ONE["xdm:profiles"][0], "gw:profile": {}, "gw:events": []}]}
    assert faults(body) == [("not-enabled", "/xdm:profiles/0/gw:events"), ("not-enabled", "/xdm:profiles/0/gw:profile")]
    assert read_request(body, inline_profile=True).events == ()


@pytest.mark.parametrize("flag", ["primary", "xdm:primary"])
def test_the_primary_identity_is_the_one_looked_up(flag: str) -> None:
    """dec:PR2, dec:PR3."""
    identities = {"A": [{"xdm:id": "1"}], "Z": [{"xdm:id": "9", flag: True}]}
    request = read_request({**OLD, "xdm:identityMap": identities})
    assert request.lookups == (Identity("Z", "9"),)
    assert stranger(request).canonical_id == "Z|9"


def test_without_a_primary_identity_the_first_by_code_point_names_the_profile() -> None:
    """dec:PR2, dec:PR3: whatever the order sent."""
    there = {"b": [{"xdm:id": "1"}], "Z": [{"xdm:id": "é"}, {"xdm:id": "z"}]}
    back = {"Z": [{"xdm:id": "z"}, {"xdm:id": "é"}], "b": [{"xdm:id": "1"}]}
    for identities in (there, back):
        assert stranger(read_request({**OLD, "xdm:identityMap": identities})).canonical_id == "Z|z"


TEXT = st.sampled_from(["", "a", "xdm:id", "é", "\x00", "2024-05-15T10:30:00Z"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
WRONG = st.sampled_from([*ONE, *OLD, "xdm:dryRun", "xdm:contextData", "xdm:responseFormat", "xdm:mergePolicy", "gw:at"])


@given(st.dictionaries(WRONG, JSON, max_size=4), st.sampled_from([None, V1, V09]))
def test_whatever_is_sent_is_read_or_refused(members: dict[str, Any], schema: str | None) -> None:
    """dec:Q1: nothing but a Problem ever leaves."""
    for base in (ONE, OLD, {}):
        assert status_of({**base, **members}, schema) in {200, 400, 415}


def status_of(body: object, schema: str | None) -> int:
    try:
        read_request(body, schema, inline_profile=True)
    except Problem as refused:
        return refused.status if refused.violations or refused.status == 415 else 500
    return 200
