"""JavaScript's idea of values, as far as JSON logic needs it: text, numbers, truth, equality and order (odd 9.2-9.5).

Values are what a JSON decoder gives (`None`, `bool`, `int`, `float`, `str`, `list`, `dict`) and `UNDEFINED`. A bool is
never a number. Whole numbers stay Python's, so only those beyond 2^53 compare more exactly than in JavaScript.
"""

import math
import re
from collections.abc import Callable
from typing import Any

LONGEST_TEXT = 100_000
LONGEST_LIST_TEXT = 10_000  # visitors may send lists, and each comparison with a text writes them out anew
DEEPEST_LIST = 64
NUMBERS = (int, float)

_EXACT = 2**53
_SPACE = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"  # noqa: E501 - the white-space of ECMA-262, in one place
_DECIMAL = r"[+-]?(?:Infinity|(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)"
_WHOLE_DECIMAL = re.compile(_DECIMAL)
_RADIX = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")

Compare = Callable[[Any, Any], bool]


class ConditionFault(Exception):
    """An evaluation that would grow or run too far, or has no value; the rule is then not satisfied."""


class Undefined:
    """The value of what is not there; falsy, and equal to null under `==` only."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = Undefined()


def truthy(value: object) -> bool:
    """Tell whether JSON logic takes `value` for true: an empty list is false, `"0"` and `{}` are true (odd 9.2)."""
    if value.__class__ is float:
        return value == value and value != 0  # noqa: PLR0124 - NaN is the value that differs from itself
    return value.__class__ is dict or bool(value)


def plainly_true(value: object) -> bool:
    """Tell whether JavaScript itself takes `value` for true, as the final result is tested: so is an empty list."""
    return value.__class__ is list or truthy(value)


def text(value: object) -> str:
    """Give `value` as JavaScript writes it: lists joined with commas, objects as `[object Object]`.

    Raises ConditionFault for a list that would make more than 10,000 characters.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(value)
    if isinstance(value, list):
        return _list_text(value, 0)
    if value is None:
        return "null"
    return "undefined" if value is UNDEFINED else "[object Object]"


def blank_or_text(value: object) -> str:
    """Give the text of `value`, and nothing for null and undefined, as joining does."""
    return "" if value is None or value is UNDEFINED else text(value)


def _list_text(items: list[object], depth: int) -> str:
    if depth > DEEPEST_LIST or len(items) > LONGEST_LIST_TEXT:
        raise ConditionFault
    joined = ",".join(_list_text(i, depth + 1) if isinstance(i, list) else blank_or_text(i) for i in items)
    if len(joined) > LONGEST_LIST_TEXT:
        raise ConditionFault
    return joined


def double(number: float) -> float:
    """Give `number` as the double JavaScript would hold; whole numbers beyond its range become infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _number_text(number: float) -> str:
    if -_EXACT < number < _EXACT and number == int(number):
        return str(int(number))
    value = double(number)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return ("-" if value < 0 else "") + _layout(*_shortest(abs(value)))


def _shortest(value: float) -> tuple[str, int]:
    """Give the fewest digits that name `value`, and how many of them stand before the point."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    significant = digits.lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(digits) - len(significant))
    return significant.rstrip("0"), point


def _layout(digits: str, point: int) -> str:
    """Lay digits out as ECMA-262 Number::toString does: plain between 1e-7 and 1e21, else with an exponent."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"


def to_number(value: object) -> float:
    """Give `value` as a number (odd 9.4): null is 0, undefined and what does not read as a number is NaN."""
    if value.__class__ is int or value.__class__ is float:
        return value
    if value is None:
        return 0
    if isinstance(value, bool):
        return int(value)
    return math.nan if value is UNDEFINED else _parse_number(text(value).strip(_SPACE))


def _parse_number(written: str) -> float:
    if not written:
        return 0
    if _WHOLE_DECIMAL.fullmatch(written):
        return float(written)
    return double(int(written, 0)) if _RADIX.fullmatch(written) else math.nan


def leading_number(value: object) -> float:
    """Give the number that the text of `value` begins with (`"5x"` is 5), NaN when it begins with none (odd 9.3)."""
    if value.__class__ is int or value.__class__ is float:
        return double(value)
    found = _WHOLE_DECIMAL.match(text(value).lstrip(_SPACE))
    return float(found[0]) if found else math.nan


def loosely_equal(a: object, b: object) -> bool:
    """Compare as `==` does (odd 9.4)."""
    if a is None or a is UNDEFINED:
        return b is None or b is UNDEFINED
    if b is None or b is UNDEFINED:
        return False
    if isinstance(a, list | dict):
        if isinstance(b, list | dict):
            return a is b
        a = text(a)
    elif isinstance(b, list | dict):
        b = text(b)
    if isinstance(a, str) and isinstance(b, str):
        return a == b
    return to_number(a) == to_number(b)


def strictly_equal(a: object, b: object) -> bool:
    """Compare as `===` does: same type and value; lists and objects only with themselves (odd 9.3)."""
    if a.__class__ in NUMBERS:
        return b.__class__ in NUMBERS and a == b
    if isinstance(a, str | bool):
        return a.__class__ is b.__class__ and a == b
    return a is b


def ordered(compare: Compare, a: object, b: object) -> bool:
    """Apply `compare` (`operator.lt` and its kin) as `<` does: two texts by UTF-16 unit, else numbers (odd 9.5)."""
    if isinstance(a, list | dict):
        a = text(a)
    if isinstance(b, list | dict):
        b = text(b)
    if isinstance(a, str) and isinstance(b, str):
        if a.isascii() or b.isascii():  # then no two units differ where code points and units sort differently
            return compare(a, b)
        return compare(units(a), units(b))
    return compare(to_number(a), to_number(b))


def units(value: str) -> bytes:
    """Give the UTF-16 code units of a text, two bytes each, most significant first."""
    return value.encode("utf-16-be", "surrogatepass")
