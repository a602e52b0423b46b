"""What the repository keeps of one business object, and what one write asks of the store (gw:R1).

The pure side (`repository.py`) checks a document and makes a `Change`; the store does it whole or not at all and
gives one of the verdicts. Every reference, unique value and guard of a change is checked by the same script that
writes, so that no other writer can come between (spec repository §9.5, §9.6, Z2).
"""

from typing import Any

from msgspec import Struct

JsonObject = dict[str, Any]


class Space(Struct, frozen=True):
    """An organisation's sandbox: nothing of one is visible from another (spec repository H12)."""

    organization: str
    sandbox: str


class Instance(Struct, frozen=True):
    """One stored object.

    `document` is its envelope as stored: JSON with instanceId, schemas, productContexts, the repo: members,
    `_instance` and `_links` (custom links only, `self` is made when it is shown). `operation` is the id of the delete
    operation that is under way, or "".
    """

    instance_id: str
    revision: int
    document: bytes
    operation: str = ""


class Reference(Struct, frozen=True):
    """A foreign key: `pointer` (from the envelope's root) holds `target`, the @id of an instance of one of `schemas`.

    `schemas` are short names, e.g. ("personalized-offer",).
    """

    pointer: str
    target: str
    schemas: tuple[str, ...]


class UniqueValue(Struct, frozen=True):
    """A value that only one instance of `schema` (short name) may have in `scope` (a property's name)."""

    pointer: str
    schema: str
    scope: str
    value: str


class Change(Struct, frozen=True, kw_only=True):
    """One write: a create (`expected` is 0) or the step from revision `expected` to `revision`.

    `at_id` is the @id, "" for a schema without one. `schemas` are the short names the instance is listed under, the
    primary one first, inherited ones included. `guards` are instances (@id, revision) the checks have looked at: when
    one has moved, nothing is written. With `guard_sequence` nothing is written when anything in the container has
    changed since that sequence number.
    """

    instance_id: str
    at_id: str
    schemas: tuple[str, ...]
    document: bytes
    expected: int
    revision: int
    references: tuple[Reference, ...] = ()
    unique: tuple[UniqueValue, ...] = ()
    guards: tuple[tuple[str, int], ...] = ()
    guard_sequence: int | None = None


class Saved(Struct, frozen=True):
    """The change was made; it is number `sequence` of its container's change stream."""

    sequence: int


class Conflict(Struct, frozen=True):
    """Nothing was written: the instance is at `revision`, not at the expected one."""

    revision: int


class Missing(Struct, frozen=True):
    """Nothing was written: there is no such instance (or container)."""


class Deleting(Struct, frozen=True):
    """Nothing was written: the instance is marked as being deleted by `operation`."""

    operation: str


class Stale(Struct, frozen=True):
    """Nothing was written: a guard has moved. Read again, check again, write again."""


class Refused(Struct, frozen=True):
    """Nothing was written: what `faults` names; each is (code, pointer) with a code of spec offer-entities §1.4."""

    faults: tuple[tuple[str, str], ...]


Verdict = Saved | Conflict | Missing | Deleting | Stale | Refused


class Referrer(Struct, frozen=True):
    """Who refers to an instance, and where (a pointer from the envelope's root)."""

    at_id: str
    instance_id: str
    pointer: str
