"""The pieces compiled conditions are put together from: constants, values, tests, and how they are joined."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from gateway.delivery.javascript import UNDEFINED, truthy
from gateway.delivery.operators import Operator
from gateway.delivery.scopes import Element, Evaluate, weight

Test = Callable[[Any], bool]


class Code(Struct, frozen=True):
    """A compiled node: `value` gives what it evaluates to, `test` whether that is true; `boolean` if it is a bool."""

    value: Evaluate
    test: Test
    boolean: bool = False


def constant(value: object) -> Code:
    """Make code that always gives `value`."""
    truth = truthy(value)
    return Code(lambda _: value, lambda _: truth, isinstance(value, bool))


def valued(value: Evaluate) -> Code:
    """Make code of a closure that gives any value."""
    return Code(value, lambda context: truthy(value(context)))


def tested(test: Test) -> Code:
    """Make code of a closure that gives a bool."""
    return Code(test, test, boolean=True)


def negated(test: Test) -> Code:
    """Make code that is true where `test` is not."""
    return tested(lambda context: not test(context))


def listed(items: list[Evaluate]) -> Code:
    """Make code that gives a new list of what `items` evaluate to."""
    return valued(lambda context: [item(context) for item in items])


def applied(operator: Operator, values: list[Evaluate]) -> Evaluate:
    """Make a closure that applies `operator` to what `values` evaluate to, left to right."""
    if len(values) == 2:
        first, second = values
        return lambda context: operator(first(context), second(context))
    return lambda context: operator(*[value(context) for value in values])


def metered(operator: Operator, values: list[Evaluate]) -> Evaluate:
    """Make the closure of `applied` for a body that runs many times: reading large arguments takes fuel."""

    def value(element: Element) -> Any:
        arguments = [each(element) for each in values]
        element.fuel.take(sum(map(weight, arguments)))
        return operator(*arguments)

    return value


def charged(value: Evaluate) -> Evaluate:
    """Make a closure that takes the length of its result from the fuel."""

    def charge(context: Any) -> Any:
        result = value(context)
        context.fuel.take(len(result))
        return result

    return charge


def conjunction(codes: list[Code]) -> Code:
    """Make code of `and`: the first value that is false, else the last."""
    return _junction(codes, _all_of, until=False)


def disjunction(codes: list[Code]) -> Code:
    """Make code of `or`: the first value that is true, else the last."""
    return _junction(codes, _any_of, until=True)


def _junction(codes: list[Code], join: Callable[[list[Test]], Test], *, until: bool) -> Code:
    if not codes:
        return constant(UNDEFINED)
    test = join([code.test for code in codes])
    if all(code.boolean for code in codes):
        return tested(test)
    values = [code.value for code in codes]

    def value(context: Any) -> Any:
        result: Any = UNDEFINED
        for each in values:
            result = each(context)
            if truthy(result) is until:
                break
        return result

    return Code(value, test)


def _all_of(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda context: first(context) and second(context)

    def all_hold(context: Any) -> bool:
        for test in tests:  # noqa: SIM110 - all() with a generator takes twice as long
            if not test(context):
                return False
        return True

    return all_hold


def _any_of(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda context: first(context) or second(context)

    def any_holds(context: Any) -> bool:
        for test in tests:  # noqa: SIM110 - as above
            if test(context):
                return True
        return False

    return any_holds


def choice(codes: list[Code]) -> Code:
    """Make code of `if`: the value behind the first condition that is true, else the lone last one, else null."""
    pairs = [(codes[i].test, codes[i + 1].value) for i in range(0, len(codes) - 1, 2)]
    otherwise = codes[-1] if len(codes) % 2 else constant(None)

    def value(context: Any) -> Any:
        for test, then in pairs:
            if test(context):
                return then(context)
        return otherwise.value(context)

    return valued(value)
