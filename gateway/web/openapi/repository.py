"""The Business Object Repository, in OpenAPI's words: one row for each operation."""

from msgspec import Struct

from gateway.offers.entities import EntityType
from gateway.offers.instances import JsonObject
from gateway.offers.registry import Registry
from gateway.web.hal import PREFIX
from gateway.web.negotiation import HAL, HOME, PATCH, RECEIPT, RESULTS_SCHEMA
from gateway.web.openapi.sections import PROBLEM, PROBLEM_SCHEMA, SIGNED_IN, Section, header, refer
from gateway.web.openapi.shapes import LINK, PATCH_DOCUMENT, SHAPES, describe_object

CONTAINER = "container"


class Operation(Struct, frozen=True):
    """One row: `takes` and `gives` name the bodies of the tables below."""

    method: str
    path: str
    name: str
    summary: str
    takes: str = ""
    gives: str = "receipt"
    statuses: tuple[int, ...] = (200,)
    query: tuple[str, ...] = ()


_LIST = ("schema", "orderBy", "start", "limit", "property", "id", "name")
OPERATIONS = (
    Operation(
        "get",
        "/",
        "showHome",
        "The containers you may use",
        gives="home",
        query=("product", "property", "start", "limit"),
    ),
    Operation(
        "get",
        "/containers",
        "listContainers",
        "The containers you may use, as a result page",
        gives="page",
        query=("product", "property", "start", "limit"),
    ),
    Operation("post", "/containers", "createContainer", "Create a container", takes="container", statuses=(201,)),
    Operation(
        "get", "/containers/{container}", "readContainer", "Read a container", gives="envelope", statuses=(200, 304)
    ),
    Operation(
        "put", "/containers/{container}", "replaceContainer", "Replace a container's properties", takes="container"
    ),
    Operation("patch", "/containers/{container}", "patchContainer", "Change a container", takes="patch"),
    Operation("delete", "/containers/{container}", "deleteContainer", "Delete an empty container", statuses=(202,)),
    Operation(
        "get",
        "/{container}/instances",
        "listInstances",
        "List, sort, page and filter instances of a schema",
        gives="page",
        query=_LIST,
    ),
    Operation(
        "post",
        "/{container}/instances",
        "createInstance",
        "Create an instance of the schema that the media type names",
        takes="instance",
        statuses=(201,),
    ),
    Operation(
        "get",
        "/{container}/instances/{instance}",
        "readInstance",
        "Read an instance",
        gives="envelope",
        statuses=(200, 304),
    ),
    Operation(
        "put",
        "/{container}/instances/{instance}",
        "replaceInstance",
        "Replace all properties of an instance",
        takes="instance",
    ),
    Operation(
        "patch",
        "/{container}/instances/{instance}",
        "patchInstance",
        "Change an instance by a JSON Patch",
        takes="patch",
    ),
    Operation(
        "delete",
        "/{container}/instances/{instance}",
        "deleteInstance",
        "Delete an instance: at once, or decided soon",
        statuses=(200, 202),
    ),
    Operation(
        "get",
        "/{container}/queries/core/search",
        "searchInstances",
        "Search the texts of instances, and all that lists offer",
        gives="page",
        query=(*_LIST, "q", "field", "qop"),
    ),
    Operation(
        "get",
        "/{container}/operations/{operation}",
        "readOperation",
        "How an asynchronous delete was decided",
        gives="outcome",
        statuses=(200, 202),
    ),
)

_FILTERS = (
    "Keeps items whose property exists (`path`) or compares (`path==value`, also `!=`, `<`, `<=`, `>`, `>=`, and "
    "`~` for a regular expression that must match the whole value). Repeated: all must hold."
)
# name: what it means, and whether it may be repeated
_PARAMETERS: dict[str, tuple[str, bool]] = {
    "product": ("Only containers of this product context, e.g. `dma_offers`; repeated: of any of them.", True),
    "property": (_FILTERS, True),
    "start": ("Begin after the item with this sort value; take it from the `next` link.", False),
    "limit": ("About how many items a page should have, 1 to 1000.", False),
    "schema": ("The id of the schema to list, with or without a version.", False),
    "orderBy": ("Properties to sort by, separated by commas; `-` before one means descending.", False),
    "id": ("Only the item with this @id; repeated: any of them.", True),
    "name": ("Only items of this name; `*` and `?` stand for any text and any character.", False),
    "q": ("Words to look for; in double quotes one exact text.", False),
    "field": ("Only look in this property; repeated: in any of them.", True),
    "qop": ("`and`: every word must be found; `or`: any is enough.", False),
}
_TAKEN_HEADERS = ("If-Match", "If-None-Match", "If-Unmodified-Since")
_DESCRIPTIONS = {200: "Done.", 201: "Created.", 202: "Not decided yet: ask at `Location`.", 304: "You have it already."}


