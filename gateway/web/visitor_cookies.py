"""The cookies of an answer to a browser (gw:S8): written by hand, for `http.cookies` costs as much as a decision."""

from gateway.config import Web
from gateway.delivery.cookies import EDGE_COOKIE, EDGE_LIFE_S, Cookie, cluster_of, write_mbox_cookie
from gateway.delivery.model import JsonObject
from gateway.services import Services
from gateway.walk.inbound import Inbound


def make_cookie_headers(services: Services, inbound: Inbound, answer: JsonObject) -> list[tuple[str, str]]:
    """Give the `Set-Cookie` headers: `mbox`, and the edge cluster unless clients are to be kept (gw:S10)."""
    web = services.settings.web
    tnt_id = answer["id"].get("tntId", "")
    now_ms = int(inbound.tenant.clock() * 1000)
    cookies = [write_mbox_cookie(inbound.session_id, tnt_id, now_ms)]
    if not web.keep_clients and (cluster := cluster_of(tnt_id)):
        cookies.append(Cookie(EDGE_COOKIE, cluster, EDGE_LIFE_S))
    return [("Set-Cookie", format_cookie(cookie, web)) for cookie in cookies]


def format_cookie(cookie: Cookie, web: Web) -> str:
    """Give the value of a `Set-Cookie` header (RFC 6265 §4.1); at.js reads the cookie, so it is not HttpOnly."""
    parts = [f"{cookie.name}={cookie.value}", f"Max-Age={cookie.max_age}", "Path=/", f"SameSite={web.cookie_same_site}"]
    if web.cookie_domain:
        parts.append(f"Domain={web.cookie_domain}")
    if web.cookie_secure or web.cookie_same_site == "None":
        parts.append("Secure")
    return "; ".join(parts)
