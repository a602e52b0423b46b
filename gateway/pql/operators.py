"""Every operator: its symbols, how tightly it binds, what it takes and gives (spec pql §4).

The parser, the printer and the page for people who write rules all read this one table.
"""

from typing import NamedTuple

OPEN, OR, AND, NOT, COMPARE, ADD, MULTIPLY, UNARY, POSTFIX = range(1, 10)
"""Levels of precedence, loosest first; OPEN is `=>`, `let` and the queries, whose last expression extends right."""


class Operator(NamedTuple):
    """One operator between two operands; `name` is its canonical symbol."""

    name: str
    level: int
    meaning: str


class Sign(NamedTuple):
    """One operator before its operand."""

    name: str
    level: int
    meaning: str


TABLE: tuple[tuple[tuple[str, ...], Operator], ...] = (
    (("or", "||"), Operator("or", OR, "true when one operand is; the right one is read only if needed")),
    (("and", "&&"), Operator("and", AND, "true when both operands are; the right one is read only if needed")),
    (("=", "=="), Operator("=", COMPARE, "equal, after the right side took the type of the left")),
    (("!=", "<>"), Operator("!=", COMPARE, "not equal, and neither side is null")),
    (("<",), Operator("<", COMPARE, "less: numbers by value, texts by code point, times by instant")),
    (("<=",), Operator("<=", COMPARE, "less or equal")),
    ((">",), Operator(">", COMPARE, "greater")),
    ((">=",), Operator(">=", COMPARE, "greater or equal")),
    (("in",), Operator("in", COMPARE, "equal to some element of the list")),
    (("notin",), Operator("notIn", COMPARE, "equal to no element of the list, and neither side is null")),
    (("like",), Operator("like", COMPARE, "the whole text fits: `%` is any run of characters, `_` exactly one")),
    (("occurs",), Operator("occurs", COMPARE, "a time lies where the words after it say")),
    (("+",), Operator("+", ADD, "sum of numbers")),
    (("-",), Operator("-", ADD, "difference of numbers")),
    (("*",), Operator("*", MULTIPLY, "product of numbers")),
    (("/",), Operator("/", MULTIPLY, "quotient of numbers; null when divided by zero")),
    (("%",), Operator("%", MULTIPLY, "remainder with the sign of the left operand; null when divided by zero")),
)
OPERATORS = {symbol: operator for symbols, operator in TABLE for symbol in symbols}

SIGNS = {
    "not": Sign("not", NOT, "true when the comparison after it is not"),
    "!": Sign("!", UNARY, "like `not`, but binds to the next operand only: `!a = b` is `(!a) = b`"),
    "-": Sign("-", UNARY, "negative of a number"),
}

ORDERS = ("=", "!=", "<", "<=", ">", ">=")
"""The operators `occurs` takes before an interval."""

QUERIES = {
    "select": "select",
    "exists": "exists",
    "some": "exists",
    "forall": "forall",
    "all": "forall",
    "none": "none",
    "one": "one",
}
"""Words that begin a query, with the canonical one."""

AGGREGATES = ("sum", "count", "average", "min", "max")
MOMENTS = ("now", "today", "yesterday", "tomorrow")
CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