def describe_repository(registry: Registry) -> Section:
    """Give the section of the repository; every entity type of `registry` is in it."""
    paths: dict[str, JsonObject] = {}
    for row in OPERATIONS:
        place = paths.setdefault(PREFIX + row.path, {})
        place[row.method] = _describe(row, registry)
    schemas: JsonObject = {_component(one): one.document for one in registry.types()}
    components = {
        "schemas": schemas
        | {name: describe_object(*shape) for name, shape in SHAPES.items()}
        | {"Problem": PROBLEM_SCHEMA}
        | {"Patch": PATCH_DOCUMENT},
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        "responses": {"Problem": PROBLEM},
    }
    return Section(name="repository", about="The Business Object Repository.", paths=paths, components=components)


def _describe(row: Operation, registry: Registry) -> JsonObject:
    responses: JsonObject = {str(status): _respond(row, status) for status in row.statuses}
    described: JsonObject = {
        "operationId": row.name,
        "summary": row.summary,
        "tags": ["repository"],
        "security": [{"token": []}],
        "parameters": [*_path_parameters(row), *SIGNED_IN, *map(_query_parameter, row.query), *_conditions(row)],
        "responses": responses | {"default": refer("responses", "Problem")},
    }
    if row.takes:
        described["requestBody"] = {"required": True, "content": _bodies(row.takes, registry)}
    return described


def _path_parameters(row: Operation) -> list[JsonObject]:
    names = [part.strip("{}") for part in row.path.split("/") if part.startswith("{")]
    shape = {"type": "string", "format": "uuid"}
    return [{"name": name, "in": "path", "required": True, "schema": shape} for name in names]


def _conditions(row: Operation) -> list[JsonObject]:
    if row.gives in ("home", "page", "outcome") or row.method == "post":
        return []
    about = "A condition on the instance's revision (RFC 7232)."
    return [header(name, about, "", required=False) for name in _TAKEN_HEADERS]


def _query_parameter(name: str) -> JsonObject:
    about, repeated = _PARAMETERS[name]
    one: JsonObject = {"type": "string"} if name != "limit" else {"type": "integer", "minimum": 1}
    shape = {"type": "array", "items": one} if repeated else one
    return {"name": name, "in": "query", "required": name == "schema", "description": about, "schema": shape}


def _bodies(takes: str, registry: Registry) -> JsonObject:
    if takes == "patch":
        return {
            PATCH: {"schema": refer("schemas", "Patch")},
            "application/json-patch+json": {"schema": refer("schemas", "Patch")},
        }
    types = [one for one in registry.types() if one.instantiable and (one.name == CONTAINER) == (takes == CONTAINER)]
    return {f'{HAL}; schema="{one.versioned_id}"': {"schema": _envelope_of(one)} for one in types}


def _envelope_of(entity_type: EntityType) -> JsonObject:
    return {
        "type": "object",
        "required": ["_instance", "_links"],
        "properties": {
            "_instance": refer("schemas", _component(entity_type)),
            "_links": {"type": "object", "additionalProperties": LINK},
        },
        "additionalProperties": False,
    }


def _component(entity_type: EntityType) -> str:
    return f"entity.{entity_type.name}"


def _respond(row: Operation, status: int) -> JsonObject:
    described: JsonObject = {"description": _DESCRIPTIONS[status]}
    if status in (202, 304):
        return described
    media_type, shape = _GIVEN[row.gives]
    content: JsonObject = {media_type: {"schema": refer("schemas", shape)}}
    return described | {"content": content | {"application/json": {"schema": refer("schemas", shape)}}}


_GIVEN = {
    "receipt": (RECEIPT, "Receipt"),
    "outcome": (RECEIPT, "Outcome"),
    "envelope": (HAL, "Envelope"),
    "home": (HOME, "Home"),
    "page": (f'{HAL}; schema="{RESULTS_SCHEMA}"', "Page"),
}
