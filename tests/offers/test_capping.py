"""Caps: stories, what a refusal means, and laws (dec §7)."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.offers.capping import Granted, Refused, Room, Selection, Unavailable, Verdict, judge
from gateway.offers.counters import SCOPES, Claim, Counter
from gateway.offers.decide import Decision, Surroundings, resolve
from gateway.offers.decision_requests import read_request
from gateway.offers.model import ProfileView
from tests.offers.containers import (
    NOW,
    Counts,
    activity,
    begin,
    body,
    collection,
    compiled,
    count,
    counts_of,
    decide,
    drive,
    fallback,
    names,
    offer,
    offer_id,
    one_activity,
    placement,
    rule,
)

STORIES = tomllib.loads((Path(__file__).parents[1] / "cases" / "offers" / "caps.toml").read_text())["story"]


def keyed(counts: Counts, profile: str) -> Counts:
    """Give the counters one profile sees: its own and the global ones."""
    return {
        Counter(c.offer, c.scope.partition(":")[0]): n
        for c, n in counts.items()
        if c.scope in {"global", f"profile:{profile}"}
    }


def put_back(counts: Counts, profile: str, seen: Counts) -> None:
    for counter, number in seen.items():
        scope = "global" if counter.scope == "global" else f"profile:{profile}"
        counts[Counter(counter.offer, scope)] = number


@pytest.mark.parametrize("story", [pytest.param(story, id=story["rule"]) for story in STORIES])
def test_a_story_of_caps_goes_as_written_down(story: dict[str, Any]) -> None:
    """Spec dec §7.3; dec:CA1, dec:CA3, dec:CA4, dec:CA6, dec:CA12."""
    counts: Counts = {}
    catalog = one_activity(offer("X"))
    for revision, step in enumerate(story["steps"], 2):
        if "attempts" not in step:
            catalog = compiled(offer("X", revision=revision, **step), base=catalog)
            continue
        seen = keyed(counts, step.get("profile", "p1"))
        request = body("A", **{"xdm:dryRun": step.get("dry", False)})
        granted = sum(names(decide(catalog, request, seen)) == [["X"]] for _ in range(step["attempts"]))
        put_back(counts, step.get("profile", "p1"), seen)
        assert granted == step["granted"], step


def test_every_option_is_claimed_on_both_counters_with_or_without_a_cap() -> None:
    """dec:CA1, dec:CA3, dec:CA6."""
    catalog = one_activity(offer("X", 2, global_cap=7), offer("Y", 1))
    assert begin(catalog, body("A*2")).select().claims == (
        Claim(Counter(offer_id("X"), "global"), 1, 7),
        Claim(Counter(offer_id("X"), "profile"), 1, None),
        Claim(Counter(offer_id("Y"), "global"), 1, None),
        Claim(Counter(offer_id("Y"), "profile"), 1, None),
    )


def two_activities(*offers: Any, **_: Any) -> Any:
    found = [each.instance_id.removeprefix("personalized-offer-") for each in offers]
    return compiled(*offers, placement(), fallback(), collection("F", found), activity("A", "F"), activity("B", "F"))


SHARED = {"xdm:allowDuplicatePropositions": {"xdm:acrossActivities": True}}


def test_an_offer_in_two_propositions_counts_twice() -> None:
    """dec:CA1."""
    counts: Counts = {}
    decision = decide(two_activities(offer("X", profile_cap=2)), body("A", "B", **SHARED), counts)
    assert names(decision) == [["X"], ["X"]]
    assert set(counts.values()) == {2}


def test_a_fallback_is_never_counted() -> None:
    """dec:CA5."""
    decision = begin(one_activity(), body("A"))
    assert decision.select().is_empty


def test_a_refused_claim_counts_nothing_and_the_next_one_fits() -> None:
    """dec:CA8: X has one left, so of two entries one gets it (X1)."""
    counts = counts_of(two_activities(), X=9)
    decision = begin(two_activities(offer("X", 2, global_cap=10), offer("Y", 1)), body("A", "B", **SHARED))
    first = decision.select()
    refused = count(first, counts)
    assert refused == Refused({Counter(offer_id("X"), "global"): 1})
    assert counts == counts_of(two_activities(), X=9)
    second = decision.settle(refused)
    assert second is not None
    assert count(second, counts) == Granted({Counter(offer_id("Y"), "global"): 1} if second.probes else {})
    assert names(decision) == [["X"], ["Y"]]
    assert counts[Counter(offer_id("X"), "global")] == 10


def test_a_dry_run_lets_entries_share_what_is_left() -> None:
    """dec:CA12, dec:X1."""
    counts = counts_of(two_activities(), X=9)
    catalog = two_activities(offer("X", 2, global_cap=10), offer("Y", 1))
    decision = decide(catalog, body("A", "B", **SHARED, **{"xdm:dryRun": True}), counts)
    assert names(decision) == [["X"], ["Y"]]
    assert counts == counts_of(two_activities(), X=9)


def test_many_exhausted_offers_are_found_in_few_steps() -> None:
    """dec:CA8: the loop ends, and soon, because a refusal also tells of the offers that would be next."""
    exhausted = [offer(f"x{at:03}", 1000 - at, global_cap=1) for at in range(300)]
    catalog = one_activity(*exhausted, offer("last"))
    counts = {Counter(each.at_id, "global"): 1 for each in catalog.offers.values()}
    steps: list[Selection] = []

    def answer(selection: Selection) -> Verdict:
        steps.append(selection)
        return count(selection, counts)

    assert names(drive(begin(catalog, body("A")), answer)) == [["last"]]
    assert len(steps) <= 6


def test_what_is_known_of_a_counter_saves_a_refusal() -> None:
    """dec:CA11: advice before the claim, never instead of it."""
    catalog = one_activity(offer("X", 2, global_cap=1), offer("Y", 1))
    decision = begin(catalog, body("A"), known={Counter(offer_id("X"), "global"): 1})
    assert {claim.counter.offer for claim in decision.select().claims} == {offer_id("Y")}


def test_a_known_count_is_not_asked_for_again() -> None:
    """dec:CA11: what is used up for sure is not probed."""
    catalog = one_activity(*(offer(name, at, global_cap=1) for at, name in enumerate("ZYX")))
    decision = begin(catalog, body("A"), known={Counter(offer_id("Y"), "global"): 1})
    again = decision.settle(count(decision.select(), counts_of(catalog, X=1)))
    assert again is not None
    assert [probe.counter.offer for probe in again.probes] == [offer_id("Z")]


def test_probing_ends_where_an_offer_is_sure_to_have_room() -> None:
    """dec:CA8: Z comes after the uncapped Y, so nobody needs to know about it."""
    catalog = one_activity(offer("X", 3, global_cap=1), offer("Y", 2), offer("Z", 1, global_cap=1))
    decision = begin(catalog, body("A"))
    again = decision.settle(count(decision.select(), counts_of(catalog, X=1)))
    assert again is not None
    assert again.probes == ()


def test_room_only_shrinks() -> None:
    """dec:CA8: whatever the store tells later, so that selecting comes to an end."""
    (each,) = one_activity(offer("X", global_cap=9)).offers.values()
    room, counter = Room({}), Counter(offer_id("X"), "global")
    for told, left in ((5, 5), (2, 2), (4, 2)):
        room.narrow({counter: told})
        assert (room.of(each), room.left_of(each, SCOPES[0])) == (left, left)


@pytest.mark.parametrize(("mode", "options"), [("closed", ["Y"]), ("open", ["X"])])
def test_without_the_store_the_mode_decides_about_offers_with_a_cap(mode: Any, options: list[str]) -> None:
    """dec:CA10, dec:X3."""
    decision = begin(one_activity(offer("X", 2, profile_cap=1), offer("Y", 1)), body("A"))
    decision.select()
    assert decision.settle(Unavailable(mode)) is None
    assert names(decision) == [options]
    assert decision.store_mode == mode


def test_a_store_lost_between_two_claims_leaves_what_was_learnt() -> None:
    """dec:X3: the waiver does not hand out what a refusal has just said is used up."""
    decision = begin(one_activity(offer("X", 2, global_cap=1), offer("Y", 1, global_cap=1)), body("A"))
    decision.settle(count(decision.select(), counts_of(one_activity(), X=1)))
    decision.settle(Unavailable("open"))
    assert names(decision) == [["Y"]]


def test_a_refusal_that_names_nothing_is_an_error_not_a_loop() -> None:
    decision = begin(one_activity(offer("X", global_cap=1)), body("A"))
    decision.select()
    with pytest.raises(ValueError, match="lacked room"):
        decision.settle(Refused({}))


def test_a_rule_is_not_asked_again_after_a_refusal() -> None:
    """Spec dec §5: one instant, one verdict of each rule for the whole call."""
    catalog = compiled(
        offer("X", 2, rule="r", global_cap=1),
        offer("Y", 1, rule="r"),
        rule("r", "vip"),
        placement(),
        fallback(),
        collection("F", "XY"),
        activity("A", "F"),
    )
    attributes = {"vip": True}
    decision = begin(catalog, body("A"), attributes=attributes)
    refused = count(decision.select(), counts_of(catalog, X=1))
    attributes["vip"] = False
    decision.settle(refused)
    assert names(decision) == [["Y"]]


CAPS = st.fixed_dictionaries({}, optional={"global_cap": st.integers(1, 3), "profile_cap": st.integers(1, 3)})
LISTED = st.lists(st.tuples(st.integers(0, 2), CAPS), min_size=1, max_size=5)
COUNTED = st.dictionaries(st.tuples(st.integers(0, 4), st.sampled_from(["global", "profile"])), st.integers(0, 4))
LOSSES = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["global", "profile"])), max_size=6)


@given(LISTED, COUNTED, LOSSES, st.integers(1, 3), st.booleans())
def test_a_claim_never_exceeds_the_room_it_was_told(
    listed: list[tuple[int, dict[str, int]]],
    counted: dict[tuple[int, str], int],
    losses: list[tuple[int, str]],
    items: int,
    shared: bool,
) -> None:
    """dec:CA7, dec:CA8: with others counting between the steps, no cap is ever passed and the steps end."""
    catalog = two_activities(*(offer(f"x{at}", priority, **caps) for at, (priority, caps) in enumerate(listed)))
    counts = {Counter(offer_id(f"x{at}"), scope): number for (at, scope), number in counted.items()}
    at_first = dict(counts)
    others, told, steps = list(losses), {}, 0

    def answer(selection: Selection) -> Verdict:
        nonlocal steps
        steps += 1
        assert steps < 60
        for claim in selection.claims:
            assert claim.amount <= told.get(claim.counter, claim.amount)
        verdict = count(selection, counts)
        if isinstance(verdict, Refused):
            told.update(verdict.room)
            if others:
                at, scope = others.pop()
                stolen = Counter(offer_id(f"x{at}"), scope)
                counts[stolen] = counts.get(stolen, 0) + 1
        return verdict

    request = body(f"A*{items}", f"B*{items}", **(SHARED if shared else {}))
    decision = drive(begin(catalog, request), answer)
    handed = [option for proposition in decision.propositions for option in proposition.options]
    for each in catalog.offers.values():
        for scope, cap in (("global", each.global_cap), ("profile", each.profile_cap)):
            if cap is not None and each in handed:
                assert at_first.get(Counter(each.at_id, scope), 0) + handed.count(each) <= cap


@given(LISTED, COUNTED, st.integers(1, 3), st.booleans())
def test_selecting_with_known_room_and_learning_it_come_to_the_same(
    listed: list[tuple[int, dict[str, int]]], counted: dict[tuple[int, str], int], items: int, shared: bool
) -> None:
    """dec:CA8, dec:CA11: an offer without room is out as if it had never been a candidate."""
    catalog = two_activities(*(offer(f"x{at}", 10 - at, **caps) for at, (_, caps) in enumerate(listed)))
    counts = {Counter(offer_id(f"x{at}"), scope): number for (at, scope), number in counted.items()}
    request = body(f"A*{items}", f"B*{items}", **(SHARED if shared else {}))
    informed = begin(catalog, request, known=counts)
    assert isinstance(judge(informed.select(), counts), Granted)
    assert names(decide(catalog, request, dict(counts))) == names(informed)


def test_a_verdict_of_a_dry_run_is_read_not_counted() -> None:
    """dec:CA12: left is the cap less the count, below zero when the cap was lowered."""
    counter = Counter(offer_id("X"), "global")
    claim, probe = Claim(counter, 1, 3), Claim(Counter(offer_id("Y"), "global"), 0, 2)
    assert judge(Selection((claim,), (probe,), is_dry=True), {counter: 5}) == Refused({counter: -2, probe.counter: 2})
    assert judge(Selection((claim,), (probe,)), {counter: 2}) == Granted({probe.counter: 2})


def test_the_canonical_profile_of_a_decision_is_the_callers_matter() -> None:
    """dec:CA3: counters name the scope; whose profile it is stands in the decision once."""
    plan = resolve(one_activity(offer("X")), read_request(body("A")))
    decision = Decision(plan, ProfileView("CRM|c-1001"), Surroundings(NOW, lambda: 0.0))
    assert {claim.counter.scope for claim in decision.select().claims} == {"global", "profile"}
    assert decision.profile.canonical_id == "CRM|c-1001"
