"""The part of a request that goes to Target, on its way before anything is decided here (gw:F2, F3)."""

import asyncio

import msgspec

from gateway import __version__
from gateway.delivery.answer import make_remote_body
from gateway.delivery.telemetry import attach_entries
from gateway.errors import UpstreamError, UpstreamOverloaded, UpstreamTimeout
from gateway.ids import new_id
from gateway.upstream.fanout import Pending
from gateway.upstream.target import Call, make_headers, make_url
from gateway.walk.walk import Walk

_encode = msgspec.json.Encoder().encode


def start_remote(walk: Walk) -> Pending | None:
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
    call = Call(
        url=make_url(target, inbound.tenant.code, walk.visitor.cluster, query),
        body=make_body(walk),
        headers=make_headers(walk.request_id, __version__),
        deadline=inbound.inner_deadline,
    )
    return services.fanout.start(call)


def _refuse_lone_notifications(walk: Walk, error: UpstreamError) -> None:
    if not walk.plan.local and not walk.plan.remote and walk.inbound.request.notifications:
        raise error


def make_body(walk: Walk) -> bytes:
    """Give the body for Target: the caller's own bytes when nothing had to be changed in them.

    One impression id goes with both parts of a mixed request (get-offers §15 point 1).
    """
    inbound, plan = walk.inbound, walk.plan
    if plan.local and plan.remote and inbound.body.get("impressionId") is None:
        inbound.body["impressionId"] = new_id()
    sent = make_remote_body(inbound.body, plan.remote, plan.local)
    if walk.visitor.id:
        sent["id"] = walk.visitor.id
    if sent.get("requestId") is None:
        sent["requestId"] = walk.request_id
    if sent.get("property") is None and inbound.tenant.client.property_token:
        sent["property"] = {"token": inbound.tenant.client.property_token}
    if len(inbound.tenant.telemetry):
        sent = attach_entries(sent, inbound.tenant.telemetry.take())
    return inbound.raw if inbound.raw is not None and sent == inbound.body else _encode(sent)
