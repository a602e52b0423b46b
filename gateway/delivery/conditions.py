"""Conditions of an artifact's rules: JSON logic (odd 9), compiled once into closures.

A closure takes the context, a `Scope` or, inside `filter` and its kin, an `Element`. Every node compiles to a `Code`:
its value and, cheaper, its truth. What does not depend on the request (paths, constants, the operator) is settled
while compiling, and the shapes real artifacts are made of have closures of their own.
"""

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from gateway.delivery.closures import (
    Code,
    applied,
    charged,
    choice,
    conjunction,
    constant,
    disjunction,
    listed,
    metered,
    negated,
    tested,
    valued,
)
from gateway.delivery.comparisons import comparison
from gateway.delivery.javascript import UNDEFINED, ConditionFault, ordered, plainly_true
from gateway.delivery.loops import LOOPS, reduction
from gateway.delivery.operators import OPERATORS, SIZED, TESTS
from gateway.delivery.scopes import Fuel, FuelledScope, Scope, absent, look_up, variable
from gateway.errors import ArtifactError

__all__ = ["Condition", "ConditionTooLarge", "Limits", "Scope", "UnknownOperator", "compile_condition"]

Condition = Callable[[Scope], bool]


_NESTED = (dict, list)


class UnknownOperator(ArtifactError):
    """A condition uses an operator JSON logic does not have; its rule can never be satisfied."""

    code = "artifact-operator"

    def __init__(self, name: str) -> None:
        """Keep the operator's `name`."""
        super().__init__(f"A condition uses the unknown operator {name[:64]!r}.")
        self.name = name


class ConditionTooLarge(ArtifactError):
    """A condition is deeper or has more nodes than allowed."""

    code = "artifact-condition"


class Limits(Struct, frozen=True):
    """How large a condition may be (`depth`, `nodes`) and how far one evaluation may run (`steps`)."""

    depth: int = 64
    nodes: int = 10_000
    steps: int = 100_000


def compile_condition(condition: object, limits: Limits = Limits()) -> Condition:  # noqa: B008 - frozen
    """Compile decoded JSON into a function that tells whether a scope satisfies it, and that never raises.

    An evaluation that runs or grows beyond `limits.steps` is not satisfied. Raises UnknownOperator and
    ConditionTooLarge.
    """
    operators = _survey(condition, limits)
    code = _compile(condition, inside=False)
    if operators.isdisjoint(_FUELLED):
        return _guarded(code)
    return _fuelled(_guarded(code), limits.steps)


def _guarded(code: Code) -> Condition:
    test, value = code.test, code.value

    def holds(scope: Scope) -> bool:
        try:
            return test(scope)
        except ConditionFault:
            return False

    def holds_plainly(scope: Scope) -> bool:
        try:
            return plainly_true(value(scope))
        except ConditionFault:
            return False

    return holds if code.boolean else holds_plainly


def _fuelled(condition: Condition, steps: int) -> Condition:
    return lambda scope: condition(FuelledScope(scope, Fuel(steps)))


def _survey(condition: object, limits: Limits) -> set[str]:
    """Give the names of all operators in use, having checked them and the size without recursion."""
    operators: set[str] = set()
    waiting: list[tuple[object, int, bool]] = [(condition, 1, False)]
    count = 1
    while waiting:
        node, depth, literal = waiting.pop()
        if not literal and is_rule(node):
            operators.add(_known(node))
            children = arguments_of(node)
        else:
            literal = literal or isinstance(node, dict)
            children = _children(node)
        count += len(children)
        if count > limits.nodes:
            raise ConditionTooLarge(f"A condition has more than {limits.nodes} nodes.")
        if children and depth == limits.depth:
            raise ConditionTooLarge(f"A condition is more than {limits.depth} levels deep.")
        for child in children:
            if child.__class__ in _NESTED:  # most are constants, with nothing inside to look at
                waiting.append((child, depth + 1, literal))  # noqa: PERF401 - a generator takes a quarter longer
    return operators


def compile_test(node: object) -> Callable[[Scope], bool] | None:
    """Compile a part of a condition into its truth, which may raise ConditionFault; None if it is no bool.

    Loops and their kin need fuel for the whole condition, so they have no truth of their own here either. Raises
    UnknownOperator.
    """
    if not _survey(node, Limits()).isdisjoint(_FUELLED):
        return None
    code = _compile(node, inside=False)
    return code.test if code.boolean else None


def is_rule(node: object) -> bool:
    """Whether `node` applies an operator."""
    return isinstance(node, dict) and len(node) == 1


def _known(node: Any) -> str:
    name: str = next(iter(node))
    if name not in _KNOWN:
        raise UnknownOperator(name)
    return name


