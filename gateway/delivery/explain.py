"""Why each rule that was asked for did or did not match, in words (spec on-device-decisioning §9, §10). Pure.

The rules are walked as `decide` walks them. Every part of a condition is shown with its own truth, also those that an
evaluation would not reach, because the next question is always what else would have to change.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gateway.delivery.artifact import Artifact, Rule
from gateway.delivery.conditions import UnknownOperator, compile_condition
from gateway.delivery.context import Scope
from gateway.delivery.decide import Case
from gateway.delivery.javascript import text
from gateway.delivery.plan import Item
from gateway.delivery.scopes import ROOTS, look_up

Verdict = Literal["matched", "not matched", "not asked", "other property"]
_BRANCHES = ("and", "or", "!", "!!", "if", "?:")
_INFIX = ("==", "!=", "===", "!==", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%")
_ELEMENTWISE = ("filter", "map", "reduce", "all", "none", "some")
_LONGEST = 80


class Part(Struct, frozen=True):
    """One line of a condition: how far it is indented, whether it holds (None: it cannot be said) and its text."""

    depth: int
    holds: bool | None
    text: str


class Story(Struct, frozen=True):
    """One rule: what became of it, why where the condition does not say, and its condition piece by piece."""

    rule: Rule
    verdict: Verdict
    reason: str
    parts: Sequence[Part]


class Explanation(Struct, frozen=True):
    """One item and the rules for it, in the order of evaluation."""

    item: Item
    name: str
    stories: Sequence[Story]


def explain(artifact: Artifact, case: Case, items: Sequence[Item]) -> list[Explanation]:
    """Explain the decision that `decide` makes of the same arguments."""
    scope = Scope(case.context, case.client, case.bucketing_id, case.now_ms)
    return [_explain_item(artifact, case, scope, item) for item in items]


def _explain_item(artifact: Artifact, case: Case, scope: Scope, item: Item) -> Explanation:
    scope.enter(item.details)
    if item.kind == "views":
        views = artifact.views
        rules = views.get(item.name, ()) if item.name else [rule for found in views.values() for rule in found]
        return Explanation(item, item.name or "all views", list(_tell(case, scope, rules, first_only=False)))
    name = artifact.global_mbox if item.kind == "pageLoad" else item.name
    first_only = name != artifact.global_mbox
    return Explanation(item, name, list(_tell(case, scope, artifact.mboxes.get(name, ()), first_only=first_only)))


def _tell(case: Case, scope: Scope, rules: Sequence[Rule], *, first_only: bool) -> Iterator[Story]:
    done: set[str] = set()
    for rule in rules:
        scope.activity_id = rule.activity_id
        parts = list(describe(rule.condition, scope))
        if rule.properties is not None and case.property_token not in rule.properties:
            token = case.property_token or "no property"
            yield Story(rule, "other property", f"it is limited to other properties; the request has {token}", parts)
        elif first_only and done:
            yield Story(rule, "not asked", "a rule above has answered", parts)
        elif rule.key in done:
            yield Story(rule, "not asked", f"rule {rule.key} has matched above", parts)
        elif rule.test(scope):
            done.add(rule.key)
            yield Story(rule, "matched", "", parts)
        else:
            yield Story(rule, "not matched", "", parts)


def describe(node: Any, scope: Scope, depth: int = 0) -> Iterator[Part]:
    """Give the lines of a condition: `and`, `or`, `!` and `if` over several lines, everything else on one."""
    name, arguments = _take_apart(node)
    if name in _BRANCHES:
        yield Part(depth, _holds(node, scope), {"!": "not", "!!": "is true", "?:": "if"}.get(name, name))
        for argument in arguments:
            yield from describe(argument, scope, depth + 1)
    else:
        yield Part(depth, _holds(node, scope), write(node, scope))


def _take_apart(node: Any) -> tuple[str, list[Any]]:
    if not isinstance(node, dict) or len(node) != 1:
        return "", []
    ((name, arguments),) = node.items()
    return name, arguments if isinstance(arguments, list) else [arguments]


def _holds(node: Any, scope: Scope) -> bool | None:
    try:
        return compile_condition({"!!": [node]})(scope)
    except UnknownOperator:
        return None


def write(node: Any, scope: Scope | None) -> str:
    """Write a condition on one line, each variable with the value that `scope` has for it (None: without values)."""
    name, arguments = _take_apart(node)
    if not name:
        return _shorten(node)
    if name == "var":
        return _write_variable(arguments, scope)
    inside = None if name in _ELEMENTWISE else scope
    written = [write(argument, inside if at else scope) for at, argument in enumerate(arguments)]
    if name in _INFIX and len(written) > 1:
        return f" {name} ".join(written)
    return f"{name[:_LONGEST]}({', '.join(written)})"


def _write_variable(arguments: list[Any], scope: Scope | None) -> str:
    path, default = [*arguments, None, None][:2]
    if isinstance(path, list | dict):
        return f"var({write(path, scope)})"
    shown = text(path) if path not in (None, "") else "everything"
    if scope is None:
        return shown
    if shown.partition(".")[0] not in ROOTS:
        return f"{shown} [no such thing]"
    if isinstance(default, dict | list):
        default = None
    found = look_up(scope, path, default)
    return f"{shown} [{'absent' if found is None else _shorten(found)}]"


def _shorten(value: Any) -> str:
    written = msgspec.json.encode(value).decode()
    return written if len(written) <= _LONGEST else f"{written[: _LONGEST - 1]}…"
