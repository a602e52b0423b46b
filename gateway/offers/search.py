"""Full-text search: how text is taken apart, and what a query's terms are (spec repository §12)."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from gateway.errors import Problem
from gateway.offers.ordering import Path

MAX_TERMS = 64
LONG = 4096

TOKEN = re.compile(r"[^\W_]+")
"""A run of letters and digits: what Python calls alphanumeric are exactly the categories L and N (T2)."""

QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
QUOTED_ESCAPE = re.compile(r'\\(["\\])')
PIECE = re.compile(r"\\(.)|([^\\])|\\", re.DOTALL)
BOUNDARIES = frozenset('+-=&|><!(){}[]^"~*?:\\/')
"""Between two terms, unless escaped (T4)."""


class Term(Struct, frozen=True):
    """One term: its tokens stand next to each other in a value; with `exact` the value holds that text (T5)."""

    tokens: tuple[str, ...]
    exact: str = ""


class Search(Struct, frozen=True):
    """`q`, `field` and `qop`; no `fields` means all string properties (T9), no terms that nothing matches (T7)."""

    terms: tuple[Term, ...]
    fields: tuple[Path, ...] = ()
    every: bool = False


def normalise(text: str) -> str:
    """Give text without case and accents: NFKD, combining marks removed, case-folded (T1)."""
    if text.isascii():
        return text.lower()
    plain = (char for char in unicodedata.normalize("NFKD", text) if unicodedata.category(char)[0] != "M")
    return "".join(plain).casefold()


def split_tokens(normalised: str) -> list[str]:
    """Give the tokens of a normalised text in their order (T2)."""
    if len(normalised) <= LONG:
        return TOKEN.findall(normalised)
    return [found[0] for found in TOKEN.finditer(normalised)]  # other threads have their turns between any two tokens


def holds(normalised: str, exact: str) -> bool:
    """Say whether a text holds another one that does not begin or end inside a token (T5)."""
    start = normalised.find(exact)
    while start >= 0:
        if not is_inside(normalised, start) and not is_inside(normalised, start + len(exact)):
            return True
        start = normalised.find(exact, start + 1)
    return False


def is_inside(text: str, position: int) -> bool:
    """Say whether a token goes on across a position."""
    return 0 < position < len(text) and text[position - 1].isalnum() and text[position].isalnum()


def matches(term: Term, normalised: str) -> bool:
    """Say whether a value matches a term (T3, T5, X10)."""
    if term.exact:
        return holds(normalised, term.exact)
    return f" {' '.join(term.tokens)} " in f" {' '.join(split_tokens(normalised))} "


def score(terms: Sequence[Term], values: Sequence[str]) -> float:
    """Give the share of the terms that one of the normalised values matches."""
    return sum(any(matches(term, value) for value in values) for term in terms) / len(terms)


def read_terms(q: str) -> tuple[Term, ...]:
    """Take `q` apart (T4-T6). Raises Problem 400 invalid-parameter for too many terms."""
    quoted = QUOTED.fullmatch(q.strip())
    if quoted:
        exact = normalise(QUOTED_ESCAPE.sub(r"\1", quoted[1]))
        return (Term(tuple(split_tokens(exact)), exact),) if exact else ()
    terms = tuple(read_plain(q))
    if len(terms) > MAX_TERMS:
        raise Problem(400, "invalid-parameter", f"q has {len(terms)} terms, at most {MAX_TERMS} are searched for")
    return terms


def read_plain(q: str) -> Iterator[Term]:
    """Give the terms of an unquoted `q`; a term without letters and digits counts only when it is escaped (T7)."""
    for text, escaped in split_words(q):
        normalised = normalise(text)
        tokens = tuple(split_tokens(normalised))
        if normalised and (tokens or escaped):
            yield Term(tokens, normalised if escaped else "")


def split_words(q: str) -> Iterator[tuple[str, bool]]:
    """Give each word without its backslashes, and whether it has an escaped character that is no letter or digit."""
    word: list[str] = []
    escaped = False
    for piece in PIECE.finditer(q + " "):
        if piece[1] is not None and piece.end() <= len(q):
            word.append(piece[1])
            escaped = escaped or not piece[1].isalnum()
        elif piece[2] is not None and piece[2] not in BOUNDARIES and not piece[2].isspace():
            word.append(piece[2])
        elif word:
            yield "".join(word), escaped
            word, escaped = [], False
        else:
            escaped = False


def find_texts(value: Any, at: Path, skips: Callable[[Path], bool]) -> list[str]:
    """Give every string below a value; `at` is its path, what stands at paths that `skips` names is left out (T9)."""
    found: list[str] = []
    rest = [(value, at)]
    while rest:
        value, at = rest.pop()
        if isinstance(value, str):
            if not skips(at):
                found.append(value)
        elif isinstance(value, dict):
            rest += [(member, (*at, name)) for name, member in value.items()]
        elif isinstance(value, list):
            rest += [(element, at) for element in value]
    return found
