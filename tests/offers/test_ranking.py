"""Rank and ties (dec §5, steps 8 and 9)."""

import random
from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from gateway.offers.inventory import PersonalizedOffer, Rule
from gateway.offers.ranking import RankedOrder, rank_by_priority
from tests.offers.containers import (
    Gate,
    activity,
    body,
    collection,
    compiled,
    decide,
    fallback,
    names,
    offer,
    one_activity,
    placement,
    rule,
)

DRY = {"xdm:dryRun": True}


def tallied(turns: int, draw: Callable[[], str]) -> Counter[str]:
    return Counter(draw() for _ in range(turns))


def test_two_tied_offers_win_about_equally_often() -> None:
    """Spec dec §5.9, its test hint: 2,000 dry runs, each between 900 and 1,100 times."""
    catalog, chance = one_activity(offer("X"), offer("Y")), random.Random(7).random
    wins = tallied(2000, lambda: names(decide(catalog, body("A", **DRY), chance=chance))[0][0])
    assert set(wins) == {"X", "Y"}
    assert all(900 <= won <= 1100 for won in wins.values())


def test_every_ordered_pair_of_three_tied_offers_is_about_equally_frequent() -> None:
    """Spec dec §5.9: item count 2, six pairs, a sixth each."""
    catalog, chance = one_activity(offer("X"), offer("Y"), offer("Z")), random.Random(7).random
    pairs = tallied(6000, lambda: "".join(names(decide(catalog, body("A*2", **DRY), chance=chance))[0]))
    assert set(pairs) == {"XY", "YX", "XZ", "ZX", "YZ", "ZY"}
    assert all(900 <= times <= 1100 for times in pairs.values())


def test_offers_that_are_not_eligible_do_not_tilt_a_tie() -> None:
    """Spec dec §5.9: X shares its tier with offers of its rule that are over, and of a rule that fails."""
    over = [offer(f"over{at}", ends="2024-01-01T00:00:00Z", rule="yes") for at in range(5)]
    others = [offer(f"other{at}", rule="no") for at in range(9)]
    catalog = compiled(
        *over,
        *others,
        offer("X", rule="yes"),
        offer("Y"),
        rule("yes", "true"),
        rule("no", "false"),
        placement(),
        fallback(),
        collection("F", ["X", "Y", *(f"over{at}" for at in range(5)), *(f"other{at}" for at in range(9))]),
        activity("A", "F"),
    )
    chance = random.Random(3).random
    wins = tallied(2000, lambda: names(decide(catalog, body("A", **DRY), chance=chance))[0][0])
    assert set(wins) == {"X", "Y"}
    assert all(900 <= won <= 1100 for won in wins.values())


def test_each_entry_draws_its_own_order() -> None:
    """Spec dec §5.9: drawn anew for every entry; with duplicates allowed two entries agree about half the time."""
    catalog = compiled(
        offer("X"), offer("Y"), placement(), fallback(), collection("F", "XY"), activity("A", "F"), activity("B", "F")
    )
    request, chance = (
        body("A", "B", **DRY, **{"xdm:allowDuplicatePropositions": {"xdm:acrossActivities": True}}),
        random.Random(7).random,
    )
    same = tallied(2000, lambda: str(len({tuple(each) for each in names(decide(catalog, request, chance=chance))})))
    assert 900 <= same["1"] <= 1100


def test_a_higher_priority_always_comes_first() -> None:
    """Spec dec §5.8."""
    catalog = one_activity(offer("low", 1), offer("none"), offer("high", 2**52), offer("middle", 40))
    assert names(decide(catalog, body("A*9"))) == [["high", "middle", "low", "none"]]


GIVEN = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([None, "r", "s"])), max_size=12)


@given(GIVEN, st.randoms(use_true_random=False), st.sets(st.sampled_from("rs")), st.integers(0, 3))
def test_an_order_has_each_eligible_offer_once_and_by_rank(
    given_offers: list[tuple[int, str | None]], source: random.Random, admitted: set[str], odd: int
) -> None:
    """Spec dec §5.8, 5.9, whatever is drawn; a second walk sees the same order."""
    made = [
        offer(str(at), priority, **({"rule": rule_name} if rule_name else {}))
        for at, (priority, rule_name) in enumerate(given_offers)
    ]
    offers = list(one_activity(*made).offers.values())
    rules = {
        at_id: Rule(at_id=at_id, instance_id="", revision=1, name=at_id[-1])
        for at_id in {o.rule_id for o in offers}
        if at_id
    }

    def passes(each: PersonalizedOffer, _rule: Rule | None) -> bool:
        return int(each.name) % 4 != odd

    def admits(each: Rule | None) -> bool:
        return each is None or each.name in admitted

    order = RankedOrder(rank_by_priority(offers, rules), Gate(admits, passes), source.random)
    drawn = list(order)
    expected = {o.name for o in offers if passes(o, None) and (o.rule_id is None or o.rule_id[-1] in admitted)}
    assert sorted(o.name for o in drawn) == sorted(expected)
    assert [o.priority for o in drawn] == sorted((o.priority for o in drawn), reverse=True)
    assert list(order) == drawn
    assert [order.position(each) for each in drawn] == list(range(len(drawn)))
