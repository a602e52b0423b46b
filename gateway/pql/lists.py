"""The functions of lists, objects, times and the profile (spec pql §7)."""

import math
from datetime import datetime
from typing import Any

from gateway.pql.facts import Facts
from gateway.pql.faults import EvaluationError
from gateway.pql.items import Item
from gateway.pql.paths import key, member
from gateway.pql.times import Span, date_span, instant_of
from gateway.pql.values import (
    ELEMENT_COST,
    INDEX_COST,
    Members,
    article,
    double,
    is_member,
    key_of,
    kind_of,
    text_of,
    whole,
)

MEMBERSHIP, STATUS = key("segmentMembership"), key("status")
STAYING = ("realized", "existing")


def is_null(_facts: Facts, value: Any) -> bool:
    """Say whether a value is null or an empty list."""
    return value is None or value == []


def is_not_null(facts: Facts, value: Any) -> bool:
    """Say whether a value is neither null nor an empty list."""
    return not is_null(facts, value)


def count(facts: Facts, elements: list[Any], condition: Item | None = None) -> int:
    """Count the elements, or those that satisfy a condition."""
    return len(elements) if condition is None else len(condition.kept(facts, elements))


def present(facts: Facts, elements: list[Any], item: Item | None) -> list[Any]:
    """Give the elements, or what an expression makes of them, without nulls."""
    facts.spend(6 * len(elements))
    values = elements if item is None else item.each(facts, elements)
    return [value for value in values if value is not None]


def kind_of_all(name: str, values: list[Any], kinds: set[str]) -> str:
    """Name the one kind of all values."""
    found = {kind_of(value) for value in values}
    if len(found) == 1 and found <= kinds:
        return found.pop()
    raise EvaluationError(
        f"`{name}` takes {' or '.join(sorted(kinds))}s of one kind, not {' and '.join(sorted(found))}"
    )


def total(facts: Facts, elements: list[Any], item: Item | None = None) -> float:
    """Add numbers; 0 for an empty list."""
    values = present(facts, elements, item)
    return added("sum", values) if values else 0


def added(name: str, values: list[Any]) -> float:
    """Add numbers."""
    kind_of_all(name, values, {"number"})
    result = double(sum(double(value) for value in values))
    if not math.isfinite(result):
        raise EvaluationError("the sum is too large")
    return result


def average(facts: Facts, elements: list[Any], item: Item | None = None) -> float | None:
    """Give the mean of numbers; null for an empty list."""
    values = present(facts, elements, item)
    return added("average", values) / len(values) if values else None


def least(facts: Facts, elements: list[Any], item: Item | None = None) -> Any:
    """Give the smallest number or text; null for an empty list."""
    values = comparable(facts, "min", present(facts, elements, item))
    return min(values, default=None)


def greatest(facts: Facts, elements: list[Any], item: Item | None = None) -> Any:
    """Give the largest number or text; null for an empty list."""
    values = comparable(facts, "max", present(facts, elements, item))
    return max(values, default=None)


