"""The entity types: one row a type (spec offer-entities §1.1). A new business object is a new row.

Everything the repository does with a type follows from its row: REST, links, patch, revisions, search, references.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from gateway.errors import Violation
from gateway.offers.instances import JsonObject

NAMESPACE = "https://ns.adobe.com/experience/"
VERSION = "0.1"

Transitions = Mapping[str, frozenset[str]]
"""From each status to those it may become; staying is always allowed (spec repository Y2)."""

Check = Callable[[JsonObject], list[Violation]]
"""Looks at an `_instance` and names what contradicts itself in it; pointers start at the envelope's root."""


class EntityType(Struct, frozen=True, kw_only=True, eq=False):
    """One kind of business object.

    `name` is the short name, `schema_id` carries no version. `document` is the JSON Schema of `_instance`. `parent` is
    the short name of the abstract schema it is also listed under. `at_id_prefix` is "" for a type whose instances have
    no @id. `conditional_references` are foreign keys whose target depends on another property.
    """

    name: str
    schema_id: str
    document: dict[str, Any]
    version: str = VERSION
    instantiable: bool = True
    parent: str = ""
    at_id_prefix: str = ""
    transitions: Transitions = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    @property
    def versioned_id(self) -> str:
        """Give the schema id as every answer states it (spec repository S2)."""
        return f"{self.schema_id};version={self.version}"
