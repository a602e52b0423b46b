"""Comparison operators; a constant on the right is prepared with the rule (spec pql §6.2, §6.4, §6.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.pql import nodes, texts
from gateway.pql.faults import EvaluationError
from gateway.pql.patterns import SEARCH_COST, Pattern, PatternError, compile_like
from gateway.pql.values import RELATIONS, Members, Relation, compare, is_member

if TYPE_CHECKING:
    from gateway.pql.compiler import Compiler
    from gateway.pql.facts import Facts
    from gateway.pql.items import Code
    from gateway.pql.scopes import Scope

COMPARE_COST = 10
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
    run = coder(compiler, node, left, scope)

    def located(facts: Facts) -> Any:
        try:
            return run(facts)
        except EvaluationError as error:
            error.at = node.at if error.at < 0 else error.at
            raise

    return located if node.operator not in {"=", "!="} else run


def coder(compiler: Compiler, node: nodes.Compare, left: Code, scope: Scope) -> Code:
    """Choose the code by operator and by whether the right side is constant."""
    if node.operator in {"in", "notIn"}:
        return code_in(compiler, node, left, scope)
    if node.operator == "like":
        return code_like(compiler, node, left, scope)
    relation = RELATIONS[node.operator]
    constant = constant_of(node.right)
    if constant is not None and not (relation.orders and isinstance(constant, bool)):
        return with_constant(relation, left, constant)
    return with_value(relation, left, compiler.code(node.right, scope))


def constant_of(node: nodes.Node) -> str | float | bool | None:
    """Give the value of a literal, also of a negative number; None for null and for anything else."""
    if isinstance(node, nodes.Literal):
        return node.value
    if isinstance(node, nodes.Prefix) and node.operator == "-" and isinstance(node.operand, nodes.Literal):
        value = node.operand.value
        return -value if isinstance(value, int | float) and not isinstance(value, bool) else None
    return None


def with_constant(relation: Relation, left: Code, constant: Any) -> Code:
    """Make the comparison with a constant."""
    quick, test = QUICK[type(constant)], relation.test

    def run(facts: Facts) -> bool:
        value = left(facts)
        return test(value, constant) if type(value) in quick else compare(facts, relation, value, constant)

    return run


def with_value(relation: Relation, left: Code, right: Code) -> Code:
    """Make the comparison of two values."""
    test = relation.test

    def run(facts: Facts) -> bool:
        first, second = left(facts), right(facts)
        if type(first) is str and type(second) is str and len(first) < SHORT:
            return test(first, second)
        return compare(facts, relation, first, second)

    return run


def code_in(compiler: Compiler, node: nodes.Compare, left: Code, scope: Scope) -> Code:
    """Compile `in` and `notIn`; neither holds when a side is null (pql §6.4)."""
    wanted = node.operator == "in"
    if isinstance(node.right, nodes.Listing) and all(isinstance(item, nodes.Literal) for item in node.right.items):
        members = Members([item.value for item in node.right.items if isinstance(item, nodes.Literal)])
        have = members.have

        def among(facts: Facts) -> bool:
            value = left(facts)
            return value is not None and have(facts, value) is wanted

        return among
    right = compiler.code(node.right, scope)

    def run(facts: Facts) -> bool:
        value, elements = left(facts), right(facts)
        if value is None or elements is None:
            return False
        return is_member(facts, value, elements if type(elements) is list else [elements]) is wanted

    return run


def code_like(compiler: Compiler, node: nodes.Compare, left: Code, scope: Scope) -> Code:
    """Compile `like`."""
    compiler.cost += SEARCH_COST
    pattern: Pattern | None = None
    if isinstance(node.right, nodes.Literal) and isinstance(node.right.value, str):
        try:
            pattern = compile_like(node.right.value)
        except PatternError as error:
            raise compiler.refuse(str(error), node.right.at) from None
    right = compiler.code(node.right, scope)
    return lambda facts: texts.like(facts, left(facts), right(facts), pattern)
