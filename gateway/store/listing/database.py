"""One container's index: its instances, their lists and their texts, in SQLite in memory (gw:R3).

Nothing here knows the event loop: everything runs in the thread of its container.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import ConfigError
from gateway.offers.instances import Instance
from gateway.offers.ordering import Path
from gateway.offers.query import ListQuery, Order, Schemas, write_next
from gateway.offers.search import Search, holds, score
from gateway.store.listing.columns import Column, Reader, matches
from gateway.store.listing.pages import Rows
from gateway.store.listing.patience import Patience, too_slow
from gateway.store.listing.selection import column_of
from gateway.store.listing.tables import ListTable
from gateway.store.listing.texts import TextTable

MOST_FIELDS = 24
"""Text tables of single fields; more than one query may name."""

PROBE = "CREATE VIRTUAL TABLE temp.probe USING fts5(words)"
MOST_KINDS = 10_000
CHECK_EVERY = 2_000
"""SQLite instructions between two looks at the clock."""

CREATED = Order(("repo:createdDate",), "date-time")
MODIFIED = Order(("repo:lastModifiedDate",), "date-time")
LATEST = Order(("repo:lastModifiedDate",), "date-time", descending=True)
NEWEST = Order(("repo:createdDate",), "date-time", descending=True)
NAME = Order(("_instance", "xdm:name"), "string")
COMMON_ORDERS = (Order(("instanceId",), "string"), CREATED, NEWEST, MODIFIED, LATEST, NAME)
COMMON_COLUMNS = (
    *dict.fromkeys(column_of(each) for each in COMMON_ORDERS),
    Column(("_instance", "@id")),
    Column(("_instance", "xdm:status")),
    Column(("_instance", "xdm:tags")),
)
"""What every list has from the beginning; anything else costs its first user a pass over the documents."""

decode = msgspec.json.Decoder().decode
decode_texts = msgspec.json.Decoder(list[str]).decode


class Item(Struct, frozen=True):
    """One result: the stored envelope, and the share of the terms it matches (searches only)."""

    document: bytes
    score: float | None = None


class Page(Struct, frozen=True):
    """One page: `total` counts from its first item to the end of the list (L2); `next_start` is None on the last."""

    items: tuple[Item, ...]
    total: int
    next_start: str | None = None

    @property
    def count(self) -> int:
        """How many items this page has."""
        return len(self.items)


def connect(patience: Patience) -> sqlite3.Connection:
    """Open an empty database with the functions the index uses. Raises ConfigError where SQLite has no FTS5."""
    connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512)
    try:
        connection.execute(PROBE)
        connection.execute("DROP TABLE temp.probe")
    except sqlite3.OperationalError:
        connection.close()
        raise ConfigError("this Python's SQLite has no FTS5: install a Python whose sqlite3 module has it") from None
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.create_function("matches", 3, matches, deterministic=True)
    connection.create_function("holds", 2, hold_any, deterministic=True)
    connection.set_progress_handler(patience.is_over, CHECK_EVERY)
    return connection


def hold_any(texts: bytes, exact: str) -> bool:
    """Say whether one of several texts, given as JSON, holds another (T5)."""
    return any(holds(text, exact) for text in decode_texts(texts))


class Database:
    """The instances of one container, ready to be listed and searched; for one thread."""

    def __init__(self, schemas: Schemas) -> None:
        """Start empty. Raises ConfigError where SQLite has no FTS5."""
        self._schemas = schemas
        self._patience = Patience()
        self._sql = connect(self._patience)
        self._sql.execute(
            "CREATE TABLE item (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document BLOB NOT NULL)"
        )
        self._sql.execute("CREATE TEMP TABLE found (number INTEGER PRIMARY KEY)")
        self._lists: dict[str, ListTable] = {}
        self._names = count()
        self._kinds: dict[tuple[str, ...], tuple[tuple[str, ...], Callable[[Path], bool]]] = {}
        self._default = TextTable(self._sql, "text", None, self._skips)
        self._fields: OrderedDict[Path, TextTable] = OrderedDict()

    def close(self) -> None:
        """Free the memory."""
        self._sql.close()

    def apply(self, instances: Iterable[Instance], gone: Iterable[str] = ()) -> None:
        """Bring instances to their newest state and forget those that are gone; in any order, as often as one likes."""
        with self._transaction():
            for instance_id in gone:
                self._forget(instance_id)
            for instance in instances:
                self._put(instance)

    def finish(self) -> None:
        """Make the indexes for the common sort orders, once everything is there."""
        for table in self._lists.values():
            for order in COMMON_ORDERS:
                table.keep_index(((table.place(column_of(order)), order.descending),))

    def page(self, query: ListQuery) -> Page:
        """Give a page. Raises Problem 400 invalid-filter when it takes too long."""
        table = self._lists.get(query.name)
        if table is None or (query.search and not query.search.terms):
            return Page((), 0)
        tables = self._keep_texts(query.search) if query.search else []
        try:
            with self._patience.limited():
                if query.search:
                    self._find(query.search, tables)
                return self._read(query, table, tables)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            raise too_slow() from None

    def _read(self, query: ListQuery, table: ListTable, tables: list[TextTable]) -> Page:
        rows = Rows(self._sql, table, query, searched=query.search is not None)
        total = rows.count()
        taken = [number for number, _ in rows.take(query.limit, total)] if total else []
        documents = [self._document(number) for number in taken]
        items = tuple(
            Item(document, self._score(number, query.search, tables) if query.search else None)
            for number, document in zip(taken, documents, strict=True)
        )
        more = total > len(taken)
        return Page(items, total, write_next(query, decode(documents[-1])) if more else None)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._sql.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")

    def _document(self, number: int) -> bytes:
        document: bytes = self._sql.execute("SELECT document FROM item WHERE number = ?", (number,)).fetchone()[0]
        return document

    def _put(self, instance: Instance) -> None:
        new, number, old = Reader(decode(instance.document)), *self._known(instance.instance_id)
        values = (instance.instance_id, instance.document)
        if old is None:
            number = self._sql.execute("INSERT INTO item (id, document) VALUES (?, ?)", values).lastrowid or 0
        else:
            self._sql.execute("UPDATE item SET document = ? WHERE number = ?", (instance.document, number))
        names = self._types(new.document)[0]
        for name, table in self._lists.items():
            if old is not None and name not in names:
                table.remove(number, old)
        for name in names:
            self._list(name).put(number, new, old)
        for texts in (self._default, *self._fields.values()):
            texts.put(number, new.document, known=old is not None)

    def _forget(self, instance_id: str) -> None:
        number, old = self._known(instance_id)
        if old is not None:
            for table in self._lists.values():
                table.remove(number, old)
            for texts in (self._default, *self._fields.values()):
                texts.remove(number)
            self._sql.execute("DELETE FROM item WHERE number = ?", (number,))

    def _known(self, instance_id: str) -> tuple[int, Reader | None]:
        """Give the number of an instance and what is kept of it; None when there is nothing."""
        row = self._sql.execute("SELECT number, document FROM item WHERE id = ?", (instance_id,)).fetchone()
        return (row[0], Reader(decode(row[1]))) if row else (0, None)

    def _list(self, name: str) -> ListTable:
        if name not in self._lists:
            table = self._lists[name] = ListTable(self._sql, f"list_{next(self._names)}", self._patience)
            table.keep(COMMON_COLUMNS)
        return self._lists[name]

    def _types(self, envelope: dict[str, Any]) -> tuple[tuple[str, ...], Callable[[Path], bool]]:
        """Give the lists an instance is in (S4, M12), and which of its texts are not searched by default (T9)."""
        key = tuple(envelope.get("schemas", ()))
        if key not in self._kinds:
            types = [found for found in map(self._schemas.find, key) if found is not None]
            names = dict.fromkeys(name for each in types for name in self._schemas.listed_under(each))
            self._kinds[key] = (
                tuple(names),
                remember(lambda path: any(self._schemas.kind_of(each, path) for each in types)),
            )
        return self._kinds[key]

    def _skips(self, envelope: dict[str, Any]) -> Callable[[Path], bool]:
        return self._types(envelope)[1]

    def _keep_texts(self, search: Search) -> list[TextTable]:
        """Give the text tables a search looks into; the first use of a field reads every document."""
        for path in search.fields:
            if path in self._fields:
                self._fields.move_to_end(path)
                continue
            if len(self._fields) >= MOST_FIELDS:
                self._fields.popitem(last=False)[1].drop()
            table = self._fields[path] = TextTable(self._sql, f"field_{next(self._names)}", path, self._skips)
            for number, document in self._sql.execute("SELECT number, document FROM item"):
                table.put(number, decode(document), known=False)
        return [self._fields[path] for path in search.fields] or [self._default]

    def _find(self, search: Search, tables: list[TextTable]) -> None:
        """Put the numbers of what a search finds into `found` (T8)."""
        terms = [[table.match(term) for table in tables] for term in search.terms]
        each = [" UNION ".join(query for query, _ in term) for term in terms]
        query = (" INTERSECT " if search.every else " UNION ").join(f"SELECT * FROM ({term})" for term in each)  # noqa: S608 # names are made here
        values = [value for term in terms for _, found in term for value in found]
        self._sql.execute("DELETE FROM found")
        self._sql.execute(f"INSERT INTO found {query}", values)  # names are made here

    def _score(self, number: int, search: Search, tables: list[TextTable]) -> float:
        """Give the share of terms an instance matches."""
        return 1.0 if search.every else score(search.terms, [text for table in tables for text in table.texts(number)])


def remember(kind_of: Callable[[Path], bool]) -> Callable[[Path], bool]:
    """Give a function that asks only once about a path, as long as there are not too many of them."""
    known: dict[Path, bool] = {}

    def answer(path: Path) -> bool:
        if path not in known:
            if len(known) >= MOST_KINDS:
                known.clear()
            known[path] = kind_of(path)
        return known[path]

    return answer
