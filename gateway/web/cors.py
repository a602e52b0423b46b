"""CORS as at.js needs it (spec delivery-api §4): the origin is echoed, with credentials, on every status."""

from collections.abc import Mapping, Sequence

from gateway.config import Web

_ALLOWED_HEADERS = ("content-type", "x-exc-sdk", "x-exc-sdk-version", "x-request-id", "x-requested-with")
_OUR_HEADERS = ("x-consumer-id", "x-request-timeout-ms")
_EXPOSED = "x-request-id, x-gateway-degraded"


def is_allowed(origin: str, origins: Sequence[str]) -> bool:
    """Whether a page of `origin` may read our answers."""
    return origin.isascii() and (origin in origins or "*" in origins)


def make_cors_headers(origin: str, web: Web) -> list[tuple[str, str]]:
    """Give the headers for an answer to a page of `origin`; one that is not allowed only learns that it matters."""
    if not is_allowed(origin, web.origins):
        return [("Vary", "Origin")]
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", _EXPOSED),
        ("Vary", "Origin"),
    ]


def make_preflight_headers(request: Mapping[str, str], web: Web) -> list[tuple[str, str]]:
    """Give what a preflight is told beside the CORS headers: the methods, and the headers that may be sent."""
    asked = {name.strip().lower() for name in request.get("Access-Control-Request-Headers", "").split(",")}
    extra = [name for name in _OUR_HEADERS if name in asked]
    return [
        ("Access-Control-Allow-Methods", "POST, OPTIONS"),
        ("Access-Control-Allow-Headers", ", ".join([*_ALLOWED_HEADERS, *extra])),
        ("Access-Control-Max-Age", str(web.preflight_max_age_s)),
    ]
