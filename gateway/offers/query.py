"""What a list or search asks for: parameters in, a checked query out (spec repository §11, §12).

Pairs are the query string split on `&` only and decoded once (U17, F1); a `+` has become a space (L5).
"""

import re
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from gateway.errors import Problem
from gateway.offers.filters import ENVELOPE, ORDER_SEGMENT, check_value, read_filter, read_path, refuse, resolve
from gateway.offers.ordering import Path, find_value, read_start, write_start
from gateway.offers.parameters import CONTAINERS, LIST, SEARCH, Pairs, Parameters
from gateway.offers.search import Search, read_terms

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 1000
MAX_FILTERS = 20
MAX_IDS = 200
MAX_NAME = 256
MAX_ORDER = 8
MAX_FIELDS = 16

CONTAINER_SCHEMA = "https://ns.adobe.com/experience/xcore/container"
INSTANCE_ID = ("instanceId",)
AT_ID = ("_instance", "@id")
NAME = ("_instance", "xdm:name")
CREATED = ("repo:createdDate",)
PRODUCTS = ("productContexts",)
WILDCARD = re.compile(r"[*?]")
KINDS = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}


class Schemas(Protocol):
    """The part of `offers.registry.Registry` that queries use; types are its EntityType."""

    def find(self, schema_id: str) -> Any:
        """Give the type a schema id selects, None for an unknown one."""

    def kind_of(self, entity_type: Any, path: Path) -> str:
        """Give "date-time", "uri" or "" for the values at a path from the envelope's root."""

    def listed_under(self, entity_type: Any) -> tuple[str, ...]:
        """Give the short names of the schemas an instance of this type is listed under (S4)."""


class Order(Struct, frozen=True):
    """One property of `orderBy`; `kind` is what its values are declared to be, "" where nothing is."""

    path: Path
    kind: str = ""
    descending: bool = False


class Condition(Struct, frozen=True):
    """One filter.

    `operator` is "" (present), "==" (to any of `values`), "!=", "<", "<=", ">", ">=", "~" (a regular expression) or
    "name" (F12: a whole text with `*` and `?`).
    """

    path: Path
    kind: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class ListQuery(Struct, frozen=True, kw_only=True):
    """One page of a list: which, in what order, after which sort keys (see `ordering.py`), and what to leave out.

    `name` is the short name of the listed schema, `schema_ns` its versioned id (for `schemaNs` of the answer).
    """

    name: str
    schema_ns: str
    order: tuple[Order, ...] = (Order(INSTANCE_ID, "string"),)
    start: tuple[bytes, ...] = ()
    limit: int = DEFAULT_LIMIT
    conditions: tuple[Condition, ...] = ()
    search: Search | None = None


def parse_list_query(pairs: Pairs, schemas: Schemas) -> ListQuery:
    """Read the parameters of U6. Raises Problem 400: invalid-parameter, invalid-filter or unknown-schema."""
    return read_list(Parameters(pairs, LIST, frozenset({"property", "id"})), schemas)


def parse_search_query(pairs: Pairs, schemas: Schemas) -> ListQuery:
    """Read the parameters of U11: those of U6 and `q`, `field`, `qop`; raises what `parse_list_query` does."""
    parameters = Parameters(pairs, SEARCH, frozenset({"property", "id", "field"}))
    return read_list(parameters, schemas, read_search(parameters))


def parse_container_query(pairs: Pairs, schemas: Schemas) -> ListQuery:
    """Read the parameters of U1 and U3: `product`, `property`, `start`, `limit` (C3-C6); no schema is needed (X2)."""
    parameters = Parameters(pairs, CONTAINERS, frozenset({"property", "product"}))
    listed = schemas.find(CONTAINER_SCHEMA)
    order = (Order(CREATED, "date-time"),)
    products = tuple(parameters.all("product"))
    union = (Condition(PRODUCTS, "string", "==", products),) if products else ()
    return ListQuery(
        name=listed.name,
        schema_ns=listed.versioned_id,
        order=order,
        start=read_position(parameters, order),
        limit=read_limit(parameters.one("limit")),
        conditions=(*union, *read_filters(parameters.all("property"), kind_reader(schemas, listed))),
    )


def read_list(parameters: Parameters, schemas: Schemas, search: Search | None = None) -> ListQuery:
    """Read what lists and searches share."""
    listed = read_schema(parameters.one("schema"), schemas)
    kind_of = kind_reader(schemas, listed)
    order = read_order(parameters.one("orderBy"), kind_of)
    return ListQuery(
        name=listed.name,
        schema_ns=listed.versioned_id,
        order=order,
        start=read_position(parameters, order),
        limit=read_limit(parameters.one("limit")),
        conditions=(*read_filters(parameters.all("property"), kind_of), *read_names(parameters)),
        search=search,
    )


def read_schema(text: str | None, schemas: Schemas) -> Any:
    """Give the listed type (L1, S3)."""
    if text is None:
        raise Problem(400, "invalid-parameter", "schema is required: the id of the schema whose instances to list")
    schema_id = text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text
    listed = schemas.find(schema_id)
    if listed is None:
        raise Problem(400, "unknown-schema", f"there is no schema {schema_id!r:.200}")
    return listed


def kind_reader(schemas: Schemas, listed: Any) -> Callable[[Path], str]:
    """Give the function that says what the values at a path of a type are declared to be."""

    def kind_of(path: Path) -> str:
        if path[0] != "_instance":
            return ENVELOPE[path[0]] if len(path) == 1 else ""
        return schemas.kind_of(listed, path) or declared_kind(listed.document, path[1:])

    return kind_of


