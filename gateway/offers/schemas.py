"""The JSON Schemas of the built-in entity types (spec offer-entities §2 to §10)."""

from typing import Any

NAMESPACE = "https://ns.adobe.com/experience/"

Schema = dict[str, Any]

LARGEST_WHOLE = 2**53
"""The largest integer every JSON reader keeps."""

TEXT: Schema = {"type": "string"}
URI: Schema = {"type": "string", "format": "uri"}
DATE_TIME: Schema = {"type": "string", "format": "date-time"}
NAME: Schema = {"type": "string", "format": "name"}
ANYTHING: Schema = {"type": ["array", "boolean", "number", "object", "string"]}
"""Any value but null, which is none (N6)."""

MEDIA_TYPE: Schema = {"type": "string", "pattern": r"^[\w.+*-]+/[\w.+*-]+$"}
LANGUAGE: Schema = {"type": "string", "pattern": "^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$"}
AT_ID: Schema = {"type": "string", "format": "uri", "meta:immutable": True, "meta:usereditable": False}


def list_of(items: Schema) -> Schema:
    """Give the schema of an array."""
    return {"type": "array", "items": items}


def choice(*values: str) -> Schema:
    """Give the schema of a closed set of words."""
    return {"type": "string", "enum": list(values)}


def whole(minimum: int) -> Schema:
    """Give the schema of an integer; `5.0` is one too (N4)."""
    return {"type": "integer", "minimum": minimum, "maximum": LARGEST_WHOLE}


def reference(name: str) -> Schema:
    """Give the schema of a foreign key to instances of an offer schema (§1.3)."""
    return {"type": "string", "xcore:reference": [f"{NAMESPACE}offer-management/{name}"]}


def record(properties: Schema, *required: str, **keywords: object) -> Schema:
    """Give the schema of an object."""
    return {"type": "object", "properties": properties, "required": list(required), **keywords}


def entity(properties: Schema, *required: str) -> Schema:
    """Give the schema of an `_instance` with an @id and a name (N1, N2)."""
    return record({"@id": AT_ID, "xdm:name": NAME, **properties}, "xdm:name", *required)


CONTAINER = record(
    {
        "@id": {"meta:usereditable": False},
        "repo:name": TEXT,
        "dataCenter": TEXT,
        "containerType": TEXT,
        "parentName": TEXT,
        "parentId": TEXT,
    },
    "repo:name",
)

PLACEMENT = entity(
    {
        "xdm:description": TEXT,
        "xdm:channel": URI,
        "xdm:componentType": URI,
        "xdm:contentTypes": list_of(MEDIA_TYPE),
    }
)

TAG = entity({"xdm:name": {**NAME, "xcore:unique": True}})

COMPONENT = record(
    {
        "@type": URI,
        "dc:format": MEDIA_TYPE,
        "dc:language": list_of(LANGUAGE),
        "repo:id": TEXT,
        "repo:name": TEXT,
        "repo:resolveURL": URI,
        "xdm:linkURL": TEXT,
        "xdm:copyline": TEXT,
        "xdm:content": TEXT,
        "xdm:deliveryURL": TEXT,
        "offerui:previewThumbnail": ANYTHING,
    },
    "@type",
    "dc:format",
)

REPRESENTATION = record(
    {"xdm:placement": reference("offer-placement"), "xdm:components": list_of(COMPONENT), "xdm:channel": URI},
    "xdm:placement",
)

OFFER_PROPERTIES: Schema = {
    "xdm:status": {**choice("draft", "approved", "archived"), "default": "draft"},
    "xdm:characteristics": {"type": "object", "additionalProperties": TEXT},
    "xdm:tags": list_of(reference("tag")),
    "xdm:representations": list_of(REPRESENTATION),
}

OFFER = entity(OFFER_PROPERTIES)

PERSONALIZED_OFFER = entity(
    {
        **OFFER_PROPERTIES,
        "xdm:rank": record({"xdm:priority": whole(0)}, "xdm:priority", default={"xdm:priority": 0}),
        "xdm:selectionConstraint": record(
            {
                "xdm:startDate": DATE_TIME,
                "xdm:endDate": DATE_TIME,
                "xdm:eligibilityRule": reference("eligibility-rule"),
            }
        ),
        "xdm:cappingConstraint": record({"xdm:globalCap": whole(1), "xdm:profileCap": whole(1)}),
    }
)

CONSTRAINTS = ("xdm:rank", "xdm:selectionConstraint", "xdm:cappingConstraint")
"""What a personalized offer may have and a fallback offer must not (FB1)."""

FALLBACK_OFFER = entity({**OFFER_PROPERTIES, **{name: {} for name in CONSTRAINTS}})

ELIGIBILITY_RULE = entity(
    {
        "xdm:condition": record(
            {
                "xdm:value": {"type": "string", "minLength": 1},
                "xdm:format": choice("pql/text"),
                "xdm:type": choice("PQL"),
            },
            "xdm:value",
            "xdm:format",
            "xdm:type",
        ),
        "xdm:description": TEXT,
        "description": TEXT,
        "xdm:definedOn": {"type": "object"},
    },
    "xdm:condition",
)

OFFER_FILTER = entity(
    {"xdm:filterType": choice("offers", "anyTags", "allTags"), "ids": list_of(TEXT), "xdm:ids": list_of(TEXT)},
    "xdm:filterType",
)

OFFER_ACTIVITY = entity(
    {
        "xdm:status": {**choice("draft", "live", "complete", "archived"), "default": "draft"},
        "xdm:startDate": DATE_TIME,
        "xdm:endDate": DATE_TIME,
        "xdm:placement": reference("offer-placement"),
        "xdm:filter": reference("offer-filter"),
        "xdm:fallback": reference("fallback-offer"),
    },
    "xdm:placement",
    "xdm:filter",
    "xdm:fallback",
)
