"""Macros in offers (spec on-device-decisioning §11.1).

Macro values can come from the visitor: by default they are filled in as they are, which is what Adobe's engine does
and what an offer that expects markup needs; a client's `escape-macros` turns `&`, `<`, `>` and quotes into entities.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.delivery.javascript import text as to_text
from gateway.delivery.model import JsonObject

LONGEST_FILLED = 1_000_000
_MACRO = re.compile(r"\$\{([A-Za-z0-9_.]*)\}")
Sources = Sequence[Mapping[str, Any]]


class Filling(Struct):
    """How macros are filled in, and for how many characters there is room yet in the answer."""

    escape: bool = False
    room: int = LONGEST_FILLED


def fill_in_macros(option: JsonObject, sources: Sources, filling: Filling | None = None) -> JsonObject:
    """Give `option` with its macros replaced by the first source that has their key; unknown ones stay as they are."""
    filling = filling or Filling()
    content = option.get("content")
    if option.get("type") == "html" and isinstance(content, str):
        return option | {"content": _replace(content, sources, filling)}
    if option.get("type") == "actions" and isinstance(content, list):
        return option | {"content": [_fill_in_action(action, sources, filling) for action in content]}
    return option


def _fill_in_action(action: Any, sources: Sources, filling: Filling) -> Any:
    if not isinstance(action, dict) or not isinstance(action.get("content"), str):
        return action
    return action | {"content": _replace(action["content"], sources, filling)}


def _replace(text: str, sources: Sources, filling: Filling) -> str:
    def value_of(match: re.Match[str]) -> str:
        key = read_key(match[1])
        for source in sources:
            if key in source:
                value = to_text(source[key])
                filling.room -= len(value)
                if filling.room < 0:  # a long parameter, wanted often: what is left stays as it is written
                    return match[0]
                return html.escape(value) if filling.escape else value
        return match[0]

    return _MACRO.sub(value_of, text)


def read_key(inside: str) -> str:
    """Give the flat key that the inside of `${…}` looks up: old names modernised, the last two pieces, no `mbox`."""
    pieces = inside.replace("campaign", "activity").replace("recipe", "experience").split(".")
    return ".".join(piece for piece in pieces[-2:] if piece != "mbox")
