"""JSON documents from outside: read with limits, compared as JSON, addressed by pointers."""

import re
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


_LONG_NUMBER = re.compile(rb"[0-9]{19}")


class Size(NamedTuple):
    """How large a value is."""

    nodes: int
    characters: int


def read_json(body: bytes, most_bytes: int = MAX_BODY_BYTES) -> Any:
    """Decode a body. Raises Problem: 400 malformed-json (lone surrogates and endless numbers too), 413 too-large."""
    if len(body) > most_bytes:
        raise Problem(413, "too-large", f"The body is longer than {most_bytes} bytes")
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise too_deep("The body") from None
    except ValueError as error:
        raise Problem(
            400, "malformed-json", "The body is not JSON in UTF-8; check quotes, commas and escapes"
        ) from error
    if depth_of(value) > MAX_DEPTH:
        raise too_deep("The body")
    if _LONG_NUMBER.search(body):
        _refuse_long_integers(value)
    return value


def too_deep(what: str) -> Problem:
    """Make the answer to what is nested too deep."""
    return Problem(413, "too-large", f"{what} is nested deeper than {MAX_DEPTH} levels")


def depth_of(value: object) -> int:
    """Count the levels of lists and objects of a value, however deep it is."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        level = [child for each in level for child in (each.values() if isinstance(each, dict) else each)]
        depth += 1
    return depth


def size_of(value: object, most: int) -> Size:
    """Count nodes and characters of a value, no further than until there are more nodes than `most`."""
    nodes, characters, waiting = 0, 0, [value]
    while waiting and nodes <= most:
        each = waiting.pop()
        nodes += 1
        if isinstance(each, str):
            characters += len(each)
        elif isinstance(each, dict):
            characters += sum(map(len, each))
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return Size(nodes, characters)


def _refuse_long_integers(value: object) -> None:
    """Refuse integers that neither an index nor most readers of JSON can keep."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, int) and abs(each) > LARGEST_INTEGER:
            raise Problem(400, "malformed-json", "The body has an integer beyond 64 bits; send it as a string")
        waiting.extend(each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())


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
            if not rest:
                yield (*at, index), item
            elif isinstance(item, dict | list):
                yield from find(item, rest, (*at, index))
    elif isinstance(value, dict) and step == VALUE:
        for name, item in value.items():
            yield from find(item, rest, (*at, name))
    elif isinstance(value, dict) and step in value:
        yield from find(value[step], rest, (*at, step))
