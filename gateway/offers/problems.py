"""Problem documents of the repository: which slug, and how each violation is written (spec repository §14, X13)."""

from collections.abc import Iterable

from gateway.errors import Problem, Violation
from gateway.offers.instances import JsonObject


def refuse(violations: Iterable[Violation]) -> Problem:
    """Make the 422 that lists every violation, sorted by pointer; its slug is the one code they share (X1, X2)."""
    raise NotImplementedError


def describe(violation: Violation) -> JsonObject:
    """Give the entry of `errors`: code, pointer, detail, and the operation's index or the place in a rule (ent:X3)."""
    raise NotImplementedError
