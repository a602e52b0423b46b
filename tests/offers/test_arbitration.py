"""Duplicates inside one call: the worked examples, and laws against every possible distribution (dec §6)."""

import re
import tomllib
from itertools import combinations, pairwise, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.offers.arbitration import Allotment, Contender, Duplicates
from gateway.offers.capping import Room
from gateway.offers.catalog import Catalog
from gateway.offers.counters import Counter
from gateway.offers.inventory import PersonalizedOffer
from gateway.offers.ranking import RankedOrder, rank_by_priority
from tests.offers import containers
from tests.offers.containers import (
    Gate,
    body,
    collection,
    compiled,
    decide,
    fallback,
    names,
    offer,
    one_activity,
    placement,
)

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "offers" / "duplicates.toml").read_text())["case"]
ENTRY = re.compile(r"(\w)\((\d)\): (.*)")


def stage(case: dict[str, Any]) -> tuple[Catalog, dict[str, Any]]:
    """Make the container and the request of a case; a name's rank is its place in the alphabet."""
    entries = [match.groups() for match in map(ENTRY.fullmatch, case["entries"]) if match]
    places = case.get("placements", "a" * len(entries))
    offers = sorted({name for _, _, wanted in entries for name in wanted.split()})
    left = case.get("left", {})
    made = [
        offer(name, 100 - at, places=set(places), **({"global_cap": 10} if name in left else {}))
        for at, name in enumerate(offers)
    ]
    made += [placement(each) for each in set(places)] + [fallback(places=set(places))]
    for (name, _, wanted), place in zip(entries, places, strict=True):
        made += [collection(name, wanted.split()), containers.activity(name, name, place)]
    flags = {f"xdm:across{flag.title()}": True for flag in case.get("flags", ())}
    asked = [f"{name}*{count}" for name, count, _ in entries]
    return compiled(*made), body(*asked, **{"xdm:allowDuplicatePropositions": flags})


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{at}: {case['rule']}") for at, case in enumerate(CASES)])
def test_options_are_distributed_as_written_down(case: dict[str, Any]) -> None:
    """dec:DU1, dec:DU2, dec:DU3, dec:X1, dec:X7, and the table of conflicts."""
    catalog, request = stage(case)
    counts = {Counter(containers.offer_id(name), "global"): 10 - left for name, left in case.get("left", {}).items()}
    assert names(decide(catalog, request, counts)) == [entry.split() for entry in case["result"]]


def test_several_entries_may_return_the_same_fallback() -> None:
    """dec:DU4."""
    catalog = compiled(
        placement(), fallback(), collection("F", []), containers.activity("A", "F"), containers.activity("B", "F")
    )
    decision = decide(catalog, body("A", "B"))
    assert [each.fallback.name for each in decision.propositions if each.fallback] == ["default", "default"]


OFFERS = list(one_activity(*(offer(str(at), 10 - at, global_cap=9) for at in range(6))).offers.values())
ALWAYS = Gate(lambda _: True, lambda _offer, _rule: True)
WANTS = st.lists(
    st.tuples(st.sets(st.sampled_from(range(6)), max_size=4), st.integers(1, 3), st.sampled_from("ab")),
    min_size=1,
    max_size=4,
)
FLAGS = st.builds(Duplicates, st.booleans(), st.booleans())
LEFT = st.dictionaries(st.sampled_from(range(6)), st.integers(0, 2), max_size=3)
Entries = list[tuple[set[int], int, str]]


def contend(entries: Entries) -> list[Contender]:
    return [
        Contender(
            str(at), place, count, RankedOrder(rank_by_priority([OFFERS[n] for n in wanted], {}), ALWAYS, lambda: 0.0)
        )
        for at, (wanted, count, place) in enumerate(entries)
    ]


def distribute(entries: Entries, allowed: Duplicates, left: dict[int, int]) -> list[list[int]]:
    room = Room({})
    room.narrow({Counter(OFFERS[n].at_id, "global"): number for n, number in left.items()})
    held = Allotment(contend(entries), allowed, room).held
    return [[OFFERS.index(option) for option in options] for options in held]


def is_allowed(held: list[list[int]], entries: Entries, allowed: Duplicates, left: dict[int, int]) -> bool:
    """Whether a distribution breaks no rule, written down anew from the specification's table."""
    for (one, mine), (other, theirs) in combinations(enumerate(held), 2):
        same_place = entries[one][2] == entries[other][2]
        may_share = allowed.across_activities and (same_place or allowed.across_placements)
        if not may_share and set(mine) & set(theirs):
            return False
    return all(sum(n in options for options in held) <= number for n, number in left.items())


@given(WANTS, FLAGS, LEFT)
def test_no_rule_of_sharing_is_ever_broken(entries: Entries, allowed: Duplicates, left: dict[int, int]) -> None:
    """dec:R2, dec:DU1, dec:X1: no option twice in a proposition, none in conflict, none above its room."""
    held = distribute(entries, allowed, left)
    for options, (wanted, count, _) in zip(held, entries, strict=True):
        assert len(set(options)) == len(options) <= count
        assert options == sorted(options)
        assert set(options) <= wanted
    assert is_allowed(held, entries, allowed, left)


@given(WANTS, FLAGS, LEFT)
def test_a_later_entry_never_costs_an_earlier_one_an_option(
    entries: Entries, allowed: Duplicates, left: dict[int, int]
) -> None:
    """dec:DU3."""
    sizes = [[len(options) for options in distribute(entries[:n], allowed, left)] for n in range(len(entries) + 1)]
    for shorter, longer in pairwise(sizes):
        assert longer[: len(shorter)] == shorter


def every_distribution(entries: Entries) -> list[list[list[int]]]:
    choices = [
        [list(some) for size in range(count + 1) for some in combinations(sorted(wanted), size)]
        for wanted, count, _ in entries
    ]
    return [list(each) for each in product(*choices)]


@given(WANTS, LEFT)
def test_an_entry_falls_back_only_when_no_distribution_could_have_helped(
    entries: Entries, left: dict[int, int]
) -> None:
    """dec:DU2, checked against every distribution there is: nobody before may lose an option, and Q gets one."""
    allowed = Duplicates()
    for n in range(1, len(entries) + 1):
        held = distribute(entries[:n], allowed, left)
        if held[-1]:
            continue
        before = [len(options) for options in held[:-1]]
        possible = [
            each
            for each in every_distribution(entries[:n])
            if [len(options) for options in each[:-1]] == before
            and each[-1]
            and is_allowed(each, entries, allowed, left)
        ]
        assert possible == []


@given(WANTS, FLAGS, LEFT)
def test_the_first_entry_gets_its_best_unless_it_helps_another(
    entries: Entries, allowed: Duplicates, left: dict[int, int]
) -> None:
    """dec:DU1."""
    wanted, count, _ = entries[0]
    alone = [n for n in sorted(wanted) if left.get(n, 1) > 0][:count]
    assert distribute(entries[:1], allowed, left) == [alone]


def test_an_allotment_knows_who_holds_what() -> None:
    entries: Entries = [({0}, 1, "a"), ({0, 1}, 1, "a")]
    allotment = Allotment(contend(entries), Duplicates(), Room({}))
    zero: PersonalizedOffer = OFFERS[0]
    assert allotment.conflicting_holder(1, zero) == 0
    assert allotment.conflicting_holder(0, zero) is None
    assert allotment.held_count(zero) == 1
