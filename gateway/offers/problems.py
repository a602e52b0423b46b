"""Problem documents of the repository: which slug, and how each violation is written (spec repository §14, X13)."""

from collections.abc import Iterable

from gateway.errors import Problem, Violation
from gateway.offers.instances import JsonObject

SLUGS = frozenset(
    (
        "not-editable",
        "immutable",
        "additional-property",
        "schema-mismatch",
        "schema-abstract",
        "patch-target-missing",
        "reference-not-found",
        "reference-wrong-schema",
        "reference-deleting",
        "name-not-unique",
        "status-transition",
        "required",
        "type",
        "enum",
        "minimum",
        "format",
        "pattern",
        "min-items",
        "length",
        "duplicate-placement",
        "date-range",
        "constraint-not-allowed",
        "constraint-removed",
        "fallback-placement-mismatch",
        "fallback-in-use",
        "ids-conflict",
        "pql-syntax",
        "pql-type",
        "pql-too-large",
    )
)
"""Codes that are the type of a problem all of whose violations have them (spec repository §14, entities §1.4)."""

SHAPE = frozenset({"/_instance", "/_links"})
"""Where a missing or ill-typed member is always answered as schema-validation (K3)."""

MOST_LISTED = 1_000


def refuse(violations: Iterable[Violation]) -> Problem:
    """Make the 422 that lists every violation, sorted by pointer; its slug is the one code they share (X1, X2)."""
    distinct = {(each.pointer, each.code, each.operation): each for each in violations}
    found = sorted(distinct.values(), key=lambda each: (each.pointer, each.code, each.operation or 0))
    if len(found) == 1:
        detail = f"{found[0].pointer}: {found[0].detail}"
    elif len(found) <= MOST_LISTED:
        detail = f"{len(found)} violations"
    else:
        detail = f"{len(found)} violations, the first {MOST_LISTED} are listed"
    return Problem(422, _slug(found), detail, violations=found[:MOST_LISTED])


def _slug(violations: list[Violation]) -> str:
    codes = {"schema-validation" if _is_shape(each) else each.code for each in violations}
    return codes.pop() if len(codes) == 1 and codes <= SLUGS else "schema-validation"


def _is_shape(violation: Violation) -> bool:
    return violation.pointer in SHAPE and violation.code in ("required", "type")


def describe(violation: Violation) -> JsonObject:
    """Give the entry of `errors`: code, pointer, detail, and the operation's index or the place in a rule (ent:X3)."""
    entry: JsonObject = {"code": violation.code, "pointer": violation.pointer, "detail": violation.detail}
    if violation.operation is not None:
        entry["operation"] = violation.operation
    return entry | (violation.place or {})
