"""What the index searches: the words of every instance, of all its texts or of those below one path (spec §12)."""

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.offers.ordering import Path, find_all
from gateway.offers.search import Search, Term, find_texts, normalise, split_tokens

GAP = " \ue000 "
"""Stands between two values, so that no phrase goes from one into the next; no letter, no digit: in no term."""

Part = tuple[str, tuple[object, ...]]
"""A query and its values."""

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(list[str]).decode


class TextTable:
    """The texts of one field, by number of the instance.

    FTS5 gets the tokens the search room makes, parted by spaces: its `ascii` tokenizer takes every other character
    beyond ASCII as part of a word, so that the words are exactly ours (T1, T2). It keeps no copy of the text.
    """

    def __init__(self, connection: sqlite3.Connection, name: str, path: Path | None, skips: Callable[..., Any]) -> None:
        """Make the tables `<name>` (the words) and `<name>_body` (the values); no `path` means the default fields."""
        self._sql = connection
        self.name = name
        self.body = f"{name}_body"
        self._path = path
        self._skips = skips
        connection.execute(f"CREATE VIRTUAL TABLE {name} USING fts5(words, content='', columnsize=0, tokenize='ascii')")
        connection.execute(f"CREATE TABLE {self.body} (number INTEGER PRIMARY KEY, texts BLOB NOT NULL)")

    def put(self, number: int, document: Any, *, known: bool) -> None:
        """Keep the texts of an instance, or what they have become where it is `known`."""
        texts = self._read(document)
        if known and self._texts(number) == texts:
            return
        if known:
            self.remove(number)
        if texts is not None:
            self._sql.execute(f"INSERT INTO {self.body} VALUES (?, ?)", (number, texts))  # noqa: S608 # names are made here
            self._sql.execute(f"INSERT INTO {self.name} (rowid, words) VALUES (?, ?)", (number, split(texts)))  # noqa: S608

    def _texts(self, number: int) -> bytes | None:
        row = self._sql.execute(f"SELECT texts FROM {self.body} WHERE number = ?", (number,)).fetchone()  # noqa: S608
        return row[0] if row else None

    def remove(self, number: int) -> None:
        """Forget an instance: the words to take out are made from its texts again."""
        texts = self._texts(number)
        if texts is not None:
            out = f"INSERT INTO {self.name} ({self.name}, rowid, words) VALUES ('delete', ?, ?)"  # noqa: S608
            self._sql.execute(out, (number, split(texts)))
            self._sql.execute(f"DELETE FROM {self.body} WHERE number = ?", (number,))  # noqa: S608

    def texts(self, number: int) -> list[str]:
        """Give the normalised texts of an instance."""
        texts = self._texts(number)
        return [] if texts is None else decode(texts)

    def drop(self) -> None:
        """Take the tables away."""
        self._sql.execute(f"DROP TABLE {self.name}")
        self._sql.execute(f"DROP TABLE {self.body}")

    def match_words(self, search: Search) -> Part | None:
        """Give the query for all terms at once, several times quicker than one by one; None where one is exact."""
        if any(term.exact for term in search.terms):
            return None
        phrases = (" AND " if search.every else " OR ").join(map(write_phrase, search.terms))
        return f"SELECT rowid FROM {self.name} WHERE {self.name} MATCH ?", (phrases,)  # noqa: S608

    def match(self, term: Term) -> Part:
        """Give the query for the numbers of the instances a term matches."""
        phrase = write_phrase(term)
        if not term.exact:
            return f"SELECT rowid FROM {self.name} WHERE {self.name} MATCH ?", (phrase,)  # noqa: S608
        test = f"SELECT number FROM {self.body} WHERE holds(texts, ?)"  # noqa: S608
        if not term.tokens:
            return test, (term.exact,)
        words = f"SELECT rowid FROM {self.name} WHERE {self.name} MATCH ?"  # noqa: S608
        return f"{test} AND number IN ({words})", (term.exact, phrase)

    def _read(self, document: Any) -> bytes | None:
        """Give the normalised texts of an instance as JSON; None where it has none."""
        if self._path is None:
            found = find_texts(document.get("_instance"), ("_instance",), self._skips(document))
        else:
            values = find_all(document, self._path)
            found = [text for value in values for text in find_texts(value, self._path, keep_all)]
        texts = [normalise(text) for text in found]
        return encode(texts) if texts else None


def write_phrase(term: Term) -> str:
    """Give a term as FTS5 takes it."""
    return f'"{" ".join(term.tokens)}"'


def keep_all(_path: Path) -> bool:
    """Leave nothing out: `field` may name anything (T9)."""
    return False


def split(texts: bytes) -> str:
    """Give the words of normalised texts as FTS5 gets them."""
    return GAP.join(" ".join(split_tokens(text)) for text in decode(texts))
