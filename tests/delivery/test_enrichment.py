"""The request that is sent, made of the caller's and of what is around it (spec get-offers §3, §9)."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.enrichment import Surroundings, check_notifications_request, check_offers_request, enrich
from gateway.delivery.experience_cloud import Amcv
from gateway.delivery.offers_request import check_enriched
from gateway.errors import InvalidBody

CASES = json.loads((Path(__file__).parent.parent / "cases" / "get_offers" / "enrichment.json").read_text())


def surround(given: dict[str, Any]) -> Surroundings:
    amcv = Amcv(**given["amcv"]) if "amcv" in given else Amcv()
    return Surroundings(**(given | {"amcv": amcv}))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["rule"])
def test_a_request_is_completed_member_by_member(case: dict[str, Any]) -> None:
    before = copy.deepcopy(case["request"])
    enriched = enrich(case["request"], surround(case.get("around", {})))
    assert case["request"] == before, "the caller's request must stay as it was (§2, BUG b)"
    assert (enriched.body.get(case["part"]) if "part" in case else enriched.body) == case["body"]
    assert enriched.dropped == case.get("dropped", 0)
    assert enriched.overrides_property is case.get("overrides", False)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = ["execute", "prefetch", "notifications", "id", "context", "property", "experienceCloud", "trace", "requestId"]
REQUESTS = st.dictionaries(
    st.sampled_from(MEMBERS),
    ANYTHING
    | st.dictionaries(st.sampled_from(["mboxes", "views", "pageLoad", "analytics", "audienceManager"]), ANYTHING),
    max_size=5,
)


@given(REQUESTS)
def test_whatever_is_asked_is_completed_or_refused_by_name(request: dict[str, Any]) -> None:
    """Nothing but InvalidBody, and always with a path below the request."""
    before = copy.deepcopy(request)
    body, blamed = complete(request)
    if body is None:
        assert blamed.startswith("$.request")
    else:
        assert "supplementalDataId" not in body["experienceCloud"]["analytics"], "nothing drawn here is an SDID"
        assert enrich(body, Surroundings()).body == body, "what is complete is left alone"
    assert request == before


def complete(request: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """Give the completed request, or the path of what was refused."""
    try:
        check_offers_request(request)
        body = enrich(request, Surroundings()).body
        check_enriched(body)
    except InvalidBody as error:
        return None, error.path
    return body, ""


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({}, "request required"),
        ({"execute": None}, "request required"),
        ({"execute": {"mboxes": []}}, "execute needs pageLoad or mboxes"),
        ({"execute": {"x": 1}}, "execute needs pageLoad or mboxes"),
        ({"prefetch": {"views": [], "mboxes": None, "x": 1}}, "prefetch needs views, pageLoad or mboxes"),
    ],
)
def test_a_request_that_asks_for_nothing_is_refused(request_: dict[str, Any], says: str) -> None:
    """§3."""
    with pytest.raises(InvalidBody, match=says):
        check_offers_request(request_)


@pytest.mark.parametrize(
    "request_", [{"execute": {}, "requestId": "r"}, {"context": {}}, {"execute": {"pageLoad": {}}}]
)
def test_an_empty_execute_is_no_failure(request_: dict[str, Any]) -> None:
    """§3."""
    check_offers_request(request_)


def test_notifications_are_required_unless_telemetry_waits() -> None:
    """§3."""
    with pytest.raises(InvalidBody, match="notifications required"):
        check_notifications_request({"context": {}}, telemetry_waits=False)
    check_notifications_request({"context": {}}, telemetry_waits=True)
    check_notifications_request({"telemetry": {"entries": [{}]}}, telemetry_waits=False)
    check_notifications_request({"notifications": [{}]}, telemetry_waits=False)
