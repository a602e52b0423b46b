"""Decision events and feedback (dec §8)."""

from typing import Any

import pytest

from gateway.errors import Problem
from gateway.offers.capping import Unavailable
from gateway.offers.events import PROPOSITIONS, Recording, read_feedback, record_decision
from tests.offers.containers import (
    activity,
    at_id,
    begin,
    body,
    collection,
    compiled,
    decide,
    fallback,
    offer,
    one_activity,
    placement,
)

RECORDING = Recording("prop-1", "c-1", "org@AdobeOrg", 1715769000123)
EVENT: dict[str, Any] = {
    "xdm:eventType": "decisioning.propositionDisplay",
    "@id": "e-1",
    "xdm:timestamp": "2024-05-15T10:30:00Z",
    PROPOSITIONS: [{"xdm:id": "prop-1", "xdm:items": [{"xdm:id": "xcore:personalized-offer:a"}]}],
}


def test_a_decision_event_says_who_got_what() -> None:
    """dec:EV1."""
    catalog = compiled(
        offer("X", revision=7), placement(), fallback(), collection("F", "X"), activity("A", "F"), activity("B", "F")
    )
    place = {"xdm:id": at_id("offer-placement", "web"), "repo:etag": 1}
    assert record_decision(decide(catalog, body("A", "B")), RECORDING) == {
        "xdm:propositionId": "prop-1",
        "xdm:timestamp": "2024-05-15T10:30:00.123Z",
        "xdm:identityMap": {"CRM": [{"xdm:id": "c-1001", "primary": True}]},
        "gw:canonicalId": "CRM|c-1001",
        "gw:container": "c-1",
        "gw:organization": "org@AdobeOrg",
        "gw:counted": True,
        "xdm:propositions": [
            {
                "xdm:activity": {"xdm:id": at_id("offer-activity", "A"), "repo:etag": 1},
                "xdm:placement": place,
                "xdm:options": [{"xdm:id": at_id("personalized-offer", "X"), "repo:etag": 7}],
            },
            {
                "xdm:activity": {"xdm:id": at_id("offer-activity", "B"), "repo:etag": 1},
                "xdm:placement": place,
                "xdm:fallback": {"xdm:id": at_id("fallback-offer", "default"), "repo:etag": 1},
            },
        ],
    }


def test_an_event_says_when_its_options_were_not_counted() -> None:
    """dec:X3: so that counters can be checked against events."""
    decision = begin(one_activity(offer("X", global_cap=1)), body("A"))
    decision.select()
    decision.settle(Unavailable("open"))
    event = record_decision(decision, RECORDING)
    assert event["gw:counted"] is False


@pytest.mark.parametrize("kind", ["Display", "Interact", "Dismiss"])
def test_feedback_is_taken_one_or_many(kind: str) -> None:
    """dec:EV2: ids nobody knows included."""
    event = {**EVENT, "xdm:eventType": f"decisioning.proposition{kind}"}
    assert read_feedback(event) == (event,)
    assert read_feedback([event] * 100) == (event,) * 100


def test_feedback_of_a_dry_run_is_suppressed() -> None:
    """dec:EV3."""
    marked = {**EVENT, "data": {"__adobe": {"ajo": {"dryRun": True}}}}
    others = [{**EVENT, "data": data} for data in (None, {}, {"__adobe": 1}, {"__adobe": {"ajo": {"dryRun": "true"}}})]
    assert read_feedback([marked, *others]) == tuple(others)


BAD: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "none": ([], [("min-items", "")]),
    "too many": ([EVENT] * 101, [("max-items", "")]),
    "no object": (7, [("type", "")]),
    "empty": (
        {},
        [
            ("required", f"/{name}")
            for name in ("@id", PROPOSITIONS.replace("/", "~1"), "xdm:eventType", "xdm:timestamp")
        ],
    ),
    "unknown type": ([EVENT, {**EVENT, "xdm:eventType": "click"}], [("enum", "/1/xdm:eventType")]),
    "no time": ({**EVENT, "xdm:timestamp": "2024-05-15"}, [("format", "/xdm:timestamp")]),
    "no items": (
        {**EVENT, PROPOSITIONS: [{"xdm:items": [{}]}]},
        [
            ("required", f"/{PROPOSITIONS.replace('/', '~1')}/0/xdm:id"),
            ("required", f"/{PROPOSITIONS.replace('/', '~1')}/0/xdm:items/0/xdm:id"),
        ],
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_malformed_feedback_is_refused_whole(case: tuple[Any, list[tuple[str, str]]]) -> None:
    """dec:EV2, dec:X6."""
    sent, expected = case
    with pytest.raises(Problem) as refused:
        read_feedback(sent)
    assert (refused.value.status, refused.value.code) == (400, "invalid-body")
    assert [(each.code, each.pointer) for each in refused.value.violations] == expected
