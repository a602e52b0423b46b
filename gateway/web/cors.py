"""CORS as at.js needs it (spec delivery-api §4): the origin is echoed, with credentials, on every status."""

from collections.abc import Mapping, Sequence

from gateway.config import Web

_ALLOWED_HEADERS = ("content-type", "x-exc-sdk", "x-exc-sdk-version", "x-request-id", "x-requested-with")
_OUR_HEADERS = ("x-consumer-id", "x-request-timeout-ms")
_EXPOSED = "x-request-id, x-gateway-degraded"
REST_EXPOSED = "content-base, etag, last-modified, location, retry-after, x-request-id"
_REST_HEADERS = (
    "accept, authorization, content-type, if-match, if-none-match, if-unmodified-since, x-api-key, x-gw-ims-org-id, "
    "x-request-id, x-sandbox-name"
)


def is_allowed(origin: str, origins: Sequence[str]) -> bool:
    """Whether a page of `origin` may read our answers."""
    return origin.isascii() and (origin in origins or "*" in origins)


def make_cors_headers(origin: str, web: Web, exposed: str = _EXPOSED) -> list[tuple[str, str]]:
    """Give the headers for an answer to a page of `origin`; one that is not allowed only learns that it matters."""
    if not is_allowed(origin, web.origins):
        return [("Vary", "Origin")]
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", exposed),
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


def make_rest_preflight_headers(request: Mapping[str, str], allowed: str, web: Web) -> list[tuple[str, str]]:
    """Give what a preflight of a signed-in endpoint is told; nothing where no page asks."""
    if "Origin" not in request:
        return []
    return [
        ("Access-Control-Allow-Methods", allowed),
        ("Access-Control-Allow-Headers", _REST_HEADERS),
        ("Access-Control-Max-Age", str(web.preflight_max_age_s)),
    ]
