"""A checked delivery call in, Target's answer out (spec/delivery-api.md §7, §13, §15)."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from msgspec import Struct, field

from gateway.demo import shop
from gateway.demo.messages import DeliveryRequest, Execute, Mbox, Prefetch, View, VisitorId
from gateway.demo.shop import Experience

Mode = Literal["execute", "prefetch"]


class Visit(Struct):
    """What the places of one answer share; `shown` collects the event tokens of what was executed."""

    client: str
    session: str
    visitor: str
    traced: bool = False
    analytics: bool = False
    shown: list[str] = field(default_factory=list)


class Edge(Struct):
    """The edge node that answers: its cluster number and where its ids come from (32 hex digits a call)."""

    cluster: str
    make_id: Callable[[], str]


def answer(request: DeliveryRequest, visit: Visit, edge: Edge) -> dict[str, Any]:
    """Build the whole answer; `visit` is completed with who the visitor is and what was shown."""
    identity = place_visitor(request.id or VisitorId(), edge)
    visit.visitor = identity.bare()
    visit.traced = request.trace is not None
    cloud = request.experience_cloud
    visit.analytics = bool(cloud and cloud.analytics and cloud.analytics.logging == "client_side")
    body: dict[str, Any] = {
        "status": 200,
        "requestId": request.request_id or edge.make_id(),
        "client": visit.client,
        "id": identity,
        "edgeHost": f"mboxedge{edge.cluster}.tt.omtrdc.net",
    }
    if request.execute:
        body["execute"] = _answer_part(request.execute, visit, "execute")
    if request.prefetch:
        body["prefetch"] = _answer_part(request.prefetch, visit, "prefetch")
        if request.prefetch.views is not None:
            body["prefetch"]["views"] = list(_answer_views(request.prefetch, visit))
    if request.notifications is not None:
        body["notifications"] = [_acknowledge(entry.id, visit) for entry in request.notifications]
    if request.telemetry and request.telemetry.entries:
        body["telemetryServerToken"] = edge.make_id()
    return body


def place_visitor(identity: VisitorId, edge: Edge) -> VisitorId:
    """Give the ids with the `tntId` moved to this edge; a visitor without any id gets one (§9.2)."""
    device = (identity.tnt_id or "").partition(".")[0]
    if not identity.bare():
        device = edge.make_id()
    moved = f"{device}.{edge.cluster}_0" if device else None
    return VisitorId(moved, identity.third_party_id, identity.marketing_cloud_visitor_id, identity.customer_ids)


def _answer_part(part: Execute, visit: Visit, mode: Mode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if part.page_load is not None:
        experience = shop.show_page(shop.choose_variant(shop.PAGE, visit.visitor))
        found["pageLoad"] = _describe(experience, visit, mode)
    if part.mboxes is not None:
        found["mboxes"] = [_answer_mbox(mbox, visit, mode) for mbox in part.mboxes]
    return found


def _answer_mbox(mbox: Mbox, visit: Visit, mode: Mode) -> dict[str, Any]:
    experience = shop.show_mbox(mbox.name, shop.choose_variant(mbox.name, visit.visitor))
    return {"index": int(mbox.index), "name": mbox.name, **_describe(experience, visit, mode)}


def _answer_views(part: Prefetch, visit: Visit) -> Iterator[dict[str, Any]]:
    wanted: dict[str, View] = {}
    for view in part.views or ():
        for name in [view.name] if view.name else shop.REMOTE_VIEWS:
            wanted.setdefault(name, view)
    for name, view in wanted.items():
        experience = shop.show_view(name, shop.choose_variant(name, visit.visitor))
        key = {"key": view.key} if view.key else {}
        yield {"name": name, **key, **_describe(experience, visit, "prefetch")}


def _describe(experience: Experience, visit: Visit, mode: Mode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if experience.offers:
        found["options"] = [
            {"type": offer.type, "content": offer.content, "responseTokens": offer.response_tokens}
            for offer in experience.offers
        ]
        _count_or_promise(experience, found, visit, mode)
        analytics = {"analytics": _tell_analytics(experience)} if visit.analytics else {}
        found.update(analytics)
        if experience.click:
            click = {"type": "click", "selector": experience.click, "eventToken": experience.click_token()}
            found["metrics"] = [{**click, **analytics}]
    if visit.traced:
        found["trace"] = _trace(experience, visit, mode)
    return found


def _count_or_promise(experience: Experience, found: dict[str, Any], visit: Visit, mode: Mode) -> None:
    """Count the impression at once (execute), or hand out what the notification will need (prefetch) (§15)."""
    if mode == "execute":
        visit.shown.extend(offer.event_token for offer in experience.offers)
        return
    found["state"] = experience.state
    for option, offer in zip(found["options"], experience.offers, strict=True):
        option["eventToken"] = offer.event_token


def _tell_analytics(experience: Experience) -> dict[str, Any]:
    return {"payload": {"pe": "tnt", "tnta": f"{experience.activity}:{'ab'.index(experience.variant)}:0|2"}}


def _trace(experience: Experience, visit: Visit, mode: Mode) -> dict[str, Any]:
    offers = [offer.event_token for offer in experience.offers]
    return {
        "clientCode": visit.client,
        "request": {"sessionId": visit.session, "place": experience.place, "type": mode},
        "campaigns": [{"id": experience.activity, "branchId": experience.variant, "offers": offers}] if offers else [],
    }


def _acknowledge(notification: str, visit: Visit) -> dict[str, Any]:
    if not visit.traced:
        return {"id": notification}
    return {"id": notification, "trace": {"clientCode": visit.client, "request": {"sessionId": visit.session}}}
