"""What the tests of the repository's pure room share: a registry, authors, and a small world of instances."""

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from jsonpatch import JsonPatch

from gateway.errors import Problem, Violation
from gateway.offers.instances import Change, Instance
from gateway.offers.references import check_references
from gateway.offers.registry import Registry
from gateway.offers.repository import Author, Draft, Neighbours, Proposal, Target, create, patch, replace, settle

FOLDER = Path(__file__).parents[1] / "cases" / "entities"
REGISTRY = Registry()
AUTHOR = Author("acct-71", "client-shop", 1_714_637_730_120)
EDITOR = Author("acct-72", "client-console", 1_714_989_600_000)
CONTAINER = "5b0f3c1e-7a64-4c0b-9a51-0d1f0a6d2e11"
INSTANCE = "018f7a52-6c1d-7b0e-8f7e-2b0d9f3f5a10"
DIGITS = "5d1f2b7c90aa4e01"
CONTEXTS = ("dma_offers", "acp")


def cases(name: str) -> list[dict[str, Any]]:
    """Give the cases of one file; their ids are the test ids."""
    found = tomllib.loads((FOLDER / name).read_text())["case"]
    assert len({case["id"] for case in found}) == len(found), "case ids repeat"
    return found


def draft(*names: str, registry: Registry = REGISTRY, digits: str = DIGITS, container: str = CONTAINER) -> Draft:
    return Draft(
        author=AUTHOR,
        types=tuple(registry.named(name) for name in names),
        instance_id=INSTANCE,
        at_id_digits=digits,
        container=container,
        product_contexts=CONTEXTS if container else (),
    )


def body(instance: object, links: object = None, **more: Any) -> dict[str, Any]:
    return {"_instance": instance, "_links": {} if links is None else links, **more}


def make(name: str, instance: object, digits: str = DIGITS, registry: Registry = REGISTRY) -> Change:
    """Create an instance that nothing is wrong with, as far as the store is not asked."""
    return settle(registry, create(registry, draft(name, digits=digits, registry=registry), body(instance)), WORLD)


def stored(change: Change, operation: str = "") -> Instance:
    return Instance(change.instance_id, change.revision, change.document, operation)


def target(change: Change, container: str = CONTAINER, **more: Any) -> Target:
    return Target(author=EDITOR, current=stored(change), container=container, **more)


def inside(change: Change) -> Any:
    """Give the `_instance` of a change."""
    return msgspec.json.decode(change.document)["_instance"]


def put(change: Change, instance: object, registry: Registry = REGISTRY, **more: Any) -> Proposal:
    return replace(registry, target(change), body(instance, **more))


def patched(change: Change, operations: object, neighbours: Neighbours | None = None) -> Change:
    return settle(REGISTRY, patch(REGISTRY, target(change), operations), neighbours or WORLD)


def faults_of(proposal: Proposal, neighbours: Neighbours | None = None) -> list[Violation]:
    """Give all that is wrong with a proposal in a world: what it says itself, and its references."""
    around = neighbours or WORLD
    try:
        change = settle(REGISTRY, proposal, around)
    except Problem as problem:
        return list(problem.violations)
    every = [reference.target for reference in change.references]
    return check_references(REGISTRY, change.references, around, every)


def name_faults(violations: list[Violation]) -> list[str]:
    """Write violations as the cases do: code and pointer, sorted."""
    return sorted(f"{each.code} {each.pointer}" for each in violations)


def edit(instance: dict[str, Any], case: dict[str, Any]) -> Any:
    """Change an example as a case says: `set` gives JSON texts by pointer, `remove` pointers."""
    steps = [{"op": "add", "path": path, "value": json.loads(text)} for path, text in case.get("set", {}).items()]
    steps += [{"op": "remove", "path": path} for path in case.get("remove", [])]
    return JsonPatch(steps).apply(instance)


EXAMPLES: dict[str, Any] = {case["id"]: json.loads(case["instance"]) for case in cases("examples.toml")}
"""One instance of each type; they refer to one another, in the order of construction (entities §11)."""

WORLD = Neighbours()


def _build() -> Neighbours:
    """Make the instances of the examples and a few more, each as a stored one."""
    found: dict[str, Instance] = {}
    for case in cases("examples.toml"):
        proposal = create(REGISTRY, draft(case["schema"], digits=case["digits"]), body(json.loads(case["instance"])))
        change = settle(REGISTRY, proposal, Neighbours(by_id=found))
        found[change.at_id] = stored(change)
    return Neighbours(by_id=found)


WORLD = _build()
