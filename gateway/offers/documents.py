"""JSON documents from outside: read with limits, compared as JSON, addressed by pointers."""

from typing import Any

MAX_BODY_BYTES = 1 << 20
"""K10."""

MAX_DEPTH = 64
"""Levels of lists and objects in a body, a patch or a stored document."""


def read_json(body: bytes) -> Any:
    """Decode a body. Raises Problem 400 malformed-json (lone surrogates too), 413 too-large when nested too deep."""
    raise NotImplementedError


def equal(left: object, right: object) -> bool:
    """Say whether two values are the same JSON: `1` equals `1.0`, `true` does not equal `1` (spec repository W4)."""
    raise NotImplementedError
