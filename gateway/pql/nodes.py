"""The syntax tree of a rule. Positions (`at`) are 0-based code points into the rule's text.

A tree has no cycles, so the garbage collector need not look at it.
"""

from msgspec import Struct


class Node(Struct, frozen=True, kw_only=True, gc=False):
    """What every node has."""

    at: int = 0


class Literal(Node, frozen=True, gc=False):
    """A text, number, boolean or null."""

    value: str | int | float | bool | None


class Listing(Node, frozen=True, gc=False):
    """`[a, b]`, or `(a, b)` after `in`."""

    items: tuple[Node, ...]


class Moment(Node, frozen=True, gc=False):
    """`now`, `today`, `yesterday` or `tomorrow`."""

    word: str


class Period(Node, frozen=True, gc=False):
    """`this`, `last` or `next` with a unit; only as the time of an `occurs`."""

    which: str
    unit: str


class Name(Node, frozen=True, gc=False):
    """A variable, a property of the current item or of the profile, or a root."""

    name: str


class Parameter(Node, frozen=True, gc=False):
    """`$1`, `$2` and so on."""

    number: int


class Context(Node, frozen=True, gc=False):
    """`@{schema id}`."""

    schema: str


class Outer(Node, frozen=True, gc=False):
    """`^name`: a property of the scope so many levels further out."""

    levels: int
    name: str


class Step(Node, frozen=True, gc=False):
    """`target.a.b`; the target is never itself a step."""

    target: Node
    names: tuple[str, ...]


class Filter(Node, frozen=True, gc=False):
    """`target[condition]`."""

    target: Node
    condition: Node


class Lambda(Node, frozen=True, gc=False):
    """`(a, b) => body`."""

    names: tuple[str, ...]
    body: Node


class Call(Node, frozen=True, gc=False):
    """`target.function(arguments)`, or `function(arguments)` without a target."""

    target: Node | None
    function: str
    arguments: tuple[Node, ...]


class Prefix(Node, frozen=True, gc=False):
    """`not x`, `!x`, `-x`."""

    operator: str
    operand: Node


class Logic(Node, frozen=True, gc=False):
    """Two or more operands joined by `and`, or by `or`."""

    operator: str
    operands: tuple[Node, ...]


class Arithmetic(Node, frozen=True, gc=False):
    """`first + b - c` or `first * b / c`, from left to right."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


class Compare(Node, frozen=True, gc=False):
    """`left operator right`, where the operator is one of `= != < <= > >= in notIn like`."""

    operator: str
    left: Node
    right: Node


class Within(Node, frozen=True, gc=False):
    """`<= 6 months before now` after `occurs`."""

    operator: str
    count: int
    unit: str
    direction: str
    time: Node


class Relative(Node, frozen=True, gc=False):
    """`before now` after `occurs`."""

    direction: str
    time: Node


class Between(Node, frozen=True, gc=False):
    """`between a and b` after `occurs`."""

    first: Node
    last: Node


class On(Node, frozen=True, gc=False):
    """`on today`, or just `today`, after `occurs`."""

    time: Node


When = Within | Relative | Between | On
"""What can stand after `occurs`."""


class Occurs(Node, frozen=True, gc=False):
    """`left occurs …`."""

    left: Node
    when: When


class Clause(Node, frozen=True, gc=False):
    """`name from source where condition`."""

    name: str
    source: Node
    condition: Node | None


class Query(Node, frozen=True, gc=False):
    """`select`, `exists`, `forall`, `none` or `one` with its clauses."""

    kind: str
    clauses: tuple[Clause, ...]


class Over(Node, frozen=True, gc=False):
    """`sum value over clauses`, likewise `count`, `average`, `min`, `max`."""

    function: str
    value: Node
    clauses: tuple[Clause, ...]


class Let(Node, frozen=True, gc=False):
    """`let name = value in body`."""

    name: str
    value: Node
    body: Node
