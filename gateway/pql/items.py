"""An argument that is evaluated once per element, and the walk over a list that pays for it."""

from collections.abc import Callable
from typing import Any

from gateway.pql.facts import Facts
from gateway.pql.faults import EvaluationError

Code = Callable[[Facts], Any]
"""A compiled expression."""


class Fixed:
    """Code whose value is known with the rule."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, _facts: Facts) -> Any:
        """Give the value."""
        return self.value


LOOP_COST = 2
"""Steps of one turn of a loop, without its body."""


class Item:
    """A compiled expression over the elements of a list: each is put in its slot, then the code is run."""

    __slots__ = ("code", "cost", "slot")

    def __init__(self, slot: int, code: Code, cost: int) -> None:
        self.slot = slot
        self.code = code
        self.cost = cost + LOOP_COST

    def each(self, facts: Facts, elements: list[Any]) -> list[Any]:
        """Evaluate for every element."""
        facts.spend(self.cost * len(elements))
        bound, slot, code = facts.bound, self.slot, self.code
        values = []
        for element in elements:
            bound[slot] = element
            values.append(code(facts))
        return values

    def kept(self, facts: Facts, elements: list[Any]) -> list[Any]:
        """Give the elements for which the code, a condition, is true."""
        facts.spend(self.cost * len(elements))
        bound, slot, code = facts.bound, self.slot, self.code
        kept = []
        for element in elements:
            bound[slot] = element
            if code(facts):
                kept.append(element)
        return kept

    def first(self, facts: Facts, elements: list[Any], wanted: bool = True) -> bool:  # noqa: FBT001, FBT002 - reads as a sentence with the one literal it is given
        """Say whether the condition is `wanted` for some element, and stop there."""
        bound, slot, code, cost = facts.bound, self.slot, self.code, self.cost
        for element in elements:
            facts.fuel -= cost
            if facts.fuel < 0:
                facts.spend(0)
            bound[slot] = element
            if code(facts) is wanted:
                return True
        return False


def listed(name: str, value: Any) -> list[Any]:
    """Read the receiver of a list function: null is an empty list, and only lists are lists (pql §7)."""
    if type(value) is list:
        return value
    if value is None:
        return []
    raise EvaluationError(f"`{name}` takes a list")


def sourced(value: Any) -> list[Any]:
    """Read the source of a query: null is an empty list, an object a list of one (pql §7)."""
    if type(value) is list:
        return value
    if value is None:
        return []
    if type(value) is dict:
        return [value]
    raise EvaluationError("a query reads a list or an object")
