"""Which instances of one list match a pattern: found once, then kept up to date (spec repository F8, F9, F12)."""

import sqlite3
from collections import OrderedDict
from itertools import count

from gateway.offers.ordering import STRING
from gateway.pql.patterns import compile_lines
from gateway.store.listing.columns import YES, Column, Reader
from gateway.store.listing.engine import transaction
from gateway.store.listing.patience import Patience

MOST_PATTERNS = 32
"""More than one query can have."""

LINES = 512
"""Values that are matched by one search."""

MOST_COLUMNS = 4
"""Properties whose values are kept as lines."""


class MatchTables:
    """A table of numbers for each pattern; the least recently used ones make room."""

    def __init__(self, connection: sqlite3.Connection, name: str, patience: Patience) -> None:
        """Match what stands in the table `name` and, for arrays, in `<name>_leaf`."""
        self._sql = connection
        self._name = name
        self._patience = patience
        self._tables: OrderedDict[Column, str] = OrderedDict()
        self._lines: OrderedDict[Column, dict[int, bytes]] = OrderedDict()
        self._names = count()

    def name(self, column: Column) -> str:
        """Give the table of a pattern that is kept."""
        return self._tables[column]

    def put(self, number: int, reader: Reader) -> None:
        """Keep whether an instance that is not in the tables matches."""
        self._forget_lines(number)
        for column, table in self._tables.items():
            if reader.read(column).key == YES:
                self._sql.execute(f"INSERT INTO {table} VALUES (?)", (number,))  # noqa: S608 # names are made here

    def remove(self, number: int) -> None:
        """Forget an instance."""
        self._forget_lines(number)
        for table in self._tables.values():
            self._sql.execute(f"DELETE FROM {table} WHERE number = ?", (number,))  # noqa: S608

    def keep(self, column: Column, place: str, slot: int | None) -> None:
        """Match a pattern against every value, where it is new.

        `place` is the column of `<name>` that holds the keys, `slot` the number of their leaves if there are any.
        """
        if column not in self._tables:
            found = self._match_lines(column, place)
            if found is None:
                found = self._match_rows(column, place, f"{place} >= x'04'")
            found += [] if slot is None else self._match_leaves(column, slot)
            with self._patience.paused(), transaction(self._sql):
                self._tables[column] = self._make_table(found)
        self._tables.move_to_end(column)

    def _make_table(self, numbers: list[tuple[int]]) -> str:
        if len(self._tables) >= MOST_PATTERNS:
            self._sql.execute(f"DROP TABLE {self._tables.popitem(last=False)[1]}")
        table = f"{self._name}_match_{next(self._names)}"
        self._sql.execute(f"CREATE TABLE {table} (number INTEGER PRIMARY KEY)")
        self._sql.executemany(f"INSERT INTO {table} VALUES (?)", numbers)  # noqa: S608
        return table

    def _match_rows(self, column: Column, place: str, test: str) -> list[tuple[int]]:
        """Match against the values of some rows, one at a time."""
        query = f"SELECT number FROM {self._name} WHERE {test} AND matches(?, ?, {place})"  # noqa: S608
        return self._sql.execute(query, (column.pattern, column.case_sensitive)).fetchall()

    def _match_leaves(self, column: Column, slot: int) -> list[tuple[int]]:
        """Find the rows where an element of an array matches: they have no single value."""
        leaves = f"SELECT DISTINCT number FROM {self._name}_leaf WHERE slot = ? AND key >= ? AND matches(?, ?, key)"  # noqa: S608
        return self._sql.execute(leaves, (slot, STRING, column.pattern, column.case_sensitive)).fetchall()

    def _match_lines(self, column: Column, place: str) -> list[tuple[int]] | None:
        """Find the rows that match by one search in the lines of many; None where the pattern must see each alone."""
        lines = compile_lines(column.pattern, case_sensitive=column.case_sensitive)
        if lines is None:
            return None
        blocks = self._keep_lines(column.keys)
        last = self._sql.execute(f"SELECT max(number) FROM {self._name}").fetchone()[0] or 0  # noqa: S608
        found: list[tuple[int]] = []
        for block in range(last // LINES + 1):
            self._patience.check()
            if block not in blocks:
                blocks[block] = self._read_lines(place, block)
            found += [(int(match[1]),) for match in lines.finditer(blocks[block])]
        return found + self._match_rows(column, place, f"{place} >= x'04' AND instr({place}, x'0a') > 0")

    def _read_lines(self, place: str, block: int) -> bytes:
        r"""Give the lines `<number>\x1f<text>` of a block of instances; a text with a line break is none of them."""
        text = f"CAST(group_concat(number || x'1f' || substr({place}, 2), x'0a') AS BLOB)"
        rows = f"number >= ? AND number < ? AND {place} >= x'04' AND instr({place}, x'0a') = 0"
        query = f"SELECT {text} FROM {self._name} WHERE {rows}"  # noqa: S608
        return self._sql.execute(query, (block * LINES, (block + 1) * LINES)).fetchone()[0] or b""

    def _keep_lines(self, keys: Column) -> dict[int, bytes]:
        """Give the blocks of lines of a property, as far as they were read before."""
        if keys not in self._lines and len(self._lines) >= MOST_COLUMNS:
            self._lines.popitem(last=False)
        blocks = self._lines.setdefault(keys, {})
        self._lines.move_to_end(keys)
        return blocks

    def _forget_lines(self, number: int) -> None:
        for blocks in self._lines.values():
            blocks.pop(number // LINES, None)
