"""Comparison operators; a constant on the right is prepared with the rule (spec pql §6.2, §6.4, §6.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.pql import nodes, texts
from gateway.pql.faults import EvaluationError
from gateway.pql.paths import Key, key, step
from gateway.pql.patterns import SEARCH_COST, Pattern, compile_like
from gateway.pql.roots import ROOTS
from gateway.pql.values import EQUAL, RELATIONS, Members, Relation, compare, is_member

if TYPE_CHECKING:
    from gateway.pql.compiler import Compiler
    from gateway.pql.facts import Facts
    from gateway.pql.items import Code
    from gateway.pql.scopes import Scope

COMPARE_COST = 3
SHORT = 256
"""Characters below which two texts are compared without paying for their length."""

QUICK: dict[type, frozenset[type]] = {
    str: frozenset({str}),
    int: frozenset({int, float}),
    float: frozenset({int, float}),
    bool: frozenset({bool}),
}
"""Types that compare with a constant of one type without conversion."""


def code_compare(compiler: Compiler, node: nodes.Compare, scope: Scope) -> Code:
    """Compile a comparison of any operator."""
    compiler.cost += COMPARE_COST
    left = compiler.code(node.left, scope)
    if node.operator in {"in", "notIn"}:
        return code_in(compiler, node, left, scope)
    if node.operator == "like":
        return code_like(compiler, node, left, scope)
    relation = RELATIONS[node.operator]
    constant = constant_of(node.right)
    if isinstance(constant, str) and node.operator == "=":
        return equals_text(node.left, left, constant, scope)
    if constant is not None and not (relation.orders and isinstance(constant, bool)):
        return with_constant(relation, left, constant, node.at)
    return with_value(relation, left, compiler.code(node.right, scope), node.at)


def constant_of(node: nodes.Node) -> str | float | bool | None:
    """Give the value of a literal, also of a negative number; None for null and for anything else."""
    if isinstance(node, nodes.Literal):
        return node.value
    if isinstance(node, nodes.Prefix) and node.operator == "-" and isinstance(node.operand, nodes.Literal):
        value = node.operand.value
        return -value if isinstance(value, int | float) and not isinstance(value, bool) else None
    return None


def with_constant(relation: Relation, left: Code, constant: Any, at: int) -> Code:
    """Make the comparison with a constant."""
    quick, test = QUICK[type(constant)], relation.test

    def run(facts: Facts) -> bool:
        value = left(facts)
        return test(value, constant) if type(value) in quick else slow(facts, relation, value, constant, at)

    return run


def equals_text(node: nodes.Node, left: Code, constant: str, scope: Scope) -> Code:
    """Make the comparison most rules are made of, shorter still for `variable.property` and `object.property`."""
    if isinstance(node, nodes.Step) and isinstance(node.target, nodes.Name) and len(node.names) == 1:
        variable, name = node.target.name, node.names[0]
        if variable in scope.variables and variable != "xEvent":
            return item_equals_text(scope.variables[variable], key(name), constant)
        if not scope.items and variable not in {"xEvent", *ROOTS}:
            return profile_equals_text(variable, name, left, constant)

    def run(facts: Facts) -> bool:
        value = left(facts)
        return value == constant if type(value) is str else compare(facts, EQUAL, value, constant)

    return run


def profile_equals_text(first: str, second: str, left: Code, constant: str) -> Code:
    """Make it for two steps from the profile."""

    def run(facts: Facts) -> bool:
        record = facts.profile.get(first)
        value = record.get(second) if type(record) is dict else None
        if type(value) is str:
            return value == constant
        return compare(facts, EQUAL, left(facts), constant)

    return run


def item_equals_text(slot: int, sought: Key, constant: str) -> Code:
    """Make the same for a property of a variable, which loops over events are made of."""
    exact = sought.exact

    def run(facts: Facts) -> bool:
        item = facts.bound[slot]
        value = item.get(exact) if type(item) is dict else None
        if type(value) is str:
            return value == constant
        return compare(facts, EQUAL, step(facts, item, sought), constant)

    return run


def slow(facts: Facts, relation: Relation, left: Any, right: Any, at: int) -> bool:
    """Compare values of any kind; an error says where."""
    try:
        return compare(facts, relation, left, right)
    except EvaluationError as error:
        error.at = at
        raise


def with_value(relation: Relation, left: Code, right: Code, at: int) -> Code:
    """Make the comparison of two values."""
    test = relation.test

    def run(facts: Facts) -> bool:
        first, second = left(facts), right(facts)
        if type(first) is str and type(second) is str and len(first) < SHORT:
            return test(first, second)
        return slow(facts, relation, first, second, at)

    return run


def code_in(compiler: Compiler, node: nodes.Compare, left: Code, scope: Scope) -> Code:
    """Compile `in` and `notIn`; neither holds when a side is null (pql §6.4)."""
    wanted = node.operator == "in"
    if isinstance(node.right, nodes.Listing) and all(isinstance(item, nodes.Literal) for item in node.right.items):
        members = Members([item.value for item in node.right.items if isinstance(item, nodes.Literal)])
        have, strings = members.have, members.texts

        def among(facts: Facts) -> bool:
            value = left(facts)
            if type(value) is str:
                return (value in strings) is wanted
            return value is not None and have(facts, value) is wanted

        return among
    right = compiler.code(node.right, scope)

    def run(facts: Facts) -> bool:
        value, elements = left(facts), right(facts)
        if value is None or elements is None:
            return False
        try:
            return is_member(facts, value, elements if type(elements) is list else [elements]) is wanted
        except EvaluationError as error:
            error.at = node.at if error.at < 0 else error.at
            raise

    return run


def code_like(compiler: Compiler, node: nodes.Compare, left: Code, scope: Scope) -> Code:
    """Compile `like`."""
    compiler.cost += SEARCH_COST
    pattern: Pattern | None = None
    if isinstance(node.right, nodes.Literal) and isinstance(node.right.value, str):
        pattern = compiler.pattern(compile_like, node.right.value, node.right.at)
    else:
        compiler.slot()  # patterns made at run time live in the scratch space of one evaluation
    right = compiler.code(node.right, scope)

    def run(facts: Facts) -> bool:
        try:
            return texts.like(facts, left(facts), right(facts), pattern)
        except EvaluationError as error:
            error.at = node.at if error.at < 0 else error.at
            raise

    return run
