"""What JSON values mean to a rule: conversion, comparison, membership, truth (spec pql §6).

The `facts` an operation takes are there to pay for work that grows with the data.
"""

import math
import operator
import re
from collections.abc import Callable, Hashable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.pql.facts import Facts
from gateway.pql.faults import EvaluationError
from gateway.pql.limits import MAX_DATA_DEPTH, MAX_NUMBER_TEXT
from gateway.pql.times import READ_TIME_COST, Span, instant_of

NUMERIC = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
FLAGS = {"true": True, "false": False}
TEXT_CHUNK = 64
"""Characters two texts are compared at for one step."""

COMPARE_COST = 10
"""Steps of one comparison without a fast path."""

ELEMENT_COST = 10
"""Steps to take one element of a list, without what is done with it."""

CONVERT_COST = 25
"""Steps to turn a text into a number or the other way round."""

KEY_COST = 12
"""Steps to make one value hashable."""

INDEX_COST = 40
"""Steps to index one element."""


def kind_of(value: Any) -> str:
    """Name the kind of a value, for messages and for choosing a comparison."""
    return KINDS.get(type(value), "unknown value")


def article(kind: str) -> str:
    """Put the article before a kind."""
    if kind == "null":
        return kind
    return f"{'an' if kind[0] in 'ou' else 'a'} {kind}"


KINDS: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "object",
    datetime: "time",
    Span: "time",
}


def number_of(value: Any) -> float | None:
    """Read a number, or a text that is one in JSON (pql:CO1, X2); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) > MAX_NUMBER_TEXT or not NUMERIC.fullmatch(value):
        return None
    return int(value) if len(value) <= 18 and value.lstrip("-").isdigit() else float(value)


def text_of(value: Any) -> str | None:
    """Write a number or boolean as text (pql:X2); None for what has no text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_text(value) if isinstance(value, int | float) else None


def number_text(value: float) -> str | None:
    """Write a number in its shortest form, without exponent below 1e21; None when it is not finite."""
    value = double(value)
    if not math.isfinite(value):
        return None
    if value == 0 or isinstance(value, int):
        return str(int(value))
    return repr(value) if abs(value) >= 1e21 else format(Decimal(repr(value)).normalize(), "f")


def double(value: float) -> float:
    """Give a whole number beyond 64 bits as a double, so that numbers stay small; infinite when that is too small."""
    if -(2**63) <= value < 2**63:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def flag_of(value: Any) -> bool | None:
    """Read a boolean, or the text of one; None for anything else."""
    if isinstance(value, bool):
        return value
    return FLAGS.get(value) if isinstance(value, str) else None


class Relation(NamedTuple):
    """A comparison operator: its test for two values of one type, and what a failed conversion makes of it."""

    test: Callable[[Any, Any], bool]
    orders: bool = True
    mismatch: bool = False


RELATIONS = {
    "=": Relation(operator.eq, orders=False),
    "!=": Relation(operator.ne, orders=False, mismatch=True),
    "<": Relation(operator.lt),
    "<=": Relation(operator.le),
    ">": Relation(operator.gt),
    ">=": Relation(operator.ge),
}
EQUAL = RELATIONS["="]


