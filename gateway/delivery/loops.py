"""The operators of JSON logic that go through a list, with each element as the context of their body (odd 9.3)."""

from collections.abc import Callable, Iterator
from typing import Any

from gateway.delivery.closures import Code, tested, valued
from gateway.delivery.scopes import Element, Evaluate

Loop = Callable[[Evaluate, Code, int], Code]


def _elements(items: list[object], context: Any, cost: int) -> Iterator[Element]:
    """Give each item as a context; each takes `cost` steps from the fuel."""
    fuel = context.fuel
    for item in items:
        fuel.take(cost)
        yield Element(item, fuel)


def _filter(items: Evaluate, body: Code, cost: int) -> Code:
    def value(context: Any) -> list[object]:
        found = items(context)
        if not isinstance(found, list):
            return []
        return [element.value for element in _elements(found, context, cost) if body.test(element)]

    return valued(value)


def _map(items: Evaluate, body: Code, cost: int) -> Code:
    def value(context: Any) -> list[object]:
        found = items(context)
        if not isinstance(found, list):
            return []
        return [body.value(element) for element in _elements(found, context, cost)]

    return valued(value)


def _all(items: Evaluate, body: Code, cost: int) -> Code:
    def test(context: Any) -> bool:
        found = items(context)
        if not isinstance(found, list) or not found:
            return False
        return all(body.test(element) for element in _elements(found, context, cost))

    return tested(test)


def _some(items: Evaluate, body: Code, cost: int) -> Code:
    def test(context: Any) -> bool:
        found = items(context)
        return isinstance(found, list) and any(body.test(element) for element in _elements(found, context, cost))

    return tested(test)


def _none(items: Evaluate, body: Code, cost: int) -> Code:
    some = _some(items, body, cost).test
    return tested(lambda context: not some(context))


def reduction(items: Evaluate, body: Code, initial: Evaluate, cost: int) -> Code:
    """Make code of `reduce`, whose body sees `current` and `accumulator`."""

    def value(context: Any) -> Any:
        found, result = items(context), initial(context)
        if isinstance(found, list):
            for element in _elements(found, context, cost):
                element.value = {"current": element.value, "accumulator": result}
                result = body.value(element)
        return result

    return valued(value)


LOOPS: dict[str, Loop] = {"filter": _filter, "map": _map, "all": _all, "some": _some, "none": _none}
"""Every operator of a list and a body, by its name."""
