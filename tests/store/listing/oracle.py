"""Lists, filters and searches as the specification words them, over Python values: slow, plain, no code of ours."""

import re
import unicodedata
from datetime import datetime
from fractions import Fraction

ENVELOPE = {"instanceId", "schemas", "productContexts", "repo:etag", "repo:createdDate", "_instance", "_links"}
DATES = {("_instance", "when"), ("_instance", "at"), ("repo:createdDate",), ("repo:lastModifiedDate",)}
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
COMPARE = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def resolve(path):
    return path if path[0] in ENVELOPE else ("_instance", *path)


def read_date(text):
    return datetime.fromisoformat(text) if DATE.fullmatch(text) else None


def sort_value(document, path):
    """repo:L8."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return classify(document, path)


def classify(value, path):
    if isinstance(value, bool):
        return (1, value)
    if isinstance(value, int | float):
        return (2, Fraction(repr(value)))
    if isinstance(value, str):
        date = read_date(value) if path in DATES else None
        return (4, value) if date is None else (3, date)
    return (0,)


def sort(documents, order):
    """repo:L4, L8: stable sorts from the last property to the first."""
    result = sorted(documents, key=lambda document: document["instanceId"])
    for path, descending in reversed(order):
        result.sort(key=lambda document, path=path: sort_value(document, path), reverse=descending)
    return result


def cut(documents, order, limit):
    """repo:L16: the first page of what is left."""
    values = [[sort_value(document, path) for path, _ in order] for document in documents]
    end = min(limit, len(documents))
    if end == len(documents) or values[end] != values[end - 1]:
        return documents[:end]
    first = values.index(values[end])
    if first:
        return documents[:first]
    return [document for document, value in zip(documents, values, strict=True) if value == values[end]]


def walk(value, path, listed=False):
    """Give what a filter's path leads to, and whether through an array (repo:F3)."""
    if isinstance(value, list) and path:
        return [found for element in value for found in walk(element, path, True)]
    if not path:
        return [] if value is None else [(value, listed)]
    return walk(value.get(path[0]), path[1:], listed) if isinstance(value, dict) else []


def elements(value):
    return [inner for element in value for inner in elements(element)] if isinstance(value, list) else [value]


def keeps(document, path, operator, literal):
    """repo:F4-F8."""
    found = walk(document, path)
    if not found or not operator:
        return bool(found)
    if not isinstance(found[0][0], list) and not found[0][1]:
        return satisfies(found[0][0], path, operator, literal)
    each = [element for value, _ in found for element in elements(value)]
    if operator == "!=":
        return not any(satisfies(element, path, "==", literal) for element in each)
    return any(satisfies(element, path, operator, literal) for element in each)


def satisfies(value, path, operator, literal):
    if operator == "~":
        return isinstance(value, str) and re.fullmatch(literal, value, re.IGNORECASE | re.ASCII) is not None
    if isinstance(value, bool):
        return operator in ("==", "!=") and literal in ("true", "false") and COMPARE[operator](value, literal == "true")
    if isinstance(value, int | float):
        return bool(NUMBER.fullmatch(literal)) and COMPARE[operator](Fraction(repr(value)), Fraction(literal))
    if not isinstance(value, str):
        return False
    date = read_date(value) if path in DATES else None
    if date is None:
        return COMPARE[operator](value, literal)
    other = read_date(literal)
    return other is not None and COMPARE[operator](date, other)


def normalise(text):
    """repo:T1."""
    plain = "".join(
        char for char in unicodedata.normalize("NFKD", text) if not unicodedata.category(char).startswith("M")
    )
    return plain.casefold()


def tokens(text):
    """repo:T2."""
    marked = "".join(char if unicodedata.category(char)[0] in "LN" else " " for char in normalise(text))
    return marked.split()


def strings(value):
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for each in inner for text in strings(each)]


def matches(document, terms, every):
    """repo:T3, T8, T9 for plain words; the properties that are declared URI or date-time are left out."""
    texts = strings(
        {name: value for name, value in document["_instance"].items() if name not in ("when", "at", "site")}
    )
    found = [any(term in tokens(text) for text in texts) for term in terms]
    return all(found) if every else any(found)