def comparable(facts: Facts, name: str, values: list[Any]) -> list[Any]:
    """Check that values can be ordered among themselves, and pay for the length of texts."""
    if values and kind_of_all(name, values, {"number", "text"}) == "text":
        facts.spend(sum(map(len, values)) // 32)
    return values


def ranked(facts: Facts, elements: list[Any], item: Item, number: Any, *, highest: bool) -> list[Any]:
    """Give the elements with the highest or lowest values; equal ones stay in order, those without one are left out."""
    name = "topN" if highest else "bottomN"
    most = whole(number)
    if most is None or most < 0:
        raise EvaluationError(f"`{name}` takes a whole number of elements")
    facts.spend(len(elements) * (8 + len(elements).bit_length()))
    paired = [pair for pair in zip(item.each(facts, elements), elements, strict=True) if pair[0] is not None]
    comparable(facts, name, [value for value, _ in paired])
    paired.sort(key=lambda pair: pair[0], reverse=highest)
    return [element for _, element in paired[: min(most, len(paired))]]


def top(facts: Facts, elements: list[Any], item: Item, number: Any) -> list[Any]:
    """Give the elements with the highest values, highest first."""
    return ranked(facts, elements, item, number, highest=True)


def bottom(facts: Facts, elements: list[Any], item: Item, number: Any) -> list[Any]:
    """Give the elements with the lowest values, lowest first."""
    return ranked(facts, elements, item, number, highest=False)


def filtered(facts: Facts, elements: list[Any], condition: Item) -> list[Any]:
    """Give the elements that satisfy a condition."""
    return condition.kept(facts, elements)


def exists(facts: Facts, elements: list[Any], condition: Item) -> bool:
    """Say whether some element satisfies a condition."""
    return condition.first(facts, elements)


def mapped(facts: Facts, elements: list[Any], item: Item) -> list[Any]:
    """Give what an expression makes of each element, nulls kept."""
    return item.each(facts, elements)


def grouped(facts: Facts, elements: list[Any], item: Item) -> list[Any]:
    """Give lists of the elements with equal values, in order of first appearance."""
    groups: dict[Any, list[Any]] = {}
    for value, element in zip(item.each(facts, elements), elements, strict=True):
        groups.setdefault(key_of(facts, value), []).append(element)
    return list(groups.values())


def distinct(facts: Facts, elements: list[Any]) -> list[Any]:
    """Give the first of equal elements, in order."""
    facts.spend(ELEMENT_COST * len(elements))
    first: dict[Any, Any] = {}
    for element in elements:
        first.setdefault(key_of(facts, element), element)
    return list(first.values())


def head(_facts: Facts, elements: list[Any]) -> Any:
    """Give the first element, or null."""
    return elements[0] if elements else None


def as_list(value: Any) -> list[Any]:
    """Read a list argument; a single value is a list of one (pql:GR4)."""
    return value if isinstance(value, list) else [value]


def indexed(facts: Facts, elements: list[Any]) -> Members:
    """Index a list, and pay for it."""
    facts.spend(INDEX_COST * len(elements))
    return Members(elements)


def includes(facts: Facts, elements: list[Any], value: Any) -> bool:
    """Say whether some element equals a value."""
    return is_member(facts, value, elements)


def intersects(facts: Facts, elements: list[Any], others: Any) -> bool:
    """Say whether some element is also in the other list."""
    return others is not None and bool(intersection(facts, elements, others))


def intersection(facts: Facts, elements: list[Any], others: Any) -> list[Any]:
    """Give the elements that are also in the other list, without repeats."""
    if others is None:
        return []
    members = indexed(facts, as_list(others))
    facts.spend(ELEMENT_COST * len(elements))
    return distinct(facts, [element for element in elements if members.have(facts, element)])


def subset_of(facts: Facts, elements: list[Any], others: Any) -> bool:
    """Say whether every element is in the other list; false when that is null."""
    if others is None:
        return False
    members = indexed(facts, as_list(others))
    facts.spend(ELEMENT_COST * len(elements))
    return all(members.have(facts, element) for element in elements)


def superset_of(facts: Facts, elements: list[Any], others: Any) -> bool:
    """Say whether every element of the other list is in this one; false when that is null."""
    return others is not None and subset_of(facts, as_list(others), elements)


def get(_facts: Facts, record: dict[str, Any], name: Any) -> Any:
    """Give the value of exactly this key, or null."""
    text = text_of(name)
    if text is None and name is not None:
        raise EvaluationError(f"`get` takes text, not {article(kind_of(name))}")
    return None if text is None else record.get(text)


def keys(facts: Facts, record: dict[str, Any]) -> list[Any]:
    """Give the keys of an object."""
    facts.spend(len(record))
    return list(record)


def values(facts: Facts, record: dict[str, Any]) -> list[Any]:
    """Give the values of an object."""
    facts.spend(len(record))
    return list(record.values())


def need_instant(name: str, value: Any) -> datetime | None:
    """Read an instant; null stays null (pql:X1)."""
    instant = instant_of(value)
    if instant is None and value is not None:
        raise EvaluationError(f"`{name}` takes a timestamp, and this {kind_of(value)} is none")
    return instant


def year(_facts: Facts, value: Any) -> int | None:
    """Give the year of a timestamp in UTC."""
    instant = need_instant("getYear", value)
    return None if instant is None else instant.year


def month(_facts: Facts, value: Any) -> int | None:
    """Give the month of a timestamp in UTC; January is 1."""
    instant = need_instant("getMonth", value)
    return None if instant is None else instant.month


def day_of_month(_facts: Facts, value: Any) -> int | None:
    """Give the day of the month of a timestamp in UTC."""
    instant = need_instant("getDayOfMonth", value)
    return None if instant is None else instant.day


def date(_facts: Facts, *parts: Any) -> Span | None:
    """Give one day from year, month and day; null when one of them is."""
    if None in parts:
        return None
    numbers = [number for part in parts if (number := whole(part)) is not None]
    if len(numbers) < len(parts):
        raise EvaluationError("`date` takes three whole numbers: year, month, day")
    try:
        return date_span(*numbers)
    except (ValueError, OverflowError):
        raise EvaluationError("there is no such date") from None


def choose(_facts: Facts, test: bool, yes: Any, no: Any) -> Any:  # noqa: FBT001 - an operand like the others
    """Give one of two; they are code here, so that only the chosen one is evaluated."""
    return yes if test else no


def in_segment(facts: Facts, wanted: Any) -> bool:
    """Say whether the profile is in a segment of any namespace (pql §11)."""
    membership, segment = member(facts, facts.profile, MEMBERSHIP), text_of(wanted)
    if not isinstance(membership, dict) or segment is None:
        return False
    facts.spend(ELEMENT_COST * len(membership))
    entries = [segments.get(segment) for segments in membership.values() if isinstance(segments, dict)]
    return any(member(facts, entry, STATUS) in STAYING for entry in entries if isinstance(entry, dict))
