"""What the index keeps of an instance for each property path that a query has used (spec repository §11)."""

from typing import Any

from msgspec import Struct

from gateway.offers.ordering import MISSING, Path, find_all, find_value, flatten, make_key
from gateway.offers.query import INSTANCE_ID

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


def read_keys(document: Any, column: Column) -> tuple[bytes, set[bytes]]:
    """Give the sort key of a property, and its leaves where it is anything but missing or a single value.

    Leaves are the keys of all elements, PRESENT and, for arrays, LISTED.
    """
    kind = "date-time" if column.instants else ""
    value = find_value(document, column.path)
    if isinstance(value, dict):
        return MISSING, {PRESENT}
    if value is not None and not isinstance(value, list):
        return make_key(value, kind), set()
    found = list(find_all(document, column.path))
    if not found:
        return MISSING, set()
    keys = {make_key(element, kind) for each in found for element in flatten(each)}
    return MISSING, (keys - {MISSING}) | {PRESENT, LISTED}
