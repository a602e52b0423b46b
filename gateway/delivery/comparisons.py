"""Closures for the comparisons real artifacts are made of: a value against a constant, either way round.

Each gives exactly what the general operator gives; it only spares the general case's questions about types.
"""

from collections.abc import Callable
from typing import Any

from gateway.delivery.javascript import NUMBERS, Compare, loosely_equal, ordered
from gateway.delivery.operators import RELATIONS, contains
from gateway.delivery.scopes import Evaluate

Test = Callable[[Any], bool]
Kinds = tuple[type, ...]

MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NO_SCALAR = (list, dict)


def comparison(name: str, arguments: list[object], values: list[Evaluate]) -> Test | None:
    """Make a fast test of `name` over `arguments`, whose closures are `values`; None when no shape fits."""
    if name in RELATIONS:
        return (
            _between(RELATIONS[name], arguments, values) if len(arguments) == 3 else _relation(name, arguments, values)
        )
    if len(arguments) != 2:
        return None
    if name in {"==", "!="}:
        return _equality(arguments, values, wanted=name == "==")
    return _membership(arguments, values) if name == "in" else None


def kinds_of(value: object) -> Kinds:
    """Give the types whose values Python compares with this constant as JavaScript does; none for other constants.

    An ASCII text sorts alike by code point and by UTF-16 unit, whatever it is compared with.
    """
    if isinstance(value, str):
        return (str,) if value.isascii() else ()
    return NUMBERS if isinstance(value, int | float) and not isinstance(value, bool) else ()


def _relation(name: str, arguments: list[object], values: list[Evaluate]) -> Test | None:
    if len(arguments) != 2:
        return None
    if kinds := kinds_of(arguments[1]):
        return _against(RELATIONS[name], values[0], arguments[1], kinds)
    if kinds := kinds_of(arguments[0]):
        return _against(RELATIONS[MIRRORED[name]], values[1], arguments[0], kinds)
    return None


def _against(compare: Compare, read: Evaluate, limit: object, kinds: Kinds) -> Test:
    def test(context: Any) -> bool:
        value = read(context)
        return compare(value, limit) if value.__class__ in kinds else ordered(compare, value, limit)

    return test


def _between(compare: Compare, arguments: list[object], values: list[Evaluate]) -> Test | None:
    low, _, high = arguments
    kinds = kinds_of(low)
    if not kinds or kinds != kinds_of(high) or compare in {RELATIONS[">"], RELATIONS[">="]}:
        return None
    read = values[1]

    def test(context: Any) -> bool:
        value = read(context)
        if value.__class__ in kinds:
            return compare(low, value) and compare(value, high)
        return ordered(compare, low, value) and ordered(compare, value, high)

    return test


def _equality(arguments: list[object], values: list[Evaluate], *, wanted: bool) -> Test | None:
    for fixed, read in ((arguments[1], values[0]), (arguments[0], values[1])):
        if isinstance(fixed, str):
            return _equals(read, fixed, (str,), wanted=wanted)
        if kinds := kinds_of(fixed):
            return _equals(read, fixed, kinds, wanted=wanted)
    return None


def _equals(read: Evaluate, fixed: object, kinds: Kinds, *, wanted: bool) -> Test:
    def equal(context: Any) -> bool:
        value = read(context)
        return value == fixed if value.__class__ in kinds else loosely_equal(value, fixed)

    def unequal(context: Any) -> bool:
        value = read(context)
        return value != fixed if value.__class__ in kinds else not loosely_equal(value, fixed)

    return equal if wanted else unequal


def _membership(arguments: list[object], values: list[Evaluate]) -> Test | None:
    needle, haystack = arguments
    if isinstance(haystack, list):
        scalars = not any(isinstance(item, _NO_SCALAR) for item in haystack)
        return _member_of(values[0], haystack) if scalars else None
    if isinstance(haystack, str) and haystack:
        return _part_of(values[0], haystack)
    return _having(values[1], needle) if isinstance(needle, str) and needle else None


def _member_of(read: Evaluate, items: list[object]) -> Test:
    texts = frozenset(item for item in items if isinstance(item, str))
    numbers = frozenset(item for item in items if kinds_of(item) == NUMBERS)
    rest = [item for item in items if item is None or isinstance(item, bool)]

    def test(context: Any) -> bool:
        value = read(context)
        if value.__class__ is str:
            return value in texts
        if value.__class__ in NUMBERS:
            return value in numbers
        return contains(value, rest)

    return test


def _part_of(read: Evaluate, haystack: str) -> Test:
    def test(context: Any) -> bool:
        value = read(context)
        return value in haystack if value.__class__ is str else contains(value, haystack)

    return test


def _having(read: Evaluate, needle: str) -> Test:
    def test(context: Any) -> bool:
        value = read(context)
        return needle in value if value.__class__ is str else contains(needle, value)

    return test
