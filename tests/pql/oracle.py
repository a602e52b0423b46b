"""A second reading of the specification: a tree walker, slow and plain, to hold against the compiled closures.

It shares only the tree and the calendar with the room under test, and knows neither fuel nor shortcuts.
"""

import math
import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from gateway.pql import nodes
from gateway.pql.times import UNITS, Span, date_span, day_of, inside, last_of, period, relative, within

NUMERIC = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class WrongError(Exception):
    """An evaluation error."""


def evaluate(tree: Any, inputs: dict[str, Any]) -> Any:
    """Walk a tree; `inputs` has profile, events, context, offer and now."""
    walker = Walker(inputs)
    if isinstance(tree, nodes.Lambda):
        values = [inputs["profile"], inputs["events"]] + [None] * len(tree.names)
        return walker.walk(tree.body, dict(zip(tree.names, values, strict=False)), ())
    return walker.walk(tree, {}, ())


def truth(value: Any) -> bool:
    if value is None or isinstance(value, bool | list | dict):
        return bool(value)
    raise WrongError("not a boolean")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_time(value: Any) -> bool:
    return isinstance(value, datetime | Span)


def text_of(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if not is_number(value):
        return None
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    return repr(float(value)) if abs(value) >= 1e21 else plain(value)


def plain(value: float) -> str:
    """Write a fraction without exponent."""
    digits, _, exponent = repr(value).partition("e")
    if not exponent:
        return digits
    sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
    whole, _, fraction = digits.partition(".")
    return sign + "0." + "0" * (-int(exponent) - 1) + whole + ("" if fraction == "0" else fraction)


def number_of(value: Any) -> float | None:
    if is_number(value):
        return value
    return float(value) if isinstance(value, str) and NUMERIC.fullmatch(value) else None


def instant(value: Any) -> datetime | None:
    if isinstance(value, Span):
        return value.begin
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d($|[Tt ]\d\d:\d\d:\d\d)", value):
        return None
    try:
        found = datetime.fromisoformat(value.upper())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def compare(symbol: str, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    if isinstance(left, list) and isinstance(right, list):
        if symbol not in {"=", "!="}:
            raise WrongError("lists have no order")
        same = len(left) == len(right) and all(compare("=", a, b) for a, b in zip(left, right, strict=True))
        return same is (symbol == "=")
    if isinstance(left, list):
        return any(compare(symbol, element, right) for element in left)
    if isinstance(right, list):
        return any(compare(symbol, left, element) for element in right)
    return compare_single(symbol, left, right)


def compare_single(symbol: str, left: Any, right: Any) -> bool:
    if is_time(left) or is_time(right):
        left, right = instant(left), instant(right)
        if left is None:
            return symbol == "!="
    elif isinstance(left, str):
        right = text_of(right)
    elif is_number(left):
        right = number_of(right)
    elif symbol not in {"=", "!="}:
        raise WrongError("no order")
    elif isinstance(left, bool):
        right = {"true": True, "false": False}.get(right) if isinstance(right, str) else right
        right = right if isinstance(right, bool) else None
    else:
        return (isinstance(right, dict) and same_members(left, right)) is (symbol == "=")
    if right is None:
        return symbol == "!="
    tests = {"=": left == right, "!=": left != right}
    if symbol in tests:
        return tests[symbol]
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[symbol]


def same_members(left: dict[str, Any], right: dict[str, Any]) -> bool:
    mine = {k: v for k, v in left.items() if v is not None}
    yours = {k: v for k, v in right.items() if v is not None}
    return mine.keys() == yours.keys() and all(compare("=", mine[k], yours[k]) for k in mine)


def member(record: dict[str, Any], name: str) -> Any:
    candidates = [name]
    if ":" in name:
        candidates.append(name.rsplit(":", 1)[1])
    else:
        candidates.append(f"xdm:{name}")
        endings = [k for k in record if ":" in k and k.rsplit(":", 1)[1] == name]
        candidates += endings if len(endings) == 1 else []
        candidates += {"_id": ["@id"], "_type": ["@type"]}.get(name, [])
    return next((record[k] for k in candidates if record.get(k) is not None), None)


def step(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return member(value, name)
    if not isinstance(value, list):
        return None
    found: list[Any] = []
    for element in value:
        one = step(element, name)
        found += one if isinstance(one, list) else [one] if one is not None else []
    return found


def is_in(value: Any, elements: list[Any]) -> bool:
    if isinstance(value, list):
        return any(is_in(part, elements) for part in value if not isinstance(part, list))
    return any(compare("=", value, element) for element in elements)


def fits(text: str, pattern: str) -> bool:
    parts = ["(?s:.*)" if c == "%" else "(?s:.)" if c == "_" else re.escape(c) for c in pattern]
    return re.fullmatch("".join(parts), text) is not None


class Walker:
    """Walks one tree with its inputs; `names` are the variables, `items` the current items from the outermost in."""

    def __init__(self, inputs: dict[str, Any]) -> None:
        self.inputs = inputs

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
        return now if node.word == "now" else day_of(now, {"yesterday": -1, "today": 0, "tomorrow": 1}[node.word])

    def walk_period(self, node: Any, _names: Any, _items: Any) -> Any:
        return period(node.which, UNITS[node.unit], self.inputs["now"])

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
        elements = self.listed(self.walk(node.target, names, items))
        return [element for element in elements if self.test(node.condition, names, (*items, element))]

    def listed(self, value: Any) -> list[Any]:
        if value is None or isinstance(value, list):
            return value or []
        raise WrongError("not a list")

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
            pattern = self.text(right)
            return self.any_text(left, lambda text: fits(text, pattern))
        return is_in(left, right if isinstance(right, list) else [right]) is (node.operator == "in")

    def text(self, value: Any) -> str:
        text = text_of(value)
        if text is None:
            raise WrongError("not a text")
        return text

    def any_text(self, value: Any, test: Any) -> bool:
        if not isinstance(value, list):
            return test(self.text(value))
        return any(test(self.text(element)) for element in value if element is not None)

    def time(self, node: Any, names: Any, items: Any) -> Any:
        value = self.walk(node, names, items)
        return value if value is None or is_time(value) else self.instant(value)

    def instant(self, value: Any) -> datetime:
        found = instant(value)
        if found is None:
            raise WrongError("not a time")
        return found

    def walk_occurs(self, node: Any, names: Any, items: Any) -> Any:
        left, when = self.walk(node.left, names, items), node.when
        if left is None:
            return False
        if isinstance(when, nodes.Between):
            first, last = self.time(when.first, names, items), self.time(when.last, names, items)
            bounds = None if first is None or last is None else (inside(first)[0], last_of(last))
        else:
            point = self.time(when.time, names, items)
            bounds = None if point is None else self.bounds(when, point)
        if bounds is None:
            return False
        wanted = getattr(when, "operator", "=") != "!="
        elements = [e for e in left if e is not None] if isinstance(left, list) else [left]
        return any((bounds[0] <= self.instant(element) <= bounds[1]) is wanted for element in elements)

    def bounds(self, when: Any, point: Any) -> Any:
        if isinstance(when, nodes.On):
            return inside(point)
        if isinstance(when, nodes.Relative):
            return relative(when.direction, point)
        begin = point.begin if isinstance(point, Span) else point
        return within(when.operator, begin, when.count, UNITS[when.unit], backwards=when.direction == "before")

    def walk_let(self, node: Any, names: Any, items: Any) -> Any:
        return self.walk(node.body, {**names, node.name: self.walk(node.value, names, items)}, items)

    def source(self, clause: Any, names: Any, items: Any) -> list[Any]:
        value = self.walk(clause.source, names, items)
        return [value] if isinstance(value, dict) else self.listed(value)

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

    def aggregate(self, name: str, values: list[Any]) -> Any:
        if name == "count":
            return len(values)
        if not values:
            return 0 if name == "sum" else None
        if not all(map(is_number, values)) and (
            name in {"sum", "average"} or not all(isinstance(v, str) for v in values)
        ):
            raise WrongError("not numbers")
        if name in {"min", "max"}:
            return (min if name == "min" else max)(values)
        total = sum(values)
        if not math.isfinite(total):
            raise WrongError("too large")
        return total if name == "sum" else total / len(values)

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
            return call(self.listed(receiver), *first, *rest)
        arguments = [self.walk(argument, names, items) for argument in node.arguments]
        return call(self.listed(receiver) if name in LISTS else receiver, *arguments)

    def each(self, node: Any, element: Any, names: Any, items: Any) -> Any:
        if isinstance(node, nodes.Lambda):
            return self.walk(node.body, {**names, node.names[0]: element}, (*items, element))
        return self.walk(node, names, (*items, element))

    def texts(self, receiver: Any, wanted: Any, sensitive: Any, test: Any) -> bool | None:
        if receiver is None or wanted is None:
            return None
        if not isinstance(sensitive, bool):
            raise WrongError("not a flag")
        fold = (lambda text: text) if sensitive else str.casefold
        sought = fold(self.text(wanted))
        return self.any_text(receiver, lambda text: test(fold(text), sought))

    def call_equals(self, receiver: Any, wanted: Any, sensitive: Any = True) -> bool:
        return self.texts(receiver, wanted, sensitive, lambda a, b: a == b) is True

    def call_notequalto(self, receiver: Any, wanted: Any, sensitive: Any = True) -> bool:
        return self.texts(receiver, wanted, sensitive, lambda a, b: a == b) is False

    def call_contains(self, receiver: Any, wanted: Any, sensitive: Any = True) -> bool:
        return self.texts(receiver, wanted, sensitive, lambda a, b: b in a) is True

    def call_doesnotcontain(self, receiver: Any, wanted: Any, sensitive: Any = True) -> bool:
        return self.texts(receiver, wanted, sensitive, lambda a, b: b in a) is False

    def call_startswith(self, receiver: Any, wanted: Any, sensitive: Any = True) -> bool:
        return self.texts(receiver, wanted, sensitive, lambda a, b: a[: len(b)] == b) is True

    def call_doesnotendwith(self, receiver: Any, wanted: Any, sensitive: Any = True) -> bool:
        return self.texts(receiver, wanted, sensitive, lambda a, b: a.endswith(b)) is False

    def call_matches(self, receiver: Any, regex: Any) -> bool:
        if receiver is None or regex is None:
            return False
        return self.any_text(receiver, lambda text: re.search(self.text(regex), text, re.ASCII) is not None)

    def call_isnull(self, receiver: Any) -> bool:
        return receiver is None or receiver == []

    def call_isnotnull(self, receiver: Any) -> bool:
        return not self.call_isnull(receiver)

    def call_count(self, elements: list[Any], condition: Any = None) -> int:
        return len(elements) if condition is None else sum(truth(condition(element)) for element in elements)

    def values(self, elements: list[Any], item: Any) -> list[Any]:
        return [value for value in (map(item, elements) if item else elements) if value is not None]

    def call_sum(self, elements: list[Any], item: Any = None) -> Any:
        return self.aggregate("sum", self.values(elements, item))

    def call_average(self, elements: list[Any], item: Any = None) -> Any:
        return self.aggregate("average", self.values(elements, item))

    def call_min(self, elements: list[Any], item: Any = None) -> Any:
        return self.aggregate("min", self.values(elements, item))

    def call_max(self, elements: list[Any], item: Any = None) -> Any:
        return self.aggregate("max", self.values(elements, item))

    def call_includes(self, elements: list[Any], value: Any) -> bool:
        return value is not None and is_in(value, elements)

    def call_intersects(self, elements: list[Any], others: Any) -> bool:
        others = others if isinstance(others, list) else [others]
        return any(element is not None and is_in(element, others) for element in elements)

    def call_filter(self, elements: list[Any], condition: Any) -> list[Any]:
        return [element for element in elements if truth(condition(element))]

    def call_exists(self, elements: list[Any], condition: Any) -> bool:
        return any(truth(condition(element)) for element in elements)

    def call_map(self, elements: list[Any], item: Any) -> list[Any]:
        return [item(element) for element in elements]

    def call_topn(self, elements: list[Any], item: Any, number: Any) -> list[Any]:
        values = [item(element) for element in elements]
        if not is_number(number) or number != int(number) or number < 0:
            raise WrongError("not a whole number")
        self.aggregate("max", [value for value in values if value is not None])
        kept = [i for i, value in enumerate(values) if value is not None]
        while any(values[a] < values[b] for a, b in pairwise(kept)):
            kept = self.swapped(kept, values)
        return [elements[i] for i in kept[: int(number)]]

    def swapped(self, kept: list[int], values: list[Any]) -> list[int]:
        at = next(i for i in range(len(kept) - 1) if values[kept[i]] < values[kept[i + 1]])
        return [*kept[:at], kept[at + 1], kept[at], *kept[at + 2 :]]

    def call_head(self, elements: list[Any]) -> Any:
        return elements[0] if elements else None

    def call_get(self, record: Any, key: Any) -> Any:
        if record is not None and not isinstance(record, dict):
            raise WrongError("not an object")
        return None if key is None or record is None else record.get(self.text(key))

    def call_keys(self, record: Any) -> list[Any]:
        if record is not None and not isinstance(record, dict):
            raise WrongError("not an object")
        return list(record or {})

    def call_getmonth(self, value: Any) -> Any:
        return None if value is None else self.instant(value).month

    def call_currentyear(self) -> int:
        return self.inputs["now"].year

    def call_date(self, *parts: Any) -> Any:
        if None in parts:
            return None
        if not all(is_number(part) and isinstance(part, int) for part in parts):
            raise WrongError("not a date")
        try:
            return date_span(*parts)
        except (ValueError, OverflowError):
            raise WrongError("not a date") from None


EACH = {"count", "sum", "average", "min", "max", "filter", "exists", "map", "topN"}
LISTS = EACH | {"includes", "intersects", "head"}
