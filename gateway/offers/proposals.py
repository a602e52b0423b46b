"""One write on its way: everything that can be said of it without the store, in one pass (spec repository §9.7)."""

import msgspec
from msgspec import Struct

from gateway.errors import Violation
from gateway.offers.documents import MAX_DEPTH, Path, copy, depth_of, too_deep
from gateway.offers.editing import check_step, fill_defaults, keep_guarded
from gateway.offers.entities import EntityType
from gateway.offers.envelopes import CONTENT, CONTEXTS, check_links, check_members
from gateway.offers.instances import Change, Instance, JsonObject
from gateway.offers.neighbours import Needs, Step
from gateway.offers.receipts import make_links
from gateway.offers.references import find_references, find_unique
from gateway.offers.registry import Registry
from gateway.offers.validation import validate

MOST_READ = 200
"""References that are looked up beforehand to complete a refusal."""


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


class Proposal(Struct, frozen=True, kw_only=True):
    """A write that is checked as far as it can be without the store; `violations` are what was found so far."""

    change: Change
    needs: Needs
    types: tuple[EntityType, ...]
    step: Step
    violations: tuple[Violation, ...] = ()


class Work(Struct, frozen=True, kw_only=True):
    """A body and what it is to become.

    `header` are the server's members of the envelope after the write, `stored` the envelope before it (None: create).
    `removed` are the paths below `_instance` that a patch removes (None: no patch).
    """

    types: tuple[EntityType, ...]
    header: JsonObject
    body: JsonObject
    container: str
    at_id: str
    stored: JsonObject | None = None
    removed: tuple[Path, ...] | None = None

    @property
    def before(self) -> JsonObject:
        """Give the `_instance` before the write, empty for a create."""
        return self.stored["_instance"] if self.stored else {}


def propose(registry: Registry, work: Work) -> Proposal:
    """Check a body, complete it and make its change; what is wrong is kept in the proposal."""
    made = make_links(work.header, work.container)
    instance, links = (_object_at(work.body, name) for name in CONTENT)
    violations = check_members(work.body, work.stored, contexts=not work.container)
    violations += check_links(links or {}, made, is_new=work.stored is None)
    after: JsonObject = {}
    if instance is not None:
        after = copy(instance)
        violations += _complete(registry, work, after)
        violations += _check(registry, work, after)
    custom = {relation: link for relation, link in (links or {}).items() if relation not in made}
    change = _change(registry, work, {**work.header, **_contexts(work), "_instance": after, "_links": custom})
    step = Step(work.before if work.stored else None, after)
    needs = _needs(work.types, step, change, complete=bool(violations))
    return Proposal(change=change, needs=needs, types=work.types, step=step, violations=tuple(violations))


def _object_at(body: JsonObject, name: str) -> JsonObject | None:
    value = body.get(name)
    return value if isinstance(value, dict) else None


def _contexts(work: Work) -> JsonObject:
    """Take the product contexts a container's body names; otherwise they stay (X3)."""
    return {CONTEXTS: work.body[CONTEXTS]} if not work.container and CONTEXTS in work.body else {}


def _complete(registry: Registry, work: Work, after: JsonObject) -> list[Violation]:
    """Put guarded values, the @id and defaults into a new `_instance`; name what must not have been touched."""
    annotations = [registry.schema(row).annotations for row in work.types]
    guards = dict.fromkeys(guard for each in annotations for guard in each.guards)
    found = keep_guarded(guards, work.before, after, work.removed)
    if work.at_id:
        after["@id"] = work.at_id
    for each in annotations:
        fill_defaults(each.defaults, after)
    return found


def _check(registry: Registry, work: Work, after: JsonObject) -> list[Violation]:
    found = validate([registry.schema(row) for row in work.types], after)
    for row in work.types:
        for check in row.checks:
            found += check(after)
    return found + check_step(work.types, work.before, after)


def _change(registry: Registry, work: Work, envelope: JsonObject) -> Change:
    if depth_of(envelope) > MAX_DEPTH:
        raise too_deep("The instance")
    after, revision = envelope["_instance"], envelope["repo:etag"]
    return Change(
        instance_id=envelope["instanceId"],
        at_id=work.at_id,
        schemas=registry.listed_under(*work.types),
        document=msgspec.json.encode(envelope),
        expected=revision - 1,
        revision=revision,
        references=find_references(registry, work.types, after),
        unique=find_unique(registry, work.types, after),
    )


def _needs(types: tuple[EntityType, ...], step: Step, change: Change, *, complete: bool) -> Needs:
    """Say what to read; with `complete` the references too, because the refusal is to name all that is wrong."""
    fits = [row.fit.needs(step) for row in types if row.fit]
    at_ids = [at_id for needs in fits for at_id in needs.at_ids]
    if complete:
        at_ids += [reference.target for reference in change.references]
    referrers_of = next((needs.referrers_of for needs in fits if needs.referrers_of), "")
    return Needs(tuple(dict.fromkeys(at_ids))[:MOST_READ], referrers_of)
