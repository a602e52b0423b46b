"""`now`, `today`, calendar units and `occurs` (spec pql §8)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway.pql import nodes
from gateway.pql.faults import EvaluationError
from gateway.pql.kinds import kind_of_node
from gateway.pql.times import (
    LONGEST_TIMESTAMP,
    READ_TIME_COST,
    UNITS,
    Interval,
    Span,
    day_of,
    inside,
    instant_of,
    last_of,
    period,
    read_timestamp,
    relative,
    within,
)
from gateway.pql.values import ELEMENT_COST, article, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.pql.compiler import Compiler
    from gateway.pql.facts import Facts
    from gateway.pql.items import Code
    from gateway.pql.scopes import Scope

OCCURS_COST = 5
MOMENT_COST = 100
INTERVAL_COSTS = {nodes.Within: 110, nodes.Relative: 30, nodes.Between: 40, nodes.On: 30}
"""Steps to calculate an interval, beside reading its times."""

DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
TIMED = (nodes.Moment, nodes.Name, nodes.Parameter, nodes.Context, nodes.Outer, nodes.Step, nodes.Filter, nodes.Call)
"""What may stand on the left of `occurs` (pql:ST1, X4)."""


def code_moment(compiler: Compiler, node: nodes.Moment, _scope: Scope) -> Code:
    """Compile `now`, `today`, `yesterday` and `tomorrow`."""
    compiler.roots.add("now")
    if node.word == "now":
        return lambda facts: facts.now
    days = DAYS[node.word]
    return compiler.once(lambda facts: day_of(facts.now, days), MOMENT_COST)


def code_period(compiler: Compiler, node: nodes.Period, _scope: Scope) -> Code:
    """Compile `this month` and its like."""
    compiler.roots.add("now")
    which, unit = node.which, UNITS[node.unit]
    return compiler.once(lambda facts: period(which, unit, facts.now), MOMENT_COST)


def code_time(compiler: Compiler, node: nodes.Node, scope: Scope) -> Code:
    """Compile a time: an instant, a span or null."""
    if isinstance(node, nodes.Literal) and node.value is not None:
        instant = instant_of(node.value)
        if instant is None:
            raise compiler.refuse("expected a time, such as `now`, `date(2024, 5, 1)` or a timestamp", node.at)
        return lambda _: instant
    if kind_of_node(node) not in {"time", "text", "value"}:
        raise compiler.refuse(f"expected a time, such as `now` or `today`, not {article(kind_of_node(node))}", node.at)
    compiler.cost += 0 if kind_of_node(node) == "time" else READ_TIME_COST
    code = compiler.code(node, scope)

    def run(facts: Facts) -> datetime | Span | None:
        value = code(facts)
        if value is None or isinstance(value, datetime | Span):
            return value
        return need_instant(value)

    return run


def need_instant(value: Any) -> datetime:
    """Read an instant (pql:TI1, X1)."""
    instant = instant_of(value)
    if instant is None:
        raise EvaluationError(f"`occurs` takes timestamps, and this {kind_of(value)} is none")
    return instant


def code_occurs(compiler: Compiler, node: nodes.Occurs, scope: Scope) -> Code:
    """Compile `occurs`; null is nowhere, a list occurs where some element does (pql:TI1)."""
    refuse_left(compiler, node)
    compiler.cost += OCCURS_COST + READ_TIME_COST
    left = compiler.code(node.left, scope)
    interval = code_bounds(compiler, node.when, scope)
    wanted = not (isinstance(node.when, nodes.Within) and node.when.operator == "!=")

    def run(facts: Facts) -> bool:
        try:
            value = left(facts)
            bounds = None if value is None else interval(facts)
            if bounds is None:
                return False
            if type(value) is list:
                return any_occurs(facts, value, bounds, wanted=wanted)
            if type(value) is str and len(value) <= LONGEST_TIMESTAMP:
                instant = read_timestamp(value) or need_instant(value)
            else:
                instant = need_instant(value)
            return (bounds[0] <= instant <= bounds[1]) is wanted
        except EvaluationError as error:
            error.at = node.at if error.at < 0 else error.at
            raise

    return run


def code_bounds(compiler: Compiler, when: nodes.When, scope: Scope) -> Code:
    """Compile the interval; one that is the same throughout an evaluation is calculated, and paid for, once."""
    times = (when.first, when.last) if isinstance(when, nodes.Between) else (when.time,)
    before, compiler.cost = compiler.cost, 0
    interval = code_interval(compiler, when, scope)
    cost = compiler.cost + INTERVAL_COSTS[type(when)]
    compiler.cost = before
    if all(map(is_steady, times)):
        return compiler.once(interval, cost)
    compiler.cost += cost
    return interval


def is_steady(node: nodes.Node) -> bool:
    """Say whether a time is the same throughout an evaluation."""
    if isinstance(node, nodes.Call):
        return node.target is None and all(isinstance(argument, nodes.Literal) for argument in node.arguments)
    return isinstance(node, nodes.Literal | nodes.Moment | nodes.Period)


def any_occurs(facts: Facts, elements: list[Any], bounds: Interval, *, wanted: bool) -> bool:
    """Say whether some element that is not null lies in an interval, or outside."""
    facts.spend((ELEMENT_COST + OCCURS_COST + READ_TIME_COST) * len(elements))
    instants = (need_instant(element) for element in elements if element is not None)
    return any((bounds[0] <= instant <= bounds[1]) is wanted for instant in instants)


def refuse_left(compiler: Compiler, node: nodes.Occurs) -> None:
    """Refuse what cannot be a timestamp on the left of `occurs`."""
    kind = kind_of_node(node.left)
    if not isinstance(node.left, TIMED) or kind in {"boolean", "number"}:
        raise compiler.refuse("the left side of `occurs` must be a timestamp: a path, a call or a time", node.left.at)


def code_interval(compiler: Compiler, when: nodes.When, scope: Scope) -> Code:
    """Compile what stands after `occurs` to the interval it names; None when a time of it is null."""
    if isinstance(when, nodes.Between):
        first, last = code_time(compiler, when.first, scope), code_time(compiler, when.last, scope)
        return between(first, last)
    if isinstance(when, nodes.Within):
        operator, count, unit = when.operator, when.count, UNITS[when.unit]
        backwards = when.direction == "before"

        def bounds(point: datetime | Span) -> Interval:
            begin = point.begin if isinstance(point, Span) else point
            return within(operator, begin, count, unit, backwards=backwards)

        return remembered(code_time(compiler, when.time, scope), bounds)
    if isinstance(when, nodes.Relative):
        direction = when.direction
        return remembered(code_time(compiler, when.time, scope), lambda point: relative(direction, point))
    return remembered(code_time(compiler, when.time, scope), inside)


def remembered(time: Code, make: Callable[[datetime | Span], Interval]) -> Code:
    """Calculate the interval of a time once, as long as the very same time is asked for."""
    last: tuple[Any, Interval | None] = (None, None)

    def run(facts: Facts) -> Interval | None:
        nonlocal last
        point = time(facts)
        if point is None:
            return None
        known, interval = last
        if known is not point:
            interval = make(point)
            last = (point, interval)
        return interval

    return run


def between(first: Code, last: Code) -> Code:
    """Make the interval from the beginning of one time to the end of another (pql:TI5)."""

    def run(facts: Facts) -> Interval | None:
        begin, end = first(facts), last(facts)
        if begin is None or end is None:
            return None
        return inside(begin)[0], last_of(end)

    return run
