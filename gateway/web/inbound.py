"""One delivery request as it came in: whose it is, what it says, and how long there is to answer it.

Everything the walk needs to know of HTTP is read here; the walk itself speaks of visitors, items and answers.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

from msgspec import to_builtins

from gateway.config import Web
from gateway.delivery.cookies import EDGE_COOKIE, MBOX_COOKIE, find_cookie, read_mbox_cookie
from gateway.delivery.geo import is_address
from gateway.delivery.model import Context, DeliveryRequest, JsonObject
from gateway.delivery.reading import read_request
from gateway.delivery.session import LONGEST_ID, is_session_id
from gateway.delivery.validation import CHANNELS, Leniency, check_request, count_items
from gateway.errors import RequestError
from gateway.services import Services
from gateway.telemetry import get_log
from gateway.tenants import Tenant
from gateway.walk.inbound import Inbound
from gateway.web.consumer import read_consumer
from gateway.web.plain import Request
from gateway.web.wire import decode_object, read_body, read_query, take_body

LONGEST_DEADLINE_MS = 60_000
_CLUSTER = re.compile(r"[0-9]{1,3}", re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z.]{1,32}", re.ASCII)
_HINTS = {
    "Sec-CH-UA": "browserUAWithMajorVersion",
    "Sec-CH-UA-Full-Version-List": "browserUAWithFullVersion",
    "Sec-CH-UA-Platform": "platform",
    "Sec-CH-UA-Platform-Version": "platformVersion",
    "Sec-CH-UA-Model": "model",
    "Sec-CH-UA-Arch": "architecture",
    "Sec-CH-UA-Bitness": "bitness",
}
_HINT_HEADERS = (*_HINTS, "Sec-CH-UA-Mobile")
_BRANDS = ("browserUAWithMajorVersion", "browserUAWithFullVersion")


async def read_inbound(request: Request, services: Services) -> Inbound:
    """Give the checked request, in the order of spec delivery-api §17; raises RequestError at the first failure."""
    settings = services.settings.web
    started, arrived = time.perf_counter(), asyncio.get_running_loop().time()
    raw = take_body(request, settings)
    if raw is None:
        raw = await read_body(request, settings)
    headers = request.headers
    origin, cookies = headers.get("Origin"), headers.get("Cookie", "")
    checked = read_request(raw)
    if checked is not None and (origin or settings.visitor_address != "off"):
        checked = None if _has_more_to_say(request, checked.context, settings) else checked
    body = decode_object(raw, settings.max_depth) if checked is None else None
    query = read_query(request.raw_path.partition("?")[2].partition("#")[0])
    session_id = read_session_id(query)
    tenant = find_tenant(query, services.tenants)
    repaired = False
    if checked is None:
        checked, repaired = _check(body or {}, request, tenant, services)
        identity = (body or {}).get("id")
    else:
        identity = to_builtins(checked.id) if checked.id is not None else None
    cookie = read_mbox_cookie(find_cookie(cookies, MBOX_COOKIE), tenant.clock()) if cookies else None
    deadline = arrived + read_budget_ms(headers, settings) / 1000
    return Inbound(
        tenant=tenant,
        session_id=session_id,
        request=checked,
        identity=identity,
        decoded=body,
        raw=None if repaired else raw,
        started=started,
        deadline=deadline,
        inner_deadline=deadline - services.settings.upstream.target.deadline_margin_ms / 1000,
        sets_cookies=settings.write_cookies and bool(origin or cookies),
        device_id=cookie.device_id if cookie and settings.read_cookies and is_id(cookie.device_id) else "",
        location_hint=_read_edge_cookie(cookies) if cookies and settings.read_cookies else "",
        version=read_version(query),
        consumer=read_consumer(headers, query),
    )


def _check(body: JsonObject, request: Request, tenant: Tenant, services: Services) -> tuple[DeliveryRequest, bool]:
    """Give the checked request of `body`, which is repaired in place, and whether it was."""
    settings = services.settings.web
    drops = settings.invalid_items == "drop"
    repaired = _copy_browser(body, request, settings) or not has_channel(body) or drops
    before = count_items(body) if drops else 0
    checked = check_request(body, Leniency(settings.invalid_items, settings.unknown_channel))
    if before and (dropped := before - count_items(body)):
        services.metrics.count_event("delivery.item_dropped")
        get_log().warning("delivery.item_dropped", client=tenant.code, count=dropped)
    return checked, repaired


def has_channel(body: JsonObject) -> bool:
    """Whether the channel is one that need not be repaired."""
    context = body.get("context")
    return isinstance(context, dict) and context.get("channel") in CHANNELS


def read_session_id(query: Mapping[str, str]) -> str:
    """Give the session id: 1 to 128 printable characters, none of blank ? / { } (§2)."""
    session_id = query.get("sessionId")
    if session_id is None:
        raise RequestError("Invalid request: the query parameter sessionId is required", path="sessionId")
    if not is_session_id(session_id):
        raise RequestError(
            "Invalid request: sessionId must be 1 to 128 printable characters, none of blank ? / { }", path="sessionId"
        )
    return session_id


def read_version(query: Mapping[str, str]) -> str:
    """Give the caller's own version to pass on, "" for none or for what is none."""
    version = query.get("version", "")
    return version if _VERSION.fullmatch(version) else ""


