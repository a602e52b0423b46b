"""The compiled catalogue: candidates, changes, broken parts (dec §5, §11, gw:R2)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.offers.catalog import EMPTY, Catalog, OfferActivity, apply, run_through
from gateway.offers.instances import Instance
from gateway.offers.inventory import Broken
from tests.offers.containers import (
    NOW,
    activity,
    at_id,
    body,
    collection,
    compiled,
    decide,
    fallback,
    gone,
    names,
    offer,
    one_activity,
    placement,
    rule,
    stored,
)


def candidates(catalog: Catalog, name: str = "A") -> list[str]:
    found = catalog.activities[at_id("offer-activity", name)]
    assert isinstance(found, OfferActivity)
    return [each.name for each, _ in found.candidates()]


TAGGED = [offer("none"), offer("s", tags="s"), offer("st", tags="st"), offer("stu", tags="stu"), offer("u", tags="u")]
FILTERED = {
    "offers": (("s", "none", "nobody"), {"s", "none"}),
    "anyTags": ("su", {"s", "st", "stu", "u"}),
    "allTags": ("st", {"st", "stu"}),
    "no offers": ((), set()),
    "no anyTags": ((), set()),
    "no allTags": ((), set()),
}


@pytest.mark.parametrize(("kind", "case"), FILTERED.items())
def test_a_filter_takes_what_it_names(kind: str, case: tuple[Any, set[str]]) -> None:
    """Spec dec §5.2, offer-entities §9; ent:OF1: an empty filter takes nothing."""
    ids, expected = case
    made = collection("F", ids, kind.removeprefix("no "))
    assert set(candidates(compiled(*TAGGED, placement(), fallback(), made, activity("A", "F")))) == expected


def test_the_other_spelling_of_a_filters_ids_is_understood() -> None:
    instance = {"xdm:filterType": "anyTags", "xdm:ids": [at_id("tag", "s")]}
    made = stored("offer-filter", "F", instance)
    catalog = compiled(*TAGGED, placement(), fallback(), made, activity("A", "F"))
    assert set(candidates(catalog)) == {"s", "st", "stu"}


def test_only_approved_offers_with_content_for_the_placement_are_candidates() -> None:
    """Spec dec §5.3, §5.4."""
    listed = [offer("X"), offer("draft", status="draft"), offer("old", status="archived"), offer("app", places=["app"])]
    assert candidates(one_activity(*listed)) == ["X"]


def test_an_offer_with_a_name_alone_has_the_defaults() -> None:
    """ent:O2: draft, priority 0, hence never proposed; numbers may be written with a fraction of zero (ent:N4)."""
    plain = stored("personalized-offer", "plain", {})
    round_numbers = offer(
        "X", extra={"xdm:rank": {"xdm:priority": 5.0}, "xdm:cappingConstraint": {"xdm:globalCap": 2.0}}
    )
    catalog = one_activity(plain, round_numbers)
    assert candidates(catalog) == ["X"]
    found = catalog.offers[at_id("personalized-offer", "X")]
    assert (found.priority, found.global_cap, found.profile_cap) == (5, 2, None)


BASE = [
    offer("X", 2, tags="s"),
    offer("Y", 1, tags="s", rule="r"),
    rule("r", "true"),
    placement(),
    placement("app"),
    fallback(),
    fallback("other"),
    collection("F", "s", "anyTags"),
    collection("G", "Y"),
    activity("A", "F"),
    activity("B", "G"),
]
EDITS: dict[str, tuple[list[Any], list[str], list[str]]] = {
    "an offer leaves its tag": ([offer("X", 2, revision=2)], ["Y"], ["Y"]),
    "an offer gets the tag": ([offer("Z", 9, tags="s")], ["Z", "X", "Y"], ["Y"]),
    "an offer is withdrawn": ([offer("X", 2, tags="s", status="draft", revision=2)], ["Y"], ["Y"]),
    "an offer is deleted": ([gone("personalized-offer", "Y")], ["X"], []),
    "an offer outranks another": ([offer("Y", 3, tags="s", revision=2)], ["Y", "X"], ["Y"]),
    "an offer is marked for deletion": ([offer("X", 2, tags="s", operation="op-1")], ["X", "Y"], ["Y"]),
    "a rule fails now": ([rule("r", "false", revision=2)], ["X"], []),
    "a rule is broken now": ([rule("r", "tier = ", revision=2)], ["X"], []),
    "a filter takes others": ([collection("F", "Y", revision=2)], ["Y"], ["Y"]),
    "an activity takes another filter": ([activity("B", "F", revision=2)], ["X", "Y"], ["X", "Y"]),
    "an activity moves": ([activity("B", "G", "app", revision=2)], ["X", "Y"], []),
    "an older revision comes late": (
        [rule("r", "true", revision=3), rule("r", "false", revision=2)],
        ["X", "Y"],
        ["Y"],
    ),
    "nothing": ([], ["X", "Y"], ["Y"]),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_change_is_in_the_next_catalogue_and_in_no_older_one(edit: tuple[list[Any], list[str], list[str]]) -> None:
    """dec:AL2; offer-entities §12; the next catalogue equals one made from nothing."""
    changes, first, second = edit
    before = compiled(*BASE)
    after = compiled(*changes, base=before)
    shared = {"xdm:allowDuplicatePropositions": {"xdm:acrossActivities": True, "xdm:acrossPlacements": True}}
    assert names(decide(after, body("A*9", "B*9", **shared))) == [first, second]
    assert names(decide(before, body("A*9", "B*9", **shared))) == [["X", "Y"], ["Y"]]


def test_what_a_change_cannot_reach_is_kept() -> None:
    before = compiled(*BASE)
    after = compiled(offer("X", 5, tags="s", revision=2), base=before)
    b = at_id("offer-activity", "B")
    assert after.activities[b] is before.activities[b]
    assert after.activities[at_id("offer-activity", "A")] is not before.activities[at_id("offer-activity", "A")]
    assert after.offers[at_id("personalized-offer", "Y")] is before.offers[at_id("personalized-offer", "Y")]


def test_the_revision_used_is_the_one_reported() -> None:
    """dec:R3: also of a placement or a fallback nothing else depends on."""
    after = compiled(
        stored("offer-placement", "web", {}, revision=8),
        stored("fallback-offer", "default", {"xdm:status": "approved"}, revision=9),
        base=compiled(*BASE),
    )
    found = after.activities[at_id("offer-activity", "A")]
    assert isinstance(found, OfferActivity)
    assert (found.placement.revision, found.fallback.revision) == (8, 9)


def test_a_broken_document_hurts_nothing_else() -> None:
    """dec:DG3: an offer, a filter and an activity that cannot be read."""
    broken = [
        Instance("personalized-offer-bad1", 1, b"{"),
        stored("personalized-offer", "bad2", {"xdm:rank": 5}),
        stored("personalized-offer", "bad3", {"xdm:selectionConstraint": {"xdm:endDate": "soon"}}),
        stored("offer-filter", "bad4", {"xdm:filterType": "someTags", "ids": []}),
        stored("offer-activity", "bad5", {}),
    ]
    catalog = compiled(*BASE, *broken)
    assert candidates(catalog) == ["X", "Y"]
    assert len(catalog.inventory.broken) == 5
    assert (
        compiled(offer("bad2", tags="s", revision=2), base=catalog).inventory.broken.keys()
        < catalog.inventory.broken.keys()
    )


def test_an_activity_that_lost_a_reference_is_mended_by_it() -> None:
    """dec:DG3."""
    catalog = compiled(*BASE, activity("C", "H"))
    lost = catalog.activities[at_id("offer-activity", "C")]
    assert isinstance(lost, Broken)
    assert "filter" in lost.reason
    assert candidates(compiled(collection("H", "X"), base=catalog), "C") == ["X"]


def test_instances_of_other_schemas_are_passed_over() -> None:
    assert compiled(stored("tag", "s", {}), stored("offer", "base", {})).inventory.by_instance == {}


def test_a_catalogue_is_made_in_slices() -> None:
    """gw:R2: so that nobody waits for it; whoever drives it may stop between any two."""
    many = [offer(f"x{at}", tags="s") for at in range(500)]
    slices = apply(EMPTY, [*many, *BASE], NOW)
    assert sum(1 for _ in slices) > 8


KINDS = st.sampled_from(["offer", "rule", "filter", "gone"])
CHANGES = st.lists(st.tuples(KINDS, st.integers(0, 3), st.integers(0, 3)), max_size=8)


def change(kind: str, at: int, value: int, revision: int) -> Any:
    if kind == "offer":
        status = "draft" if value == 3 else "approved"
        return offer(f"x{at}", value, tags="st"[: value % 3], status=status, rule="r", revision=revision)
    if kind == "rule":
        return rule("r", ["true", "false", "vip", "tier ="][value], revision)
    if kind == "filter":
        return collection("F", [["s"], ["s", "t"], [], ["t"]][value], "anyTags" if at % 2 else "allTags", revision)
    return gone("personalized-offer", f"x{at}")


@given(st.lists(CHANGES, max_size=3))
def test_changes_one_after_another_come_to_the_same_as_all_at_once(batches: list[list[tuple[str, int, int]]]) -> None:
    """gw:R2: an incremental catalogue equals one compiled from nothing."""
    base = [placement(), fallback(), collection("F", "s", "anyTags"), activity("A", "F"), rule("r", "true")]
    step, latest = compiled(*base), {each.instance_id: each for each in base}
    revision = 1
    for batch in batches:
        made = []
        for kind, at, value in batch:
            revision += 1
            made.append(change(kind, at, value, revision))
            latest.pop(made[-1].instance_id, None)
            if isinstance(made[-1], Instance):
                latest[made[-1].instance_id] = made[-1]
        step = run_through(apply(step, made, NOW))
    whole = compiled(*latest.values())
    assert show(step) == show(whole)


def show(catalog: Catalog) -> Any:
    found = catalog.activities[at_id("offer-activity", "A")]
    assert isinstance(found, OfferActivity)
    listed = [(o.at_id, o.revision, o.priority, r and (r.revision, r.fault)) for o, r in found.candidates()]
    ranks = [priority for _, _, priority, _ in listed]
    assert ranks == sorted(ranks, reverse=True)
    return sorted(map(str, listed)), sorted(catalog.offers), found.filter.revision
