"""The part of a request that goes to Target, on its way before anything is decided here (gw:F2, F3)."""

import asyncio

from gateway import __version__
from gateway.delivery.answer import make_remote_body
from gateway.delivery.plan import Plan
from gateway.delivery.session import Visitor
from gateway.delivery.telemetry import attach_entries
from gateway.services import Services
from gateway.upstream.fanout import Pending
from gateway.upstream.target import Call, make_headers, make_url
from gateway.web.inbound import Inbound
from gateway.web.wire import encode


def start_remote(
    services: Services, inbound: Inbound, plan: Plan, visitor: Visitor, request_id: str, lost: list[str]
) -> Pending | None:
    """Send what only Target can answer; None, and a word in `lost`, when there is no time or no room for it."""
    target = services.settings.upstream.target
    deadline = inbound.inner_deadline
    if deadline - asyncio.get_running_loop().time() < target.minimum_budget_ms / 1000:
        lost.append("budget")
        return None
    if services.under_way > services.settings.web.max_waiting:
        lost.append("overload")
        return None
    client = inbound.tenant.client
    query = {"imsOrgId": client.organization_id, "sessionId": visitor.session_id}
    if inbound.version:
        query["version"] = inbound.version
    call = Call(
        url=make_url(target, inbound.tenant.code, visitor.cluster, query),
        body=make_body(inbound, plan, visitor, request_id),
        headers=make_headers(request_id, __version__),
        deadline=deadline,
    )
    return services.fanout.start(call)


def make_body(inbound: Inbound, plan: Plan, visitor: Visitor, request_id: str) -> bytes:
    """Give the body for Target: the caller's own bytes when nothing had to be changed in them."""
    sent = make_remote_body(inbound.body, plan.remote, plan.local)
    if visitor.id:
        sent["id"] = visitor.id
    if sent.get("requestId") is None:
        sent["requestId"] = request_id
    if sent.get("property") is None and inbound.tenant.client.property_token:
        sent["property"] = {"token": inbound.tenant.client.property_token}
    if len(inbound.tenant.telemetry):
        sent = attach_entries(sent, inbound.tenant.telemetry.take())
    return inbound.raw if inbound.raw is not None and sent == inbound.body else encode(sent)
