"""One container's index: its instances, their lists and their texts, in SQLite in memory (gw:R3).

Nothing here knows the event loop: everything runs in the thread of its container.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import Problem
from gateway.offers.instances import Instance
from gateway.offers.ordering import Path
from gateway.offers.query import ListQuery, Order, Schemas, write_next
from gateway.offers.receipts import make_links, show
from gateway.offers.search import Search, score
from gateway.store.listing.columns import Column, Reader
from gateway.store.listing.engine import connect, transaction
from gateway.store.listing.pages import Row, Rows
from gateway.store.listing.patience import Patience, breathe, too_slow
from gateway.store.listing.selection import column_of
from gateway.store.listing.tables import ListTable
from gateway.store.listing.texts import TextTable

MOST_FIELDS = 24
"""Text tables of single fields; more than one query may name."""

MOST_KINDS = 10_000
MOST_TOTALS = 1_000
BREATH = 16
AT_ONCE = 256

CREATED = Order(("repo:createdDate",), "date-time")
MODIFIED = Order(("repo:lastModifiedDate",), "date-time")
LATEST = Order(("repo:lastModifiedDate",), "date-time", descending=True)
NEWEST = Order(("repo:createdDate",), "date-time", descending=True)
NAME = Order(("_instance", "xdm:name"), "string")
AT_ID = Order(("_instance", "@id"), "uri")
COMMON_ORDERS = (Order(("instanceId",), "string"), CREATED, NEWEST, MODIFIED, LATEST, NAME, AT_ID)
COMMON_COLUMNS = (
    *dict.fromkeys(column_of(each) for each in COMMON_ORDERS),
    Column(("_instance", "xdm:status")),
    Column(("_instance", "xdm:rank", "xdm:priority")),
    Column(("_instance", "xdm:tags")),
)
"""What every list has from the beginning; anything else costs its first user a pass over the documents."""

decode = msgspec.json.Decoder().decode


PAGE_BYTES = 8 << 20
"""What a page has at most, whatever its limit, as long as it need not split a group of equal sort values (L14, L16)."""

GROUP_BYTES = 64 << 20
"""What a page has at most that is one such group."""


class Item(Struct, frozen=True):
    """One result: its envelope as it is shown, and the share of the terms it matches (searches only)."""

    document: bytes
    score: float | None = None


class Page(Struct, frozen=True, weakref=True):
    """One page: `total` counts from its first item to the end of the list (L2); `next_start` is None on the last."""

    items: tuple[Item, ...]
    total: int
    next_start: str | None = None

    @property
    def count(self) -> int:
        """How many items this page has."""
        return len(self.items)

    @property
    def size(self) -> int:
        """How many bytes its items have."""
        return sum(len(item.document) for item in self.items)


class Database:
    """The instances of one container, ready to be listed and searched; for one thread."""

    def __init__(self, schemas: Schemas, container: str = "") -> None:
        """Start empty; no `container` means that containers are the instances. Raises ConfigError without FTS5."""
        self._schemas = schemas
        self._container = container
        self._open = partial(open_envelope, container)
        self._totals: dict[ListQuery, int] = {}
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
        self._totals.clear()
        with transaction(self._sql):
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
        """Give a page. Raises Problem 400 when it takes too long, or cannot be made without splitting a huge group."""
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
        total = self._count(query, rows)
        taken = rows.take(query.limit, total) if total else []
        items = self._show(taken, PAGE_BYTES, query.search, tables)
        if len(items) < len(taken):
            taken = rows.take(len(items), total)
            items = self._show(taken, GROUP_BYTES, query.search, tables)
        if len(items) < len(taken):
            raise too_large(len(taken))
        if total == len(items):
            return Page(tuple(items), total)
        self._totals[replace(query, start=taken[-1][1])] = total - len(items)
        return Page(tuple(items), total, write_next(query, decode(items[-1].document)))

    def _show(self, rows: list[Row], most: int, search: Search | None, tables: list[TextTable]) -> list[Item]:
        """Give the first results, one at least, up to `most` bytes; everybody else has a turn in between."""
        items: list[Item] = []
        size = 0
        for number, _ in rows:
            score = self._score(number, search, tables)
            shown = show(self._document(number), self._container, score)
            size += len(shown)
            if size > most and items:
                break
            items.append(Item(shown, score))
            if len(items) % AT_ONCE == 0:
                breathe()
        return items

    def _count(self, query: ListQuery, rows: Rows) -> int:
        """Give the total; within a walk, as long as nothing changes, it is the last page's less its items."""
        if query not in self._totals:
            if len(self._totals) >= MOST_TOTALS:
                self._totals.clear()
            self._totals[query] = rows.count()
        return self._totals[query]

    def _document(self, number: int) -> bytes:
        document: bytes = self._sql.execute("SELECT document FROM item WHERE number = ?", (number,)).fetchone()[0]
        return document

    def _put(self, instance: Instance) -> None:
        new, number, old = Reader(self._open(instance.document)), *self._known(instance.instance_id)
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
        return (row[0], Reader(self._open(row[1]))) if row else (0, None)

    def _list(self, name: str) -> ListTable:
        if name not in self._lists:
            table = self._lists[name] = ListTable(self._sql, f"list_{next(self._names)}", self._patience, self._open)
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
            with transaction(self._sql):
                for number, document in self._sql.execute("SELECT number, document FROM item"):
                    table.put(number, self._open(document), known=False)
                    if number % BREATH == 0:
                        breathe()
        return [self._fields[path] for path in search.fields] or [self._default]

    def _find(self, search: Search, tables: list[TextTable]) -> None:
        """Put the numbers of what a search finds into `found` (T8)."""
        whole = [table.match_words(search) for table in tables] if len(tables) == 1 or not search.every else []
        together = [found for found in whole if found]
        terms = [together] if together else [[table.match(term) for table in tables] for term in search.terms]
        each = [" UNION ".join(query for query, _ in term) for term in terms]
        query = (" INTERSECT " if search.every else " UNION ").join(f"SELECT * FROM ({term})" for term in each)  # noqa: S608 # names are made here
        values = [value for term in terms for _, found in term for value in found]
        self._sql.execute("DELETE FROM found")
        self._sql.execute(f"INSERT INTO found {query}", values)  # names are made here

    def _score(self, number: int, search: Search | None, tables: list[TextTable]) -> float | None:
        """Give the share of terms an instance matches; None where nothing is searched for."""
        if search is None:
            return None
        return 1.0 if search.every else score(search.terms, [text for table in tables for text in table.texts(number)])


def too_large(count: int) -> Problem:
    """Make the answer to a page that would be endless (L15, L17)."""
    message = f"{count} instances have equal sort values here, too many for a page: add `,instanceId` to orderBy"
    return Problem(400, "invalid-parameter", message)


def open_envelope(container: str, document: bytes) -> dict[str, Any]:
    """Give a stored envelope with the links it is shown with: filters may name them (L7, E8)."""
    envelope: dict[str, Any] = decode(document)
    envelope["_links"] = make_links(envelope, container) | envelope["_links"]
    return envelope


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
