"""How fast rules compile and evaluate, beside the same rule written by hand in Python and in CEL.

`python -m tests.load.pql` prints a table; the figures are the best of several rounds, in microseconds. The hostile
corpus is compiled and evaluated too, with empty caches: its worst time is what a single rule can hold up the event
loop, and the run fails when that is more than `MOST_MS`.
"""

import gc
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import celpy
import re2  # type: ignore[import-untyped] # the wheel has no type hints
from celpy.adapter import json_to_cel

from gateway import pql
from gateway.errors import RuleSyntaxError
from gateway.pql import paths, patterns, times
from tests.pql import hostile

NOW = datetime(2024, 5, 15, 10, 30, tzinfo=UTC)
SINCE = datetime(2023, 11, 15, 10, 30, tzinfo=UTC)
MOST_MS = 5.0
"""Milliseconds a single rule may take, to compile or to evaluate."""

SCHEMA = "https://ns.example.com/acme/schemas/17"
PROFILE: dict[str, Any] = {
    "person": {"name": {"firstName": "Alpha"}, "birthMonth": 5, "gender": "non-specific"},
    "homeAddress": {"city": "Uppsala", "countryCode": "SE"},
    "personalEmail": {"address": "alpha.omega@mail.example"},
    "loyalty": {"tier": "gold", "points": 5400, "optIn": True},
    "favoriteColors": ["red", "green"],
    "segmentMembership": {"ups": {"seg-gold": {"status": "existing"}, "seg-old": {"status": "exited"}}},
}
EVENTS = [
    {
        "_id": f"e{i}",
        "type": "flight" if i % 2 else "purchase",
        "flightnumber": "NV101" if i % 3 else "NV202",
        "timestamp": f"2024-0{1 + i % 5}-{10 + i % 20}T08:{10 + i % 50}:00Z",
    }
    for i in range(100)
]
DATA = {"flightnumber": "NV101", "weather": "hot"}
CONTEXT = [{"@type": SCHEMA, "xdm:data": DATA}]
FACTS = pql.Facts(now=NOW, profile=PROFILE, events=EVENTS, context=CONTEXT)


def attribute() -> bool:
    """Test an attribute by hand."""
    return (PROFILE.get("homeAddress") or {}).get("city") == "Uppsala"


def segment() -> bool:
    """Test a segment by hand."""
    segments = (PROFILE.get("segmentMembership") or {}).get("ups") or {}
    return (segments.get("seg-gold") or {}).get("status") in ("realized", "existing")


def flight() -> bool:
    """Decide the printed eligibility rule by hand."""
    if (PROFILE.get("loyalty") or {}).get("tier") != "gold":
        return False
    number = DATA.get("flightnumber")
    found = 0
    for event in EVENTS:
        if event.get("type") == "flight" and event.get("flightnumber") == number:
            taken = datetime.fromisoformat(event["timestamp"])
            found += SINCE <= taken <= NOW
    return found > 3


def clauses() -> bool:
    """Decide the rule of ten clauses by hand."""
    loyalty, person = PROFILE.get("loyalty") or {}, PROFILE.get("person") or {}
    address = PROFILE.get("homeAddress") or {}
    return (
        loyalty.get("tier") == "gold"
        and loyalty.get("points", 0) > 5000
        and address.get("countryCode") in ("SE", "NO", "DK")
        and person.get("gender") != "male"
        and (address.get("city") == "Paris" or address.get("city") == "Uppsala")
        and loyalty.get("optIn") is True
        and person.get("birthMonth", 0) >= 3
        and not loyalty.get("points", 0) > 9000
        and "@mail" in ((PROFILE.get("personalEmail") or {}).get("address") or "")
    )


def context() -> bool:
    """Find the context item and compare, by hand."""
    for item in CONTEXT:
        if item.get("@type") == SCHEMA:
            return item["xdm:data"].get("weather") == "hot"
    return False


RULES: dict[str, tuple[str, Callable[[], bool], str]] = {
    "attribute": ('homeAddress.city = "Uppsala"', attribute, 'profile.homeAddress.city == "Uppsala"'),
    "segment": (
        'segmentMembership.get("ups").get("seg-gold").status in ["realized", "existing"]',
        segment,
        'profile.segmentMembership["ups"]["seg-gold"].status in ["realized", "existing"]',
    ),
    "flight, 100 events": (
        (
            'loyalty.tier = "gold" and (select e from xEvent where e.type = "flight" and e.flightnumber = '
            f"@{{{SCHEMA}}}.flightnumber and (e.timestamp occurs <= 6 months before now).count() > 3)"
        ),
        flight,
        (
            'profile.loyalty.tier == "gold" && events.filter(e, e.type == "flight" '
            "&& e.flightnumber == data.flightnumber "
            "&& timestamp(e.timestamp) >= since && timestamp(e.timestamp) <= now).size() > 3"
        ),
    ),
    "ten clauses": (
        (
            'loyalty.tier = "gold" and loyalty.points > 5000 and homeAddress.countryCode in ["SE", "NO", "DK"] '
            'and person.gender != "male" and (homeAddress.city = "Paris" or homeAddress.city = "Uppsala") '
            "and loyalty.optIn and person.birthMonth >= 3 and not loyalty.points > 9000 "
            'and personalEmail.address.contains("@mail")'
        ),
        clauses,
        (
            'profile.loyalty.tier == "gold" && profile.loyalty.points > 5000 '
            '&& profile.homeAddress.countryCode in ["SE", "NO", "DK"] && profile.person.gender != "male" '
            '&& (profile.homeAddress.city == "Paris" || profile.homeAddress.city == "Uppsala") '
            "&& profile.loyalty.optIn && profile.person.birthMonth >= 3 && !(profile.loyalty.points > 9000) "
            '&& profile.personalEmail.address.contains("@mail")'
        ),
    ),
    "context": (f'@{{{SCHEMA}}}.weather = "hot"', context, 'data.weather == "hot"'),
}


