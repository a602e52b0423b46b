"""An activity and its fallback offer must share a placement, also when both change at once (ent:AC2, FB3)."""

from typing import Any

import msgspec
import pytest

from gateway.errors import Problem
from gateway.offers.instances import Change
from gateway.offers.repository import Neighbours, create, patch, settle
from tests.offers.stage import EXAMPLES, REGISTRY, WORLD, body, draft, faults_of, make, name_faults, put, target

FIRST = "xcore:offer-placement:1f0c9a7be2d44310"
SECOND = "xcore:offer-placement:1f0c9a7be2d44311"
FALLBACK = "xcore:fallback-offer:9e21d0b4a6c85f37"
ACTIVITY = "xcore:offer-activity:8d2e4f60718293a4"


def fallback(*placements: str) -> dict[str, Any]:
    return {**EXAMPLES["fallback"], "xdm:representations": [{"xdm:placement": each} for each in placements]}


def stored_fallback() -> Change:
    return make("fallback-offer", fallback(FIRST, SECOND), digits="9e21d0b4a6c85f37")


def used_by(*statuses: str) -> Neighbours:
    activities = [
        msgspec.structs.replace(
            WORLD.by_id[ACTIVITY],
            document=WORLD.by_id[ACTIVITY].document.replace(b'"live"', f'"{status}"'.encode()),
        )
        for status in statuses
    ]
    return Neighbours(referrers=tuple(activities), sequence=41)


def test_an_activity_looks_at_its_fallback_and_is_bound_to_the_revision_it_saw() -> None:
    """ent:AC2: when the fallback has moved, the write is made anew."""
    proposal = create(REGISTRY, draft("offer-activity"), body(EXAMPLES["activity"]))
    assert proposal.needs.at_ids == (FALLBACK,)
    change = settle(REGISTRY, proposal, WORLD)
    assert change.guards == ((FALLBACK, 1),)
    assert change.guard_sequence is None


def test_a_missing_fallback_is_left_to_the_reference_check() -> None:
    """ent:AC2 speaks of a fallback that is there."""
    proposal = create(REGISTRY, draft("offer-activity"), body(EXAMPLES["activity"]))
    assert settle(REGISTRY, proposal, Neighbours()).guards == ()


def test_the_status_of_the_fallback_is_not_looked_at() -> None:
    """ent:AC2."""
    draft_fallback = make("fallback-offer", {**fallback(FIRST), "xdm:status": "draft"}, digits="9e21d0b4a6c85f37")
    world = Neighbours(by_id={**WORLD.by_id, FALLBACK: target(draft_fallback).current})
    assert faults_of(create(REGISTRY, draft("offer-activity"), body(EXAMPLES["activity"])), world) == []


@pytest.mark.parametrize("status", ["draft", "live", "complete", "archived"])
def test_a_fallback_keeps_the_placement_of_any_activity_that_uses_it(status: str) -> None:
    """ent:FB3, X2: of any status."""
    proposal = put(stored_fallback(), fallback(SECOND))
    assert proposal.needs.referrers_of == FALLBACK
    faults = faults_of(proposal, used_by(status))
    assert name_faults(faults) == ["fallback-in-use /_instance/xdm:representations"]


def test_a_fallback_loses_a_placement_only_while_nothing_else_changes() -> None:
    """ent:FB3: an activity that comes meanwhile is seen by the sequence number."""
    change = settle(REGISTRY, put(stored_fallback(), fallback(FIRST)), used_by("live"))
    assert change.guard_sequence == 41


@pytest.mark.parametrize("placements", [(FIRST, SECOND), (SECOND, FIRST)])
def test_a_fallback_that_loses_nothing_asks_for_nothing(placements: tuple[str, ...]) -> None:
    """ent:FB3."""
    proposal = put(stored_fallback(), fallback(*placements))
    assert proposal.needs.referrers_of == ""
    assert settle(REGISTRY, proposal).guard_sequence is None


def test_a_patch_that_removes_the_last_representation_is_checked_too() -> None:
    """ent:FB3."""
    steps = [{"op": "remove", "path": "/_instance/xdm:representations"}]
    proposal = patch(REGISTRY, target(stored_fallback()), steps)
    with pytest.raises(Problem) as caught:
        settle(REGISTRY, proposal, used_by("draft"))
    assert caught.value.code == "fallback-in-use"
