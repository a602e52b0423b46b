"""How deep JSON is nested: what can be read must also be written again, inside a few levels more."""

import re
from typing import Any

_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # no string is scanned twice
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def is_deeper(raw: bytes, most: int) -> bool:
    """Whether `raw` is nested deeper than `most` levels.

    Most texts have too few brackets for it. Of the others only the brackets are kept, and the innermost pairs are
    taken away, one level a round, in C: a walk over them in Python would hold up the event loop for 40 ms.
    """
    if raw.count(b"{") + raw.count(b"[") <= most:
        return False
    left = _STRINGS.sub(b"", raw).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(most):
        peeled = left.replace(b"[]", b"")
        if len(peeled) == len(left):
            break
        left = peeled
    # Pairs that are left lie deeper; where none is, brackets that nothing closes count as what they open.
    return b"[]" in left or left.count(b"[") > most


def measure_depth(value: Any) -> int:
    """Give how deep a decoded value is nested."""
    deepest = 0
    waiting = [(value, 1)] if isinstance(value, dict | list) else []
    while waiting:
        inner, depth = waiting.pop()
        deepest = max(deepest, depth)
        for each in inner.values() if inner.__class__ is dict else inner:
            if each.__class__ is dict or each.__class__ is list:
                waiting.append((each, depth + 1))  # noqa: PERF401 - a generator takes longer
    return deepest
