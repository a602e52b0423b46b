"""What a JSON Schema says about its properties beside their types, read once (spec repository S1, W1, W2).

A path leads from the schema's root through property names, `ITEM` (every element) and `VALUE` (every value of an
object with free names).
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jsonpointer import resolve_pointer
from msgspec import Struct

from gateway.errors import ConfigError
from gateway.offers.documents import ITEM, VALUE, Path

USER_EDITABLE = "meta:usereditable"
IMMUTABLE = "meta:immutable"
REFERENCE = "xcore:reference"
UNIQUE = "xcore:unique"
KEYWORDS = (USER_EDITABLE, IMMUTABLE, REFERENCE, UNIQUE)

SAME_PLACE = ("allOf", "anyOf", "oneOf")
CONDITIONAL = ("if", "then", "else")
DATA = frozenset({"default", "const", "enum", "examples"})
OPENERS = ("additionalProperties", "patternProperties", "unevaluatedProperties")


class Guard(Struct, frozen=True):
    """A property that callers may not edit, or that never changes once it is set."""

    path: Path
    editable: bool
    immutable: bool


class Annotations(Struct, frozen=True, kw_only=True):
    """What one schema declares.

    `references` gives the target schema ids of each foreign key. `listed` gives the property names of every object
    that lists them, `free` the objects whose schema says itself what else may be in them.
    """

    references: tuple[tuple[Path, tuple[str, ...]], ...]
    unique: tuple[Path, ...]
    guards: tuple[Guard, ...]
    defaults: tuple[tuple[Path, Any], ...]
    formats: tuple[tuple[Path, str], ...]
    listed: Mapping[Path, frozenset[str]]
    free: frozenset[Path]


class Place(NamedTuple):
    """A subschema: where it applies, and whether it always does."""

    path: Path
    node: dict[str, Any]
    certain: bool
    refs: tuple[str, ...]


def read_annotations(document: dict[str, Any]) -> Annotations:
    """Read the annotations of a schema document. Raises ConfigError where one stands that could not be kept."""
    places = list(_walk(document, Place((), document, certain=True, refs=())))
    certain = [place for place in places if place.certain]
    _refuse_overlooked(document, {id(place.node) for place in certain})
    guarded = [place for place in certain if place.node.get(USER_EDITABLE) is False or place.node.get(IMMUTABLE)]
    unique = [place.path for place in certain if place.node.get(UNIQUE)]
    _refuse_repeated([*unique, *(place.path for place in guarded)])
    return Annotations(
        references=tuple((place.path, _targets(place.node)) for place in certain if REFERENCE in place.node),
        unique=tuple(unique),
        guards=tuple(map(_guard, guarded)),
        defaults=tuple(
            (place.path, place.node["default"]) for place in certain if place.path and "default" in place.node
        ),
        formats=tuple((place.path, place.node["format"]) for place in places if "format" in place.node),
        listed=_listed(places),
        free=frozenset(place.path for place in places if any(word in place.node for word in OPENERS)),
    )


def _guard(place: Place) -> Guard:
    return Guard(
        place.path, editable=place.node.get(USER_EDITABLE) is not False, immutable=bool(place.node.get(IMMUTABLE))
    )


def _targets(node: dict[str, Any]) -> tuple[str, ...]:
    targets = node[REFERENCE]
    if not isinstance(targets, list) or not targets or not all(isinstance(target, str) for target in targets):
        raise ConfigError(f"{REFERENCE} must be an array of schema ids")
    return tuple(targets)


def _listed(places: list[Place]) -> Mapping[Path, frozenset[str]]:
    listed: dict[Path, frozenset[str]] = {}
    for place in places:
        if "properties" in place.node:
            listed[place.path] = listed.get(place.path, frozenset()) | place.node["properties"].keys()
    return listed


def _walk(document: dict[str, Any], place: Place) -> Iterator[Place]:
    """Give every subschema that can apply somewhere below a place, itself first."""
    yield place
    for child in _below(document, place):
        yield from _walk(document, child)


def _below(document: dict[str, Any], place: Place) -> Iterator[Place]:
    node = place.node
    if "$ref" in node:
        yield _resolved(document, place)
    for word in SAME_PLACE:
        for part in node.get(word, ()):
            yield from _place(place, part, certain=word == "allOf")
    for word in CONDITIONAL:
        yield from _place(place, node.get(word), certain=False)
    for name, part in node.get("properties", {}).items():
        yield from _place(place, part, name)
    for part in _items(node):
        yield from _place(place, part, ITEM)
    if "properties" not in node and "patternProperties" not in node:
        yield from _place(place, node.get("additionalProperties"), VALUE)


def _items(node: dict[str, Any]) -> list[Any]:
    items = node.get("items", [])
    return [*node.get("prefixItems", ()), *(items if isinstance(items, list) else [items])]


def _place(parent: Place, node: object, *step: str, certain: bool = True) -> Iterator[Place]:
    if isinstance(node, dict):
        yield Place((*parent.path, *step), node, parent.certain and certain, parent.refs)


def _resolved(document: dict[str, Any], place: Place) -> Place:
    """Follow a `$ref` inside a valid document; a cycle has no end."""
    ref = place.node["$ref"]
    if not ref.startswith("#/"):
        raise ConfigError(f'$ref {ref!r} cannot be followed; use references inside the document ("#/$defs/…")')
    if ref in place.refs:
        raise ConfigError(f"$ref {ref!r} leads back to itself; a schema must not be recursive")
    node = resolve_pointer(document, ref[1:])
    return Place(place.path, node if isinstance(node, dict) else {}, place.certain, (*place.refs, ref))


def _refuse_repeated(paths: list[Path]) -> None:
    for path in paths:
        if ITEM in path or VALUE in path:
            names = ".".join(step for step in path if step not in (ITEM, VALUE))
            raise ConfigError(f"{USER_EDITABLE}, {IMMUTABLE} and {UNIQUE} cannot stand in an array or a map ({names})")


def _refuse_overlooked(node: object, seen: set[int]) -> None:
    """Refuse an annotation below a keyword that is not followed, so that none is silently without effect."""
    if isinstance(node, list):
        for item in node:
            _refuse_overlooked(item, seen)
    if not isinstance(node, dict):
        return
    found = [word for word in KEYWORDS if word in node and not isinstance(node[word], dict)]
    if found and id(node) not in seen:
        raise ConfigError(f"{found[0]} has no effect here; put it below properties, items or allOf")
    for word, child in node.items():
        if word not in DATA:
            _refuse_overlooked(child, seen)
