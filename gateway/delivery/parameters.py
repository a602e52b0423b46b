"""An item's parameters as conditions see them (odd 7.3)."""

from collections.abc import Mapping
from typing import Any

DEEPEST_NAME = 32


def expand_parameters(parameters: Mapping[str, object] | None) -> dict[str, object]:
    """Give `parameters` with dotted names as nested objects and beside each text its lower-cased `<name>_lc`.

    A name that is dotted at an end, has two dots in a row or more than 32 pieces stays flat. A dotted name whose way
    is blocked by an earlier value is left out. The argument is not changed and shares no object with the result.
    """
    if not parameters:
        return {}
    expanded: dict[str, object] = {}
    for name, value in parameters.items():
        if isinstance(value, dict):
            value = _copied(value)  # noqa: PLW2901 - dotted names may add to it
        if "." in name and _is_expandable(name):
            _nest(expanded, name.split("."), value)
        else:
            expanded[name] = value
    return _with_lower_case(expanded)


def _is_expandable(name: str) -> bool:
    return ".." not in name and name[0] != "." and name[-1] != "." and name.count(".") < DEEPEST_NAME


def _nest(target: dict[str, object], pieces: list[str], value: object) -> None:
    inner: Any = target
    for piece in pieces[:-1]:
        inner = inner.setdefault(piece, {})
        if not isinstance(inner, dict):
            return
    inner[pieces[-1]] = value


def _copied(members: dict[str, Any]) -> dict[str, object]:
    return {name: _copied(value) if isinstance(value, dict) else value for name, value in members.items()}


def _with_lower_case(members: dict[str, Any]) -> dict[str, object]:
    result: dict[str, object] = {}
    for name, value in members.items():
        if isinstance(value, str):
            result[name] = value
            result[name + "_lc"] = value.lower()
        else:
            result[name] = _with_lower_case(value) if isinstance(value, dict) else value
    return result
