"""What values mean to the tree walker: conversion, comparison, members of objects."""

import re
from datetime import UTC, datetime
from typing import Any

from gateway.pql.times import Span

NUMERIC = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class WrongError(Exception):
    """An evaluation error."""


def truth(value: Any) -> bool:
    if value is None or isinstance(value, bool | list | dict):
        return bool(value)
    raise WrongError("not a boolean")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_time(value: Any) -> bool:
    return isinstance(value, datetime | Span)


def text_of(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if not is_number(value):
        return None
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    return repr(float(value)) if abs(value) >= 1e21 else plain(value)


def plain(value: float) -> str:
    """Write a fraction without exponent."""
    digits, _, exponent = repr(value).partition("e")
    if not exponent:
        return digits
    sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
    whole, _, fraction = digits.partition(".")
    return sign + "0." + "0" * (-int(exponent) - 1) + whole + ("" if fraction == "0" else fraction)


def number_of(value: Any) -> float | None:
    if is_number(value):
        return value
    return float(value) if isinstance(value, str) and NUMERIC.fullmatch(value) else None


def instant(value: Any) -> datetime | None:
    if isinstance(value, Span):
        return value.begin
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d($|[Tt ]\d\d:\d\d:\d\d)", value):
        return None
    try:
        found = datetime.fromisoformat(value.upper())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def compare(symbol: str, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    if isinstance(left, list) and isinstance(right, list):
        if symbol not in {"=", "!="}:
            raise WrongError("lists have no order")
        same = len(left) == len(right) and all(compare("=", a, b) for a, b in zip(left, right, strict=True))
        return same is (symbol == "=")
    if isinstance(left, list):
        return any(compare(symbol, element, right) for element in left)
    if isinstance(right, list):
        return any(compare(symbol, left, element) for element in right)
    return compare_single(symbol, left, right)


def compare_single(symbol: str, left: Any, right: Any) -> bool:
    if is_time(left) or is_time(right):
        left, right = instant(left), instant(right)
        if left is None:
            return symbol == "!="
    elif isinstance(left, str):
        right = text_of(right)
    elif is_number(left):
        right = number_of(right)
    elif symbol not in {"=", "!="}:
        raise WrongError("no order")
    elif isinstance(left, bool):
        right = {"true": True, "false": False}.get(right) if isinstance(right, str) else right
        right = right if isinstance(right, bool) else None
    else:
        return (isinstance(right, dict) and same_members(left, right)) is (symbol == "=")
    if right is None:
        return symbol == "!="
    tests = {"=": left == right, "!=": left != right}
    if symbol in tests:
        return tests[symbol]
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[symbol]


def same_members(left: dict[str, Any], right: dict[str, Any]) -> bool:
    mine = {k: v for k, v in left.items() if v is not None}
    yours = {k: v for k, v in right.items() if v is not None}
    return mine.keys() == yours.keys() and all(compare("=", mine[k], yours[k]) for k in mine)


def member(record: dict[str, Any], name: str) -> Any:
    candidates = [name]
    if ":" in name:
        candidates.append(name.rsplit(":", 1)[1])
    else:
        candidates.append(f"xdm:{name}")
        endings = [k for k in record if ":" in k and k.rsplit(":", 1)[1] == name and record[k] is not None]
        candidates += endings if len(endings) == 1 else []
        candidates += {"_id": ["@id"], "_type": ["@type"]}.get(name, [])
    return next((record[k] for k in candidates if record.get(k) is not None), None)


def step(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return member(value, name)
    if not isinstance(value, list):
        return None
    found: list[Any] = []
    for element in value:
        one = step(element, name)
        found += one if isinstance(one, list) else [one] if one is not None else []
    return found


def is_in(value: Any, elements: list[Any]) -> bool:
    if isinstance(value, list):
        return any(is_in(part, elements) for part in value if not isinstance(part, list))
    return any(compare("=", value, element) for element in elements)


def fits(text: str, pattern: str) -> bool:
    parts = ["(?s:.*)" if c == "%" else "(?s:.)" if c == "_" else re.escape(c) for c in pattern]
    return re.fullmatch("".join(parts), text) is not None


def identical(left: Any, right: Any) -> bool:
    """Say whether two values are equal without any conversion."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(identical, left, right))
    if isinstance(left, dict):
        mine = {k: v for k, v in left.items() if v is not None}
        yours = {k: v for k, v in right.items() if v is not None}
        return mine.keys() == yours.keys() and all(identical(mine[k], yours[k]) for k in mine)
    return bool(left == right)


def text(value: Any) -> str:
    found = text_of(value)
    if found is None:
        raise WrongError("not a text")
    return found


def any_text(value: Any, test: Any) -> bool:
    if not isinstance(value, list):
        return bool(test(text(value)))
    return any(test(text(element)) for element in value if element is not None)


def need_instant(value: Any) -> datetime:
    found = instant(value)
    if found is None:
        raise WrongError("not a time")
    return found


def need_whole(value: Any) -> int:
    if not is_number(value) or value != value // 1:
        raise WrongError("not a whole number")
    return int(value)


def listed(value: Any) -> list[Any]:
    if value is None or isinstance(value, list):
        return value or []
    raise WrongError("not a list")
