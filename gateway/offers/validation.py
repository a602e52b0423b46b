"""JSON Schema validation: every violation, with its code and pointer (spec repository K6, offer-entities N2 to N6)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import jsonschema_rs
from msgspec import Struct

from gateway.errors import ConfigError, Violation
from gateway.offers.annotations import Annotations, read_annotations
from gateway.offers.dates import read_instant
from gateway.offers.documents import ITEM, VALUE, Path, point, size_of

LONGEST_NAME = 255
MOST_VIOLATIONS = 2_000
"""Unlisted properties looked for in one document."""

MOST_NODES = 5_000
"""Values of a document for which every violation is listed; of a larger one only the first of its JSON Schema is."""

RESERVED = re.compile("(xdm|repo|dc):")
"""Prefixes under which only listed properties are taken (N5)."""

CODES = {
    "const": "enum",
    "exclusiveMinimum": "minimum",
    "exclusiveMaximum": "maximum",
    "minItems": "min-items",
    "maxItems": "max-items",
    "minLength": "length",
    "maxLength": "length",
    "falseSchema": "additional-property",
    "minProperties": "min-properties",
    "maxProperties": "max-properties",
    "multipleOf": "multiple-of",
    "uniqueItems": "unique-items",
    "anyOf": "any-of",
    "oneOf": "one-of",
}
"""Codes of the keywords that are not called by their own name."""

FORMAT_CODES = {"name": "length"}

FORMAT_DETAILS = {
    "date-time": "must be an RFC 3339 date-time with time and offset, e.g. 2024-06-13T11:21:23.356Z",
    "uri": "must be an absolute URI",
    "name": f"must have 1 to {LONGEST_NAME} characters, not counting spaces around them",
}

DETAILS = {
    "additional-property": "is not a property of this schema; check its spelling",
    "enum": "is none of the values that are allowed here",
    "format": "is not of the declared format",
    "length": "is shorter or longer than allowed",
    "maximum": "is greater than allowed",
    "min-items": "has too few elements",
    "minimum": "is less than allowed",
    "pattern": "does not have the declared form",
    "required": "is required",
    "type": "is not of the declared type",
}


def is_name(text: str) -> bool:
    """Say whether a text can be an `xdm:name` (N2)."""
    return 1 <= len(text.strip()) <= LONGEST_NAME


FORMATS = {"date-time": lambda text: read_instant(text) is not None, "name": is_name}


class Schema(Struct, frozen=True, eq=False):
    """A JSON Schema document, ready to use."""

    validator: Any
    annotations: Annotations


def compile_schema(document: dict[str, Any]) -> Schema:
    """Compile a JSON Schema document. Raises ConfigError where it is none."""
    try:
        validator = jsonschema_rs.validator_for(document, formats=FORMATS, validate_formats=True, offline=True)
    except jsonschema_rs.ValidationError as error:
        raise ConfigError(f"this is no usable JSON Schema: {error.message}") from error
    return Schema(validator, read_annotations(document))


def validate(schemas: Sequence[Schema], instance: dict[str, Any]) -> list[Violation]:
    """Give every violation of an `_instance` against each of its schemas; it may have the properties of all (X1)."""
    listings = [schema.annotations for schema in schemas]
    unlisted = _find_unlisted(listings, instance, (), ("_instance",))
    found = [_unlisted(pointer) for pointer in islice(unlisted, MOST_VIOLATIONS)]
    is_large = size_of(instance, MOST_NODES).nodes > MOST_NODES
    for schema in schemas:
        for error in _find_first(schema, instance) if is_large else schema.validator.iter_errors(instance):
            found += _read(error, listings)
    mistyped = {each.pointer for each in found if each.code == "type"}
    return [each for each in found if each.code != "enum" or each.pointer not in mistyped]


def _find_first(schema: Schema, instance: dict[str, Any]) -> list[jsonschema_rs.ValidationError]:
    """Give the first error alone: collecting all of a large document could hold everybody else up for seconds."""
    try:
        schema.validator.validate(instance)
    except jsonschema_rs.ValidationError as error:
        return [error]
    return []


def _unlisted(pointer: str) -> Violation:
    return Violation("additional-property", pointer, DETAILS["additional-property"])


def _find_unlisted(
    listings: Sequence[Annotations], value: object, path: Path, at: tuple[str | int, ...]
) -> Iterator[str]:
    """Find properties with a reserved prefix that no schema lists, in objects whose properties are listed (N5)."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                yield from _find_unlisted(listings, item, (*path, ITEM), (*at, index))
    if not isinstance(value, dict) or not any(_begins(listing, path) for listing in listings):
        return
    names = _names_at(listings, path)
    closed = names and not any(path in listing.free for listing in listings)
    for name, child in value.items():
        if name in names:
            yield from _find_unlisted(listings, child, (*path, name), (*at, name))
        elif closed and RESERVED.match(name):
            yield point(*at, name)
        elif not closed:
            yield from _find_unlisted(listings, child, (*path, VALUE), (*at, name))


def _begins(listing: Annotations, path: Path) -> bool:
    return any(listed[: len(path)] == path for listed in listing.listed)


def _names_at(listings: Iterable[Annotations], path: Path) -> frozenset[str]:
    return frozenset[str]().union(*(listing.listed.get(path, ()) for listing in listings))


def _read(error: jsonschema_rs.ValidationError, listings: Sequence[Annotations]) -> Iterator[Violation]:
    """Turn one error of the library into violations: one for each property that is missing or too much."""
    kind: Any = error.kind
    at = tuple(error.instance_path)
    if kind.name in ("additionalProperties", "unevaluatedProperties"):
        names = _names_at(listings, tuple(ITEM if isinstance(step, int) else step for step in at))
        yield from (_unlisted(point("_instance", *at, name)) for name in kind.unexpected if name not in names)
        return
    if kind.name == "required":
        at = (*at, kind.property)
    code, detail = _describe(kind)
    yield Violation(code, point("_instance", *at), detail)


def _describe(kind: Any) -> tuple[str, str]:
    if kind.name == "format":
        code = FORMAT_CODES.get(kind.format, "format")
        return code, FORMAT_DETAILS.get(kind.format, DETAILS["format"])
    code = CODES.get(kind.name, kind.name)
    limit = {"type": "types", "enum": "options", "minimum": "limit", "maximum": "limit"}.get(kind.name)
    detail = DETAILS.get(code, "breaks a rule of the schema")
    return code, f"{detail}: {_words(getattr(kind, limit))}" if limit else detail


def _words(limit: Any) -> str:
    return " or ".join(map(str, limit)) if isinstance(limit, list) else str(limit)
