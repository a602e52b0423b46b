"""What a write makes of an instance or a container: a document comes in, a `Change` for the store goes out.

    proposal = create(registry, draft, body)                      # or replace(...), patch(...)
    neighbours = ... read proposal.needs from the store ...
    change = settle(registry, proposal, neighbours)               # or a Problem with everything that is wrong
    verdict = ... save(change) ...; explain(verdict) makes the Problem of a refusal

Steps 10 to 17 of spec repository §9.7, as far as they need no store; references and unique values are handed to the
store, which checks them in the step that writes.
"""

import msgspec
from msgspec import structs

from gateway.errors import Problem, Violation
from gateway.offers.dates import write_instant
from gateway.offers.documents import MAX_BODY_BYTES
from gateway.offers.entities import CONTAINER, EntityType
from gateway.offers.envelopes import CONTEXTS, DEFAULT_CONTEXTS
from gateway.offers.instances import Change, Conflict, Deleting, Instance, JsonObject, Missing, Refused, Verdict
from gateway.offers.neighbours import NOBODY, Needs, Neighbours
from gateway.offers.patch import apply_patch, find_trespasses, read_patch
from gateway.offers.problems import refuse
from gateway.offers.proposals import Author, Draft, Proposal, Target, Work, propose
from gateway.offers.receipts import make_links
from gateway.offers.references import DETAILS, check_references
from gateway.offers.registry import Registry

__all__ = [
    "NOBODY",
    "Author",
    "Draft",
    "Needs",
    "Neighbours",
    "Proposal",
    "Target",
    "create",
    "envelop",
    "explain",
    "patch",
    "replace",
    "settle",
]


def create(registry: Registry, draft: Draft, body: object) -> Proposal:
    """Propose the instance a POST describes (spec repository §7). `body` is decoded JSON, the whole envelope.

    Raises Problem for a body that is no object (K2) or a schema that cannot be instantiated (X8).
    """
    types = tuple(dict.fromkeys(draft.types))
    _check_types(types, is_container=not draft.container)
    now = write_instant(draft.author.now_ms)
    header = {
        "instanceId": draft.instance_id,
        "schemas": [row.versioned_id for row in types],
        CONTEXTS: list(draft.product_contexts if draft.container else DEFAULT_CONTEXTS),
        "repo:etag": 1,
        "repo:createdDate": now,
        "repo:lastModifiedDate": now,
        "repo:createdBy": draft.author.account,
        "repo:lastModifiedBy": draft.author.account,
        "repo:createdByClientId": draft.author.client_id,
        "repo:lastModifiedByClientId": draft.author.client_id,
    }
    at_id = types[0].at_id_prefix and types[0].at_id_prefix + draft.at_id_digits
    work = Work(types=types, header=header, body=_object(body), container=draft.container, at_id=at_id)
    return propose(registry, work)


def _check_types(types: tuple[EntityType, ...], *, is_container: bool) -> None:
    """Refuse schemas that cannot be instantiated, or not at this place (X8)."""
    abstract = [row.name for row in types if not row.instantiable]
    if abstract:
        raise Problem(422, "schema-abstract", f"{abstract[0]} is abstract: create one of the schemas that extend it")
    if (types == (CONTAINER,)) is not is_container or (CONTAINER in types and len(types) > 1):
        raise Problem(422, "schema-mismatch", "Containers are created at /containers, everything else in a container")


def _object(body: object) -> JsonObject:
    if not isinstance(body, dict):
        raise Problem(400, "malformed-json", "The body must be a JSON object with _instance and _links")
    return body


def replace(registry: Registry, target: Target, body: object) -> Proposal:
    """Propose what a PUT makes of an instance (spec repository §9.1).

    Raises Problem: 400 for a body that is no object, 409 while the instance is being deleted (D5), 422 schema-mismatch
    for a schema the instance does not have (P5).
    """
    work = _begin(registry, target)
    listed = registry.listed_under(*work.types)
    foreign = [row.name for row in target.types if row.name not in listed]
    if foreign:
        raise Problem(422, "schema-mismatch", f"The instance is no {foreign[0]}, it is {', '.join(listed)}")
    return propose(registry, structs.replace(work, body=_object(body)))


