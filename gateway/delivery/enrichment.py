"""The caller's request completed with what is known around the call (get-offers §3, §9), as a new object.

Members of the wrong kind are copied as they are: the check that follows (`validation.py`) refuses them by name.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from gateway.delivery.experience_cloud import NO_AMCV, Amcv
from gateway.delivery.model import JsonObject
from gateway.delivery.validation import CHANNELS
from gateway.delivery.visitor_state import keep_sdid
from gateway.errors import InvalidBody

_COPIED = ("requestId", "impressionId", "qaMode", "preview", "telemetry", "trace")
_TRACKING = ("trackingServer", "trackingServerSecure")
_NOTIFICATION_TYPES = ("click", "display")


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a call brings along besides its request; `customer_ids` is the final list of §7.3."""

    property_token: str = ""
    environment_id: int | None = None
    trace: JsonObject | None = None
    amcv: Amcv = NO_AMCV
    customer_ids: list[Any] = []


class Enriched(Struct, frozen=True):
    """The request to send; how many invalid items were left out of it; whether it overrides the client's property."""

    body: JsonObject
    dropped: int
    overrides_property: bool


def check_offers_request(request: JsonObject) -> None:
    """Raise InvalidBody unless `request` asks for something in a form that can be completed (§3)."""
    if not any(value is not None for value in request.values()):
        raise InvalidBody("request required", path="$.request")
    for part, wanted in (("execute", "pageLoad or mboxes"), ("prefetch", "views, pageLoad or mboxes")):
        asked = request.get(part)
        if not isinstance(asked, dict) or all(value is None for value in asked.values()):
            continue
        lists = ("mboxes", "views") if part == "prefetch" else ("mboxes",)
        if asked.get("pageLoad") is None and all(asked.get(name) in (None, []) for name in lists):
            raise InvalidBody(f"{part} needs {wanted}", path=f"$.request.{part}")


def check_notifications_request(request: JsonObject, *, telemetry_waits: bool) -> None:
    """Raise InvalidBody unless there is something to tell (§3)."""
    if not any(value is not None for value in request.values()):
        raise InvalidBody("request required", path="$.request")
    told = request.get("notifications")
    if not (told or telemetry_waits or (isinstance(request.get("telemetry"), dict) and request["telemetry"])):
        raise InvalidBody("notifications required", path="$.request.notifications")


def enrich(request: JsonObject, around: Surroundings) -> Enriched:
    """Give the request to send, member by member as §9 says; the caller's request is left as it is.

    Only an SDID of the caller's own is in it: one that is made follows when the call leaves (§8).
    """
    body = {name: request[name] for name in _COPIED if request.get(name) is not None}
    if around.trace is not None:
        body.setdefault("trace", around.trace)
    environment_id = request.get("environmentId", around.environment_id)
    own_property = _read(request.get("property"), "token")
    members = {
        "environmentId": environment_id,
        "id": _complete_id(request.get("id"), around),
        "property": _complete_property(request.get("property"), around),
        "context": _complete_context(request.get("context")),
        "experienceCloud": _complete_cloud(request.get("experienceCloud"), around),
    }
    body |= {name: value for name, value in members.items() if value is not None}
    dropped = 0
    for part in ("execute", "prefetch"):
        asked, lost = _complete_part(request.get(part), part)
        dropped += lost
        if asked is not None:
            body[part] = asked
    told, lost = _keep(request.get("notifications"), _is_notification)
    if told:
        body["notifications"] = told
    overrides = bool(own_property and around.property_token and own_property != around.property_token)
    return Enriched(body, dropped + lost, overrides)


def _read(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else None


def _complete_id(own: Any, around: Surroundings) -> Any:
    if own is not None and not isinstance(own, dict):
        return own
    own = own or {}
    identity = {
        "tntId": own.get("tntId"),
        "thirdPartyId": own.get("thirdPartyId"),
        "marketingCloudVisitorId": own.get("marketingCloudVisitorId") or around.amcv.ecid,
        "customerIds": around.customer_ids or own.get("customerIds"),
    }
    return {name: value for name, value in identity.items() if value} or None


def _complete_property(own: Any, around: Surroundings) -> Any:
    if own is not None and not isinstance(own, dict):
        return own
    token = (own or {}).get("token") or around.property_token
    return {"token": token} if token else None


def _complete_context(own: Any) -> Any:
    if own is None:
        return {"channel": "web"}
    if not isinstance(own, dict):
        return own
    context = {name: value for name, value in own.items() if value is not None}
    return context if context.get("channel") in CHANNELS else context | {"channel": "web"}


def _complete_cloud(own: Any, around: Surroundings) -> Any:
    if own is not None and not isinstance(own, dict):
        return own
    own = own or {}
    cloud = {
        "analytics": _complete_analytics(own.get("analytics")),
        "audienceManager": _complete_audience(own.get("audienceManager"), around.amcv),
    }
    return {name: value for name, value in cloud.items() if value is not None}


def _complete_analytics(own: Any) -> Any:
    if own is not None and not isinstance(own, dict):
        return own
    own = own or {}
    analytics = {"logging": own.get("logging") or "server_side"}
    if known := keep_sdid(own.get("supplementalDataId")):
        analytics["supplementalDataId"] = known
    return analytics | {name: own[name] for name in _TRACKING if own.get(name)}


def _complete_audience(own: Any, amcv: Amcv) -> Any:
    if own is not None and not isinstance(own, dict):
        return own
    own = own or {}
    hint, blob = own.get("locationHint"), own.get("blob")
    audience = {"locationHint": amcv.region or None if hint is None else hint, "blob": amcv.blob or None}
    if blob is not None:
        audience["blob"] = blob
    return {name: value for name, value in audience.items() if value is not None} or None


def _complete_part(asked: Any, part: str) -> tuple[Any, int]:
    """Give `execute` or `prefetch` to send, None where nothing is left to ask, and how many mboxes were left out."""
    if asked is None or not isinstance(asked, dict):
        return asked, 0
    completed = {name: asked[name] for name in ("pageLoad",) if asked.get(name) is not None}
    if part == "prefetch" and asked.get("views"):
        completed["views"] = asked["views"]
    mboxes, lost = _keep(asked.get("mboxes"), _is_mbox)
    if isinstance(mboxes, list):
        mboxes = [mbox if mbox.get("index") is not None else mbox | {"index": at} for at, mbox in enumerate(mboxes)]
    if mboxes:
        completed["mboxes"] = mboxes
    return completed or None, lost


def _keep(items: Any, is_valid: Callable[[Any], bool]) -> tuple[Any, int]:
    if not isinstance(items, list):
        return items, 0
    kept = [item for item in items if is_valid(item)]
    return kept, len(items) - len(kept)


def _is_mbox(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str) and item["name"] != ""


def _is_notification(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    own_id, timestamp = item.get("id"), item.get("timestamp")
    is_number = isinstance(timestamp, int | float) and not isinstance(timestamp, bool)
    return isinstance(own_id, str) and own_id != "" and is_number and item.get("type") in _NOTIFICATION_TYPES
