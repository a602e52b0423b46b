"""One list of a container: a row an instance, a column a property path, an index a sort order."""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any

from gateway.offers.ordering import MISSING
from gateway.store.listing.columns import ID, NOTHING, Column, Reader, Reading, read_keys
from gateway.store.listing.engine import transaction
from gateway.store.listing.matching import MatchTables
from gateway.store.listing.patience import Patience, breathe

MOST_COLUMNS = 48
"""More than one query can ask for."""

MOST_INDEXES = 12
BATCH = 64
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
        self._valued: set[Column] = set()
        self._matches = MatchTables(connection, name, patience)
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
        """Give the name of a column that is kept, or of the table of a pattern."""
        if column.pattern is not None:
            return self._matches.name(column)
        return "id" if column == ID else f"c{self._slots[column]}"

    def has_leaves(self, column: Column) -> bool:
        """Say whether a column has had anything but single values."""
        return column in self._leafy

    def has_values(self, column: Column) -> bool:
        """Say whether a column has had a single value."""
        return column in self._valued or column == ID

    def _note(self, column: Column, reading: Reading) -> None:
        """Remember what a column has: filters need not look for anything else."""
        if reading.shape:
            self._leafy.add(column)
        elif reading.key != MISSING:
            self._valued.add(column)

    def put(self, number: int, new: Reader, old: Reader | None) -> None:
        """Keep an instance, or what it has become; `old` is what was kept of it before."""
        if old is not None:
            self.remove(number, old)
        readings = [new.read(column) for column in self._slots]
        for column, reading in zip(self._slots, readings, strict=True):
            self._note(column, reading)
        shaped = [each for each in zip(self._slots, readings, strict=True) if each[1].shape]
        names = [f"c{slot}" for slot in self._slots.values()] + [f"s{self._slots[column]}" for column, _ in shaped]
        values = [number, new.read(ID).key, *(each.key for each in readings), *(each.shape for _, each in shaped)]
        columns, marks = ", ".join(["number", "id", *names]), ", ".join("?" * len(values))
        self._sql.execute(f"INSERT INTO {self.name} ({columns}) VALUES ({marks})", values)  # noqa: S608 # names are made here
        if shaped:
            self._sql.executemany(f"INSERT INTO {self.leaf} VALUES (?, ?, ?)", self._leaves(number, new))  # noqa: S608
        self._matches.put(number, new)

    def _leaves(self, number: int, reader: Reader) -> list[tuple[int, bytes, int]]:
        return [(slot, key, number) for column, slot in self._slots.items() for key in reader.read(column).leaves]

    def remove(self, number: int, old: Reader) -> None:
        """Forget an instance."""
        if self._sql.execute(f"DELETE FROM {self.name} WHERE number = ?", (number,)).rowcount:  # noqa: S608
            self._matches.remove(number)
            leaves = self._leaves(number, old)
            self._sql.executemany(f"DELETE FROM {self.leaf} WHERE slot = ? AND key = ? AND number = ?", leaves)  # noqa: S608

    def keep(self, columns: Iterable[Column]) -> None:
        """See to it that there are these columns: the first use of one reads every document."""
        wanted = list(dict.fromkeys(columns))
        plain = [column for column in wanted if column.pattern is None and column != ID]
        for column in plain:
            if column in self._slots:
                self._slots.move_to_end(column)
        new = [column for column in plain if column not in self._slots]
        if new:
            with self._patience.paused(), transaction(self._sql):
                self._fill(new)
        for column in wanted:
            if column.pattern is not None:
                keys = column.keys
                self._matches.keep(column, self.place(keys), self._slots[keys] if self.has_leaves(keys) else None)

    def index(self, column: Column) -> str | None:
        """Give the name of the index over one column alone, None where there is none."""
        return self._indexes.get(((self.place(column), False),))

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
        self._valued.discard(column)
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
                    self._note(column, each)
                    leaves += [(self._slots[column], key, number) for key in each.leaves]
            self._sql.executemany(change, changes)
            self._sql.executemany(f"INSERT INTO {self.leaf} VALUES (?, ?, ?)", leaves)  # noqa: S608

    def _batches(self) -> Iterator[list[tuple[int, bytes]]]:
        """Give number and document of every instance."""
        last = -1
        query = f"SELECT number, document FROM {self.name} JOIN item USING (number) WHERE number > ?"  # noqa: S608
        while rows := self._sql.execute(f"{query} ORDER BY number LIMIT {BATCH}", (last,)).fetchall():
            yield rows
            breathe()
            last = rows[-1][0]