def arguments_of(node: Any) -> list[object]:
    """Give what an operator is applied to."""
    (arguments,) = node.values()
    return arguments if isinstance(arguments, list) else [arguments]


def _children(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def count_nodes(node: object) -> int:
    """Give how many values `node` is made of, itself included."""
    return 1 + sum(map(count_nodes, _children(node)))


def _compile(node: object, *, inside: bool) -> Code:
    if is_rule(node):
        name, arguments = _known(node), arguments_of(node)
        if name in LOOPS:
            return _loop(name, arguments, inside=inside)
        return _SPECIAL.get(name, partial(_eager, name))(arguments, inside=inside)
    if isinstance(node, list):
        return listed([code.value for code in _compile_all(node, inside=inside)])
    return constant(node)


def _compile_all(nodes: list[object], *, inside: bool) -> list[Code]:
    return [_compile(node, inside=inside) for node in nodes]


def _eager(name: str, arguments: list[object], *, inside: bool) -> Code:
    codes = _compile_all(arguments, inside=inside)
    if name in {"!", "!!"} and len(codes) == 1:  # of more, every one is evaluated, and may be a fault (odd 9.1)
        return negated(codes[0].test) if name == "!" else tested(codes[0].test)
    values = [code.value for code in codes]
    if not inside and (fast := comparison(name, arguments, values)):
        return tested(fast)
    apply = metered(OPERATORS[name], values) if inside else applied(OPERATORS[name], values)
    if name in SIZED:
        return valued(charged(apply))
    return tested(apply) if name in TESTS else valued(apply)


def _and(arguments: list[object], *, inside: bool) -> Code:
    return conjunction(_compile_all(arguments, inside=inside))


def _or(arguments: list[object], *, inside: bool) -> Code:
    return disjunction(_compile_all(arguments, inside=inside))


def _if(arguments: list[object], *, inside: bool) -> Code:
    return choice(_compile_all(arguments, inside=inside))


def _argument(arguments: list[object], index: int) -> object:
    return arguments[index] if index < len(arguments) else UNDEFINED


def _var(arguments: list[object], *, inside: bool) -> Code:
    path, default = _argument(arguments, 0), _argument(arguments, 1)
    if isinstance(path, list | dict) or isinstance(default, list | dict):
        return _searched(arguments, inside=inside)
    return valued(variable(path, None if default is UNDEFINED else default, inside=inside))


def _searched(arguments: list[object], *, inside: bool) -> Code:
    path = _compile(_argument(arguments, 0), inside=inside).value
    default = _compile(_argument(arguments, 1), inside=inside).value

    def value(context: Any) -> Any:
        where, otherwise = path(context), default(context)
        return look_up(context, where, None if otherwise is UNDEFINED else otherwise)

    return valued(value)


def _missing(arguments: list[object], *, inside: bool) -> Code:
    values = [code.value for code in _compile_all(arguments, inside=inside)]

    def value(context: Any) -> list[object]:
        names = [each(context) for each in values]
        return absent(context, names[0] if names and isinstance(names[0], list) else names)

    return valued(value)


def _missing_some(arguments: list[object], *, inside: bool) -> Code:
    needed = _compile(_argument(arguments, 0), inside=inside).value
    names = _compile(_argument(arguments, 1), inside=inside).value

    def value(context: Any) -> list[object]:
        enough, wanted = needed(context), names(context)
        if not isinstance(wanted, list):
            wanted = [wanted]
        lacking = absent(context, wanted)
        return [] if ordered(operator.ge, len(wanted) - len(lacking), enough) else lacking

    return valued(value)


def _loop(name: str, arguments: list[object], *, inside: bool) -> Code:
    items = _compile(_argument(arguments, 0), inside=inside).value
    body = _compile(_argument(arguments, 1), inside=True)
    return LOOPS[name](items, body, _cost(arguments))


def _reduce(arguments: list[object], *, inside: bool) -> Code:
    items = _compile(_argument(arguments, 0), inside=inside).value
    body = _compile(_argument(arguments, 1), inside=True)
    initial = _compile(arguments[2] if len(arguments) > 2 else None, inside=inside).value
    return reduction(items, body, initial, _cost(arguments))


def _cost(arguments: list[object]) -> int:
    """Give the steps one element takes: 1, and more for a body of many nodes."""
    return 1 + count_nodes(_argument(arguments, 1)) // 16


_SPECIAL: dict[str, Callable[..., Code]] = {
    "and": _and,
    "or": _or,
    "if": _if,
    "?:": _if,
    "var": _var,
    "missing": _missing,
    "missing_some": _missing_some,
    "reduce": _reduce,
}
_KNOWN = OPERATORS.keys() | LOOPS.keys() | _SPECIAL.keys()
_FUELLED = SIZED.keys() | LOOPS.keys() | {"missing", "missing_some", "reduce"}
