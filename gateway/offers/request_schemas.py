"""The JSON Schemas of decision requests, newer and older form (dec §3, §4.2); members not named are free (dec:Q3)."""

from typing import Any

FAMILY = "https://ns.adobe.com/experience/offer-management/decision-request"
MOST_ENTRIES = 30
MOST_OPTIONS = 100
MOST_IDENTITIES = 50
MOST_CONTEXT_ITEMS = 100

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_NAMES = {"type": "array", "items": _TEXT}
_IDENTITY = {
    "type": "object",
    "required": ["xdm:id"],
    "properties": {
        "xdm:id": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"},
        "primary": _FLAG,
        "xdm:primary": _FLAG,
    },
}
_IDENTITY_MAP = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": "^[A-Za-z0-9._-]{1,64}$"},
    "additionalProperties": {"type": "array", "minItems": 1, "items": _IDENTITY},
}
_CONTEXT = {
    "type": "array",
    "maxItems": MOST_CONTEXT_ITEMS,
    "items": {
        "type": "object",
        "required": ["@type", "xdm:data"],
        "properties": {"@type": _TEXT, "xdm:data": {"type": "object"}},
    },
}
_METADATA = {
    "type": "object",
    "properties": {"xdm:activity": _NAMES, "xdm:option": _NAMES, "xdm:placement": _NAMES},
}
_SHARED: dict[str, Any] = {
    "xdm:contextData": _CONTEXT,
    "xdm:allowDuplicatePropositions": {
        "type": "object",
        "properties": {"xdm:acrossActivities": _FLAG, "xdm:acrossPlacements": _FLAG},
    },
    "xdm:dryRun": _FLAG,
    "xdm:validateContextData": _FLAG,
    "xdm:responseFormat": {
        "type": "object",
        "properties": {"xdm:includeContent": _FLAG, "xdm:includeMetadata": _METADATA},
    },
    "xdm:mergePolicy": {"type": "object", "properties": {"xdm:id": _TEXT}},
    "gw:trace": _FLAG,
    "gw:at": {"type": "string", "format": "date-time"},
}
NEWER: dict[str, Any] = {
    "type": "object",
    "required": ["xdm:propositionRequests", "xdm:profiles"],
    "properties": {
        "xdm:propositionRequests": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_ENTRIES,
            "items": {
                "type": "object",
                "required": ["xdm:activityId"],
                "properties": {
                    "xdm:activityId": _TEXT,
                    "xdm:placementId": _TEXT,
                    "xdm:itemCount": {"type": "integer", "minimum": 1, "maximum": 30},
                },
            },
        },
        "xdm:profiles": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["xdm:identityMap"],
                "properties": {
                    "xdm:identityMap": _IDENTITY_MAP,
                    "xdm:decisionRequestId": _TEXT,
                    "xdm:contextData": _CONTEXT,
                    "gw:profile": {"type": "object"},
                    "gw:events": {"type": "array", "items": {"type": "object"}},
                },
            },
        },
        **_SHARED,
    },
}
OLDER: dict[str, Any] = {
    "type": "object",
    "required": ["xdm:offerActivities", "xdm:identityMap"],
    "properties": {
        "xdm:offerActivities": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_ENTRIES,
            "items": {
                "type": "object",
                "required": ["xdm:offerActivity"],
                "properties": {"xdm:offerActivity": _TEXT},
            },
        },
        "xdm:identityMap": _IDENTITY_MAP,
        **_SHARED,
    },
}
