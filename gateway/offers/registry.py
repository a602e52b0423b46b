"""The schemas the repository knows: built in, and further ones from JSON Schema documents (spec repository S1)."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from gateway.offers.entities import EntityType

Kind = Literal["date-time", "uri", ""]
"""What a string is declared to be: compared as an instant, left out of searches by default (T9), or plain."""

Path = tuple[str, ...]
"""Property names from the envelope's root, e.g. ("_instance", "xdm:rank", "xdm:priority"); steps into the elements of
an array are not named, because filters and sort orders do not name them either (F3)."""


class Registry:
    """Entity types by schema id and by short name."""

    def __init__(self, further: Iterable[dict[str, Any]] = ()) -> None:
        """Know the built-in types and those of `further`, decoded JSON Schema documents with an absolute `$id`.

        Raises ConfigError when a document is no usable schema: the message names its `$id` and what to change.
        """
        raise NotImplementedError

    def find(self, schema_id: str) -> EntityType | None:
        """Give the type a schema id selects, with any version or none (spec repository S2); None for an unknown one."""
        raise NotImplementedError

    def named(self, name: str) -> EntityType:
        """Give the type with this short name, e.g. "offer-activity"; KeyError when there is none."""
        raise NotImplementedError

    def types(self) -> tuple[EntityType, ...]:
        """Give every type, the built-in ones first."""
        raise NotImplementedError

    def is_target(self, entity_type: EntityType) -> bool:
        """Say whether foreign keys can point at instances of this type: then its delete is answered with 202 (D2)."""
        raise NotImplementedError

    def listed_under(self, entity_type: EntityType) -> tuple[str, ...]:
        """Give the short names of the schemas an instance of this type is listed under, its own first (S4)."""
        raise NotImplementedError

    def kinds_of(self, entity_type: EntityType) -> Mapping[Path, Kind]:
        """Give every path of the type that holds date-times or URIs; an abstract type has those of its heirs too.

        A step into the values of a free map (any key) is the name "*".
        """
        raise NotImplementedError

    def kind_of(self, entity_type: EntityType, path: Path) -> Kind:
        """Give what the strings at a path are declared to be."""
        raise NotImplementedError
