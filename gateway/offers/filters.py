"""The grammar of `property` filters and of property paths (spec repository L7, §11.4)."""

import re

from gateway.errors import Problem
from gateway.offers.dates import read_instant
from gateway.offers.ordering import Path
from gateway.pql.patterns import PatternError, compile_pattern, compile_whole

ENVELOPE = {
    "instanceId": "string",
    "schemas": "string",
    "productContexts": "string",
    "repo:etag": "number",
    "repo:createdDate": "date-time",
    "repo:lastModifiedDate": "date-time",
    "repo:createdBy": "string",
    "repo:lastModifiedBy": "string",
    "repo:createdByClientId": "string",
    "repo:lastModifiedByClientId": "string",
    "sandboxName": "string",
    "_score": "number",
    "_instance": "",
    "_links": "",
}
"""The members of an envelope and what they hold; any other first segment is looked up in `_instance` (L7)."""

MAX_DEPTH = 64
SEGMENT = re.compile(r"(?:[^.=!<>~\\]|\\.)+", re.DOTALL)
ORDER_SEGMENT = re.compile(r"(?:[^.,\\]|\\.)+", re.DOTALL)
OPERATOR = re.compile(r"==|!=|<=|>=|<|>|~")
ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def read_filter(text: str) -> tuple[Path, str, str]:
    """Split a filter into path, operator ("" for a presence test) and value. Raises Problem 400 invalid-filter."""
    path, end = read_path(text, SEGMENT)
    if not path:
        raise refuse(f"property={text!r:.80} needs a path before the operator, e.g. _instance.xdm:status==approved")
    if end == len(text):
        return resolve(path), "", ""
    operator = OPERATOR.match(text, end)
    if operator is None:
        raise refuse(f"property={text!r:.80}: {describe(text, end)} after the path; operators are == != <= >= < > ~")
    return resolve(path), operator[0], text[operator.end() :]


def read_path(text: str, segment: re.Pattern[str], begin: int = 0) -> tuple[Path, int]:
    """Read segments parted by dots; give them unescaped, and where they end. No path at all is empty."""
    names: list[str] = []
    end = begin
    while found := segment.match(text, end):
        names.append(ESCAPE.sub(r"\1", found[0]))
        end = found.end()
        if not text.startswith(".", end):
            return (tuple(names), end) if len(names) <= MAX_DEPTH else ((), end)
        end += 1
    return (), end


def resolve(path: Path) -> Path:
    """Give the path from the envelope's root (L7)."""
    return path if path[0] in ENVELOPE else ("_instance", *path)


def describe(text: str, position: int) -> str:
    """Name the character that is in the way."""
    return f"{text[position]!r} at position {position + 1}"


def check_value(path: Path, operator: str, value: str) -> None:
    """Refuse a value its operator can do nothing with (F5, F9). Raises Problem 400 invalid-filter."""
    if operator == "~":
        try:
            compile_pattern(value)
            compile_whole(value)
        except PatternError as error:
            raise refuse(f"{'.'.join(path)}~: {error}") from None
    elif operator and ENVELOPE.get(path[0]) == "date-time" and read_instant(value) is None:
        raise refuse(f"{path[0]} is compared with date-times like 2024-05-01T00:00:00Z, not {value!r:.60}")


def refuse(message: str) -> Problem:
    """Make the answer to a filter that cannot be used."""
    return Problem(400, "invalid-filter", message)
