"""Offer decisions, in OpenAPI's words."""

from typing import Any

from gateway.offers.events import EVENT
from gateway.offers.instances import JsonObject
from gateway.offers.registry import Registry
from gateway.offers.request_schemas import FAMILY, NEWER, OLDER
from gateway.web.decisions import ALIAS, DECISIONS, RESPONSE, XDM
from gateway.web.negotiation import JSON
from gateway.web.openapi.sections import SIGNED_IN, Section, header, refer

_TEXT: JsonObject = {"type": "string"}
_WHOLE: JsonObject = {"type": "integer"}


def _object(required: tuple[str, ...] = (), **properties: Any) -> JsonObject:
    named = {name.replace("__", ":"): shape for name, shape in properties.items()}
    return {"type": "object", "properties": named} | ({"required": list(required)} if required else {})


_ENTITY = _object(("xdm:id", "repo:etag"), xdm__id=_TEXT, repo__etag=_WHOLE, xdm__name=_TEXT)
_PROPOSITION = _object(
    ("xdm:activity", "xdm:placement"),
    xdm__activity=_ENTITY,
    xdm__placement=_ENTITY,
    xdm__options={"type": "array", "minItems": 1, "items": _ENTITY},
    xdm__fallback=_ENTITY,
)
_LINKED = {"type": "object", "required": ["@id", "repo:etag", "_links"]}
_CANDIDATES = _object(
    ("xdm:offerActivity", "xdm:offers", "xdm:fallbackOffer"),
    xdm__offerActivity=_LINKED,
    xdm__offers={"type": "array", "items": _LINKED},
    xdm__fallbackOffer=_LINKED,
)
SHAPES: dict[str, JsonObject] = {
    "DecisionRequest": NEWER,
    "OlderDecisionRequest": OLDER,
    "DecisionResponse": _object(
        ("xdm:propositionId", "xdm:propositions", "ode:createDate"),
        xdm__propositionId={"type": "string", "format": "uuid"},
        xdm__decisionRequestId=_TEXT,
        xdm__propositions={"type": "array", "minItems": 1, "items": _PROPOSITION},
        ode__createDate=_WHOLE,
        gw__trace={"type": "object"},
    ),
    "ActivityOffers": _object(
        ("xdm:activityOffers",), xdm__activityOffers={"type": "array", "minItems": 1, "items": _CANDIDATES}
    ),
    "CatalogDiagnostics": _object(
        ("xdm:operations",),
        xdm__operations={"type": "object"},
        gw__warnings={"type": "array", "items": {"type": "object"}},
    ),
    "Feedback": EVENT,
}
_CONTAINER = {"name": "container", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_REQUEST_ID = header(
    "x-request-id", "Names the call: the same again within a minute is answered the same.", "", required=False
)
_DEADLINE = {
    "name": "x-request-timeout-ms",
    "in": "header",
    "schema": {"type": "integer", "minimum": 1},
    "description": "Answer within this many milliseconds.",
}


def describe_decisions(_registry: Registry) -> Section:
    """Give the section of the decision endpoints."""
    request = {"oneOf": [refer("schemas", "DecisionRequest"), refer("schemas", "OlderDecisionRequest")]}
    bodies = {
        f'{XDM}; schema="{FAMILY};version=1.0"': {"schema": refer("schemas", "DecisionRequest")},
        f'{XDM}; schema="{FAMILY};version=0.9"': {"schema": refer("schemas", "OlderDecisionRequest")},
        JSON: {"schema": request},
    }
    answer = {f'{XDM}; schema="{RESPONSE};version=1.0"': "DecisionResponse", JSON: "DecisionResponse"}
    decide = {"requestBody": {"required": True, "content": bodies}} | _responses("200", "Decided.", answer)
    ids = {
        "name": "activityId",
        "in": "query",
        "required": True,
        "schema": {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 30},
        "description": "The @id of an offer activity; repeated for several.",
    }
    events = {"oneOf": [refer("schemas", "Feedback"), {"type": "array", "items": refer("schemas", "Feedback")}]}
    taken = {"requestBody": {"required": True, "content": {XDM: {"schema": events}, JSON: {"schema": events}}}}
    prefix = f"{DECISIONS.prefix}/{{container}}"
    paths = {
        f"{prefix}/decisions": {"post": _operation("decide", "Pick the best offers for a person", _CONTAINER) | decide},
        f"{ALIAS.prefix}/decisions": {
            "post": _operation("decideAnywhere", "Decide in the only container of the sandbox") | decide
        },
        f"{prefix}/offers": {
            "get": _operation("listCandidates", "Which offers activities could propose", _CONTAINER, ids)
            | _responses("200", "The candidates.", {XDM: "ActivityOffers", JSON: "ActivityOffers"})
        },
        f"{prefix}/diagnostics": {
            "get": _operation("diagnose", "What is wrong in the compiled catalogue", _CONTAINER)
            | _responses("200", "The state.", {XDM: "CatalogDiagnostics", JSON: "CatalogDiagnostics"})
        },
        f"{prefix}/events": {
            "post": _operation("takeFeedback", "Take what happened to propositions", _CONTAINER)
            | taken
            | _responses("202", "Kept.", {})
        },
    }
    return Section(name="decisions", about="Offer decisions.", paths=paths, components={"schemas": dict(SHAPES)})


def _operation(name: str, summary: str, *parameters: JsonObject) -> JsonObject:
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["decisions"],
        "security": [{"token": []}],
        "parameters": [*parameters, *SIGNED_IN, _REQUEST_ID, _DEADLINE],
    }


def _responses(status: str, about: str, content: dict[str, str]) -> JsonObject:
    said: JsonObject = {"description": about}
    if content:
        said["content"] = {media: {"schema": refer("schemas", shape)} for media, shape in content.items()}
    return {"responses": {status: said, "default": refer("responses", "Problem")}}
