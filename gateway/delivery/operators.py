"""The operators of JSON logic whose arguments are evaluated first (odd 9.3).

Each is a function of its arguments; a missing one is `UNDEFINED`, one too many is ignored.
"""

import math
import operator
from collections.abc import Callable

from gateway.delivery.javascript import (
    LONGEST_TEXT,
    UNDEFINED,
    Compare,
    ConditionFault,
    blank_or_text,
    double,
    leading_number,
    loosely_equal,
    ordered,
    strictly_equal,
    text,
    to_number,
    truthy,
    units,
)

Operator = Callable[..., object]

RELATIONS: dict[str, Compare] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def _between(compare: Compare) -> Operator:
    def relation(a: object = UNDEFINED, b: object = UNDEFINED, c: object = UNDEFINED, *_: object) -> bool:
        return ordered(compare, a, b) and (c is UNDEFINED or ordered(compare, b, c))

    return relation


def _relation(compare: Compare) -> Operator:
    def relation(a: object = UNDEFINED, b: object = UNDEFINED, *_: object) -> bool:
        return ordered(compare, a, b)

    return relation


def _equal(a: object = UNDEFINED, b: object = UNDEFINED, *_: object) -> bool:
    return loosely_equal(a, b)


def _unequal(a: object = UNDEFINED, b: object = UNDEFINED, *_: object) -> bool:
    return not loosely_equal(a, b)


def _same(a: object = UNDEFINED, b: object = UNDEFINED, *_: object) -> bool:
    return strictly_equal(a, b)


def _different(a: object = UNDEFINED, b: object = UNDEFINED, *_: object) -> bool:
    return not strictly_equal(a, b)


def _not(a: object = UNDEFINED, *_: object) -> bool:
    return not truthy(a)


def _yes(a: object = UNDEFINED, *_: object) -> bool:
    return truthy(a)


def contains(a: object = UNDEFINED, b: object = UNDEFINED, *_: object) -> bool:
    """Tell whether the text `b` contains the text of `a`, or the list `b` an element strictly equal to `a`."""
    if isinstance(b, str):
        return b != "" and text(a) in b
    return isinstance(b, list) and any(strictly_equal(a, item) for item in b)


def _concatenated(*arguments: object) -> str:
    pieces = [blank_or_text(a) for a in arguments]
    if sum(map(len, pieces)) > LONGEST_TEXT:
        raise ConditionFault
    return "".join(pieces)


def _whole(value: object) -> float:
    number = double(to_number(value))
    return 0 if math.isnan(number) else number


def _substring(source: object = UNDEFINED, start: object = UNDEFINED, size: object = UNDEFINED, *_: object) -> str:
    """Cut by UTF-16 units; a `size` below 0 drops units from the end."""
    data = units(text(source))
    length = len(data) // 2
    first = _place(_whole(start), length)
    rest = length - first
    wanted = float(rest) if size is UNDEFINED else _whole(size)
    count = int(min(max(rest + wanted if wanted < 0 else wanted, 0), rest))
    return data[2 * first : 2 * (first + count)].decode("utf-16-be", "surrogatepass")


def _place(start: float, length: int) -> int:
    """Count a start below 0 from the end, and keep it inside the text."""
    bounded = int(min(max(start, -length), length))
    return bounded + length if bounded < 0 else bounded


def _sum(*arguments: object) -> float:
    total = 0.0  # not sum(), which since Python 3.12 rounds better than JavaScript adds
    for argument in arguments:
        total += leading_number(argument)
    return total


def _product(*arguments: object) -> object:
    if not arguments:
        raise ConditionFault
    if len(arguments) == 1:
        return arguments[0]
    return math.prod(map(leading_number, arguments))


def _difference(a: object = UNDEFINED, b: object = UNDEFINED, *_: object) -> float:
    return -double(to_number(a)) if b is UNDEFINED else double(to_number(a)) - double(to_number(b))


def _quotient(a: object = UNDEFINED, b: object = UNDEFINED, *_: object) -> float:
    dividend, divisor = double(to_number(a)), double(to_number(b))
    if divisor:
        return dividend / divisor
    if not dividend or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1, divisor)


def _remainder(a: object = UNDEFINED, b: object = UNDEFINED, *_: object) -> float:
    dividend, divisor = double(to_number(a)), double(to_number(b))
    return math.nan if divisor == 0 or math.isinf(dividend) else math.fmod(dividend, divisor)


def _least(*arguments: object) -> float:
    return _extreme(min, math.inf, arguments)


def _greatest(*arguments: object) -> float:
    return _extreme(max, -math.inf, arguments)


def _extreme(choose: Callable[..., float], nothing: float, arguments: tuple[object, ...]) -> float:
    numbers = [to_number(a) for a in arguments]
    return math.nan if any(n != n for n in numbers) else choose(numbers, default=nothing)  # noqa: PLR0124 - NaN


def _merged(*arguments: object) -> list[object]:
    pieces = [a if isinstance(a, list) else [a] for a in arguments]
    if sum(map(len, pieces)) > LONGEST_TEXT:
        raise ConditionFault
    return [item for piece in pieces for item in piece]


def _logged(a: object = UNDEFINED, *_: object) -> object:
    return a


TESTS: dict[str, Operator] = {
    "==": _equal,
    "!=": _unequal,
    "===": _same,
    "!==": _different,
    "<": _between(operator.lt),
    "<=": _between(operator.le),
    ">": _relation(operator.gt),
    ">=": _relation(operator.ge),
    "!": _not,
    "!!": _yes,
    "in": contains,
}
"""Operators that give a bool."""

SIZED: dict[str, Operator] = {"cat": _concatenated, "substr": _substring, "merge": _merged}
"""Operators whose result can be larger than each argument; its length is taken from the fuel of the evaluation."""

OPERATORS: dict[str, Operator] = {
    **TESTS,
    **SIZED,
    "+": _sum,
    "-": _difference,
    "*": _product,
    "/": _quotient,
    "%": _remainder,
    "min": _least,
    "max": _greatest,
    "log": _logged,
}
"""Every operator with eager arguments, by its name."""