def declared_kind(schema: Any, path: Path) -> str:
    """Give what a JSON Schema says of a property's type, "" where it allows several or says nothing."""
    for name in path:
        if not isinstance(schema, dict):
            return ""
        properties = schema.get("properties", {})
        schema = properties[name] if name in properties else schema.get("additionalProperties")
    declared = schema.get("type") if isinstance(schema, dict) else None
    return KINDS.get(declared, "") if isinstance(declared, str) else ""


def read_order(text: str | None, kind_of: Callable[[Path], str]) -> tuple[Order, ...]:
    """Read `orderBy` (L4-L7, L9)."""
    if text is None:
        return (Order(INSTANCE_ID, "string"),)
    orders: list[Order] = []
    end = -1
    while end < len(text):
        sign = text[end + 1 : end + 2]
        path, end = read_path(text, ORDER_SEGMENT, end + 1 + (sign in ("+", "-", " ") and sign != ""))
        if not path or (end < len(text) and text[end] != ","):
            raise refuse_order(text)
        resolved = resolve(path)
        orders.append(Order(resolved, kind_of(resolved), sign == "-"))
    if len({order.path for order in orders}) < len(orders) or len(orders) > MAX_ORDER:
        raise refuse_order(text)
    return tuple(orders)


def refuse_order(text: str) -> Problem:
    """Make the answer to a list of sort properties that cannot be used."""
    rule = (
        f"it takes up to {MAX_ORDER} different property paths parted by commas, each with + or - before it or nothing"
    )
    return Problem(400, "invalid-parameter", f"orderBy={text!r:.200} cannot be used: {rule}")


def read_position(parameters: Parameters, order: tuple[Order, ...]) -> tuple[bytes, ...]:
    """Read `start` (L10-L13)."""
    text = parameters.one("start")
    return () if text is None else read_start(text, [each.kind for each in order])


def read_limit(text: str | None) -> int:
    """Read `limit` (L14)."""
    if text is None:
        return DEFAULT_LIMIT
    if not re.fullmatch("0*[1-9][0-9]*", text):
        raise Problem(400, "invalid-parameter", f"limit must be a whole number from 1 on, not {text!r:.40}")
    return min(int(text.lstrip("0")[:5]), LARGEST_LIMIT)


def read_filters(texts: list[str], kind_of: Callable[[Path], str]) -> tuple[Condition, ...]:
    """Read every `property` (§11.4)."""
    if len(texts) > MAX_FILTERS:
        raise refuse(f"there are {len(texts)} property filters; at most {MAX_FILTERS} are allowed")
    return tuple(read_condition(text, kind_of) for text in texts)


def read_condition(text: str, kind_of: Callable[[Path], str]) -> Condition:
    """Read one filter; a regular expression sees dates as the texts they are."""
    path, operator, value = read_filter(text)
    kind = kind_of(path)
    check_value(path, operator, value)
    if operator == "~" and kind == "date-time":
        kind = ""
    return Condition(path, kind, operator, (value,) if operator else ())


def read_names(parameters: Parameters) -> tuple[Condition, ...]:
    """Read `id` and `name` (F11, F12)."""
    ids, name = tuple(parameters.all("id")), parameters.one("name")
    if ids and name is not None:
        raise Problem(400, "invalid-parameter", "id and name cannot be used together")
    if len(ids) > MAX_IDS:
        raise Problem(400, "invalid-parameter", f"there are {len(ids)} ids; at most {MAX_IDS} are allowed")
    if ids:
        return (Condition(AT_ID, "uri", "==", ids),)
    if name is None:
        return ()
    if len(name) > MAX_NAME:
        raise Problem(400, "invalid-parameter", f"name is at most {MAX_NAME} characters long")
    return (Condition(NAME, "string", "name" if WILDCARD.search(name) else "==", (name,)),)


def read_search(parameters: Parameters) -> Search | None:
    """Read `q`, `field` and `qop`; None without `q`: then the search is a plain list."""
    q, qop = parameters.one("q"), (parameters.one("qop") or "or").lower()
    if qop not in ("and", "or") or parameters.one("qop") == "":
        raise Problem(400, "invalid-parameter", f"qop must be and or or, not {parameters.one('qop')!r:.40}")
    fields: list[Path] = []
    for text in parameters.all("field"):
        fields += read_fields(text)
    if len(fields) > MAX_FIELDS:
        raise Problem(400, "invalid-parameter", f"there are {len(fields)} fields; at most {MAX_FIELDS} are allowed")
    return None if q is None else Search(read_terms(q), tuple(dict.fromkeys(fields)), qop == "and")


def read_fields(text: str) -> list[Path]:
    """Read one `field`: paths parted by commas."""
    paths: list[Path] = []
    end = -1
    while end < len(text):
        path, end = read_path(text, ORDER_SEGMENT, end + 1)
        if not path or (end < len(text) and text[end] != ","):
            raise Problem(400, "invalid-parameter", f"field={text!r:.200} cannot be used: it takes property paths")
        paths.append(resolve(path))
    return paths


def write_next(query: ListQuery, document: Any) -> str:
    """Write the `start` of the page that begins after an item, given its envelope (L12, X5)."""
    return write_start([find_value(document, each.path) for each in query.order], [each.kind for each in query.order])
