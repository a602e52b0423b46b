"""The envelope of `get_offers`: the response with what its caller needs around it (get-offers §4, §12)."""

from collections.abc import Iterator

from msgspec import Struct

from gateway.delivery.cookies import EDGE_COOKIE, EDGE_LIFE_S, Cookie, write_mbox_cookie
from gateway.delivery.model import JsonObject
from gateway.delivery.plan import NO_NEEDS, Needs

ORDER = (
    ("execute", "pageLoad"),
    ("execute", "mboxes"),
    ("prefetch", "pageLoad"),
    ("prefetch", "views"),
    ("prefetch", "mboxes"),
)


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a call; `cluster` is the edge to come back to, `lost` names what the answer lacks."""

    request: JsonObject
    response: JsonObject
    session_id: str
    visitor_state: JsonObject
    method: str
    cluster: str = ""
    needs: Needs = NO_NEEDS
    lost: list[str] = []


def make_envelope(outcome: Outcome, now_ms: int) -> JsonObject:
    """Give the envelope; members without a value are left out (§12)."""
    response = outcome.response
    tnt_id = (response.get("id") or {}).get("tntId") or ""
    meta: JsonObject = {
        "decisioning_method": outcome.method,
        "remote_mboxes": list(outcome.needs.mboxes),
        "remote_views": list(outcome.needs.views),
    }
    if outcome.lost:
        meta["degraded"] = list(dict.fromkeys(outcome.lost))
    envelope: JsonObject = {
        "visitor_state": outcome.visitor_state,
        "request": outcome.request,
        "response": response,
        "target_cookie": _write(write_mbox_cookie(outcome.session_id, tnt_id, now_ms)),
        "meta": meta,
    }
    if outcome.cluster:
        envelope["target_location_hint_cookie"] = _write(Cookie(EDGE_COOKIE, outcome.cluster, EDGE_LIFE_S))
    return envelope | {name: found for name, found in collect(response).items() if found}


def _write(cookie: Cookie) -> JsonObject:
    return {"name": cookie.name, "value": cookie.value, "max_age": cookie.max_age}


def collect(response: JsonObject) -> dict[str, list[JsonObject]]:
    """Give the analytics and trace objects of all items and the tokens of all options, in the order of §12."""
    items = list(_list_items(response))
    return {
        "analytics_details": [item["analytics"] for item in items if item.get("analytics")],
        "trace": [item["trace"] for item in items if item.get("trace")],
        "response_tokens": [
            option["responseTokens"]
            for item in items
            for option in item.get("options") or ()
            if isinstance(option, dict) and option.get("responseTokens")
        ],
    }


def _list_items(response: JsonObject) -> Iterator[JsonObject]:
    for part, kind in ORDER:
        found = (response.get(part) or {}).get(kind)
        yield from found if isinstance(found, list) else [found] if found else []
