"""JSON documents from outside: read with limits, compared as JSON, addressed by pointers."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from jsonpointer import escape

from gateway.errors import Problem

MAX_BODY_BYTES = 1 << 20
"""Bytes of a body, and of what a patch may make of an instance (spec repository K10)."""

MAX_DEPTH = 64
"""Levels of lists and objects in a body, a patch or a stored document."""

LARGEST_INTEGER = 2**63 - 1

ITEM = "\0item"
"""The step of a path into every element of an array."""

VALUE = "\0value"
"""The step of a path into every value of an object whose names are free."""

Path = tuple[str, ...]


class Measure(NamedTuple):
    """How large a value is: levels of nesting, and nodes plus characters."""

    depth: int
    weight: int


def read_json(body: bytes) -> Any:
    """Decode a body. Raises Problem: 400 malformed-json (lone surrogates and endless numbers too), 413 too-large."""
    if len(body) > MAX_BODY_BYTES:
        raise Problem(413, "too-large", f"The body is longer than {MAX_BODY_BYTES} bytes")
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise Problem(
            400, "malformed-json", "The body is not JSON in UTF-8; check quotes, commas and escapes"
        ) from error
    if measure(value).depth > MAX_DEPTH:
        raise _too_deep()
    return value


def _too_deep() -> Problem:
    return Problem(413, "too-large", f"The body is nested deeper than {MAX_DEPTH} levels")


def measure(value: object) -> Measure:
    """Give the size of a value, however deep it is. Raises Problem 400 for an integer beyond 64 bits."""
    depth, weight, level = 0, 0, [value]
    while level:
        weight += sum(_weigh(each) for each in level)
        depth += any(isinstance(each, dict | list) for each in level)
        level = [child for each in level for child in _children(each)]
    return Measure(depth, weight)


def _weigh(value: object) -> int:
    if isinstance(value, str):
        return 1 + len(value)
    if isinstance(value, dict):
        return 1 + sum(map(len, value))
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise Problem(400, "malformed-json", "The body has an integer beyond 64 bits; send it as a string")
    return 1


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def copy(value: Any) -> Any:
    """Give a deep copy of a JSON value."""
    return msgspec.json.decode(msgspec.json.encode(value))


def equal(left: object, right: object) -> bool:
    """Say whether two values are the same JSON: `1` equals `1.0`, `true` does not equal `1` (spec repository W4)."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return left == right


def point(*steps: str | int) -> str:
    """Write the JSON pointer (RFC 6901) of steps from a root, e.g. "/_instance/xdm:tags/0"."""
    return "".join(f"/{escape(str(step))}" for step in steps)


def find(value: object, path: Path, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Give every value a path leads to, with the steps that were taken to it; nothing where the path ends early."""
    if not path:
        yield at, value
        return
    step, rest = path[0], path[1:]
    if isinstance(value, list) and step == ITEM:
        for index, item in enumerate(value):
            yield from find(item, rest, (*at, index))
    elif isinstance(value, dict) and step == VALUE:
        for name, item in value.items():
            yield from find(item, rest, (*at, name))
    elif isinstance(value, dict) and step in value:
        yield from find(value[step], rest, (*at, step))