def find_tenant(query: Mapping[str, str], tenants: Mapping[str, Tenant]) -> Tenant:
    """Give the configured client that `client` or `imsOrgId` names (gw:S12)."""
    code, organization = query.get("client"), query.get("imsOrgId")
    if code and not organization and code in tenants:
        return tenants[code]
    fitting = [
        tenant
        for tenant in tenants.values()
        if (not code or tenant.code == code) and (not organization or _is_organization(tenant, organization))
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting and organization:
        raise RequestError("Invalid request: several clients have this imsOrgId, add client", path="client")
    if not code and not organization:
        raise RequestError("Invalid request: the query needs client or imsOrgId", path="client")
    name = "client" if code and code not in tenants else "imsOrgId"
    raise RequestError(f"Invalid request: no client with this {name} is configured here", path=name)


def _is_organization(tenant: Tenant, organization: str) -> bool:
    return organization.removesuffix("@AdobeOrg") == tenant.client.organization_id.removesuffix("@AdobeOrg")


def read_budget_ms(headers: Mapping[str, str], settings: Web) -> int:
    """Give the time to answer in ms: the caller's `x-request-timeout-ms`, else `web.deadline-ms` (gw:F3)."""
    text = headers.get("X-Request-Timeout-Ms")
    if text is None:
        return settings.deadline_ms
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise RequestError(
            "Invalid request: x-request-timeout-ms must be a whole number of milliseconds above 0",
            path="x-request-timeout-ms",
        )
    return min(int(text), LONGEST_DEADLINE_MS)


def _read_edge_cookie(cookies: str) -> str:
    value = find_cookie(cookies, EDGE_COOKIE)
    return value if _CLUSTER.fullmatch(value) else ""


def _has_more_to_say(request: Request, context: Context, settings: Web) -> bool:
    """Whether a browser says in its headers what its body does not, so that it must be copied there."""
    if settings.visitor_address != "off":
        return True
    headers = request.headers
    lacks_agent = context.user_agent is None and "User-Agent" in headers
    return lacks_agent or (context.client_hints is None and any(name in headers for name in _HINT_HEADERS))


def _copy_browser(body: JsonObject, request: Request, settings: Web) -> bool:
    """Copy what a browser says of itself in headers into the body (§3.2); gives whether anything was copied."""
    context = body.get("context")
    if not isinstance(context, dict):
        return False
    before = len(context)
    headers = request.headers
    if headers.get("Origin"):
        if context.get("userAgent") is None and headers.get("User-Agent"):
            context["userAgent"] = to_utf8(headers["User-Agent"])
        if context.get("clientHints") is None and (hints := read_client_hints(headers)):
            context["clientHints"] = hints
    geo = context.get("geo")
    address = find_visitor_address(request, settings)
    if address and (geo is None or (isinstance(geo, dict) and geo.get("ipAddress") is None)):
        context["geo"] = (geo or {}) | {"ipAddress": address}
        return True
    return len(context) != before


def to_utf8(value: str) -> str:
    """Give a header's value with question marks for bytes that are not UTF-8."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def is_id(text: str) -> bool:
    """Whether a cookie's text can be a device id: what would be refused in a body is ignored in a cookie."""
    return len(text) <= LONGEST_ID and text.isprintable()


def read_client_hints(headers: Mapping[str, str]) -> dict[str, Any]:
    """Give the `clientHints` of a browser's `Sec-CH-UA*` headers (§6.8); {} when it sent none."""
    found: dict[str, Any] = {}
    for header, member in _HINTS.items():
        value = to_utf8(headers.get(header, ""))
        if value:
            found[member] = value if member in _BRANDS else value.strip().strip('"')
    mobile = headers.get("Sec-CH-UA-Mobile")
    if mobile:
        found["mobile"] = mobile.strip() == "?1"
    return found


def find_visitor_address(request: Request, settings: Web) -> str:
    """Give the visitor's IP address as configured: none, the peer's, or what the trusted proxies forwarded."""
    address = ""
    if settings.visitor_address == "peer":
        address = request.remote or ""
    elif settings.visitor_address == "forwarded":
        hops = [hop.strip() for hop in ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")]
        if len(hops) >= settings.forwarded_hops:
            address = hops[-settings.forwarded_hops]
    return address if is_address(address) and len(address) <= 64 else ""