def best(*actions: Callable[[], object], seconds: float = 0.6) -> list[float]:
    """Give the shortest mean time of one call of each action, in microseconds; the actions take turns."""
    rounds = [(action, calls_in(0.004, action)) for action in actions]
    shortest = [float("inf")] * len(actions)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for i, (action, calls) in enumerate(rounds):
            start = time.perf_counter()
            for _ in range(calls):
                action()
            shortest[i] = min(shortest[i], (time.perf_counter() - start) / calls)
    return [taken * 1e6 for taken in shortest]


def calls_in(seconds: float, action: Callable[[], object]) -> int:
    """Say how many calls fit into a time."""
    action()
    start = time.perf_counter()
    action()
    return max(1, int(seconds / (time.perf_counter() - start + 1e-7)))


def cel(text: str) -> Callable[[], object]:
    """Prepare a CEL expression with its inputs converted beforehand."""
    environment = celpy.Environment()
    program = environment.program(environment.compile(text))
    inputs = {"profile": PROFILE, "events": EVENTS, "data": DATA}
    activation: dict[str, Any] = {name: json_to_cel(value) for name, value in inputs.items()}
    activation |= {"since": celpy.celtypes.TimestampType(SINCE), "now": celpy.celtypes.TimestampType(NOW)}
    return lambda: program.evaluate(activation)


def measure_rule(name: str) -> dict[str, Any]:
    """Measure one rule beside its yardsticks."""
    text, by_hand, cel_text = RULES[name]
    rule, other = pql.compile(text), cel(cel_text)
    assert rule.test(FACTS) == pql.Verdict(holds=True), name
    assert by_hand() is True, name
    assert bool(other()), name
    evaluate, hand, compiling = best(lambda: rule.test(FACTS), by_hand, lambda: pql.compile(text))
    (slow,) = best(other, seconds=0.3)
    return {
        "rule": name,
        "compile_us": round(compiling, 1),
        "evaluate_us": round(evaluate, 2),
        "by_hand_us": round(hand, 2),
        "times_by_hand": round(evaluate / hand, 1),
        "cel_us": round(slow, 1),
        "times_faster_than_cel": round(slow / evaluate),
    }


def measure_hostile() -> list[dict[str, Any]]:
    """Time every hostile expression: compiling it, and evaluating it where it compiles; best of three."""
    facts = hostile.facts()
    found = []
    gc.collect()
    gc.disable()
    try:
        for name, text in hostile.CORPUS:
            found.append({"rule": name, **hostile_times(text, facts)})
    finally:
        gc.enable()
    return found


def hostile_times(text: str, facts: pql.Facts) -> dict[str, Any]:
    """Time one hostile expression in milliseconds."""
    compile_ms, rule = timed(lambda: compiled(text))
    if rule is None:
        return {"compile_ms": compile_ms, "evaluate_ms": 0.0, "steps": 0, "fault": "refused"}
    evaluate_ms, verdict = timed(lambda: rule.test(facts))
    fault = "" if verdict.fault is None else verdict.fault.message
    return {"compile_ms": compile_ms, "evaluate_ms": evaluate_ms, "steps": pql.FUEL - facts.fuel, "fault": fault}


def compiled(text: str) -> pql.Expression | None:
    """Compile, or give nothing when the rule is refused."""
    try:
        return pql.compile(text)
    except RuleSyntaxError:
        return None


def forget() -> None:
    """Empty every cache a rule can profit from."""
    for cached in (patterns.compile_pattern, patterns.compile_like, paths.key, times.read_timestamp):
        cached.cache_clear()
    re2.purge()
    re.purge()


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Give the shortest of three processor times in milliseconds, each with empty caches, and the last result.

    One above the limit may be the fault of a busy machine: it is taken up to twenty times more.
    """
    shortest, result = float("inf"), None
    for turn in range(23):
        if turn >= 3 and shortest * 1e3 <= MOST_MS:
            break
        forget()
        start = time.thread_time()
        result = action()
        shortest = min(shortest, time.thread_time() - start)
    return round(shortest * 1e3, 3), result


def measure() -> list[dict[str, Any]]:
    """Measure the five typical rules, and sum up the hostile corpus in a last row."""
    rows = [measure_rule(name) for name in RULES]
    corpus = measure_hostile()
    worst, slowest = max(corpus, key=lambda row: row["evaluate_ms"]), max(corpus, key=lambda row: row["compile_ms"])
    rows.append(
        {
            "rule": f"hostile corpus, {len(corpus)} expressions",
            "worst_evaluate_ms": worst["evaluate_ms"],
            "worst_evaluate_rule": worst["rule"],
            "worst_compile_ms": slowest["compile_ms"],
            "worst_compile_rule": slowest["rule"],
        }
    )
    return rows


def main() -> None:
    """Print the table; exits with 1 when some hostile rule took longer than it may."""
    *rules, corpus = measure()
    print(f"{'rule':20}" + "".join(f"{name:>22}" for name in rules[0] if name != "rule"))
    for row in rules:
        print(f"{row['rule']:20}" + "".join(f"{value:>22}" for name, value in row.items() if name != "rule"))
    for name, value in corpus.items():
        print(f"{name}: {value}")
    if max(corpus["worst_evaluate_ms"], corpus["worst_compile_ms"]) > MOST_MS:
        sys.exit(f"a rule held up the event loop for more than {MOST_MS} ms")


if __name__ == "__main__":
    main()
