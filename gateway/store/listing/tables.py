"""One list of a container: a row an instance, a column a property path, an index a sort order."""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any

from gateway.offers.ordering import MISSING, STRING
from gateway.pql.patterns import compile_lines
from gateway.store.listing.columns import ID, NOTHING, Column, Reader, read_keys
from gateway.store.listing.engine import transaction
from gateway.store.listing.patience import Patience

MOST_COLUMNS = 64
"""More than one query can ask for: 8 sort properties and 20 filters of two columns each."""

MOST_INDEXES = 12
BATCH = 500
LINES = 2048
LINE_WORK = 400_000
"""Lines times instructions of a pattern that are matched before anything else can go on."""

Opens = Callable[[bytes], Any]
Slots = tuple[tuple[str, bool], ...]
"""A sort order: names of columns, and whether each descends."""


class ListTable:
    """The instances listed under one schema, by number; the least recently used columns and indexes make room."""

    def __init__(self, connection: sqlite3.Connection, name: str, patience: Patience, opens: Opens) -> None:
        """Make the tables `<name>` and `<name>_leaf`; `patience` is the time a query has, `opens` reads a document."""
        self._sql = connection
        self._patience = patience
        self._opens = opens
        self.name = name
        self.leaf = f"{name}_leaf"
        self._slots: OrderedDict[Column, int] = OrderedDict()
        self._indexes: OrderedDict[Slots, str] = OrderedDict()
        self._leafy: set[Column] = set()
        self._names = count()
        connection.execute(f"CREATE TABLE {name} (number INTEGER PRIMARY KEY, id BLOB NOT NULL)")
        connection.execute(
            f"CREATE TABLE {self.leaf} (slot INTEGER, key BLOB, number INTEGER, PRIMARY KEY (slot, key, number))"
            " WITHOUT ROWID"
        )

    def slot(self, column: Column) -> int:
        """Give the number of a column that is kept."""
        return self._slots[column]

    def place(self, column: Column) -> str:
        """Give the name of a column that is kept."""
        return "id" if column == ID else f"c{self._slots[column]}"

    def has_leaves(self, column: Column) -> bool:
        """Say whether a column has had anything but single values."""
        return column in self._leafy

    def put(self, number: int, new: Reader, old: Reader | None) -> None:
        """Keep an instance, or what it has become; `old` is what was kept of it before."""
        if old is not None:
            self.remove(number, old)
        readings = [new.read(column) for column in self._slots]
        shaped = [each for each in zip(self._slots, readings, strict=True) if each[1].shape]
        names = [f"c{slot}" for slot in self._slots.values()] + [f"s{self._slots[column]}" for column, _ in shaped]
        values = [number, new.read(ID).key, *(each.key for each in readings), *(each.shape for _, each in shaped)]
        columns, marks = ", ".join(["number", "id", *names]), ", ".join("?" * len(values))
        self._sql.execute(f"INSERT INTO {self.name} ({columns}) VALUES ({marks})", values)  # noqa: S608 # names are made here
        if shaped:
            self._leafy.update(column for column, _ in shaped)
            self._sql.executemany(f"INSERT INTO {self.leaf} VALUES (?, ?, ?)", self._leaves(number, new))  # noqa: S608

    def _leaves(self, number: int, reader: Reader) -> list[tuple[int, bytes, int]]:
        return [(slot, key, number) for column, slot in self._slots.items() for key in reader.read(column).leaves]

    def remove(self, number: int, old: Reader) -> None:
        """Forget an instance."""
        if self._sql.execute(f"DELETE FROM {self.name} WHERE number = ?", (number,)).rowcount:  # noqa: S608
            leaves = self._leaves(number, old)
            self._sql.executemany(f"DELETE FROM {self.leaf} WHERE slot = ? AND key = ? AND number = ?", leaves)  # noqa: S608

    def keep(self, columns: Iterable[Column]) -> None:
        """See to it that there are these columns: the first use of one reads every document."""
        wanted = [column for column in dict.fromkeys(columns) if column != ID]
        for column in wanted:
            if column in self._slots:
                self._slots.move_to_end(column)
        new = [column for column in wanted if column not in self._slots]
        plain = [column for column in new if not column.pattern]
        if plain:
            with self._patience.paused(), transaction(self._sql):
                self._fill(plain)
        for column in new:
            if column.pattern:
                self._keep_matches(column)

    def keep_index(self, order: Slots) -> str:
        """Give the name of the index for a sort order; the first use of one sorts the list."""
        if order in self._indexes:
            self._indexes.move_to_end(order)
            return self._indexes[order]
        with self._patience.paused():
            if len(self._indexes) >= MOST_INDEXES:
                self._drop_index(next(iter(self._indexes)))
            return self._make_index(order)

    def _make_index(self, order: Slots) -> str:
        name = f"{self.name}_order_{next(self._names)}"
        terms = [f"{column} DESC" if descending else column for column, descending in order]
        tie = [] if "id" in dict(order) else ["id"]
        self._sql.execute(f"CREATE INDEX {name} ON {self.name} ({', '.join(terms + tie)})")
        self._indexes[order] = name
        return name

    def _drop_index(self, order: Slots) -> None:
        self._sql.execute(f"DROP INDEX {self._indexes.pop(order)}")

    def _take_slot(self) -> int:
        """Give a free column, or that of the path which was not used for longest."""
        if len(self._slots) < MOST_COLUMNS:
            slot = len(self._slots)
            self._sql.execute(f"ALTER TABLE {self.name} ADD COLUMN c{slot} BLOB NOT NULL DEFAULT x'00'")
            self._sql.execute(f"ALTER TABLE {self.name} ADD COLUMN s{slot} INTEGER NOT NULL DEFAULT 0")
            return slot
        column, slot = self._slots.popitem(last=False)
        self._leafy.discard(column)
        for order in [order for order in self._indexes if any(name == f"c{slot}" for name, _ in order)]:
            self._drop_index(order)
        self._sql.execute(f"DELETE FROM {self.leaf} WHERE slot = ?", (slot,))  # noqa: S608
        self._sql.execute(f"UPDATE {self.name} SET c{slot} = ?, s{slot} = ?", (MISSING, NOTHING))  # noqa: S608
        return slot

    def _fill(self, columns: Sequence[Column]) -> None:
        """Read new columns from the documents."""
        for column in columns:
            self._slots[column] = self._take_slot()
        places = ", ".join(f"c{self._slots[column]} = ?, s{self._slots[column]} = ?" for column in columns)
        change = f"UPDATE {self.name} SET {places} WHERE number = ?"  # noqa: S608
        for rows in self._batches():
            changes, leaves = [], []
            for number, document in rows:
                envelope = self._opens(document)
                read = [read_keys(envelope, column) for column in columns]
                if any(each.shape or each.key != MISSING for each in read):
                    changes.append((*(value for each in read for value in each[:2]), number))
                for column, each in zip(columns, read, strict=True):
                    if each.shape:
                        self._leafy.add(column)
                        leaves += [(self._slots[column], key, number) for key in each.leaves]
            self._sql.executemany(change, changes)
            self._sql.executemany(f"INSERT INTO {self.leaf} VALUES (?, ?, ?)", leaves)  # noqa: S608

    def _batches(self) -> Iterator[list[tuple[int, bytes]]]:
        """Give number and document of every instance."""
        last = -1
        query = f"SELECT number, document FROM {self.name} JOIN item USING (number) WHERE number > ?"  # noqa: S608
        while rows := self._sql.execute(f"{query} ORDER BY number LIMIT {BATCH}", (last,)).fetchall():
            yield rows
            last = rows[-1][0]

    def _keep_matches(self, column: Column) -> None:
        """Match a pattern against every value of its path: many at once where the pattern allows it."""
        source = self.place(column.keys)
        found = self._match_lines(column, source)
        if found is None:
            found = self._match_rows(column, source, f"{source} >= x'04'")
        if self.has_leaves(column.keys):
            found += self._match_leaves(column)
        with self._patience.paused(), transaction(self._sql):
            slot = self._slots[column] = self._take_slot()
            self._sql.executemany(f"UPDATE {self.name} SET c{slot} = x'01' WHERE number = ?", found)  # noqa: S608

    def _match_rows(self, column: Column, source: str, test: str) -> list[tuple[int]]:
        """Match a pattern against the values of some rows, one at a time."""
        query = f"SELECT number FROM {self.name} WHERE {test} AND matches(?, ?, {source})"  # noqa: S608
        return self._sql.execute(query, (column.pattern, column.case_sensitive)).fetchall()

    def _match_leaves(self, column: Column) -> list[tuple[int]]:
        """Find the rows where an element of an array matches."""
        leaves = f"SELECT DISTINCT number FROM {self.leaf} WHERE slot = ? AND key >= ? AND matches(?, ?, key)"  # noqa: S608
        values = (self._slots[column.keys], STRING, column.pattern, column.case_sensitive)
        return self._sql.execute(leaves, values).fetchall()

    def _match_lines(self, column: Column, source: str) -> list[tuple[int]] | None:
        """Find the rows that match by one search in the lines of many; None where the pattern must see each alone."""
        lines = compile_lines(column.pattern, case_sensitive=column.case_sensitive)
        if lines is None:
            return None
        size = max(16, min(LINES, LINE_WORK // lines.programsize))
        text = f"CAST(group_concat(number || x'1f' || substr({source}, 2), x'0a') AS BLOB)"
        string = f"{source} >= x'04' AND instr({source}, x'0a')"
        block = f"SELECT {text} FROM {self.name} WHERE number >= ? AND number < ? AND {string} = 0"  # noqa: S608
        last = self._sql.execute(f"SELECT max(number) FROM {self.name}").fetchone()[0] or 0  # noqa: S608
        found = []
        for first in range(0, last + 1, size):
            self._patience.check()
            (values,) = self._sql.execute(block, (first, first + size)).fetchone()
            found += [(int(match[1]),) for match in lines.finditer(values or b"")]
        return found + self._match_rows(column, source, f"{string} > 0")
