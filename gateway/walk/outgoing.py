"""The part of a request that goes to Target, on its way before anything is decided here (gw:F2, F3, F4)."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from gateway import __version__
from gateway.delivery.answer import make_remote_body
from gateway.delivery.cutting import cut_body
from gateway.delivery.legs import part_secondaries
from gateway.delivery.merging import Share
from gateway.delivery.model import JsonObject
from gateway.delivery.plan import Item
from gateway.delivery.stitching import DEFAULT_CONSUMER, find_sdid, put_sdid, read_sdid
from gateway.errors import UpstreamOverloaded, UpstreamTimeout
from gateway.ids import new_id
from gateway.upstream.bundle import Asked
from gateway.upstream.joiner import Ticket
from gateway.upstream.target import make_address
from gateway.walk.walk import Walk, names_of

_ONCE = ("notifications", "telemetry")


class Leg(Struct, frozen=True):
    """One call to Target under way, and the items it is to decide; nothing waits for a secondary one."""

    items: Sequence[Item]
    ticket: Ticket
    is_secondary: bool = False


class Sent(Struct, frozen=True):
    """What a call to Target says: its body, or its bytes where nobody has had to look into them, or both."""

    items: Sequence[Item]
    sdid: str
    has_impression: bool
    body: JsonObject | None = None
    raw: bytes | None = None


def start_remote(walk: Walk) -> list[Leg]:
    """Send what only Target can answer, secondary mboxes behind the rest in a call of their own.

    What there is no time or no room for is noted as lost. Raises UpstreamTimeout or UpstreamOverloaded where
    notifications are all there is to send: their sender must know.
    """
    services, inbound, plan = walk.services, walk.inbound, walk.plan
    target = services.settings.upstream.target
    if inbound.inner_deadline - asyncio.get_running_loop().time() < target.minimum_budget_ms / 1000:
        if only_tells(walk):
            raise UpstreamTimeout("there was no time left to pass the notifications on")
        _note_unsent(walk, "budget")
        return []
    if services.under_way > services.settings.web.max_waiting:
        if only_tells(walk):
            raise UpstreamOverloaded("the gateway is too busy to pass the notifications on")
        _note_unsent(walk, "overload")
        return []
    if inbound.tenant.client.secondary:
        legs = _start_in_parts(walk)
    else:
        legs = [Leg(plan.remote, _start(walk, write_sent(walk, plan.remote, plan.ours)))]
    if legs:
        _take_ids(walk, legs[0].ticket)
    return legs


def _start_in_parts(walk: Walk) -> list[Leg]:
    """Send primaries, what is told, and secondaries; where there is nothing but secondaries, they are no such."""
    inbound, plan, client = walk.inbound, walk.plan, walk.inbound.tenant.client
    first, secondary = part_secondaries(plan.remote, client.secondary)
    tells = bool(inbound.request.notifications or (inbound.request.telemetry and inbound.request.telemetry.entries))
    if not secondary or not (first or plan.ours or tells):
        return [Leg(plan.remote, _start(walk, write_sent(walk, plan.remote, plan.ours)))]
    legs = []
    if first or tells:
        sent = _describe(first, make_body(walk, first, secondary))
        legs.append(Leg(first, _start(walk, sent, in_parts=True)))
    elif not client.secondary_wait_ms:
        walk.lose("secondary", names_of(secondary))  # the rest is decided here, sooner than Target could answer
        return []
    body = make_body(walk, secondary, first or plan.ours)
    apart = {name: value for name, value in body.items() if name not in _ONCE}
    beside = legs[0].ticket if legs else None
    if beside is not None and beside.impression_id:
        apart["impressionId"] = beside.impression_id
    legs.append(Leg(secondary, _start(walk, _describe(secondary, apart), beside), is_secondary=True))
    return legs


def _start(walk: Walk, sent: Sent, beside: Ticket | None = None, *, in_parts: bool = False) -> Ticket:
    """Send one call; one beside another of the same request has that one's ids and does not wait for it."""
    services, inbound = walk.services, walk.inbound
    target, tenant = services.settings.upstream.target, inbound.tenant
    query = {"imsOrgId": tenant.client.organization_id, "sessionId": inbound.session_id}
    if inbound.version:
        query["version"] = inbound.version
    shares_impression = (in_parts or _is_mixed(walk)) and not sent.has_impression
    address = make_address(target, tenant.code, walk.visitor.cluster, query)
    share = Share(
        body=sent.body,
        raw=sent.raw,
        scope=(address, (inbound.policy or tenant.policy).method),
        consumer=inbound.consumer or DEFAULT_CONSUMER,
        sdid=sent.sdid or (beside.sdid if beside is not None else walk.sdid),
        impression_id=new_id() if shares_impression else "",
    )
    return services.joiner.start(
        Asked(
            client=tenant.code,
            session_id=inbound.session_id,
            address=address,
            share=share,
            request_id=walk.request_id,
            version=__version__,
            deadline=inbound.inner_deadline,
            is_complete=bool(sent.sdid) and len(sent.items) <= target.mboxes_per_call,
            repeatable=inbound.request.request_id or "",
            take_entries=tenant.telemetry.take,
            alongside=beside is not None,
        )
    )