def compare(facts: Facts, relation: Relation, left: Any, right: Any, depth: int = 0) -> bool:
    """Compare two values; the right one takes the type of the left (pql:NU1, CO1 to CO4)."""
    if left is None or right is None:
        return False
    facts.spend(COMPARE_COST)
    kinds = kind_of(left), kind_of(right)
    if "list" in kinds:
        return compare_lists(facts, relation, left, right, depth)
    if "time" in kinds:
        facts.spend(READ_TIME_COST if "text" in kinds else 0)
        first, second = instant_of(left), instant_of(right)
        return relation.mismatch if first is None or second is None else relation.test(first, second)
    if kinds[0] == "text":
        facts.spend(len(left) // TEXT_CHUNK if kinds[1] == "text" else CONVERT_COST)
        text = text_of(right)
        return relation.mismatch if text is None else relation.test(left, text)
    if kinds[0] == "number":
        if kinds[1] != "number":
            facts.spend(CONVERT_COST)
        number = number_of(right)
        return relation.mismatch if number is None else relation.test(left, number)
    return compare_unordered(facts, relation, left, right, depth)


def compare_unordered(facts: Facts, relation: Relation, left: Any, right: Any, depth: int) -> bool:
    """Compare booleans or objects, which have no order (pql:CO2)."""
    if relation.orders:
        raise EvaluationError(f"{article(kind_of(left))} has no order")
    if isinstance(left, bool):
        flag = flag_of(right)
        return relation.mismatch if flag is None else relation.test(left, flag)
    if not isinstance(right, dict):
        return relation.mismatch
    return equal_objects(facts, left, right, depth) is not relation.mismatch


def equal_objects(facts: Facts, left: dict[str, Any], right: dict[str, Any], depth: int) -> bool:
    """Say whether two objects have equal members; a null member is a missing one (pql:PA4)."""
    refuse_deep(depth)
    facts.spend(ELEMENT_COST * (len(left) + len(right)))
    names = {name for name in left if left[name] is not None}
    if names != {name for name in right if right[name] is not None}:
        return False
    return all(compare(facts, EQUAL, left[name], right[name], depth + 1) for name in names)


def compare_lists(facts: Facts, relation: Relation, left: Any, right: Any, depth: int) -> bool:
    """Compare a list with a scalar, element by element, or two lists as wholes (pql:CO4)."""
    refuse_deep(depth)
    if isinstance(left, list) and isinstance(right, list):
        if relation.orders:
            raise EvaluationError("a list has no order")
        same = len(left) == len(right) and equal_pairs(facts, left, right, depth)
        return same is not relation.mismatch
    several = left if isinstance(left, list) else right
    for element in several:
        facts.spend(ELEMENT_COST)
        pair = (element, right) if several is left else (left, element)
        if compare(facts, relation, *pair, depth + 1):
            return True
    return False


def equal_pairs(facts: Facts, left: list[Any], right: list[Any], depth: int) -> bool:
    """Say whether two lists of one length are equal pair by pair."""
    for first, second in zip(left, right, strict=True):
        facts.spend(ELEMENT_COST)
        if not compare(facts, EQUAL, first, second, depth + 1):
            return False
    return True


def refuse_deep(depth: int) -> None:
    """Stop before nested data overflow the stack."""
    if depth > MAX_DATA_DEPTH:
        raise EvaluationError(f"the data are nested more than {MAX_DATA_DEPTH} levels deep")


def is_member(facts: Facts, value: Any, elements: list[Any]) -> bool:
    """Say whether some element equals a value; a list is a member when one of its elements is (pql §6.4)."""
    if isinstance(value, list):
        facts.spend(ELEMENT_COST * len(value))
        return any(is_member(facts, part, elements) for part in value if not isinstance(part, list))
    for element in elements:
        facts.spend(ELEMENT_COST)
        if compare(facts, EQUAL, value, element):
            return True
    return False


class Members:
    """A list made ready to be asked often for its elements: those a set can hold are found without a search.

    Each element converts to the type of what is asked for (pql:X2), hence one set for each type.
    """

    __slots__ = ("_held", "_rest", "_searched", "texts")

    def __init__(self, elements: list[Any]) -> None:
        """Index the elements once; `INDEX_COST` steps each are the caller's to spend."""
        converted: dict[str, Callable[[Any], Any]] = {"text": text_of, "number": number_of, "boolean": flag_of}
        self._held = {kind: {convert(element) for element in elements} for kind, convert in converted.items()}
        self.texts = self._held["text"]
        self._rest = [element for element in elements if element is not None]
        self._searched = [element for element in self._rest if isinstance(element, list | datetime | Span)]

    def have(self, facts: Facts, value: Any) -> bool:
        """Say whether some element equals a value."""
        kind = kind_of(value)
        if kind in self._held:
            return value in self._held[kind] or (bool(self._searched) and is_member(facts, value, self._searched))
        if kind == "list":
            facts.spend(ELEMENT_COST * len(value))
            return any(self.have(facts, part) for part in value if not isinstance(part, list))
        return value is not None and is_member(facts, value, self._rest)


def truth(value: Any) -> bool:
    """Read a value as a boolean (pql §6.6)."""
    if value is True or value is False or value is None:
        return bool(value)
    if isinstance(value, list | dict):
        return bool(value)
    raise EvaluationError(f"{article(kind_of(value))} cannot be read as true or false")


def whole(value: Any) -> int | None:
    """Read a whole number, also one that is a double (pql:CO2); None for anything else."""
    if type(value) is int:
        return value
    return int(value) if type(value) is float and value.is_integer() else None


def arithmetic(symbol: str, left: Any, right: Any) -> float | None:
    """Calculate with two numbers; null makes null, and so does a division by zero (pql:NU4, §6.3)."""
    if left is None or right is None:
        return None
    for value in (left, right):
        if type(value) not in {int, float}:
            raise EvaluationError(f"`{symbol}` takes numbers, not {article(kind_of(value))}")
    if right == 0 and symbol in {"/", "%"}:
        return None
    result = double(CALCULATIONS[symbol](double(left), double(right)))
    if not math.isfinite(result):
        raise EvaluationError(f"the result of `{symbol}` is too large")
    return result


def remainder(left: float, right: float) -> float:
    """Give the remainder with the sign of the left operand, exact for whole numbers."""
    if isinstance(left, int) and isinstance(right, int):
        size = abs(left) % abs(right)
        return -size if left < 0 else size
    return math.fmod(left, right) if math.isfinite(left) else math.inf


CALCULATIONS: dict[str, Callable[[Any, Any], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": remainder,
}


def key_of(facts: Facts, value: Any, depth: int = 0) -> Hashable:
    """Give a hashable key that is the same exactly for values of one type that are equal."""
    refuse_deep(depth)
    facts.spend(KEY_COST)
    if isinstance(value, list):
        return (list, *(key_of(facts, element, depth + 1) for element in value))
    if isinstance(value, dict):
        return (dict, frozenset([(k, key_of(facts, v, depth + 1)) for k, v in value.items() if v is not None]))
    return (bool, value) if isinstance(value, bool) else value
