"""A second reading of the specification: a tree walker, slow and plain, to hold against the compiled closures.

It shares only the tree and the type of a stretch of time with the room under test, and knows neither fuel nor
shortcuts.
"""

import math
from typing import Any

from gateway.pql import nodes
from tests.pql.oracle_functions import EACH, LISTS, Functions
from tests.pql.oracle_times import HOLDS, neighbour
from tests.pql.oracle_values import (
    WrongError,
    any_text,
    compare,
    fits,
    is_in,
    is_number,
    is_time,
    listed,
    need_instant,
    step,
    text,
    truth,
)

MOMENTS = {"yesterday": -1, "today": 0, "tomorrow": 1}
PERIODS = {"last": -1, "this": 0, "next": 1}


def evaluate(tree: Any, inputs: dict[str, Any]) -> Any:
    """Walk a tree; `inputs` has profile, events, context, offer and now."""
    walker = Walker(inputs)
    if isinstance(tree, nodes.Lambda):
        values = [inputs["profile"], inputs["events"]] + [None] * len(tree.names)
        return walker.walk(tree.body, dict(zip(tree.names, values, strict=False)), ())
    return walker.walk(tree, {}, ())


class Walker(Functions):
    """Walks one tree with its inputs; `names` are the variables, `items` the current items from the outermost in."""

    def walk(self, node: Any, names: dict[str, Any], items: tuple[Any, ...]) -> Any:
        return getattr(self, "walk_" + type(node).__name__.lower())(node, names, items)

    def test(self, node: Any, names: dict[str, Any], items: tuple[Any, ...]) -> bool:
        return node is None or truth(self.walk(node, names, items))

    def walk_literal(self, node: Any, _names: Any, _items: Any) -> Any:
        return node.value

    def walk_listing(self, node: Any, names: Any, items: Any) -> Any:
        return [self.walk(item, names, items) for item in node.items]

    def walk_moment(self, node: Any, _names: Any, _items: Any) -> Any:
        now = self.inputs["now"]
        return now if node.word == "now" else neighbour(now, "day", MOMENTS[node.word])

    def walk_period(self, node: Any, _names: Any, _items: Any) -> Any:
        return neighbour(self.inputs["now"], node.unit, PERIODS[node.which])

    def walk_name(self, node: Any, names: Any, items: Any) -> Any:
        if node.name == "xEvent":
            return self.inputs["events"]
        if node.name in names:
            return names[node.name]
        value = step(items[-1] if items else self.inputs["profile"], node.name)
        return self.inputs[node.name] if value is None and node.name in {"profile", "offer"} else value

    def walk_parameter(self, node: Any, _names: Any, items: Any) -> Any:
        if node.number > 1:
            return None
        return items[-1] if items else self.inputs["profile"]

    def walk_context(self, node: Any, _names: Any, _items: Any) -> Any:
        wanted, _, version = node.schema.partition(";version=")
        found = []
        for item in self.inputs["context"]:
            kind, _, given = item["@type"].partition(";version=")
            if kind == wanted and (not version or not given or version == given):
                found.append(item["xdm:data"])
        return found[0] if len(found) == 1 else found or None

    def walk_outer(self, node: Any, _names: Any, items: Any) -> Any:
        scopes = (self.inputs["profile"], *items)
        return step(scopes[-1 - node.levels], node.name)

    def walk_step(self, node: Any, names: Any, items: Any) -> Any:
        value = self.walk(node.target, names, items)
        for name in node.names:
            value = step(value, name)
        return value

    def walk_filter(self, node: Any, names: Any, items: Any) -> Any:
        elements = listed(self.walk(node.target, names, items))
        return [element for element in elements if self.test(node.condition, names, (*items, element))]

    def walk_prefix(self, node: Any, names: Any, items: Any) -> Any:
        if node.operator != "-":
            return not self.test(node.operand, names, items)
        return self.calculate("*", self.walk(node.operand, names, items), -1)

    def walk_logic(self, node: Any, names: Any, items: Any) -> Any:
        wanted = node.operator == "or"
        for operand in node.operands:
            if self.test(operand, names, items) is wanted:
                return wanted
        return not wanted

    def walk_arithmetic(self, node: Any, names: Any, items: Any) -> Any:
        value = self.walk(node.first, names, items)
        for symbol, operand in node.rest:
            value = self.calculate(symbol, value, self.walk(operand, names, items))
        return value

    def calculate(self, symbol: str, left: Any, right: Any) -> Any:
        if left is None or right is None:
            return None
        if not is_number(left) or not is_number(right):
            raise WrongError("not a number")
        if symbol in "/%" and right == 0:
            return None
        try:
            exact = {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right}
            exact |= {"/": lambda: left / right, "%": lambda: self.remainder(left, right)}
            value = exact[symbol]()
            value = value if -(2**63) <= value < 2**63 else float(value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise WrongError("too large")
        return value

    def remainder(self, left: float, right: float) -> float:
        if isinstance(left, int) and isinstance(right, int):
            return left - right * (abs(left) // abs(right)) * (1 if (left < 0) == (right < 0) else -1)
        return math.fmod(left, right)

    def walk_compare(self, node: Any, names: Any, items: Any) -> Any:
        left, right = self.walk(node.left, names, items), self.walk(node.right, names, items)
        if node.operator not in {"in", "notIn", "like"}:
            return compare(node.operator, left, right)
        if left is None or right is None:
            return False
        if node.operator == "like":
            pattern = text(right)
            return any_text(left, lambda text: fits(text, pattern))
        return is_in(left, right if isinstance(right, list) else [right]) is (node.operator == "in")

    def time(self, node: Any, names: Any, items: Any) -> Any:
        value = self.walk(node, names, items)
        return value if value is None or is_time(value) else need_instant(value)

    def walk_occurs(self, node: Any, names: Any, items: Any) -> Any:
        left, when = self.walk(node.left, names, items), node.when
        if left is None:
            return False
        between = isinstance(when, nodes.Between)
        points = [self.time(time, names, items) for time in ((when.first, when.last) if between else (when.time,))]
        if None in points:
            return False
        elements = [e for e in left if e is not None] if isinstance(left, list) else [left]
        return any(HOLDS[type(when)](need_instant(element), when, *points) for element in elements)

    def walk_let(self, node: Any, names: Any, items: Any) -> Any:
        return self.walk(node.body, {**names, node.name: self.walk(node.value, names, items)}, items)

    def source(self, clause: Any, names: Any, items: Any) -> list[Any]:
        value = self.walk(clause.source, names, items)
        return [value] if isinstance(value, dict) else listed(value)

    def qualifies(self, element: Any, clauses: Any, names: Any, items: Any, every: bool) -> bool:
        inner = {**names, clauses[0].name: element}
        if not self.test(clauses[0].condition, inner, items):
            return False
        if len(clauses) == 1:
            return True
        others = (
            self.qualifies(other, clauses[1:], inner, items, every) for other in self.source(clauses[1], inner, items)
        )
        return all(others) if every else any(others)

    def walk_query(self, node: Any, names: Any, items: Any) -> Any:
        elements = self.source(node.clauses[0], names, items)
        if node.kind == "forall":
            return all(self.qualifies(element, node.clauses, names, items, True) for element in elements)
        if node.kind in {"exists", "none"}:
            found = any(self.qualifies(element, node.clauses, names, items, False) for element in elements)
            return found is (node.kind == "exists")
        kept = [element for element in elements if self.qualifies(element, node.clauses, names, items, False)]
        return kept if node.kind == "select" else len(kept) == 1

    def walk_over(self, node: Any, names: Any, items: Any) -> Any:
        values = [value for value in self.combine(node, node.clauses, names, items) if value is not None]
        return self.aggregate(node.function, values)

    def combine(self, node: Any, clauses: Any, names: Any, items: Any) -> list[Any]:
        if not clauses:
            return [self.walk(node.value, names, items)]
        found = []
        for element in self.source(clauses[0], names, items):
            inner = {**names, clauses[0].name: element}
            if self.test(clauses[0].condition, inner, items):
                found += self.combine(node, clauses[1:], inner, items)
        return found

    def walk_call(self, node: Any, names: Any, items: Any) -> Any:
        name = node.function
        if name == "if":
            return self.walk(node.arguments[1 if self.test(node.arguments[0], names, items) else 2], names, items)
        call = getattr(self, "call_" + name.lower())
        if node.target is None:
            return call(*[self.walk(argument, names, items) for argument in node.arguments])
        receiver = self.walk(node.target, names, items)
        if name in EACH:
            first = [lambda element, a=a: self.each(a, element, names, items) for a in node.arguments[:1]]
            rest = [self.walk(argument, names, items) for argument in node.arguments[1:]]
            return call(listed(receiver), *first, *rest)
        arguments = [self.walk(argument, names, items) for argument in node.arguments]
        return call(listed(receiver) if name in LISTS else receiver, *arguments)

    def each(self, node: Any, element: Any, names: Any, items: Any) -> Any:
        if isinstance(node, nodes.Lambda):
            return self.walk(node.body, {**names, node.names[0]: element}, (*items, element))
        return self.walk(node, names, (*items, element))
