"""An item's parameters as conditions see them (odd 7.3)."""

from collections.abc import Mapping
from typing import Any, Final

DEEPEST_NAME = 32
UNSURE: Final = object()


def expand_parameters(parameters: Mapping[str, object] | None) -> dict[str, object]:
    """Give `parameters` with dotted names as nested objects and beside each text its lower-cased `<name>_lc`.

    A name that is dotted at an end, has two dots in a row or more than 32 pieces stays flat. A dotted name whose way
    is blocked by an earlier value is left out. The argument is not changed; only its lists are shared with the result.
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


def find_parameter(parameters: Mapping[str, object], name: str, default: object) -> object:
    """Give member `name` of the expanded `parameters` where that is plain from the names alone, else `UNSURE`.

    A flat parameter always wins over dotted ones of its name; `x_lc` is made of a text `x` unless it was sent itself.
    """
    base = name[:-3] if name.endswith("_lc") else None
    if name in parameters:
        value = parameters[name]
        return UNSURE if isinstance(value, dict) or (base is not None and base in parameters) else value
    if f"\n{name}." in "\n" + "\n".join(parameters):  # a name with a line break in it only makes this unsure
        return UNSURE
    if base is not None and base in parameters:
        value = parameters[base]
        return value.lower() if isinstance(value, str) else UNSURE
    return default


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
