"""What an `_instance` must not contradict in itself, as far as no JSON Schema can say it (spec offer-entities).

A check looks at an `_instance` that may be of any shape, because the schema's violations are collected beside it.
"""

from typing import Any

from gateway import pql
from gateway.errors import RuleSyntaxError, Violation
from gateway.offers.dates import read_instant
from gateway.offers.documents import ITEM, find, point
from gateway.offers.instances import JsonObject
from gateway.offers.schemas import CONSTRAINTS

PLACEMENTS = ("xdm:representations", ITEM, "xdm:placement")
FILTER_SPELLINGS = ("ids", "xdm:ids")


def check_placements(instance: JsonObject) -> list[Violation]:
    """Refuse a second representation for one placement (§5.1)."""
    found, seen = [], set()
    for at, placement in find(instance, PLACEMENTS, ("_instance",)):
        if not isinstance(placement, str):
            continue
        if placement in seen:
            found.append(Violation("duplicate-placement", point(*at), "another representation has this placement"))
        seen.add(placement)
    return found


def check_calendar(instance: JsonObject) -> list[Violation]:
    """Refuse a personalized offer that ends before it starts (SC1)."""
    return _check_range(instance.get("xdm:selectionConstraint"), "/_instance/xdm:selectionConstraint")


def check_activity_dates(instance: JsonObject) -> list[Violation]:
    """Refuse an activity that ends before it starts (§10, SC1)."""
    return _check_range(instance, "/_instance")


def _check_range(dates: Any, pointer: str) -> list[Violation]:
    if not isinstance(dates, dict):
        return []
    start, end = _instant(dates.get("xdm:startDate")), _instant(dates.get("xdm:endDate"))
    if start is None or end is None or start <= end:
        return []
    return [Violation("date-range", pointer, "xdm:endDate is before xdm:startDate")]


def _instant(value: object) -> int | None:
    return read_instant(value) if isinstance(value, str) else None


def check_unconstrained(instance: JsonObject) -> list[Violation]:
    """Refuse constraints and rank on a fallback offer (FB1)."""
    detail = "a fallback offer has neither rank nor constraints"
    return [
        Violation("constraint-not-allowed", point("_instance", name), detail)
        for name in CONSTRAINTS
        if name in instance
    ]


def check_filter(instance: JsonObject) -> list[Violation]:
    """Ask for `ids` under one of its two names (§9)."""
    given = [name for name in FILTER_SPELLINGS if name in instance]
    if not given:
        return [Violation("required", "/_instance/ids", "is required")]
    if len(given) > 1:
        return [Violation("ids-conflict", "/_instance/xdm:ids", "give either ids or xdm:ids, not both")]
    return []


def check_rule(instance: JsonObject) -> list[Violation]:
    """Refuse a rule that does not parse, does not type-check or is too large (ER1, X3, X4)."""
    for at, text in find(instance, ("xdm:condition", "xdm:value"), ("_instance",)):
        if isinstance(text, str) and text:
            return _compile(text, point(*at))
    return []


def _compile(text: str, pointer: str) -> list[Violation]:
    try:
        pql.compile(text)
    except RuleSyntaxError as error:
        place = {
            "position": error.position,
            "line": error.line,
            "column": error.column,
            "excerpt": error.excerpt,
        }
        return [Violation(error.code, pointer, error.message, place=place)]
    return []
