"""The part of a request that goes to Target, on its way before anything is decided here (gw:F2, F3, F4)."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from gateway import __version__
from gateway.delivery.answer import make_remote_body
from gateway.delivery.legs import part_secondaries
from gateway.delivery.model import JsonObject
from gateway.delivery.plan import Item
from gateway.delivery.telemetry import attach_entries
from gateway.errors import UpstreamError, UpstreamOverloaded, UpstreamTimeout
from gateway.ids import new_id
from gateway.upstream.fanout import Pending
from gateway.upstream.target import Call, make_headers, make_url
from gateway.web.walk import Walk, names_of
from gateway.web.wire import encode

_ONCE = ("notifications", "telemetry")


class Leg(Struct, frozen=True):
    """One call to Target under way, and the items it is to decide; nothing waits for a secondary one."""

    items: Sequence[Item]
    pending: Pending
    is_secondary: bool = False


def start_remote(walk: Walk) -> list[Leg]:
    """Send what only Target can answer, secondary mboxes behind the rest in a call of their own.

    What there is no time or no room for is noted as lost. Raises UpstreamTimeout or UpstreamOverloaded where
    notifications are all there is to send: their sender must know.
    """
    services, inbound, plan = walk.services, walk.inbound, walk.plan
    target, client = services.settings.upstream.target, inbound.tenant.client
    if inbound.inner_deadline - asyncio.get_running_loop().time() < target.minimum_budget_ms / 1000:
        _refuse_lone_notifications(walk, UpstreamTimeout("there was no time left to pass the notifications on"))
        _note_unsent(walk, "budget")
        return []
    if services.under_way > services.settings.web.max_waiting:
        _refuse_lone_notifications(walk, UpstreamOverloaded("the gateway is too busy to pass the notifications on"))
        _note_unsent(walk, "overload")
        return []
    if not client.secondary:
        return [Leg(plan.remote, _start(walk, make_body(walk)))]
    return _start_in_parts(walk)


def _start_in_parts(walk: Walk) -> list[Leg]:
    """Send primaries, what is told, and secondaries; where there is nothing but secondaries, they are no such."""
    inbound, plan, client = walk.inbound, walk.plan, walk.inbound.tenant.client
    first, secondary = part_secondaries(plan.remote, client.secondary)
    tells = bool(inbound.request.notifications or (inbound.request.telemetry and inbound.request.telemetry.entries))
    if not secondary or not (first or plan.local or tells):
        return [Leg(plan.remote, _start(walk, make_body(walk)))]
    if inbound.body.get("impressionId") is None:
        inbound.body["impressionId"] = new_id()
    legs = []
    if first or tells:
        legs.append(Leg(first, _start(walk, _complete(walk, make_remote_body(inbound.body, first, secondary)))))
    elif not client.secondary_wait_ms:
        walk.lose("secondary", names_of(secondary))  # the rest is decided here, sooner than Target could answer
        return []
    told = {name: value for name, value in inbound.body.items() if name not in _ONCE}
    apart = make_remote_body(told, secondary, first or plan.local)
    legs.append(Leg(secondary, _start(walk, _complete(walk, apart)), is_secondary=True))
    return legs


def _start(walk: Walk, body: bytes) -> Pending:
    services, inbound = walk.services, walk.inbound
    query = {"imsOrgId": inbound.tenant.client.organization_id, "sessionId": inbound.session_id}
    if inbound.version:
        query["version"] = inbound.version
    call = Call(
        url=make_url(services.settings.upstream.target, inbound.tenant.code, walk.visitor.cluster, query),
        body=body,
        headers=make_headers(walk.request_id, __version__),
        deadline=inbound.inner_deadline,
        request_id=walk.request_id if inbound.request.request_id is None else inbound.request.request_id,
    )
    return services.fanout.start(call)


def _note_unsent(walk: Walk, reason: str) -> None:
    if walk.plan.remote or walk.inbound.request.notifications:
        walk.lose(reason, names_of(walk.plan.remote))
    else:
        walk.lost.append(reason)


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
    return _complete(walk, make_remote_body(inbound.body, plan.remote, plan.local))


def _complete(walk: Walk, sent: JsonObject) -> bytes:
    """Give `sent` as bytes, with who the visitor is, and what else Target is to be told."""
    inbound = walk.inbound
    if walk.visitor.id:
        sent["id"] = walk.visitor.id
    if sent.get("requestId") is None:
        sent["requestId"] = walk.request_id
    if sent.get("property") is None and inbound.tenant.client.property_token:
        sent["property"] = {"token": inbound.tenant.client.property_token}
    if len(inbound.tenant.telemetry):
        sent = attach_entries(sent, inbound.tenant.telemetry.take())
    return inbound.raw if inbound.raw is not None and sent == inbound.body else encode(sent)
