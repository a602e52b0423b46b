"""SQLite in memory, with the functions the index needs."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from gateway.errors import ConfigError
from gateway.offers.search import holds
from gateway.store.listing.columns import matches
from gateway.store.listing.patience import Patience

PROBE = "CREATE VIRTUAL TABLE temp.probe USING fts5(words)"
CHECK_EVERY = 2_000
"""SQLite instructions between two looks at the clock."""

PAGE_BYTES = 16_384
"""Documents of one or two kB leave less room unused in large pages."""

decode_texts = msgspec.json.Decoder(list[str]).decode


def connect(patience: Patience) -> sqlite3.Connection:
    """Open an empty database. Raises ConfigError where SQLite has no FTS5."""
    connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512)
    try:
        connection.execute(PROBE)
        connection.execute("DROP TABLE temp.probe")
    except sqlite3.OperationalError:
        connection.close()
        raise ConfigError("this Python's SQLite has no FTS5: install a Python whose sqlite3 module has it") from None
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.create_function("matches", 3, matches, deterministic=True)
    connection.create_function("holds", 2, hold_any, deterministic=True)
    connection.set_progress_handler(patience.is_over, CHECK_EVERY)
    return connection


def check_engine() -> None:
    """Raise ConfigError where SQLite cannot do what lists and searches need."""
    connect(Patience()).close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do everything or nothing, and far quicker than one by one; inside another transaction it is part of that."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def hold_any(texts: bytes, exact: str) -> bool:
    """Say whether one of several texts, given as JSON, holds another (T5)."""
    return any(holds(text, exact) for text in decode_texts(texts))
