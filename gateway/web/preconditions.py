"""Conditional requests: what the caller says of the state it has seen (spec repository §8; RFC 7232)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from msgspec import Struct
from multidict import MultiMapping

from gateway.errors import Problem

_TAG = re.compile(r'(?:^|(?<=,))\s*(W/)?(?:"([^"]*)"|([^\s,"]+))\s*(?=,|$)')
_ANY = "*"
CONDITIONS = ("If-Match", "If-None-Match", "If-Unmodified-Since")


class State(Struct, frozen=True):
    """What an instance is at: its revision, and when it last changed."""

    revision: int
    modified: datetime

    @property
    def tag(self) -> str:
        """The entity tag."""
        return f'"{self.revision}"'

    @property
    def last_modified(self) -> str:
        """The value of `Last-Modified`, which knows seconds only."""
        return format_datetime(self.modified.astimezone(UTC).replace(microsecond=0), usegmt=True)


def read_conditions(headers: MultiMapping[str]) -> dict[str, str]:
    """Give the conditions of a request; several headers of one name are one list (RFC 9110 §5.3)."""
    return {name: ", ".join(headers.getall(name)) for name in CONDITIONS if name in headers}


def is_unchanged(headers: Mapping[str, str], state: State) -> bool:
    """Whether a read is answered 304 (Q1, Q2); raises Problem 412 (Q7).

    `If-Modified-Since` is not honoured: it knows seconds, and would hide the second of two changes within one.
    """
    if not _is_met(headers, state):
        raise Problem(412, "precondition-failed", f"The instance is at revision {state.revision}")
    tags = headers.get("If-None-Match")
    return tags is not None and _names(tags, state, weak=True)


def check_write(headers: Mapping[str, str], state: State) -> None:
    """Raise Problem 409 where `If-Match` names another revision (Q4), 412 where another condition fails (Q6)."""
    tags = headers.get("If-Match")
    if tags is not None and not _names(tags, state, weak=False):
        raise make_conflict(state.revision)
    if not _is_met(headers, state):
        raise Problem(412, "precondition-failed", "The instance has changed since the time in If-Unmodified-Since")
    tags = headers.get("If-None-Match")
    if tags is not None and _names(tags, state, weak=True):
        raise Problem(412, "precondition-failed", "If-None-Match names the current revision")


def make_conflict(revision: int) -> Problem:
    """Give the answer to a write that named another revision (Q4, Q12)."""
    message = f"The instance is at revision {revision}: read it again, apply the change again, try again"
    return Problem(409, "etag-mismatch", message, members={"currentEtag": revision})


def _is_met(headers: Mapping[str, str], state: State) -> bool:
    """Whether `If-Match` or, without it, `If-Unmodified-Since` holds."""
    tags = headers.get("If-Match")
    if tags is not None:
        return _names(tags, state, weak=False)
    given = headers.get("If-Unmodified-Since")
    if given is None:
        return True
    try:
        since = parsedate_to_datetime(given)
    except ValueError:  # RFC 7232 §3.4: ignored
        return True
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    return state.modified.replace(microsecond=0) <= since


def _names(tags: str, state: State, *, weak: bool) -> bool:
    """Whether a list of tags has the current one; one without quotes counts as quoted (Q8)."""
    if tags.strip() == _ANY:
        return True
    current = str(state.revision)
    return any((quoted or bare) == current and (weak or not mark) for mark, quoted, bare in _TAG.findall(tags))