def _note_unsent(walk: Walk, reason: str) -> None:
    if walk.plan.remote or walk.inbound.request.notifications:
        walk.lose(reason, names_of(walk.plan.remote))
    else:
        walk.lost.append(reason)


def only_tells(walk: Walk) -> bool:
    """Whether a request has notifications and nothing else: its caller must know when nobody took them."""
    return not walk.plan.ours and not walk.plan.remote and bool(walk.inbound.request.notifications)


def _is_mixed(walk: Walk) -> bool:
    return bool(walk.plan.local and walk.plan.remote)


def _take_ids(walk: Walk, ticket: Ticket) -> None:
    """Let the part that is decided here have the ids of the part that is not (get-offers §15 point 1)."""
    inbound, own = walk.inbound, find_sdid(walk.inbound.request)
    if not own:  # a repeated call has the SDID of the first (gw:M6)
        walk.sdid = ticket.sdid or walk.sdid
    if not walk.plan.local:
        return
    if ticket.impression_id and inbound.request.impression_id is None:
        inbound.body["impressionId"] = ticket.impression_id
    if ticket.sdid and own != ticket.sdid:
        inbound.body["experienceCloud"] = put_sdid(inbound.body, ticket.sdid)["experienceCloud"]


def write_sent(walk: Walk, items: Sequence[Item], others: Sequence[Item]) -> Sent:
    """Give the call that asks Target for `items`, without decoding the request where nobody has done so yet."""
    inbound = walk.inbound
    if inbound.raw is not None and inbound.decoded is None:
        raw = cut_body(inbound.raw, inbound.request, items, others, _list_added(walk))
        if raw is not None:
            has_impression = inbound.request.impression_id is not None
            return Sent(items, find_sdid(inbound.request), has_impression, raw=raw)
    body = make_body(walk, items, others)
    return _describe(items, body, inbound.raw if not others and body == inbound.body else None)


def _describe(items: Sequence[Item], body: JsonObject, raw: bytes | None = None) -> Sent:
    return Sent(items, read_sdid(body), body.get("impressionId") is not None, body, raw)


def make_body(walk: Walk, items: Sequence[Item], others: Sequence[Item]) -> JsonObject:
    """Give the body that asks Target for `items`: what the caller said without `others`, with what only we know."""
    return make_remote_body(walk.inbound.body, items, others) | _list_added(walk)


def _list_added(walk: Walk) -> JsonObject:
    """Give the members that the caller did not send, or not like this."""
    inbound = walk.inbound
    added: JsonObject = {}
    if walk.visitor.id and walk.visitor.id != inbound.identity:
        added["id"] = walk.visitor.id
    if inbound.request.request_id is None:
        added["requestId"] = walk.request_id
    if inbound.request.property is None and inbound.tenant.client.property_token:
        added["property"] = {"token": inbound.tenant.client.property_token}
    return added
