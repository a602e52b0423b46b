"""What stands after `occurs`: its words, and the interval of instants they name (spec pql §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import RuleTypeError
from gateway.pql import nodes
from gateway.pql.operators import ADD, OPERATORS, ORDERS
from gateway.pql.times import UNITS

if TYPE_CHECKING:
    from gateway.pql.parser import Parser

DIRECTIONS = {"before": "before", "after": "after", "from": "from"}
PERIODS = ("this", "last", "next")


def read_occurrence(parser: Parser) -> nodes.When:
    """Read the four forms of `occurs` after that word."""
    token = parser.token
    operator = OPERATORS.get(token.word)
    if operator is not None and operator.name in ORDERS:
        parser.move(parser.at + 1)
        return read_within(parser, operator.name)
    if token.word in DIRECTIONS:
        parser.move(parser.at + 1)
        return nodes.Relative(token.word, read_time(parser), at=token.at)
    if parser.take("between"):
        first = read_time(parser)
        parser.expect("and", "between the two times")
        return nodes.Between(first, read_time(parser), at=token.at)
    if token.word == "on" and parser.peek().word != ".":
        parser.move(parser.at + 1)
    return nodes.On(read_time(parser), at=token.at)


def read_within(parser: Parser, operator: str) -> nodes.Within:
    """Read `6 months before now`."""
    token = parser.token
    if token.kind != "number":
        raise parser.unexpected("a whole number of time units")
    if not token.text.isdigit():
        message = f"an interval is a whole number of time units, not {token.text}"
        raise parser.source.refuse(RuleTypeError, message, token.at)
    parser.move(parser.at + 1)
    unit = UNITS.get(parser.token.word)
    if unit is None:
        raise parser.unexpected("a time unit such as `days` or `months`")
    parser.move(parser.at + 1)
    direction = parser.token.word
    if direction not in DIRECTIONS:
        raise parser.unexpected("`before`, `after` or `from`")
    parser.move(parser.at + 1)
    count = min(int(token.text.lstrip("0")[:19] or "0"), 10**18)
    return nodes.Within(operator, count, unit.name, direction, read_time(parser), at=token.at)


def read_time(parser: Parser) -> nodes.Node:
    """Read a time: `this`, `last` or `next` with a unit, or an expression."""
    token = parser.token
    unit = UNITS.get(parser.peek().word)
    if token.word in PERIODS and unit is not None:
        parser.move(parser.at + 2)
        return nodes.Period(token.word, unit.name, at=token.at)
    return parser.expression(ADD)
