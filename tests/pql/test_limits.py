"""No rule takes more than its fuel, whatever the rule and the data (spec pql:ST3); the clock is the benchmark's."""

import sys
from types import FrameType
from typing import Any

import pytest

from gateway import pql
from gateway.errors import RuleSyntaxError
from gateway.pql.limits import FUEL, MAX_TOKENS
from gateway.pql.times import read_timestamp
from tests.pql import hostile
from tests.pql.cases import DATA, NOW

OVERHEAD = MAX_TOKENS
"""Calls an evaluation may make that no step pays for: one for each word of the rule, beside those in loops."""


def counted(rule: pql.Expression, facts: pql.Facts) -> tuple[pql.Verdict, int]:
    """Evaluate, and count the calls of Python and C functions it takes, timestamps read anew."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    read_timestamp.cache_clear()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        verdict = rule.test(facts)
    finally:
        sys.setprofile(before)
    return verdict, calls


def compiled(rule: str) -> pql.Expression | None:
    try:
        return pql.compile(rule)
    except RuleSyntaxError:
        return None


@pytest.mark.parametrize("rule", [pytest.param(rule, id=name) for name, rule in hostile.CORPUS])
def test_a_hostile_rule_is_refused_or_stays_within_its_fuel(rule: str) -> None:
    """The calls the interpreter makes are counted beside the fuel: in a loop a step pays for one at most."""
    expression, facts = compiled(rule), hostile.facts()
    if expression is None:
        return
    verdict, calls = counted(expression, facts)
    assert calls <= min(FUEL, FUEL - facts.fuel) + OVERHEAD
    if facts.fuel < 0:
        assert verdict.fault is not None
        assert "steps" in verdict.fault.message
    if verdict.fault is not None:
        assert verdict.fault.code == "rule-error"
        assert not verdict.holds


def test_the_corpus_is_large_and_bites() -> None:
    faults = [expression.test(hostile.facts()).fault for _, rule in hostile.CORPUS if (expression := compiled(rule))]
    assert len(hostile.CORPUS) >= 300
    assert sum(fault is not None and "steps" in fault.message for fault in faults) >= 200


@pytest.mark.parametrize(
    "rule",
    [
        'e.type = "flight"',
        'e.type = "flight" and e.flightnumber = "NV5" and e.timestamp occurs <= 6 months before now',
        'e.type = "purchase" and e.commerce.order.priceTotal > 100',
    ],
)
def test_ordinary_rules_over_a_thousand_events_are_far_from_the_limit(rule: str) -> None:
    events = hostile.facts().events[:1_000]
    facts = pql.Facts(now=hostile.NOW, events=events)
    assert pql.compile(f"(select e from xEvent where {rule}).count() > 0").test(facts).fault is None
    assert facts.fuel > FUEL / 2


@pytest.mark.parametrize(
    "when",
    ["today", "this month", "between date(2024, 1, 1) and date(2024, 5, 1)", "<= 6 months before now", "before today"],
)
def test_a_time_that_no_event_changes_is_paid_for_once(when: str) -> None:
    events = hostile.facts().events
    for rule, most in (
        (f"e.timestamp occurs {when}", 2_400),
        (f'e.type = "refund" and e.timestamp occurs {when}', 7_000),
    ):
        facts = pql.Facts(now=hostile.NOW, events=events[:most])
        assert pql.compile(f"(select e from xEvent where {rule}).count() > 0").test(facts).fault is None


DISTINCT_TIMES = [
    "exists e from xEvent where e.timestamp occurs > 10 years after e.timestamp",
    "times.exists($1 occurs = 13 decades before $1)",
    "exists e from xEvent where not (e.timestamp occurs between e.timestamp and e.timestamp)",
    "times > date(2100, 1, 1)",
    "date(2100, 1, 1) in times",
    "times occurs on date(2100, 1, 1)",
    "times.exists($1.getYear() = 1)",
    "now = otherTimes",
]


@pytest.mark.parametrize("rule", DISTINCT_TIMES)
def test_reading_ten_thousand_different_timestamps_takes_more_than_the_fuel(rule: str) -> None:
    """A timestamp takes about 1 us to read: ten thousand of them are two to three times what a rule may take."""
    expression = compiled(rule)
    assert expression is not None
    verdict = expression.test(hostile.facts())
    assert verdict.fault is not None
    assert "steps" in verdict.fault.message


def fuel_used(rule: str, **inputs: Any) -> int:
    facts = pql.Facts(now=NOW, **inputs)
    pql.compile(rule).test(facts)
    return FUEL - facts.fuel


def test_what_and_skips_in_a_loop_is_not_paid_for() -> None:
    events = [{"type": "a"}] * 100
    cheap = fuel_used('exists e from xEvent where e.type = "b" and e.id.matches("x+y+z")', events=events)
    dear = fuel_used('exists e from xEvent where e.type = "a" and e.id.matches("x+y+z")', events=events)
    assert dear > cheap + 100 * 40


def test_fuel_used_does_not_depend_on_what_was_evaluated_before() -> None:
    """Spec pql:V1."""
    rule = pql.compile("xEvent.filter(type.matches(^person.gender)).count() = 0 and favoriteColors.includes(1)")
    facts = pql.Facts(now=NOW, profile=DATA["profile"], events=DATA["events"])
    rule.test(facts)
    first = facts.fuel
    pql.compile("orders.distinct().count() > 1").test(facts)
    rule.test(facts)
    assert facts.fuel == first


def test_a_quantifier_stops_at_the_first_element_that_decides() -> None:
    events = [{"type": "a"}] * 9_000
    assert fuel_used('exists e from xEvent where e.type = "a"', events=events) < 100


@pytest.mark.parametrize("rule", ["deep.a.a", "deep = deep", "deep.distinct()", "object = object"])
def test_deeply_nested_data_are_an_evaluation_error(rule: str) -> None:
    profile = {"deep": hostile.nested(5_000, {"a": 1}), "object": hostile.deep_object(5_000)}
    verdict = pql.compile(rule).test(pql.Facts(now=NOW, profile=profile))
    assert verdict.fault is not None
    assert "nested" in verdict.fault.message


@pytest.mark.parametrize("rule", ["today" + " + today" * 799, "today = today" + " or today = tomorrow" * 399])
def test_no_text_without_a_loop_takes_all_the_fuel(rule: str) -> None:
    facts = pql.Facts(now=NOW)
    pql.compile(rule).test(facts)
    assert 0 < facts.fuel < FUEL / 4
