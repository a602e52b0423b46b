"""A decision request read straight from its bytes is the request the careful way reads, or none (dec §3)."""

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import Problem
from gateway.offers.decision_requests import read_request
from gateway.offers.model import DecisionRequest
from gateway.offers.plain_requests import LONGEST, read_plain_request
from gateway.offers.request_schemas import FAMILY

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "offers" / "bad_requests.toml").read_text())["case"]
V1, V09 = f"{FAMILY};version=1.0", f"{FAMILY};version=0.9"
ONE = {
    "xdm:propositionRequests": [{"xdm:activityId": "a"}],
    "xdm:profiles": [{"xdm:identityMap": {"CRM": [{"xdm:id": "c-1"}]}}],
}
WHOLE = {
    "xdm:propositionRequests": [
        {"xdm:activityId": "a", "xdm:placementId": "p", "xdm:itemCount": 2},
        {"xdm:activityId": "b"},
    ],
    "xdm:profiles": [
        {
            "xdm:identityMap": {
                "b": [{"xdm:id": "2", "xdm:authenticatedState": "loggedOut"}],
                "a": [{"xdm:id": "9", "primary": False}, {"xdm:id": "1", "xdm:primary": True}],
            },
            "xdm:decisionRequestId": "page-77",
            "xdm:contextData": [{"@type": "  s;version=1 ", "xdm:data": {"w": 1.5}}],
            "gw:profile": {"x": {"y": [None, 2**70]}},
            "gw:events": [{"type": "e"}],
        }
    ],
    "xdm:allowDuplicatePropositions": {"xdm:acrossActivities": True},
    "xdm:dryRun": True,
    "xdm:validateContextData": True,
    "xdm:responseFormat": {"xdm:includeContent": True, "xdm:includeMetadata": {"xdm:option": ["name", "colour"]}},
}


def read_carefully(raw: bytes, schema: str | None = None) -> DecisionRequest | None:
    try:
        return read_request(msgspec.json.decode(raw), schema, inline_profile=True)
    except Problem:
        return None


def read_plainly(raw: bytes, schema: str | None = None) -> DecisionRequest | None:
    return read_plain_request(raw, schema, inline_profile=True)


@pytest.mark.parametrize("body", [ONE, WHOLE])
@pytest.mark.parametrize("schema", [None, V1])
def test_members_we_know_are_read_at_once(body: dict[str, Any], schema: str | None) -> None:
    for raw in (msgspec.json.encode(body), json.dumps(body, indent=1).encode()):
        assert read_plainly(raw, schema) == read_carefully(raw, schema) is not None


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_no_body_that_must_be_refused_is_taken(case: dict[str, Any]) -> None:
    """dec:Q1: the careful way knows the words."""
    assert read_plainly(case["body"].encode()) is None


def test_a_profile_in_the_request_is_taken_only_where_it_is_enabled() -> None:
    raw = msgspec.json.encode(WHOLE)
    assert read_plain_request(raw, None, inline_profile=False) is None


@pytest.mark.parametrize("schema", [V09, f"{FAMILY};version=2.0", FAMILY, ""])
def test_another_content_type_is_left_to_the_careful_way(schema: str) -> None:
    """dec:T1."""
    assert read_plainly(msgspec.json.encode(ONE), schema) is None


def test_a_long_body_is_left_to_the_careful_way() -> None:
    """It may have more members than may be."""
    raw = msgspec.json.encode(ONE)
    assert read_plainly(raw + b" " * (LONGEST - len(raw))) is not None
    assert read_plainly(raw + b" " * (LONGEST - len(raw) + 1)) is None


TEXT = st.sampled_from(["", "a", "CRM", "xdm:id", "é", "\x00", "\x7f", "a\n", "x" * 257, '"', "\\u0022", " "])
NAMES = st.sampled_from(
    [name for part in (WHOLE, WHOLE["xdm:profiles"][0], {"gw:trace", "primary", "xdm:id", "@type"}) for name in part]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | NAMES, inner, max_size=3),
    max_leaves=6,
)
IDENTITY = st.fixed_dictionaries(
    {"xdm:id": TEXT},
    optional={"primary": st.booleans(), "xdm:primary": JSON, "xdm:authenticatedState": JSON, "further": JSON},
)
IDENTITY_MAP = st.dictionaries(TEXT, st.lists(IDENTITY, max_size=3), max_size=3)
ENTRY = st.fixed_dictionaries(
    {"xdm:activityId": TEXT},
    optional={"xdm:placementId": TEXT | st.none(), "xdm:itemCount": st.integers(-1, 31) | st.just(2.0), "x": JSON},
)
PERSON = st.fixed_dictionaries(
    {"xdm:identityMap": IDENTITY_MAP},
    optional={
        "xdm:decisionRequestId": TEXT | st.none(),
        "xdm:contextData": st.lists(
            st.fixed_dictionaries({"@type": TEXT, "xdm:data": st.dictionaries(TEXT, JSON, max_size=2)}), max_size=2
        ),
        "gw:profile": st.dictionaries(TEXT, JSON, max_size=2) | st.none(),
        "gw:events": st.lists(st.dictionaries(TEXT, JSON, max_size=2), max_size=2),
    },
)
BODY = st.fixed_dictionaries(
    {"xdm:propositionRequests": st.lists(ENTRY, min_size=1, max_size=4), "xdm:profiles": st.lists(PERSON, max_size=2)}
)


@settings(max_examples=300, deadline=None)
@given(BODY | st.just(ONE), st.dictionaries(NAMES, JSON, max_size=3), st.booleans(), st.sampled_from([None, V1, V09]))
def test_what_is_read_is_what_the_careful_way_reads(
    body: dict[str, Any], members: dict[str, Any], spaced: bool, schema: str | None
) -> None:
    body = body | members
    raw = json.dumps(body).encode() if spaced else msgspec.json.encode(body)
    found = read_plainly(raw, schema)
    if found is not None:
        assert found == read_carefully(raw, schema)


@given(st.integers(1, 5), st.integers(1, 30))
def test_too_many_options_in_all_are_never_taken(entries: int, count: int) -> None:
    """dec:Q4."""
    asked = [{"xdm:activityId": "a", "xdm:itemCount": count}] * entries
    raw = msgspec.json.encode(ONE | {"xdm:propositionRequests": asked})
    assert (read_plainly(raw) is not None) == (entries * count <= 100)


MEMBERS = ['"xdm:id":"1"', '"xdm:id":"2"', '"primary":true', '"x\\u0064m:id":"3"', '"primary":false', '"\\u0022":1']


def refuse_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), "a member twice"
    return dict(pairs)


@settings(deadline=None)
@given(st.lists(st.sampled_from(MEMBERS), max_size=4), st.sampled_from(["", " ", "\n"]))
@example(['"xdm:id":"1"', '"xdm:id":"2"', '"xdm:authenticatedState":{"\\u0022\\u0022":1}'], "")
def test_a_member_that_is_there_twice_is_never_read(members: list[str], blank: str) -> None:
    """RFC 8259 §4: of two members with one name, different readers would believe different ones."""
    identity = "{" + f",{blank}".join(members) + "}"
    asked = '"xdm:propositionRequests":[{"xdm:activityId":"a"}]'
    raw = f'{{{asked},"xdm:profiles":[{{"xdm:identityMap":{{"CRM":[{identity}]}}}}]}}'.encode()
    if read_plainly(raw) is not None:
        assert json.loads(raw, object_pairs_hook=refuse_pairs)
