"""The bodies of the repository, as JSON Schemas for the OpenAPI document."""

from typing import Any

from gateway.offers.instances import JsonObject
from gateway.offers.receipts import RECEIPT_MEMBERS
from gateway.web.openapi.sections import refer

LINK: JsonObject = {"type": "object", "required": ["href"], "properties": {"href": {"type": "string"}}}
_TEXT: JsonObject = {"type": "string"}
_WHOLE: JsonObject = {"type": "integer", "minimum": 0}
_DATE: JsonObject = {"type": "string", "format": "date-time"}
_CONTROL: JsonObject = {
    name: _DATE if name.endswith("Date") else _TEXT for name in ("instanceId", "@id", *RECEIPT_MEMBERS)
}
_CONTROL |= {"repo:etag": {"type": "integer", "minimum": 1}}
_REQUIRED = ["instanceId", *RECEIPT_MEMBERS]
_LINKS: JsonObject = {"type": "object", "required": ["self"], "properties": {"self": LINK}}
PATCH_DOCUMENT: JsonObject = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": {"type": "string", "pattern": "^(/[^/]*)*$"},
            "from": {"type": "string", "pattern": "^(/[^/]*)*$"},
            "value": {},
        },
    },
}
_ENVELOPES: JsonObject = {"type": "array", "items": refer("schemas", "Envelope")}
_EMBEDDED: JsonObject = {
    "type": "object",
    "required": ["results", "total", "count"],
    "properties": {"results": _ENVELOPES, "total": _WHOLE, "count": _WHOLE},
}
# name: (properties, required)
SHAPES: dict[str, tuple[JsonObject, list[str]]] = {
    "Receipt": (_CONTROL, _REQUIRED),
    "Outcome": (
        _CONTROL | {"outcome": {"enum": ["deleted", "rejected"]}, "status": _WHOLE, "problem": {"type": "object"}},
        [*_REQUIRED, "outcome", "status"],
    ),
    "Envelope": (
        _CONTROL | {"schemas": {"type": "array", "items": _TEXT}, "_instance": {"type": "object"}, "_links": _LINKS},
        [*_REQUIRED, "schemas", "_instance", "_links"],
    ),
    "Page": (
        {"requestTime": _DATE, "containerId": _TEXT, "schemaNs": _TEXT, "_embedded": _EMBEDDED, "_links": _LINKS},
        ["requestTime", "schemaNs", "_embedded", "_links"],
    ),
    "Home": (
        {"_embedded": {"type": "object", "additionalProperties": _ENVELOPES}, "_links": _LINKS},
        ["_embedded", "_links"],
    ),
}


def describe_object(properties: JsonObject, required: list[str]) -> dict[str, Any]:
    """Give the schema of an object."""
    return {"type": "object", "properties": properties, "required": required}
