"""What the index keeps of an instance for each property path that a query has used (spec repository §11)."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from msgspec import Struct

from gateway.offers.ordering import MISSING, STRING, Path, find_all, find_value, flatten, make_key
from gateway.offers.query import INSTANCE_ID
from gateway.pql.patterns import compile_whole

NOTHING, OBJECT, ARRAY = 0, 1, 2
"""The shape of a property beside its key: a single value or nothing at all; an object; an array, or reached by one."""

YES, NO = b"\x01", b"\x00"


class Column(Struct, frozen=True):
    """The values at a path; `instants` reads strings as moments; `pattern` keeps only whether one matches (F8, F12)."""

    path: Path
    instants: bool = False
    pattern: str | None = None
    case_sensitive: bool = False

    @property
    def keys(self) -> "Column":
        """Give the column whose keys a pattern is matched against."""
        return Column(self.path)


ID = Column(INSTANCE_ID)
"""The instance id: every list has it."""


class Reading(NamedTuple):
    """What a column keeps of one document: its sort key and, for what is no single value, shape and elements' keys."""

    key: bytes
    shape: int = NOTHING
    leaves: Iterable[bytes] = ()


def read_keys(document: Any, column: Column) -> Reading:
    """Read a property: what is anything but a single value sorts as missing (L8)."""
    kind = "date-time" if column.instants else ""
    value = find_value(document, column.path)
    if isinstance(value, dict):
        return Reading(MISSING, OBJECT)
    if value is not None and not isinstance(value, list):
        return Reading(make_key(value, kind))
    found = list(find_all(document, column.path))
    if not found:
        return Reading(MISSING)
    keys = {make_key(element, kind) for each in found for element in flatten(each)}
    return Reading(MISSING, ARRAY, keys - {MISSING})


def read_column(document: Any, column: Column) -> Reading:
    """Read a property, or only whether a pattern matches it."""
    if column.pattern is None:
        return read_keys(document, column)
    key, _, leaves = read_keys(document, column.keys)
    matching = any(matches(column.pattern, column.case_sensitive, each) for each in (key, *leaves) if each >= STRING)
    return Reading(YES if matching else NO)


def matches(pattern: str, case_sensitive: object, key: bytes) -> bool:
    """Say whether all of a string, given by its key, matches a pattern."""
    return compile_whole(pattern, case_sensitive=bool(case_sensitive)).fullmatch(key[1:]) is not None


class Reader:
    """Reads the columns of one document, each once however many lists want it."""

    def __init__(self, document: Any) -> None:
        """Read nothing yet."""
        self.document = document
        self._read: dict[Column, Reading] = {}

    def read(self, column: Column) -> Reading:
        """Give what a column keeps."""
        if column not in self._read:
            self._read[column] = read_column(self.document, column)
        return self._read[column]
