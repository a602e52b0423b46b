"""The tree to closures: what is known before evaluation is decided here, static errors included (spec pql:ST1).

Each closure takes the facts and gives a value. The closures for queries, calls and times stand in modules of their own;
`CODERS` at the end says which function compiles which node. Fuel: the nodes outside of loops are paid for before the
evaluation begins, the body of a loop is paid for by each turn, and what an `and`, `or` or `if` in a loop may skip is
paid for when it is reached.
"""

from collections.abc import Callable
from typing import Any

from gateway.errors import RuleTooLarge, RuleTypeError
from gateway.pql import calls, comparisons, nodes, occurs, queries, roots
from gateway.pql.facts import UNSET, Facts
from gateway.pql.faults import EvaluationError
from gateway.pql.items import Code, Item
from gateway.pql.kinds import kind_of_node
from gateway.pql.limits import MAX_PATTERNS, PATTERN_SHARE
from gateway.pql.patterns import Pattern, PatternError
from gateway.pql.scopes import Scope
from gateway.pql.source import Source
from gateway.pql.values import arithmetic, article, kind_of, truth

CHEAP = 12
"""Steps up to which a skipped operand is not worth paying for separately."""


class Compiler:
    """Compiles one tree; afterwards `slots`, `cost`, `roots` and `schemas` say what the code needs and reads."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.slots = 0
        self.cost = 0
        self.loops = 0
        self.patterns = 0
        self.roots: set[str] = set()
        self.schemas: set[str] = set()

    def rule(self, tree: nodes.Node) -> Code:
        """Compile a whole rule; the parameters of a lambda are the profile and the event list (pql:PA8)."""
        if not isinstance(tree, nodes.Lambda):
            return self.code(tree, Scope({}))
        scope = Scope({})
        slots = []
        for name in tree.names:
            slots.append(self.slot())
            scope = scope.with_variable(name, slots[-1])
        self.roots.update(("profile", "xEvent")[: len(slots)])
        body = self.code(tree.body, scope)

        def run(facts: Facts) -> Any:
            for slot in slots:
                facts.bound[slot] = None
            for slot, root in zip(slots, (facts.profile, facts.events), strict=False):
                facts.bound[slot] = root
            return body(facts)

        return run

    def code(self, node: nodes.Node, scope: Scope) -> Code:
        """Compile a node."""
        return CODERS[type(node)](self, node, scope)

    def condition(self, node: nodes.Node, scope: Scope) -> Code:
        """Compile a node whose value is read as a boolean (pql §6.6)."""
        code = self.code(node, scope)
        if kind_of_node(node) == "boolean":
            return code

        def run(facts: Facts) -> bool:
            value = code(facts)
            if value is True or value is False:
                return value
            try:
                return truth(value)
            except EvaluationError as error:
                raise placed(error, node.at) from None

        return run

    def later(self, build: Callable[[], Code]) -> Code:
        """Compile what may be skipped."""
        before, self.cost = self.cost, 0
        code = build()
        cost, self.cost = self.cost, before
        if not self.loops or cost <= CHEAP:
            self.cost += cost
            return code

        def run(facts: Facts) -> Any:
            facts.fuel -= cost
            if facts.fuel < 0:
                facts.spend(0)
            return code(facts)

        return run

    def item(self, slot: int, build: Callable[[], Code]) -> Item:
        """Compile the body of a loop over a slot."""
        before, self.cost = self.cost, 0
        self.loops += 1
        code = build()
        self.loops -= 1
        cost, self.cost = self.cost, before
        return Item(slot, code, cost)

    def once(self, code: Code, cost: int = 0) -> Code:
        """Inside a loop, keep the value of code that no turn can change; `cost` is paid when it is made."""
        if not self.loops:
            self.cost += cost
            return code
        slot = self.slot()

        def run(facts: Facts) -> Any:
            value = facts.bound[slot]
            if value is UNSET:
                facts.spend(cost)
                value = facts.bound[slot] = code(facts)
            return value

        return run

    def slot(self) -> int:
        """Reserve a place for a variable, an item or a kept value."""
        self.slots += 1
        return self.slots - 1

    def pattern(self, make: Callable[[str], Pattern], text: str, at: int) -> Pattern:
        """Compile a pattern that is known with the rule. Raises RuleTypeError and RuleTooLarge."""
        try:
            pattern = make(text)
        except PatternError as error:
            raise self.refuse(str(error), at) from None
        self.patterns += pattern.size + PATTERN_SHARE
        if self.patterns > MAX_PATTERNS:
            raise self.source.refuse(RuleTooLarge, "the patterns of this rule are together too complicated", at)
        return pattern

    def refuse(self, message: str, at: int) -> RuleTypeError:
        """Make, not raise, a type error."""
        return self.source.refuse(RuleTypeError, message, at)


def placed(error: EvaluationError, at: int) -> EvaluationError:
    """Give an error the position of the innermost operation that knows its own."""
    if error.at < 0:
        error.at = at
    return error


def code_literal(compiler: Compiler, node: nodes.Literal, _scope: Scope) -> Code:
    """Compile a constant."""
    compiler.cost += 1
    value = node.value
    return lambda _: value


def code_listing(compiler: Compiler, node: nodes.Listing, scope: Scope) -> Code:
    """Compile a list."""
    compiler.cost += 2
    if all(isinstance(item, nodes.Literal) for item in node.items):
        constant = [item.value for item in node.items if isinstance(item, nodes.Literal)]
        return lambda _: constant
    items = [compiler.code(item, scope) for item in node.items]
    return lambda facts: [item(facts) for item in items]


def code_lambda(compiler: Compiler, node: nodes.Lambda, _scope: Scope) -> Code:
    """Refuse a lambda that nothing calls."""
    raise compiler.refuse("a lambda stands around a whole rule or in place of an expression over items", node.at)


def code_prefix(compiler: Compiler, node: nodes.Prefix, scope: Scope) -> Code:
    """Compile `not`, `!` and `-`."""
    compiler.cost += 2
    if node.operator != "-":
        condition = compiler.condition(node.operand, scope)
        return lambda facts: not condition(facts)
    operand = compiler.code(node.operand, scope)

    def negative(facts: Facts) -> Any:
        value = operand(facts)
        if value is not None and type(value) not in {int, float}:
            raise placed(EvaluationError(f"`-` takes a number, not {article(kind_of(value))}"), node.at)
        return arithmetic("*", value, -1)

    return negative


def code_logic(compiler: Compiler, node: nodes.Logic, scope: Scope) -> Code:
    """Compile `and` and `or`, which stop as soon as they know."""
    first, *rest = node.operands
    compiler.cost += 2
    join = all_of if node.operator == "and" else any_of
    if not compiler.loops:
        return join([compiler.condition(operand, scope) for operand in node.operands])
    head = compiler.condition(first, scope)
    return join([head, compiler.later(lambda: join([compiler.condition(operand, scope) for operand in rest]))])


def all_of(operands: list[Code]) -> Code:
    """Join conditions by `and`, in threes of threes: a third less work than a loop."""
    if len(operands) == 1:
        return operands[0]
    if len(operands) == 2:
        first, second = operands
        return lambda facts: first(facts) and second(facts)
    if len(operands) == 3:
        left, middle, right = operands
        return lambda facts: left(facts) and middle(facts) and right(facts)
    return all_of([all_of(part) for part in thirds(operands)])


def any_of(operands: list[Code]) -> Code:
    """Join conditions by `or`, in the same way."""
    if len(operands) == 1:
        return operands[0]
    if len(operands) == 2:
        first, second = operands
        return lambda facts: first(facts) or second(facts)
    if len(operands) == 3:
        left, middle, right = operands
        return lambda facts: left(facts) or middle(facts) or right(facts)
    return any_of([any_of(part) for part in thirds(operands)])


def thirds(operands: list[Code]) -> list[list[Code]]:
    """Split a list of four or more into two or three parts of about one size."""
    size = -(-len(operands) // 3)
    return [operands[start : start + size] for start in range(0, len(operands), size)]


def code_arithmetic(compiler: Compiler, node: nodes.Arithmetic, scope: Scope) -> Code:
    """Compile a chain of arithmetic."""
    compiler.cost += 12 * len(node.rest)
    first = compiler.code(node.first, scope)
    rest = [(symbol, compiler.code(operand, scope)) for symbol, operand in node.rest]

    def run(facts: Facts) -> Any:
        value = first(facts)
        try:
            for symbol, operand in rest:
                value = arithmetic(symbol, value, operand(facts))
        except EvaluationError as error:
            raise placed(error, node.at) from None
        return value

    return run


def code_let(compiler: Compiler, node: nodes.Let, scope: Scope) -> Code:
    """Compile `let`."""
    compiler.cost += 2
    value = compiler.code(node.value, scope)
    slot = compiler.slot()
    body = compiler.code(node.body, scope.with_variable(node.name, slot))

    def run(facts: Facts) -> Any:
        facts.bound[slot] = value(facts)
        return body(facts)

    return run


CODERS: dict[type[nodes.Node], Callable[[Compiler, Any, Scope], Code]] = {
    nodes.Literal: code_literal,
    nodes.Listing: code_listing,
    nodes.Lambda: code_lambda,
    nodes.Prefix: code_prefix,
    nodes.Logic: code_logic,
    nodes.Arithmetic: code_arithmetic,
    nodes.Let: code_let,
    nodes.Name: roots.code_name,
    nodes.Parameter: roots.code_parameter,
    nodes.Context: roots.code_context,
    nodes.Outer: roots.code_outer,
    nodes.Step: roots.code_step,
    nodes.Compare: comparisons.code_compare,
    nodes.Moment: occurs.code_moment,
    nodes.Period: occurs.code_period,
    nodes.Occurs: occurs.code_occurs,
    nodes.Filter: queries.code_filter,
    nodes.Query: queries.code_query,
    nodes.Over: queries.code_over,
    nodes.Call: calls.code_call,
}
"""What compiles each kind of node."""