def patch(registry: Registry, target: Target, operations: object) -> Proposal:
    """Propose what a PATCH makes of an instance (spec repository §9.2). `operations` is decoded JSON.

    Raises Problem: 400 malformed-patch, 409 patch-test-failed or delete-pending, 413, 422 not-editable or
    patch-target-missing (P8).
    """
    work = _begin(registry, target)
    steps = read_patch(operations)
    stored = msgspec.json.decode(target.current.document)
    made = make_links(stored, target.container)
    document = {"_instance": stored["_instance"], "_links": made | stored["_links"]}
    if not target.container:
        document[CONTEXTS] = stored[CONTEXTS]
    trespasses = find_trespasses(steps, tuple(document), tuple(made))
    if trespasses:
        raise refuse(trespasses)
    removed = tuple(path[1:] for path in (step.removes for step in steps) if path and path[0] == "_instance")
    body = apply_patch(steps, document)
    _check_growth(target.current, body)
    return propose(registry, structs.replace(work, body=body, removed=removed))


def _check_growth(current: Instance, body: JsonObject) -> None:
    """Refuse a patch that makes an instance larger than a body may be (K10); one that is already may shrink."""
    size = len(msgspec.json.encode(body))
    if size > MAX_BODY_BYTES and size > len(current.document):
        raise Problem(413, "too-large", f"The patched instance is longer than {MAX_BODY_BYTES} bytes")


def _begin(registry: Registry, target: Target) -> Work:
    """Start from what is stored. Raises Problem 409 while it is being deleted (D5)."""
    if target.current.operation:
        raise explain(Deleting(target.current.operation))
    stored = msgspec.json.decode(target.current.document)
    types = registry.types_of(stored)
    if not types:
        detail = f"The schema {stored['schemas'][0]} of this instance is not loaded"
        raise Problem(503, "unavailable", detail, headers={"Retry-After": "1"})
    header = {name: value for name, value in stored.items() if name not in ("_instance", "_links")} | {
        "repo:etag": target.current.revision + 1,
        "repo:lastModifiedDate": write_instant(target.author.now_ms),
        "repo:lastModifiedBy": target.author.account,
        "repo:lastModifiedByClientId": target.author.client_id,
    }
    at_id = stored["_instance"].get("@id", "")
    return Work(types=types, header=header, body={}, container=target.container, at_id=at_id, stored=stored)


def settle(registry: Registry, proposal: Proposal, neighbours: Neighbours = NOBODY) -> Change:
    """Give the change to save, or raise the one Problem 422 that lists everything that is wrong with it."""
    violations, needs = list(proposal.violations), proposal.needs
    if violations:
        violations += check_references(registry, proposal.change.references, neighbours, needs.at_ids)
    fits = [row.fit for row in proposal.types if row.fit]
    for fit in fits:
        violations += fit.check(proposal.step, neighbours)
    if violations:
        raise refuse(violations)
    read = [(at_id, neighbours.by_id[at_id].revision) for at_id in needs.at_ids if at_id in neighbours.by_id]
    sequence = neighbours.sequence if needs.referrers_of else None
    return structs.replace(proposal.change, guards=tuple(read), guard_sequence=sequence)


def explain(verdict: Verdict) -> Problem:
    """Give the answer to a refusal of the store; a `Conflict` carries `currentEtag` (Q12)."""
    if isinstance(verdict, Refused):
        return refuse(Violation(code, pointer, DETAILS.get(code, code)) for code, pointer in verdict.faults)
    if isinstance(verdict, Conflict):
        detail = f"The instance is at revision {verdict.revision}; read it again and repeat the change"
        return Problem(409, "etag-mismatch", detail, members={"currentEtag": verdict.revision})
    if isinstance(verdict, Deleting):
        return Problem(409, "delete-pending", "The instance is being deleted")
    if isinstance(verdict, Missing):
        return Problem(404, "instance-not-found", "There is no such instance in this container")
    detail = "Other writers were faster each time; try again"
    return Problem(503, "unavailable", detail, headers={"Retry-After": "1"})


def envelop(body: object, current: Instance | None = None) -> JsonObject:
    """Make the envelope of a bare instance; on PUT with the links the instance has (M8)."""
    links = msgspec.json.decode(current.document)["_links"] if current else {}
    return {"_instance": body, "_links": links}
