"""The delivery endpoint, in OpenAPI's words."""

import msgspec

from gateway.delivery.model import DeliveryRequest
from gateway.offers.instances import JsonObject
from gateway.web.openapi.sections import Section, refer

_QUERY = (
    ("client", False, "The client code; needed where several are configured and `imsOrgId` is not given.", "demo"),
    ("imsOrgId", False, "The organisation, instead of or beside `client`.", "DEMO@AdobeOrg"),
    ("sessionId", True, "The visitor's session: 1 to 128 characters, none of blank ? / { }.", "s1"),
    ("version", False, "Version of the calling SDK; passed on to Target.", "2.4.3"),
)
_EXAMPLE = {
    "context": {"channel": "web"},
    "execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}, {"index": 2, "name": "recommendations"}]},
}
_ERROR: JsonObject = {
    "type": "object",
    "required": ["status", "message"],
    "properties": {"status": {"type": "integer"}, "message": {"type": "string"}},
}
_RESPONSE: JsonObject = {
    "type": "object",
    "description": "What was decided, in the order it was asked for; 206 where something is missing.",
    "required": ["status"],
    "properties": {
        "status": {"enum": [200, 206]},
        "requestId": {"type": "string"},
        "client": {"type": "string"},
        "id": {"type": "object"},
        "edgeHost": {"type": "string"},
        "execute": {"type": "object"},
        "prefetch": {"type": "object"},
        "notifications": {"type": "array"},
    },
}


def describe_delivery() -> Section:
    """Give the section of POST /rest/v1/delivery."""
    (request,), models = msgspec.json.schema_components([DeliveryRequest], ref_template="#/components/schemas/{name}")
    parameters = [
        {"name": name, "in": "query", "required": needed, "description": about, "example": example}
        | {"schema": {"type": "string"}}
        for name, needed, about, example in _QUERY
    ]
    deadline = {"name": "x-request-timeout-ms", "in": "header", "schema": {"type": "integer", "minimum": 1}}
    said = {"application/json": {"schema": refer("schemas", "DeliveryError")}}
    operation = {
        "operationId": "deliver",
        "summary": "Decide mboxes, views and page loads; take notifications",
        "tags": ["delivery"],
        "security": [],
        "parameters": [*parameters, deadline | {"description": "Answer within this many milliseconds."}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": request, "example": _EXAMPLE}},
        },
        "responses": {
            "200": {
                "description": "Decided; `x-gateway-degraded` names what could not be.",
                "content": {"application/json": {"schema": refer("schemas", "DeliveryResponse")}},
            },
            "204": {"description": "Answer to a preflight or a beacon."},
            "default": {"description": "The request is not valid, or was not taken.", "content": said},
        },
    }
    return Section(
        name="delivery",
        about="Adobe Target's Delivery API.",
        paths={"/rest/v1/delivery": {"post": operation}},
        components={"schemas": models | {"DeliveryError": _ERROR, "DeliveryResponse": _RESPONSE}},
    )
