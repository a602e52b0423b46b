"""Where a page begins and ends in one list (spec repository L10-L18)."""

import sqlite3
from collections.abc import Sequence

from gateway.offers.query import ListQuery
from gateway.store.listing.columns import Column
from gateway.store.listing.selection import Ordered, column_of, columns_of, write_after, write_condition, write_same
from gateway.store.listing.tables import ListTable

FEW = 2000
"""Rows that are quicker to sort than to meet on a walk along an index of all."""

Row = tuple[int, tuple[bytes, ...]]
"""An instance's number and its sort keys."""


class Rows:
    """The rows of one list that a query selects, in its order."""

    def __init__(self, connection: sqlite3.Connection, table: ListTable, query: ListQuery, *, searched: bool) -> None:
        """Get columns and index ready; `searched` rows are those whose number is in the table `found`."""
        self._sql = connection
        self._name = table.name
        self._searched = searched
        table.keep(needed_columns(query))
        self._order = [Ordered(table.place(column_of(each)), each.descending) for each in query.order]
        self._index = table.keep_index(tuple((each.place, each.descending) for each in self._order))
        parts = [write_condition(condition, table) for condition in query.conditions]
        self._filtered = bool(parts)
        if query.start:
            parts.append(write_after(self._order, query.start))
        self._tests = [test for test, _ in parts]
        self._values = [value for _, values in parts for value in values]

    def count(self) -> int:
        """Count the rows."""
        source = self._name if not self._filtered or self._searched else f"{self._name} NOT INDEXED"
        query = f"SELECT count(*) FROM {self._joined(source)}{self._where(self._tests)}"  # noqa: S608 # names are made here
        total: int = self._sql.execute(query, self._values).fetchone()[0]
        return total

    def take(self, limit: int, total: int) -> list[Row]:
        """Give the page: the first `limit` rows of `total` or, so that no group is split, fewer or one group (L16)."""
        rows = self._select(limit + 1, total)
        if len(rows) <= limit:
            return rows
        following = rows[limit][1]
        whole = [row for row in rows[:limit] if row[1] != following]
        return whole or self._select_group(following)

    def _select(self, limit: int, total: int) -> list[Row]:
        """Give the first rows: few are sorted, of many the first are met along the index."""
        narrowed = self._filtered or self._searched
        walk = not narrowed or total > FEW
        source = f"{self._name} INDEXED BY {self._index}" if walk else self._joined(f"{self._name} NOT INDEXED")
        found = ["number IN (SELECT number FROM found)"] if walk and self._searched else []
        terms = [f"{each.place} DESC" if each.descending else each.place for each in self._order]
        return self._read(f"{source}{self._where([*found, *self._tests])} ORDER BY {', '.join(terms)}, id", limit)

    def _select_group(self, keys: Sequence[bytes]) -> list[Row]:
        """Give every row with these sort keys."""
        found = ["number IN (SELECT number FROM found)"] if self._searched else []
        tests = [write_same(self._order), *found, *self._tests]
        values = self._values
        self._values = [*keys, *values]
        rows = self._read(f"{self._name} INDEXED BY {self._index}{self._where(tests)} ORDER BY id", -1)
        self._values = values
        return rows

    def _read(self, source: str, limit: int) -> list[Row]:
        places = ", ".join(each.place for each in self._order)
        rows = self._sql.execute(f"SELECT number, {places} FROM {source} LIMIT {limit}", self._values)  # noqa: S608
        return [(row[0], row[1:]) for row in rows]

    def _joined(self, source: str) -> str:
        return f"found CROSS JOIN {source} USING (number)" if self._searched else source

    @staticmethod
    def _where(tests: Sequence[str]) -> str:
        return f" WHERE {' AND '.join(tests)}" if tests else ""


def needed_columns(query: ListQuery) -> list[Column]:
    """Give every column a query sorts or filters by."""
    filters = [column for condition in query.conditions for column in columns_of(condition)]
    return [*map(column_of, query.order), *filters]
