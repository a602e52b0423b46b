"""Every function: what it is called on, what it takes, what it gives, what it does (spec pql §7).

To add one, write what it does and add its row here; the compiler, the checks and the page for people who write rules
read this table. Operators have the same kind of table in `operators.py`.
"""

from typing import NamedTuple

from gateway.pql import lists, texts
from gateway.pql.facts import Facts
from gateway.pql.texts import Apply, text_rule
from gateway.pql.times import READ_TIME_COST


class Function(NamedTuple):
    """One function.

    `on` is the kind of receiver: any, text (also lists of texts), list, object, time, or none for a function that
    stands alone. `takes` names the arguments in order: value, text, flag, regex, list, whole, key, item (an expression
    over the elements), condition (one that is true or false); the last `optional` of them may be left out. `reads` are
    roots it looks at, `cost` its steps beside what it spends itself.
    """

    name: str
    on: str
    takes: tuple[str, ...]
    gives: str
    apply: Apply
    meaning: str
    optional: int = 0
    reads: tuple[str, ...] = ()
    cost: int = 10

    @property
    def form(self) -> str:
        """How a call is written."""
        needed = len(self.takes) - self.optional
        shown = [name if i < needed else f"[{name}]" for i, name in enumerate(self.takes)]
        return f"{'' if self.on == 'none' else f'{self.on}.'}{self.name}({', '.join(shown)})"


def _text_rows() -> list[Function]:
    """Make the rows of the tests of text, each beside its opposite."""
    rows = []
    for name, opposite, test, meaning in (
        ("equals", "notEqualTo", str.__eq__, "is the text"),
        ("startsWith", "doesNotStartWith", str.startswith, "begins with the text"),
        ("endsWith", "doesNotEndWith", str.endswith, "ends with the text"),
        ("contains", "doesNotContain", str.__contains__, "contains the text"),
    ):
        takes = ("text", "flag")
        searches = name == "contains"
        positive = text_rule(name, test, searches=searches)
        negative = text_rule(opposite, test, wanted=False, searches=searches)
        rows.append(Function(name, "text", takes, "boolean", positive, meaning, 1))
        rows.append(Function(opposite, "text", takes, "boolean", negative, f"not null, and not: {meaning}", 1))
    return rows


def _current(part: str) -> Apply:
    """Make a function that gives a part of `now`."""

    def apply(facts: Facts) -> int:
        return int(getattr(facts.now, part))

    return apply


_NOW = ("now",)
TABLE: tuple[Function, ...] = (
    Function("isNull", "any", (), "boolean", lists.is_null, "null, missing or an empty list"),
    Function("isNotNull", "any", (), "boolean", lists.is_not_null, "neither null nor an empty list"),
    *_text_rows(),
    Function("matches", "text", ("regex",), "boolean", texts.matches, "a regular expression matches somewhere"),
    Function("regexGroup", "text", ("regex", "whole"), "text", texts.regex_group, "what a group captured, or null", 1),
    Function(
        "count", "list", ("condition",), "number", lists.count, "number of elements, or of those that satisfy it", 1
    ),
    Function("sum", "list", ("item",), "number", lists.total, "sum; 0 when empty", 1),
    Function("average", "list", ("item",), "number", lists.average, "mean; null when empty", 1),
    Function("min", "list", ("item",), "value", lists.least, "smallest number or text; null when empty", 1),
    Function("max", "list", ("item",), "value", lists.greatest, "largest number or text; null when empty", 1),
    Function("includes", "list", ("value",), "boolean", lists.includes, "some element equals the value"),
    Function("intersects", "list", ("list",), "boolean", lists.intersects, "some element is in the other list"),
    Function("subsetOf", "list", ("list",), "boolean", lists.subset_of, "every element is in the other list"),
    Function(
        "supersetOf", "list", ("list",), "boolean", lists.superset_of, "every element of the other list is in this"
    ),
    Function(
        "intersection", "list", ("list",), "list", lists.intersection, "elements also in the other list, no repeats"
    ),
    Function("distinct", "list", (), "list", lists.distinct, "the elements without repeats"),
    Function("filter", "list", ("condition",), "list", lists.filtered, "the elements that satisfy it"),
    Function("exists", "list", ("condition",), "boolean", lists.exists, "some element satisfies it"),
    Function("map", "list", ("item",), "list", lists.mapped, "its value for each element, nulls kept"),
    Function(
        "topN", "list", ("item", "whole"), "list", lists.top, "the n elements with the highest value, highest first"
    ),
    Function(
        "bottomN", "list", ("item", "whole"), "list", lists.bottom, "the n elements with the lowest value, lowest first"
    ),
    Function("head", "list", (), "value", lists.head, "the first element, or null"),
    Function("groupBy", "list", ("item",), "list", lists.grouped, "lists of the elements with equal value"),
    Function("get", "object", ("key",), "value", lists.get, "the value of exactly this key, or null"),
    Function("keys", "object", (), "list", lists.keys, "the keys"),
    Function("values", "object", (), "list", lists.values, "the values"),
    Function("getYear", "time", (), "number", lists.year, "year of a timestamp, in UTC", cost=10 + READ_TIME_COST),
    Function(
        "getMonth",
        "time",
        (),
        "number",
        lists.month,
        "month of a timestamp, in UTC; January is 1",
        cost=10 + READ_TIME_COST,
    ),
    Function(
        "getDayOfMonth",
        "time",
        (),
        "number",
        lists.day_of_month,
        "day of the month of a timestamp, in UTC",
        cost=10 + READ_TIME_COST,
    ),
    Function("currentYear", "none", (), "number", _current("year"), "year of `now`", reads=_NOW),
    Function("currentMonth", "none", (), "number", _current("month"), "month of `now`", reads=_NOW),
    Function("currentDayOfMonth", "none", (), "number", _current("day"), "day of the month of `now`", reads=_NOW),
    Function(
        "date", "none", ("value", "value", "value"), "time", lists.date, "the whole day: year, month, day", cost=40
    ),
    Function(
        "if",
        "none",
        ("test", "value", "value"),
        "value",
        lists.choose,
        "the second when the first is true, else the third",
    ),
    Function(
        "inSegment",
        "none",
        ("text",),
        "boolean",
        lists.in_segment,
        "in this segment of any namespace",
        reads=("profile",),
    ),
)
FUNCTIONS = {row.name.lower(): row for row in TABLE}
