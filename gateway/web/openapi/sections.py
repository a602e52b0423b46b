"""What a family of endpoints says of itself, and words that several families share."""

from typing import Any

from msgspec import Struct

from gateway.offers.instances import JsonObject
from gateway.web.problems import MEDIA_TYPE

PROBLEM_SCHEMA: JsonObject = {
    "type": "object",
    "description": "What went wrong (RFC 7807).",
    "required": ["type", "title", "status", "detail", "instance", "requestId", "errors"],
    "properties": {
        "type": {"type": "string", "description": "`/problems/` and what kind of problem this is."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong, and what to do."},
        "instance": {"type": "string"},
        "requestId": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "pointer", "detail"],
                "properties": {
                    "code": {"type": "string"},
                    "pointer": {"type": "string", "description": "JSON Pointer from the root of the document."},
                    "detail": {"type": "string"},
                    "operation": {"type": "integer", "description": "Index of the patch operation to blame."},
                    "position": {"type": "integer", "description": "Where in a rule, in characters from 0."},
                    "line": {"type": "integer"},
                    "column": {"type": "integer"},
                    "excerpt": {"type": "string"},
                },
            },
        },
        "currentEtag": {"type": "integer", "description": "With `etag-mismatch`: the current revision."},
    },
}
PROBLEM: JsonObject = {
    "description": "A problem: 400 to 429, or 503.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


class Section(Struct, frozen=True, kw_only=True):
    """One family: its tag, its paths, and the components they point at."""

    name: str
    about: str
    paths: dict[str, JsonObject]
    components: dict[str, dict[str, Any]]


def refer(kind: str, name: str) -> JsonObject:
    """Give a reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def header(name: str, about: str, example: str, *, required: bool = True) -> JsonObject:
    """Give a request header; every value that HTTP can carry may be tried."""
    schema = {"type": "string"}
    return {"name": name, "in": "header", "required": required, "description": about, "schema": schema} | (
        {"example": example} if example else {}
    )


SIGNED_IN = [
    header("x-api-key", "The id of the client you use.", "demo-console"),
    header("x-gw-ims-org-id", "Your organisation.", "DEMO@AdobeOrg"),
    header("x-sandbox-name", "The sandbox you work in.", "prod"),
]
"""The headers that say who calls, next to the token."""
