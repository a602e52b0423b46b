"""A query as SQL over one list: which rows a filter keeps, and which come after a position (spec repository §11)."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from gateway.offers.dates import read_instant
from gateway.offers.ordering import (
    BOOLEANS,
    INSTANT,
    MISSING,
    NUMBER,
    STRING,
    make_instant_key,
    make_number_key,
    make_string_key,
)
from gateway.offers.query import Condition, Order
from gateway.store.listing.columns import ARRAY, NOTHING, Column
from gateway.store.listing.tables import ListTable

Part = tuple[str, list[object]]
"""A piece of SQL and its values."""

WILD = {"*": ".*", "?": "."}


class Ordered(Struct, frozen=True):
    """One sort property: the name of its column, and whether it descends."""

    place: str
    descending: bool


def column_of(each: Order | Condition) -> Column:
    """Give the column whose keys a sort property or a filter compares."""
    return Column(each.path, each.kind == "date-time")


def columns_of(condition: Condition) -> list[Column]:
    """Give every column a filter needs."""
    if condition.operator not in PATTERNS:
        return [column_of(condition)]
    column = PATTERNS[condition.operator](condition)
    return [column.keys, column]


def read_expression(condition: Condition) -> Column:
    """Give the column of a regular expression (F8)."""
    return Column(condition.path, pattern=condition.values[0])


def read_wildcards(condition: Condition) -> Column:
    """Give the column of a name with wildcards, which are never special otherwise (F12)."""
    text = "".join(WILD.get(char) or quote(char) for char in condition.values[0])
    return Column(condition.path, pattern=f"(?s:{text})", case_sensitive=True)


def quote(char: str) -> str:
    """Give what matches one character."""
    return char if char.isalnum() or not char.isascii() else f"\\x{ord(char):02x}"


PATTERNS: dict[str, Callable[[Condition], Column]] = {"~": read_expression, "name": read_wildcards}


def write_condition(condition: Condition, table: ListTable) -> Part:
    """Give the test of one filter (F4-F8)."""
    if condition.operator in PATTERNS:
        return f"number IN (SELECT number FROM {table.place(PATTERNS[condition.operator](condition))})", []  # noqa: S608 # names are made here
    column = column_of(condition)
    single, values = write_single(condition, table)
    if not table.has_leaves(column):
        return single, values
    slot = table.slot(column)
    if not condition.operator:
        return f"({single} OR s{slot} > {NOTHING})", values
    leaf = f"number IN (SELECT number FROM {table.leaf} WHERE slot = {slot} AND "  # noqa: S608 # names are made here
    if condition.operator == "!=":
        other, others = write_equal("key", condition)
        return f"({single} OR (s{slot} = {ARRAY} AND NOT {leaf}{other})))", [*values, *others]
    other, others = WRITERS[condition.operator]("key", condition)
    return f"({single} OR {leaf}{other}))" if table.has_values(column) else f"{leaf}{other})", [*values, *others]


def write_single(condition: Condition, table: ListTable) -> Part:
    """Give the test for single values; equality asks the index of its column where there is one."""
    column = column_of(condition)
    if condition.operator and not table.has_values(column):
        return "0", []
    place = table.place(column)
    test, values = WRITERS[condition.operator](place, condition)
    index = table.index(column) if condition.operator == "==" else None
    if index is None:
        return test, values
    return f"number IN (SELECT number FROM {table.name} INDEXED BY {index} WHERE {test})", values  # noqa: S608


def write_present(place: str, _condition: Condition) -> Part:
    """Test for a single value that is there (F4)."""
    return f"{place} > ?", [MISSING]


def write_equal(place: str, condition: Condition) -> Part:
    """Test for equality with any of the values, each read as every type it can be (F5)."""
    keys = [key for value in condition.values for key in read_keys(value, condition.kind).values()]
    return f"{place} IN ({', '.join('?' * len(keys))})", list(keys)


def write_different(place: str, condition: Condition) -> Part:
    """Test for a value of a type the literal can be, and another one than it (F5, F6)."""
    tests, values = [], []
    for kind, key in read_keys(condition.values[0], condition.kind).items():
        tests.append(f"({place} >= ? AND {place} < ? AND {place} <> ?)")
        values += [kind, following(kind), key]
    return f"({' OR '.join(tests)})", list(values)


def write_compared(place: str, condition: Condition) -> Part:
    """Test for less or more within each type the literal can be; truth values have no order (F5)."""
    tests: list[str] = []
    values: list[object] = []
    for kind, key in read_keys(condition.values[0], condition.kind).items():
        if key in BOOLEANS.values():
            continue
        bound = f"{place} >= ?" if condition.operator[0] == "<" else f"{place} < ?"
        tests.append(f"({bound} AND {place} {condition.operator} ?)")
        values += [kind if condition.operator[0] == "<" else following(kind), key]
    return f"({' OR '.join(tests)})", values


WRITERS: dict[str, Callable[[str, Condition], Part]] = {
    "": write_present,
    "==": write_equal,
    "!=": write_different,
    **dict.fromkeys(("<", "<=", ">", ">="), write_compared),
}


def read_keys(text: str, kind: str) -> dict[bytes, bytes]:
    """Give the key a literal has as each type it can be read as, by the type's first byte."""
    keys = {STRING: make_string_key(text)}
    number, instant = make_number_key(text), read_instant(text) if kind == "date-time" else None
    if number is not None:
        keys[NUMBER] = number
    if instant is not None:
        keys[INSTANT] = make_instant_key(instant)
    if text in BOOLEANS:
        keys[BOOLEANS[text][:1]] = BOOLEANS[text]
    return keys


def following(kind: bytes) -> bytes:
    """Give the first byte of the next type."""
    return bytes([kind[0] + 1])


def write_after(order: Sequence[Ordered], start: Sequence[bytes]) -> Part:
    """Test for rows that come strictly after a position, of which fewer components than properties may be given."""
    tests, values = [], []
    for index, (each, key) in enumerate(zip(order, start, strict=False)):
        before = [f"{earlier.place} = ?" for earlier in order[:index]]
        tests.append(" AND ".join([*before, f"{each.place} {'<' if each.descending else '>'} ?"]))
        values += [*start[:index], key]
    bound = f"{order[0].place} {'<=' if order[0].descending else '>='} ?"
    return f"({bound} AND ({' OR '.join(tests)}))", [start[0], *values]


def write_same(order: Sequence[Ordered]) -> str:
    """Test for rows with given sort keys."""
    return " AND ".join(f"{each.place} = ?" for each in order)
