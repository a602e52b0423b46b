"""What a write makes of an instance or a container: a document comes in, a `Change` for the store goes out.

    proposal = create(registry, draft, body)                      # or replace(...), patch(...)
    neighbours = ... read proposal.needs from the store ...
    change = settle(registry, proposal, neighbours)               # or a Problem with everything that is wrong
    verdict = ... save(change) ...; explain(verdict) makes the Problem of a refusal

Steps 10 to 17 of spec repository §9.7, as far as they need no store; references and unique values are handed to the
store, which checks them in the step that writes.
"""

from collections.abc import Mapping

from msgspec import Struct

from gateway.errors import Problem, Violation
from gateway.offers.entities import EntityType
from gateway.offers.instances import Change, Instance, JsonObject, Verdict
from gateway.offers.registry import Registry


class Author(Struct, frozen=True):
    """Who writes (account of the token, client id of the API key: H11), and when (milliseconds since 1970)."""

    account: str
    client_id: str
    now_ms: int


class Draft(Struct, frozen=True, kw_only=True):
    """What a create needs beside the body.

    `types` are the schemas the media type named, the primary one first (M12). `instance_id` is a new UUIDv7,
    `at_id_digits` 16 new lower-case hex digits (E1). `container` is "" when a container is created; otherwise
    `product_contexts` are those of the container.
    """

    author: Author
    types: tuple[EntityType, ...]
    instance_id: str
    at_id_digits: str = ""
    container: str = ""
    product_contexts: tuple[str, ...] = ()


class Target(Struct, frozen=True, kw_only=True):
    """What a PUT or PATCH is about: the instance as stored, its container ("" for a container itself), the author.

    `types` are the schemas the media type of a PUT named; none need be (M9, P5).
    """

    author: Author
    current: Instance
    container: str = ""
    types: tuple[EntityType, ...] = ()


class Needs(Struct, frozen=True):
    """What to read before `settle`: instances by @id, and all instances that refer to `referrers_of` ("": none).

    Where `referrers_of` is set, read the container's sequence number first and hand it over with them.
    """

    at_ids: tuple[str, ...] = ()
    referrers_of: str = ""


class Neighbours(Struct, frozen=True, kw_only=True):
    """What was read: instances by @id (absent: there is none), referrers, and the sequence number read before them."""

    by_id: Mapping[str, Instance] = {}
    referrers: tuple[Instance, ...] = ()
    sequence: int | None = None


class Proposal(Struct, frozen=True, kw_only=True):
    """A write that is checked as far as it can be without the store; `violations` are what was found so far."""

    change: Change
    needs: Needs
    violations: tuple[Violation, ...] = ()
    envelope: JsonObject


def create(registry: Registry, draft: Draft, body: object) -> Proposal:
    """Propose the instance a POST describes (spec repository §7). `body` is decoded JSON, the whole envelope.

    Raises Problem for a body that is no object (K2) or a schema that cannot be instantiated (X8).
    """
    raise NotImplementedError


def replace(registry: Registry, target: Target, body: object) -> Proposal:
    """Propose what a PUT makes of an instance (spec repository §9.1).

    Raises Problem 400 for a body that is no object, 409 when the instance is being deleted (D5).
    """
    raise NotImplementedError


def patch(registry: Registry, target: Target, operations: object) -> Proposal:
    """Propose what a PATCH makes of an instance (spec repository §9.2). `operations` is decoded JSON.

    Raises Problem: 400 malformed-patch, 409 patch-test-failed or delete-pending, 413, 422 not-editable or
    patch-target-missing (P8).
    """
    raise NotImplementedError


def settle(registry: Registry, proposal: Proposal, neighbours: Neighbours) -> Change:
    """Give the change to save, or raise the one Problem 422 that lists everything that is wrong with it."""
    raise NotImplementedError


def explain(verdict: Verdict) -> Problem:
    """Give the answer to a refusal of the store; a `Conflict` carries `currentEtag` (Q12)."""
    raise NotImplementedError


def envelop(body: object, current: Instance | None = None) -> JsonObject:
    """Make the envelope of a bare instance; on PUT with the links the instance has (M8)."""
    raise NotImplementedError
