"""The foreign keys and unique values of an `_instance` (spec repository §9.5, §9.6).

The store checks them in the step that writes. What is read beforehand only completes a refusal, so that a caller sees
everything that is wrong at once.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from gateway.errors import Problem, Violation
from gateway.offers.documents import find, point
from gateway.offers.entities import EntityType, ForeignKey
from gateway.offers.instances import Instance, JsonObject, Reference, UniqueValue
from gateway.offers.neighbours import Neighbours
from gateway.offers.registry import Registry

MAX_REFERENCES = 2_000
"""Foreign keys of one instance: the store looks at each of them in one step, 100 in about half a millisecond."""

DETAILS = {
    "reference-not-found": "no instance with this @id in the container",
    "reference-wrong-schema": "the instance with this @id is of another schema",
    "reference-deleting": "the instance with this @id is being deleted",
    "name-not-unique": "another instance has this name; names are compared without spaces around them",
}
"""What each fault of a reference or a unique value means, in a sentence."""


def find_references(registry: Registry, types: Iterable[EntityType], instance: JsonObject) -> tuple[Reference, ...]:
    """Give every foreign key that is set. Raises Problem 413 where there are too many."""
    keys = [key for row in types for key in registry.foreign_keys(row) if _applies(key, instance)]
    every = (reference for key in keys for reference in _read_key(key, instance))
    found = tuple(dict.fromkeys(islice(every, MAX_REFERENCES + 1)))
    if len(found) > MAX_REFERENCES:
        raise Problem(413, "too-large", f"The instance refers to more than {MAX_REFERENCES} others")
    return found


def _applies(key: ForeignKey, instance: JsonObject) -> bool:
    return key.condition is None or instance.get(key.condition[0]) in key.condition[1]


def _read_key(key: ForeignKey, instance: JsonObject) -> Iterator[Reference]:
    for at, value in find(instance, key.path, ("_instance",)):
        if isinstance(value, str):
            yield Reference(point(*at), value, key.schemas)
        elif isinstance(value, list):
            targets = [(index, item) for index, item in enumerate(value) if isinstance(item, str)]
            yield from (Reference(point(*at, index), item, key.schemas) for index, item in targets)


def find_unique(registry: Registry, types: Iterable[EntityType], instance: JsonObject) -> tuple[UniqueValue, ...]:
    """Give every unique value, as it is compared: NFC and without spaces around it (W10, X12)."""
    return tuple(
        UniqueValue(point(*at), scope, "/".join(path), unicodedata.normalize("NFC", value).strip())
        for row in types
        for scope, path in registry.unique_paths(row)
        for at, value in find(instance, path, ("_instance",))
        if isinstance(value, str)
    )


def check_references(
    registry: Registry, references: Iterable[Reference], neighbours: Neighbours, read: Iterable[str]
) -> list[Violation]:
    """Name the references among those that were `read` whose targets are missing, of another schema or going (W5)."""
    asked = frozenset(read)
    found = []
    for reference in references:
        if reference.target in asked:
            code = _fault(registry, reference, neighbours.by_id.get(reference.target))
            found += [Violation(code, reference.pointer, DETAILS[code])] if code else []
    return found


def _fault(registry: Registry, reference: Reference, target: Instance | None) -> str:
    if target is None:
        return "reference-not-found"
    types = registry.types_of(msgspec.json.decode(target.document))
    if not set(registry.listed_under(*types)) & set(reference.schemas):
        return "reference-wrong-schema"
    return "reference-deleting" if target.operation else ""
