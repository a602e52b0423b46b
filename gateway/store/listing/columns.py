"""What the index keeps of an instance for each property path that a query has used (spec repository §11)."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from gateway.offers.ordering import MISSING, STRING, Path, find_all, find_value, flatten, make_key
from gateway.offers.query import INSTANCE_ID
from gateway.pql.patterns import compile_whole

PRESENT = b"\x00"
"""Leaf of a property that is there, but is no single value."""

LISTED = b"\x01"
"""Leaf of a property that is an array, or is reached through one."""

YES, NO = b"\x01", b"\x00"


class Column(Struct, frozen=True):
    """The values at a path; `instants` reads strings as moments; `pattern` keeps only whether one matches (F8, F12)."""

    path: Path
    instants: bool = False
    pattern: str = ""
    case_sensitive: bool = False

    @property
    def keys(self) -> "Column":
        """Give the column whose keys a pattern is matched against."""
        return Column(self.path)


ID = Column(INSTANCE_ID)
"""The instance id: every list has it."""


def read_keys(document: Any, column: Column) -> tuple[bytes, Iterable[bytes]]:
    """Give the sort key of a property, and its leaves where it is anything but missing or a single value.

    Leaves are the keys of all elements, PRESENT and, for arrays, LISTED.
    """
    kind = "date-time" if column.instants else ""
    value = find_value(document, column.path)
    if isinstance(value, dict):
        return MISSING, (PRESENT,)
    if value is not None and not isinstance(value, list):
        return make_key(value, kind), ()
    found = list(find_all(document, column.path))
    if not found:
        return MISSING, ()
    keys = {make_key(element, kind) for each in found for element in flatten(each)}
    return MISSING, (keys - {MISSING}) | {PRESENT, LISTED}


def read_column(document: Any, column: Column) -> tuple[bytes, Iterable[bytes]]:
    """Give the key of a column, and its leaves."""
    if not column.pattern:
        return read_keys(document, column)
    key, leaves = read_keys(document, column.keys)
    matching = any(matches(column.pattern, column.case_sensitive, each) for each in (key, *leaves) if each >= STRING)
    return (YES if matching else NO), ()


def matches(pattern: str, case_sensitive: object, key: bytes) -> bool:
    """Say whether all of a string, given by its key, matches a pattern."""
    return compile_whole(pattern, case_sensitive=bool(case_sensitive)).fullmatch(key[1:]) is not None


class Reader:
    """Reads the columns of one document, each once however many lists want it."""

    def __init__(self, document: Any) -> None:
        """Read nothing yet."""
        self.document = document
        self._read: dict[Column, tuple[bytes, Iterable[bytes]]] = {}

    def read(self, column: Column) -> tuple[bytes, Iterable[bytes]]:
        """Give the key of a column, and its leaves."""
        if column not in self._read:
            self._read[column] = read_column(self.document, column)
        return self._read[column]
