"""Filters, `select`, quantifiers and aggregates over clauses (spec pql §7, query expressions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.pql import lists, nodes
from gateway.pql.faults import EvaluationError
from gateway.pql.items import Item, listed, sourced
from gateway.pql.kinds import kind_of_node
from gateway.pql.values import article

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.pql.compiler import Compiler
    from gateway.pql.facts import Facts
    from gateway.pql.items import Code
    from gateway.pql.scopes import Scope

LOOP_SETUP = 8


def code_filter(compiler: Compiler, node: nodes.Filter, scope: Scope) -> Code:
    """Compile `list[condition]`; a position is no condition (pql:PA6)."""
    kind = kind_of_node(node.condition)
    if kind in {"number", "text", "time"}:
        message = f"brackets hold a condition on the elements, not {article(kind)}; there is no access by position"
        raise compiler.refuse(message, node.condition.at)
    compiler.cost += LOOP_SETUP
    target = compiler.code(node.target, scope)
    slot = compiler.slot()
    item = compiler.item(slot, lambda: compiler.condition(node.condition, scope.with_item(slot)))

    def run(facts: Facts) -> list[Any]:
        try:
            return item.kept(facts, listed("[…]", target(facts)))
        except EvaluationError as error:
            error.at = node.at if error.at < 0 else error.at
            raise

    return run


def code_query(compiler: Compiler, node: nodes.Query, scope: Scope) -> Code:
    """Compile `select` and the quantifiers."""
    source, item = code_clauses(compiler, node.clauses, scope, QUANTIFIERS[node.kind == "forall"])
    return QUERIES[node.kind](source, item)


def code_clauses(
    compiler: Compiler, clauses: tuple[nodes.Clause, ...], scope: Scope, rest: Callable[[Code, Item], Code]
) -> tuple[Code, Item]:
    """Compile the first clause: its source, and a condition that also asks the clauses after it."""
    clause, *later = clauses
    compiler.cost += LOOP_SETUP
    source = compiler.code(clause.source, scope)
    slot = compiler.slot()
    inner = scope.with_variable(clause.name, slot)

    def build() -> Code:
        condition = None if clause.condition is None else compiler.condition(clause.condition, inner)
        if not later:
            return condition or (lambda _: True)
        following = rest(*code_clauses(compiler, tuple(later), inner, rest))
        return following if condition is None else lambda facts: condition(facts) and following(facts)

    return code_source(source, clause.at), compiler.item(slot, build)


def code_source(source: Code, at: int) -> Code:
    """Read the source of a clause as a list."""

    def run(facts: Facts) -> list[Any]:
        try:
            return sourced(source(facts))
        except EvaluationError as error:
            error.at = at if error.at < 0 else error.at
            raise

    return run


def select(source: Code, item: Item) -> Code:
    """Give the elements that qualify."""
    return lambda facts: item.kept(facts, source(facts))


def exists(source: Code, item: Item) -> Code:
    """Say whether some element qualifies."""
    return lambda facts: item.first(facts, source(facts))


def forall(source: Code, item: Item) -> Code:
    """Say whether every element qualifies."""
    return lambda facts: not item.first(facts, source(facts), wanted=False)


def none(source: Code, item: Item) -> Code:
    """Say whether no element qualifies."""
    return lambda facts: not item.first(facts, source(facts))


def one(source: Code, item: Item) -> Code:
    """Say whether exactly one element qualifies."""
    return lambda facts: len(item.kept(facts, source(facts))) == 1


QUERIES = {"select": select, "exists": exists, "forall": forall, "none": none, "one": one}
QUANTIFIERS = {False: exists, True: forall}
"""How the clauses after the first one qualify an element: some element of theirs does, or all do for `forall`."""

AGGREGATES: dict[str, Callable[[Facts, list[Any]], Any]] = {
    "sum": lists.total,
    "count": lists.count,
    "average": lists.average,
    "min": lists.least,
    "max": lists.greatest,
}


def code_over(compiler: Compiler, node: nodes.Over, scope: Scope) -> Code:
    """Compile an aggregate over all combinations of elements that satisfy their conditions; nulls are skipped."""
    source, item = code_combinations(compiler, node, node.clauses, scope)
    walk = walker(source, item)
    aggregate = AGGREGATES[node.function]

    def run(facts: Facts) -> Any:
        try:
            return aggregate(facts, [value for value in walk(facts) if value is not None])
        except EvaluationError as error:
            error.at = node.at if error.at < 0 else error.at
            raise

    return run


def code_combinations(
    compiler: Compiler, node: nodes.Over, clauses: tuple[nodes.Clause, ...], scope: Scope
) -> tuple[Code, Item]:
    """Compile clauses to a source and an item whose code gives the values found under one element."""
    clause, *later = clauses
    compiler.cost += LOOP_SETUP
    source = compiler.code(clause.source, scope)
    slot = compiler.slot()
    inner = scope.with_variable(clause.name, slot)

    def build() -> Code:
        condition = None if clause.condition is None else compiler.condition(clause.condition, inner)
        if later:
            found = walker(*code_combinations(compiler, node, tuple(later), inner))
        else:
            value = compiler.code(node.value, inner)
            found = lambda facts: [value(facts)]  # noqa: E731 - a closure like its neighbours
        return found if condition is None else lambda facts: found(facts) if condition(facts) else []

    return code_source(source, clause.at), compiler.item(slot, build)


def walker(source: Code, item: Item) -> Code:
    """Make the code that gathers what an item gives for each element."""
    return lambda facts: [value for found in item.each(facts, source(facts)) for value in found]
