"""The part of a request that goes to Target, on its way before anything is decided here (gw:F2, F3)."""

import asyncio

from gateway import __version__
from gateway.delivery.answer import make_remote_body
from gateway.delivery.merging import Share
from gateway.delivery.model import JsonObject
from gateway.delivery.stitching import DEFAULT_CONSUMER, put_sdid, read_sdid
from gateway.errors import UpstreamError, UpstreamOverloaded, UpstreamTimeout
from gateway.ids import new_id
from gateway.upstream.bundle import Asked
from gateway.upstream.joiner import Ticket
from gateway.upstream.target import make_url
from gateway.web.walk import Walk


def start_remote(walk: Walk) -> Ticket | None:
    """Send what only Target can answer; None, and a word in `lost`, when there is no time or no room for it.

    Raises UpstreamTimeout or UpstreamOverloaded where notifications are all there is to send: their sender must know.
    """
    services, inbound = walk.services, walk.inbound
    target, client = services.settings.upstream.target, inbound.tenant.client
    if inbound.inner_deadline - asyncio.get_running_loop().time() < target.minimum_budget_ms / 1000:
        _refuse_lone_notifications(walk, UpstreamTimeout("there was no time left to pass the notifications on"))
        walk.lost.append("budget")
        return None
    if services.under_way > services.settings.web.max_waiting:
        _refuse_lone_notifications(walk, UpstreamOverloaded("the gateway is too busy to pass the notifications on"))
        walk.lost.append("overload")
        return None
    query = {"imsOrgId": client.organization_id, "sessionId": inbound.session_id}
    if inbound.version:
        query["version"] = inbound.version
    url = make_url(target, inbound.tenant.code, walk.visitor.cluster, query)
    body = make_body(walk)
    share = Share(
        body=body,
        scope=(url, client.method),
        consumer=inbound.consumer or DEFAULT_CONSUMER,
        sdid=read_sdid(body) or walk.sdid,
        impression_id=new_id() if _is_mixed(walk) and body.get("impressionId") is None else "",
    )
    ticket = services.joiner.start(
        Asked(
            client=inbound.tenant.code,
            session_id=inbound.session_id,
            url=url,
            share=share,
            request_id=walk.request_id,
            version=__version__,
            deadline=inbound.inner_deadline,
            raw=inbound.raw if body == inbound.body else None,
            repeatable=inbound.request.request_id or "",
            entries=inbound.tenant.telemetry.take() if len(inbound.tenant.telemetry) else (),
        )
    )
    if _is_mixed(walk):
        _share_ids(walk, ticket)
    return ticket


def _refuse_lone_notifications(walk: Walk, error: UpstreamError) -> None:
    if not walk.plan.local and not walk.plan.remote and walk.inbound.request.notifications:
        raise error


def _is_mixed(walk: Walk) -> bool:
    return bool(walk.plan.local and walk.plan.remote)


def _share_ids(walk: Walk, ticket: Ticket) -> None:
    """Let the part that is decided here have the ids of the part that is not (get-offers §15 point 1)."""
    body = walk.inbound.body
    if ticket.impression_id and body.get("impressionId") is None:
        body["impressionId"] = ticket.impression_id
    if ticket.sdid and read_sdid(body) != ticket.sdid:
        body["experienceCloud"] = put_sdid(body, ticket.sdid)["experienceCloud"]


def make_body(walk: Walk) -> JsonObject:
    """Give the body for Target: what the caller said, with what only we know."""
    inbound, plan = walk.inbound, walk.plan
    sent = make_remote_body(inbound.body, plan.remote, plan.local)
    if walk.visitor.id:
        sent["id"] = walk.visitor.id
    if sent.get("requestId") is None:
        sent["requestId"] = walk.request_id
    if sent.get("property") is None and inbound.tenant.client.property_token:
        sent["property"] = {"token": inbound.tenant.client.property_token}
    return sent
