"""What a list or search asks for: parameters in, a checked query out (spec repository §11, §12).

Pairs are the query string split on `&` only and decoded once (U17, F1); a `+` has become a space (L5).
"""

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

Path = tuple[str, ...]


class ListedType(Protocol):
    """What a query needs to know of an entity type."""

    @property
    def name(self) -> str:
        """The short name: the list an instance is kept in."""

    @property
    def versioned_id(self) -> str:
        """The schema id as answers state it."""

    @property
    def document(self) -> dict[str, Any]:
        """The JSON Schema of `_instance`."""


class Schemas(Protocol):
    """The part of the registry that queries use."""

    def find(self, schema_id: str) -> Any:
        """Give the type (a ListedType) a schema id selects, None for an unknown one."""

    def kind_of(self, entity_type: Any, path: Path) -> str:
        """Give "date-time", "uri" or "" for the values at a path."""


class Order(Struct, frozen=True):
    """One property of `orderBy`."""

    path: Path
    kind: str = ""
    descending: bool = False


class Condition(Struct, frozen=True):
    """One filter: `operator` is "" (present), "==", "!=", "<", "<=", ">", ">=" or "~"; "==" takes any of `values`."""

    path: Path
    kind: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class Term(Struct, frozen=True):
    """One term of `q`: tokens that stand next to each other; with `exact` the normalised text they are part of (T5)."""

    tokens: tuple[str, ...]
    exact: str = ""


class Search(Struct, frozen=True):
    """`q`, `field` and `qop`; no `fields` means all string properties (T9)."""

    terms: tuple[Term, ...]
    fields: tuple[Path, ...] = ()
    every: bool = False


class ListQuery(Struct, frozen=True, kw_only=True):
    """One page of a list: which, in what order, after which sort keys (see `ordering.py`), and what to leave out.

    `name` is the short name of the listed schema, `schema_ns` its versioned id (for `schemaNs` of the answer).
    """

    name: str
    schema_ns: str
    order: tuple[Order, ...]
    start: tuple[bytes, ...] = ()
    limit: int = 50
    conditions: tuple[Condition, ...] = ()
    search: Search | None = None


def parse_list_query(pairs: Sequence[tuple[str, str]], schemas: Schemas) -> ListQuery:
    """Read the parameters of U6. Raises Problem 400: invalid-parameter, invalid-filter or unknown-schema."""
    raise NotImplementedError


def parse_search_query(pairs: Sequence[tuple[str, str]], schemas: Schemas) -> ListQuery:
    """Read the parameters of U11: those of U6 and `q`, `field`, `qop`; raises what `parse_list_query` does."""
    raise NotImplementedError


def parse_container_query(pairs: Sequence[tuple[str, str]], schemas: Schemas) -> ListQuery:
    """Read the parameters of U1 and U3: `product`, `property`, `start`, `limit` (C3-C6); no schema is needed (X2)."""
    raise NotImplementedError
