"""Profiles, in OpenAPI's words: one row for each operation."""

from msgspec import Struct

from gateway.offers.instances import JsonObject
from gateway.offers.profile_documents import MOST_EVENTS
from gateway.web.negotiation import JSON
from gateway.web.openapi.sections import SIGNED_IN, Section, header, refer
from gateway.web.preconditions import CONDITIONS
from gateway.web.profiles import MERGE_PATCH, MOST_LISTED, PREFIX

_PERSON = "/{namespace}/{id}"


class Operation(Struct, frozen=True):
    """One row: `takes` and `gives` name the bodies of the tables below."""

    method: str
    path: str
    name: str
    summary: str
    takes: str = ""
    gives: str = ""
    statuses: tuple[int, ...] = (200,)


OPERATIONS = (
    Operation("put", "", "replaceProfile", "Replace a person's attributes", "Attributes", "Saved", (200, 201)),
    Operation("patch", "", "patchProfile", "Merge into a person's attributes (RFC 7386)", "Attributes", "Saved"),
    Operation("get", "", "readProfile", "Read attributes, identities and how many events", "", "Profile", (200, 304)),
    Operation("delete", "", "eraseProfile", "Erase all that is known of a person", "", "", (204,)),
    Operation("post", "/events", "addEvents", "Add events, all or none", "Events", "Accepted", (202,)),
    Operation("get", "/events", "listEvents", "List events, newest first", "", "Listed"),
    Operation("put", "/identities", "addIdentities", "Add identities of the same person", "Identities", "Profile"),
)

_OBJECT: JsonObject = {"type": "object"}
_COUNT: JsonObject = {"type": "integer", "minimum": 0}
_ID: JsonObject = {"type": "string", "minLength": 1, "maxLength": 256}
_EVENT: JsonObject = {
    "type": "object",
    "properties": {
        "_id": {
            "type": "string",
            "minLength": 1,
            "description": "An event with the id of another is dropped for 24 h.",
        },
        "timestamp": {"type": "string", "format": "date-time", "description": "Missing: the time it arrives."},
    },
}
_MAP: JsonObject = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": "^[A-Za-z0-9._-]{1,64}$"},
    "additionalProperties": {
        "type": "array",
        "minItems": 1,
        "items": {"type": "object", "required": ["xdm:id"], "properties": {"xdm:id": _ID}},
    },
}
_SHAPES: dict[str, JsonObject] = {
    "Attributes": _OBJECT,
    "Events": {"oneOf": [_EVENT, {"type": "array", "items": _EVENT, "maxItems": MOST_EVENTS}]},
    "Identities": {"type": "object", "required": ["identityMap"], "properties": {"identityMap": _MAP}},
    "Saved": {"type": "object", "required": ["attributes"], "properties": {"attributes": _OBJECT}},
    "Profile": {
        "type": "object",
        "required": ["attributes", "identityMap", "eventCount"],
        "properties": {"attributes": _OBJECT, "identityMap": _MAP, "eventCount": _COUNT},
    },
    "Accepted": {"type": "object", "required": ["accepted"], "properties": {"accepted": _COUNT}},
    "Listed": {
        "type": "object",
        "required": ["events"],
        "properties": {"events": {"type": "array", "items": _EVENT, "maxItems": MOST_LISTED}},
    },
}
_PLACES: list[JsonObject] = [
    {
        "name": "namespace",
        "in": "path",
        "required": True,
        "description": "The kind of id, as in an identity map.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "example": "CRM",
    },
    {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "Percent-encoded; anything without control characters.",
        "schema": _ID,
        "example": "c-1001",
    },
]
_LIMIT: JsonObject = {
    "name": "limit",
    "in": "query",
    "description": f"How many events, {MOST_LISTED} at most.",
    "schema": {"type": "integer", "minimum": 1},
}
_DESCRIPTIONS = {
    200: "Done.",
    201: "Made.",
    202: "Taken; duplicates do not count.",
    204: "Erased, or never known.",
    304: "You have it already.",
}


def describe_profiles() -> Section:
    """Give the section of profiles; it points at components of the repository's section."""
    paths: dict[str, JsonObject] = {}
    for row in OPERATIONS:
        paths.setdefault(PREFIX + _PERSON + row.path, {})[row.method] = _describe(row)
    schemas = {f"profiles.{name}": shape for name, shape in _SHAPES.items()}
    return Section(name="profiles", about="What is known of people.", paths=paths, components={"schemas": schemas})


def _describe(row: Operation) -> JsonObject:
    described: JsonObject = {
        "operationId": row.name,
        "summary": row.summary,
        "tags": ["profiles"],
        "security": [{"token": []}],
        "parameters": [*_PLACES, *SIGNED_IN, *_further(row)],
        "responses": {str(status): _respond(row, status) for status in row.statuses}
        | {"default": refer("responses", "Problem")},
    }
    if row.takes:
        shape = {"schema": refer("schemas", f"profiles.{row.takes}")}
        types = (MERGE_PATCH, JSON) if row.method == "patch" else (JSON,)
        described["requestBody"] = {"required": True, "content": dict.fromkeys(types, shape)}
    return described


def _further(row: Operation) -> list[JsonObject]:
    if row.name == "listEvents":
        return [_LIMIT]
    if row.path or row.method == "delete":
        return []
    return [
        header(name, "A condition on the profile's revision (RFC 7232).", "", required=False) for name in CONDITIONS
    ]


def _respond(row: Operation, status: int) -> JsonObject:
    described: JsonObject = {"description": _DESCRIPTIONS[status]}
    if status in (204, 304):
        return described
    return described | {"content": {JSON: {"schema": refer("schemas", f"profiles.{row.gives}")}}}
