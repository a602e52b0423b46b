"""The trace: every offer once, with the first stage that removed it (dec §9)."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.offers.capping import Unavailable
from gateway.offers.counters import Counter
from gateway.offers.trace import trace_decision
from tests.offers.containers import (
    activity,
    begin,
    body,
    collection,
    compiled,
    counts_of,
    decide,
    fallback,
    names,
    offer,
    offer_id,
    one_activity,
    placement,
    rule,
)

TRACED = {"gw:trace": True}
STAGES = {
    "selected": (offer("selected", 50), None),
    "outranked": (offer("outranked", 10), ("rank", "outranked", {"xdm:priority": 10, "gw:position": 2})),
    "unlisted": (offer("unlisted", 99), ("filter", "not-in-filter", None)),
    "elsewhere": (offer("elsewhere", 99, places=["app"], status="draft"), ("placement", "no-representation", None)),
    "draft": (offer("draft", 99, status="draft", ends="2024-01-01T00:00:00Z"), ("status", "draft", None)),
    "archived": (offer("archived", 99, status="archived"), ("status", "archived", None)),
    "early": (
        offer("early", 99, starts="2024-06-01T00:00:00+02:00", rule="no"),
        ("calendar", "not-started", {"xdm:startDate": "2024-05-31T22:00:00.000Z"}),
    ),
    "late": (
        offer("late", 99, ends="2024-05-01T00:00:00Z"),
        ("calendar", "ended", {"xdm:endDate": "2024-05-01T00:00:00.000Z"}),
    ),
    "refused": (
        offer("refused", 99, rule="no", global_cap=1),
        ("eligibility", "rule-false", {"gw:rule": "xcore:eligibility-rule:no"}),
    ),
    "global": (offer("global", 99, global_cap=4, profile_cap=1), ("cap", "global-cap", {"gw:count": 4, "gw:cap": 4})),
    "profile": (offer("profile", 99, profile_cap=3), ("cap", "profile-cap", {"gw:count": 5, "gw:cap": 3})),
    "deep": (offer("deep", 1, global_cap=2), ("cap", "global-cap", {"gw:count": 2, "gw:cap": 2})),
}
COUNTS = counts_of(one_activity(), **{"global": 4, "deep": 2}) | counts_of(
    one_activity(), "profile", **{"global": 1, "profile": 5}
)


def staged(**more: Any) -> Any:
    listed = [name for name in STAGES if name != "unlisted"]
    return compiled(
        *(made for made, _ in STAGES.values()),
        rule("no", "false"),
        rule("broken", 'loyalty.points + "x" > 1'),
        placement(),
        placement("app"),
        fallback(),
        collection("F", listed),
        activity("A", "F", **more),
    )


def scope_of(decision: Any, at: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = trace_decision(decision)["gw:scopes"][at]
    return found


def drops(scope: dict[str, Any]) -> dict[str, tuple[str, str, Any]]:
    return {
        each["xdm:id"].rpartition(":")[2]: (each["gw:stage"], each["gw:reason"], each.get("gw:detail"))
        for each in scope["gw:dropped"]
    }


def test_every_offer_stands_at_the_first_stage_that_removed_it() -> None:
    """dec:TR1, and each row of the table of stages."""
    scope = scope_of(decide(staged(), body("A", **TRACED), dict(COUNTS)))
    assert scope["gw:selected"] == [offer_id("selected")]
    assert scope["gw:fallbackReason"] is None
    assert scope["gw:activityActive"]
    assert drops(scope) == {name: drop for name, (_, drop) in STAGES.items() if drop}


def test_a_rule_that_cannot_be_evaluated_says_why_and_shows_no_value() -> None:
    """dec:TR3, pql:V3."""
    catalog = compiled(
        offer("X", rule="r"), offer("Y", rule="s"), offer("Z", rule="t"),
        rule("r", 'loyalty.points + loyalty.tier > 1'), rule("s", "offer.name + 1 > 1"), rule("t", "loyalty.tier = "),
        placement(), fallback(), collection("F", "XYZ"), activity("A", "F"),
    )  # fmt: skip
    decision = decide(catalog, body("A", **TRACED), attributes={"loyalty": {"points": 98765, "tier": "sekret"}})
    found = drops(scope_of(decision))
    for name, rule_id in (("X", "r"), ("Y", "s"), ("Z", "t")):
        stage, reason, detail = found[name]
        assert (stage, reason, detail["gw:rule"]) == ("eligibility", "rule-error", f"xcore:eligibility-rule:{rule_id}")
        assert detail["gw:message"]
    assert "98765" not in str(found)
    assert "sekret" not in str(found)
    assert set(decision.eligibility.faults()) == {f"xcore:eligibility-rule:{name}" for name in "rst"}


def test_an_activity_that_is_not_running_lists_no_offers() -> None:
    """dec:TR2, dec:X8."""
    scope = scope_of(decide(staged(endDate="2024-05-01T00:00:00Z"), body("A", **TRACED)))
    assert not scope["gw:activityActive"]
    assert (scope["gw:dropped"], scope["gw:selected"]) == ([], [])
    assert scope["gw:fallbackReason"] == "activity-inactive"
    assert scope["gw:activity"] == {"gw:reason": "ended", "gw:detail": {"xdm:endDate": "2024-05-01T00:00:00.000Z"}}


def test_the_head_of_a_trace_says_when_and_for_whom() -> None:
    """Spec dec §9."""
    found = trace_decision(decide(one_activity(), body("A", **TRACED), events=({}, {})))
    assert found["gw:now"] == "2024-05-15T10:30:00.000Z"
    assert found["gw:profile"] == {"gw:canonicalId": "CRM|c-1001", "gw:found": True, "gw:events": 2}


def both(*listed: Any) -> Any:
    found = [each.instance_id.removeprefix("personalized-offer-") for each in listed]
    return compiled(*listed, placement(), fallback(), collection("F", found), activity("A", "F"), activity("B", "F"))


def test_an_offer_another_entry_holds_names_that_entry() -> None:
    """dec:TR2, dec:X8: any duplicate among the reasons gives `all-duplicate`."""
    catalog = both(offer("X", global_cap=1), offer("Y", ends="2024-01-01T00:00:00Z"))
    decision = decide(catalog, body("A", "B", **TRACED))
    assert names(decision) == [["X"], []]
    scope = scope_of(decision, 1)
    assert drops(scope)["X"] == ("duplicate", "taken-by-other-entry", {"gw:entry": 0})
    assert scope["gw:fallbackReason"] == "all-duplicate"


def test_what_this_call_hands_out_counts_against_the_cap() -> None:
    """dec:X1, dec:CA12: B is shut out of X by the cap alone."""
    shared = {"xdm:allowDuplicatePropositions": {"xdm:acrossActivities": True}}
    decision = decide(both(offer("X", global_cap=1)), body("A", "B", **TRACED, **shared))
    scope = scope_of(decision, 1)
    assert drops(scope)["X"] == ("cap", "global-cap", {"gw:count": 1, "gw:cap": 1})
    assert scope["gw:fallbackReason"] == "none-eligible"


def test_a_trace_asks_for_every_cap_it_may_have_to_show() -> None:
    """dec:TR1: also of an offer that would be outranked; not of one that is out before."""
    deep, out = offer("deep", 1, global_cap=2), offer("out", 1, global_cap=1, rule="no")
    catalog = compiled(
        offer("X", 2),
        deep,
        out,
        rule("no", "false"),
        placement(),
        fallback(),
        collection("F", ["X", "deep", "out"]),
        activity("A", "F"),
    )
    assert [probe.counter for probe in begin(catalog, body("A", **TRACED)).select().probes] == [
        Counter(offer_id("deep"), "global")
    ]
    found = drops(scope_of(decide(catalog, body("A", **TRACED), counts_of(catalog, deep=2))))
    assert found["deep"] == ("cap", "global-cap", {"gw:count": 2, "gw:cap": 2})


def test_reasons_of_a_fallback() -> None:
    """dec:TR2."""
    assert scope_of(decide(one_activity(), body("A", **TRACED)))["gw:fallbackReason"] == "no-candidate"
    draft = one_activity(offer("X", status="draft"))
    assert scope_of(decide(draft, body("A", **TRACED)))["gw:fallbackReason"] == "no-candidate"
    over = one_activity(offer("X", ends="2024-01-01T00:00:00Z"), offer("Y", status="draft"))
    assert scope_of(decide(over, body("A", **TRACED)))["gw:fallbackReason"] == "none-eligible"


def test_without_the_store_offers_with_a_cap_are_marked() -> None:
    """dec:CA10."""
    decision = begin(one_activity(offer("X", global_cap=3)), body("A", **TRACED))
    decision.select()
    decision.settle(Unavailable("closed"))
    scope = scope_of(decision)
    assert drops(scope)["X"] == ("cap", "cap-unavailable", None)
    assert scope["gw:fallbackReason"] == "none-eligible"


def test_a_long_trace_is_cut_and_keeps_what_was_nearest() -> None:
    """dec:TR3."""
    many = [offer(f"x{at}") for at in range(1200)]
    catalog = compiled(
        *many,
        offer("X", rule="no"),
        rule("no", "false"),
        placement(),
        fallback(),
        collection("F", "X"),
        activity("A", "F"),
    )
    scope = scope_of(decide(catalog, body("A", **TRACED)))
    assert len(scope["gw:dropped"]) == 1000
    assert scope["gw:truncated"]
    assert drops(scope)["X"][1] == "rule-false"
    assert scope["gw:fallbackReason"] == "none-eligible"


OFFERS = st.lists(
    st.fixed_dictionaries(
        {"priority": st.integers(0, 2)},
        optional={
            "status": st.sampled_from(["approved", "draft"]),
            "places": st.sampled_from([["web"], ["app"]]),
            "rule": st.sampled_from(["yes", "no"]),
            "ends": st.sampled_from(["2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"]),
            "global_cap": st.integers(1, 2),
        },
    ),
    max_size=6,
)


@given(OFFERS, st.dictionaries(st.integers(0, 5), st.integers(0, 2)), st.integers(0, 2**32))
def test_a_trace_names_every_offer_once_and_changes_nothing(
    made: list[dict[str, Any]], counted: dict[int, int], seed: int
) -> None:
    """dec:TR1, dec:TR3: the same chance gives the same decision with and without."""
    offers = [offer(f"x{at}", **each) for at, each in enumerate(made)]
    listed = [f"x{at}" for at in range(len(made)) if at != 4]
    catalog = compiled(
        *offers, rule("yes", "true"), rule("no", "false"), placement(), placement("app"), fallback(),
        collection("F", listed), activity("A", "F"), activity("B", "F"),
    )  # fmt: skip
    counts = {Counter(offer_id(f"x{at}"), "global"): number for at, number in counted.items()}
    plain = decide(catalog, body("A*2", "B"), dict(counts), chance=random.Random(seed).random)
    traced = decide(catalog, body("A*2", "B", **TRACED), dict(counts), chance=random.Random(seed).random)
    for scope, proposition in zip(trace_decision(traced)["gw:scopes"], traced.propositions, strict=True):
        listed_ids = [*scope["gw:selected"], *(each["xdm:id"] for each in scope["gw:dropped"])]
        assert sorted(listed_ids) == sorted(catalog.offers)
        assert scope["gw:selected"] == [option.at_id for option in proposition.options]
        assert (scope["gw:fallbackReason"] is None) == bool(proposition.options)
    assert [len(each) for each in names(traced)] == [len(each) for each in names(plain)]
    if not counted:
        assert names(traced) == names(plain)
