"""The schemas the repository knows: built in, and further ones from JSON Schema documents (spec repository S1)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from gateway.errors import ConfigError
from gateway.offers.documents import ITEM, VALUE, Path
from gateway.offers.entities import ENTITY_TYPES, VERSION, EntityType, ForeignKey
from gateway.offers.validation import Schema, compile_schema

Kind = Literal["date-time", "uri", ""]
"""What a string is declared to be: compared as an instant, left out of searches by default (T9), or plain."""

KINDS: Mapping[str, Kind] = {
    "date-time": "date-time",
    "uri": "uri",
    "uri-reference": "uri",
    "iri": "uri",
    "iri-reference": "uri",
}

ENVELOPE_KINDS: Mapping[Path, Kind] = {("repo:createdDate",): "date-time", ("repo:lastModifiedDate",): "date-time"}

ANY_NAME = "*"
OFFER, NAME = "offer", ("xdm:name",)

_SCHEMA_ID = re.compile(r"(?P<id>[^;]+?)(?:;version=(?P<version>\d+(?:\.\d+)*))?")
_SHORT_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]*")


class Registry:
    """Entity types by schema id and by short name."""

    def __init__(self, further: Iterable[dict[str, Any]] = (), *, unique_offer_names: bool = False) -> None:
        """Know the built-in types and those of `further`, decoded JSON Schema documents with an absolute `$id`.

        With `unique_offer_names` no two offers of a container may have the same name (W9).

        Raises ConfigError when a document is no usable schema: the message names its `$id` and what to change.
        """
        self._unique_offer_names = unique_offer_names
        self._types: dict[str, EntityType] = {}
        self._ids: dict[str, EntityType] = {}
        self._schemas: dict[str, Schema] = {}
        for row in (*ENTITY_TYPES, *map(_read_type, further)):
            self._add(row)
        self._keys = {name: self._foreign_keys(row) for name, row in self._types.items()}
        named = {schema for keys in self._keys.values() for key in keys for schema in key.schemas}
        self._targets = {name for name, row in self._types.items() if named & {name, row.parent}}
        self._kinds = {name: self._read_kinds(row) for name, row in self._types.items()}

    def _add(self, row: EntityType) -> None:
        if row.name in self._types or row.schema_id in self._ids:
            raise ConfigError(f"schema {row.schema_id}: there already is one called {row.name}")
        try:
            self._schemas[row.name] = compile_schema(row.document)
        except ConfigError as error:
            raise ConfigError(f"schema {row.schema_id}: {error.message}") from error
        self._types[row.name] = self._ids[row.schema_id] = row

    def _foreign_keys(self, row: EntityType) -> tuple[ForeignKey, ...]:
        declared = self._schemas[row.name].annotations.references
        return (*row.foreign_keys, *(ForeignKey(path, self._names(row, targets)) for path, targets in declared))

    def _names(self, row: EntityType, schema_ids: tuple[str, ...]) -> tuple[str, ...]:
        targets = [self.find(schema_id) for schema_id in schema_ids]
        if None in targets:
            raise ConfigError(f"schema {row.schema_id}: no schema {schema_ids[targets.index(None)]} to refer to")
        return tuple(target.name for target in targets if target)

    def _read_kinds(self, row: EntityType) -> dict[Path, Kind]:
        kinds = dict(ENVELOPE_KINDS)
        for heir in (row, *(other for other in self._types.values() if other.parent == row.name)):
            for path, word in self._schemas[heir.name].annotations.formats:
                if word in KINDS:
                    kinds[_spell(path)] = KINDS[word]
            kinds |= {_spell(key.path): "uri" for key in self._keys[heir.name]}
        return kinds

    def unique_paths(self, row: EntityType) -> list[tuple[str, Path]]:
        """Give the paths of unique values, each with the type among whose instances they are (W8, W9)."""
        found = [(row.name, path) for path in self._schemas[row.name].annotations.unique]
        return [*found, (row.parent, NAME)] if self._unique_offer_names and row.parent == OFFER else found

    def find(self, schema_id: str) -> EntityType | None:
        """Give the type a schema id selects, with any version or none (spec repository S2); None for an unknown one."""
        match = _SCHEMA_ID.fullmatch(schema_id)
        return self._ids.get(match["id"]) if match else None

    def named(self, name: str) -> EntityType:
        """Give the type with this short name, e.g. "offer-activity"; KeyError when there is none."""
        return self._types[name]

    def types(self) -> tuple[EntityType, ...]:
        """Give every type, the built-in ones first."""
        return tuple(self._types.values())

    def schema(self, entity_type: EntityType) -> Schema:
        """Give the compiled JSON Schema of a type."""
        return self._schemas[entity_type.name]

    def foreign_keys(self, entity_type: EntityType) -> tuple[ForeignKey, ...]:
        """Give every foreign key of a type; its path starts at `_instance`."""
        return self._keys[entity_type.name]

    def is_target(self, entity_type: EntityType) -> bool:
        """Say whether foreign keys can point at instances of this type: then its delete is answered with 202 (D2)."""
        return entity_type.name in self._targets

    def listed_under(self, *entity_types: EntityType) -> tuple[str, ...]:
        """Give the short names of the schemas an instance of these types is listed under, the primary first (S4)."""
        names = [row.name for row in entity_types] + [row.parent for row in entity_types if row.parent]
        return tuple(dict.fromkeys(names))

    def types_of(self, document: Mapping[str, Any]) -> tuple[EntityType, ...]:
        """Give the types of a decoded envelope, the primary one first; schemas that are not loaded are left out."""
        found = (self.find(schema_id) for schema_id in document["schemas"])
        return tuple(row for row in found if row)

    def kinds_of(self, entity_type: EntityType) -> Mapping[Path, Kind]:
        """Give every path of the type that holds date-times or URIs; an abstract type has those of its heirs too.

        A path starts at the envelope's root and names properties only: steps into the elements of an array are left
        out, as filters and sort orders do (F3); a step into an object with free names is "*".
        """
        return self._kinds[entity_type.name]

    def kind_of(self, entity_type: EntityType, path: Path) -> Kind:
        """Give what the strings at a path are declared to be."""
        kinds = self._kinds[entity_type.name]
        if path in kinds:
            return kinds[path]
        return next((kind for known, kind in kinds.items() if ANY_NAME in known and _matches(known, path)), "")


def _matches(known: Path, path: Path) -> bool:
    return len(known) == len(path) and all(step in (ANY_NAME, name) for step, name in zip(known, path, strict=True))


def _spell(path: Path) -> Path:
    return ("_instance", *(ANY_NAME if step == VALUE else step for step in path if step != ITEM))


def _read_type(document: Any) -> EntityType:
    """Read the row of a further type from its JSON Schema document."""
    schema_id = document.get("$id") if isinstance(document, dict) else None
    match = _SCHEMA_ID.fullmatch(schema_id) if isinstance(schema_id, str) else None
    if match is None or ":" not in match["id"]:
        raise ConfigError('a schema document needs an "$id": an absolute URI, which may end in ";version=1.0"')
    name = match["id"].rstrip("/").rpartition("/")[2]
    if not _SHORT_NAME.fullmatch(name):
        raise ConfigError(
            f'schema {match["id"]}: the part after its last "/" is its short name and must be a plain word'
        )
    properties = document.get("properties")
    return EntityType(
        name=name,
        schema_id=match["id"],
        document=document,
        version=match["version"] or VERSION,
        at_id_prefix=f"xcore:{name}:" if isinstance(properties, dict) and "@id" in properties else "",
    )
