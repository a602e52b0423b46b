"""The part of a request that goes to Target, on its way before anything is decided here (gw:F2, F3, F4)."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from gateway import __version__
from gateway.delivery.answer import make_remote_body
from gateway.delivery.legs import part_secondaries
from gateway.delivery.merging import Share
from gateway.delivery.model import JsonObject
from gateway.delivery.plan import Item
from gateway.delivery.stitching import DEFAULT_CONSUMER, put_sdid, read_sdid
from gateway.errors import UpstreamError, UpstreamOverloaded, UpstreamTimeout
from gateway.ids import new_id
from gateway.upstream.bundle import Asked
from gateway.upstream.joiner import Ticket
from gateway.upstream.target import make_url
from gateway.walk.walk import Walk, names_of

_ONCE = ("notifications", "telemetry")


class Leg(Struct, frozen=True):
    """One call to Target under way, and the items it is to decide; nothing waits for a secondary one."""

    items: Sequence[Item]
    ticket: Ticket
    is_secondary: bool = False


def start_remote(walk: Walk) -> list[Leg]:
    """Send what only Target can answer, secondary mboxes behind the rest in a call of their own.

    What there is no time or no room for is noted as lost. Raises UpstreamTimeout or UpstreamOverloaded where
    notifications are all there is to send: their sender must know.
    """
    services, inbound, plan = walk.services, walk.inbound, walk.plan
    target = services.settings.upstream.target
    if inbound.inner_deadline - asyncio.get_running_loop().time() < target.minimum_budget_ms / 1000:
        _refuse_lone_notifications(walk, UpstreamTimeout("there was no time left to pass the notifications on"))
        _note_unsent(walk, "budget")
        return []
    if services.under_way > services.settings.web.max_waiting:
        _refuse_lone_notifications(walk, UpstreamOverloaded("the gateway is too busy to pass the notifications on"))
        _note_unsent(walk, "overload")
        return []
    if inbound.tenant.client.secondary:
        legs = _start_in_parts(walk)
    else:
        legs = [Leg(plan.remote, _start(walk, make_body(walk, plan.remote, plan.ours)))]
    if legs and not read_sdid(inbound.body):  # a repeated call has the SDID of the first (gw:M6)
        walk.sdid = legs[0].ticket.sdid or walk.sdid
    if legs and plan.local:
        _share_ids(walk, legs[0].ticket)
    return legs


def _start_in_parts(walk: Walk) -> list[Leg]:
    """Send primaries, what is told, and secondaries; where there is nothing but secondaries, they are no such."""
    inbound, plan, client = walk.inbound, walk.plan, walk.inbound.tenant.client
    first, secondary = part_secondaries(plan.remote, client.secondary)
    tells = bool(inbound.request.notifications or (inbound.request.telemetry and inbound.request.telemetry.entries))
    if not secondary or not (first or plan.ours or tells):
        return [Leg(plan.remote, _start(walk, make_body(walk, plan.remote, plan.ours)))]
    legs = []
    if first or tells:
        legs.append(Leg(first, _start(walk, make_body(walk, first, secondary), in_parts=True)))
    elif not client.secondary_wait_ms:
        walk.lose("secondary", names_of(secondary))  # the rest is decided here, sooner than Target could answer
        return []
    body = make_body(walk, secondary, first or plan.ours)
    apart = {name: value for name, value in body.items() if name not in _ONCE}
    beside = legs[0].ticket if legs else None
    legs.append(Leg(secondary, _start(walk, apart, beside), is_secondary=True))
    return legs


def _start(walk: Walk, body: JsonObject, beside: Ticket | None = None, *, in_parts: bool = False) -> Ticket:
    """Send one call; one beside another of the same request has that one's ids and does not wait for it."""
    services, inbound = walk.services, walk.inbound
    client = inbound.tenant.client
    query = {"imsOrgId": client.organization_id, "sessionId": inbound.session_id}
    if inbound.version:
        query["version"] = inbound.version
    if beside is not None and beside.impression_id:
        body["impressionId"] = beside.impression_id
    shares_impression = (in_parts or _is_mixed(walk)) and body.get("impressionId") is None
    url = make_url(services.settings.upstream.target, inbound.tenant.code, walk.visitor.cluster, query)
    share = Share(
        body=body,
        scope=(url, (inbound.policy or inbound.tenant.policy).method),
        consumer=inbound.consumer or DEFAULT_CONSUMER,
        sdid=read_sdid(body) or (beside.sdid if beside is not None else walk.sdid),
        impression_id=new_id() if shares_impression else "",
    )
    return services.joiner.start(
        Asked(
            client=inbound.tenant.code,
            session_id=inbound.session_id,
            url=url,
            share=share,
            request_id=walk.request_id,
            version=__version__,
            deadline=inbound.inner_deadline,
            raw=inbound.raw if not walk.plan.ours and body == inbound.body else None,
            repeatable=inbound.request.request_id or "",
            take_entries=inbound.tenant.telemetry.take,
            alongside=beside is not None,
        )
    )


def _note_unsent(walk: Walk, reason: str) -> None:
    if walk.plan.remote or walk.inbound.request.notifications:
        walk.lose(reason, names_of(walk.plan.remote))
    else:
        walk.lost.append(reason)


def _refuse_lone_notifications(walk: Walk, error: UpstreamError) -> None:
    if not walk.plan.ours and not walk.plan.remote and walk.inbound.request.notifications:
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


def make_body(walk: Walk, items: Sequence[Item], others: Sequence[Item]) -> JsonObject:
    """Give the body that asks Target for `items`: what the caller said without `others`, with what only we know."""
    inbound = walk.inbound
    sent = make_remote_body(inbound.body, items, others)
    if walk.visitor.id:
        sent["id"] = walk.visitor.id
    if sent.get("requestId") is None:
        sent["requestId"] = walk.request_id
    if sent.get("property") is None and inbound.tenant.client.property_token:
        sent["property"] = {"token": inbound.tenant.client.property_token}
    return sent
