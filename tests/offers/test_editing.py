"""Status transitions and what cannot be removed again (repository §13, §9.4; ent:SC3)."""

import itertools

import pytest

from gateway.offers.instances import Change
from gateway.offers.repository import settle
from tests.offers.stage import EXAMPLES, REGISTRY, WORLD, faults_of, inside, make, name_faults, put

OFFER_STEPS = {("draft", "approved"), ("draft", "archived"), ("approved", "archived"), ("approved", "draft")}
OFFER_STEPS |= {("archived", "draft")}
ACTIVITY_STEPS = {("draft", "live"), ("draft", "archived"), ("live", "draft"), ("live", "complete")}
ACTIVITY_STEPS |= {("live", "archived"), ("complete", "archived"), ("archived", "draft")}
STATES = {"offer": ("draft", "approved", "archived"), "activity": ("draft", "live", "complete", "archived")}
TYPES = {"offer": "personalized-offer", "fallback": "fallback-offer", "activity": "offer-activity"}


def in_state(name: str, status: str) -> Change:
    return make(TYPES[name], {**EXAMPLES[name], "xdm:status": status})


@pytest.mark.parametrize("name", TYPES)
def test_only_the_listed_status_changes_are_taken(name: str) -> None:
    """repo:Y2; staying is always allowed. repo:Y3: any state may be created."""
    allowed = ACTIVITY_STEPS if name == "activity" else OFFER_STEPS
    for old, new in itertools.product(STATES["activity" if name == "activity" else "offer"], repeat=2):
        faults = faults_of(put(in_state(name, old), {**EXAMPLES[name], "xdm:status": new}))
        refused = ["status-transition /_instance/xdm:status"]
        assert name_faults(faults) == ([] if old == new or (old, new) in allowed else refused), (old, new)


def test_a_put_without_a_status_is_judged_as_a_draft() -> None:
    """repo:P4, Y5: a complete activity cannot become a draft that way."""
    without = {name: value for name, value in EXAMPLES["activity"].items() if name != "xdm:status"}
    assert name_faults(faults_of(put(in_state("activity", "complete"), without))) == [
        "status-transition /_instance/xdm:status"
    ]
    change = settle(REGISTRY, put(in_state("activity", "live"), without), WORLD)
    assert inside(change)["xdm:status"] == "draft"


def test_an_unknown_status_is_an_enum_fault_only() -> None:
    """ent:AC1."""
    faults = faults_of(put(in_state("offer", "archived"), {**EXAMPLES["offer"], "xdm:status": "live"}))
    assert name_faults(faults) == ["enum /_instance/xdm:status"]


def test_a_put_cannot_take_the_selection_constraint_away() -> None:
    """ent:SC3: emptying it is allowed, and it may be set at any time."""
    plain = make("personalized-offer", {"xdm:name": "n"})
    bound = settle(REGISTRY, put(plain, {"xdm:name": "n", "xdm:selectionConstraint": {}}))
    assert name_faults(faults_of(put(bound, {"xdm:name": "n"}))) == [
        "constraint-removed /_instance/xdm:selectionConstraint"
    ]
    assert faults_of(put(bound, {"xdm:name": "n", "xdm:selectionConstraint": {}})) == []


def test_a_put_with_another_at_id_is_not_editable() -> None:
    """repo:W1, W3, X6: a payload must not bring another value; leaving it out keeps it."""
    tag = make("tag", EXAMPLES["tag"])
    for other in ("xcore:tag:0000000000000000", "not a URI", 7, None):
        assert name_faults(faults_of(put(tag, {**EXAMPLES["tag"], "@id": other}))) == ["not-editable /_instance/@id"]
    assert inside(settle(REGISTRY, put(tag, EXAMPLES["tag"])))["@id"] == tag.at_id
