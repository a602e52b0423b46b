"""`POST /rest/v1/delivery`, from bytes to bytes: the whole walk of a request, in order.

1 read · 2 plan · 3 who is this · 4 remote goes out · 5 local meanwhile · 6 meet · 7 finish · 8 out. Losses on the way
are noted in `lost`, not raised: a valid request gets an answer by its deadline, with default content where something
is missing (gw:F5, F9).
"""

import asyncio
import time

from gateway.delivery.answer import NOTHING, Place, Remote, Results, join, place_of
from gateway.delivery.model import JsonObject
from gateway.delivery.notifications import make_notification_body
from gateway.delivery.plan import list_lazily, split
from gateway.delivery.session import merge_answered_id, read_answered, read_visitor, shield_id
from gateway.web.identity import ask_session, must_ask_session, name_visitor, note_visitor
from gateway.web.inbound import read_inbound
from gateway.web.meeting import meet
from gateway.web.middleware import Ask
from gateway.web.outgoing import start_remote
from gateway.web.reporting import report
from gateway.web.response import Answer
from gateway.web.visitor_cookies import make_cookie_headers
from gateway.web.walk import Walk, describe_losses, names_of
from gateway.web.wire import encode


async def answer_delivery(ask: Ask) -> Answer:
    """Answer one delivery request."""
    services = ask.services
    inbound = await read_inbound(ask.request, services)
    services.under_way += 1  # from here on: bodies that trickle in must not switch Target off for everybody
    try:
        visitor = name_visitor(inbound)
        walk = Walk(services=services, inbound=inbound, request_id=ask.request_id, visitor=visitor)
        return _answer_ping(walk) if inbound.is_ping else await _take(walk)
    finally:
        services.under_way -= 1


async def _take(walk: Walk) -> Answer:
    inbound = walk.inbound
    items = list_lazily(inbound.request, inbound.read_body)
    walk.artifact = inbound.tenant.feed.artifact
    walk.plan = plan = split(inbound.request, items, walk.artifact, inbound.tenant.policy)
    note_visitor(walk)
    if must_ask_session(walk):
        await ask_session(walk)
    legs = start_remote(walk) if plan.ask_target else ()
    try:
        local = await _decide(walk) if plan.local else {}
        remote = await meet(walk, legs) if legs else NOTHING
    finally:
        for leg in legs:
            leg.ticket.end()
    if plan.undecided and walk.artifact is not None:
        walk.lose("on-device", (*plan.needs.mboxes, *plan.needs.views))  # Target would have had a say
    answer: JsonObject = {
        "status": 206 if walk.is_partial else 200,
        "requestId": inbound.request.request_id or walk.request_id,
        "id": _show_id(walk, walk.visitor.id if remote is NOTHING else _settle_identity(walk, remote)),
        "client": inbound.tenant.code,
    }
    if remote is not NOTHING:
        answer |= _members(walk, remote)
        local = {**remote.results, **local}
    answer |= join(inbound.request, items, local)
    if remote.prefetch_metrics and "prefetch" in answer:
        answer["prefetch"]["metrics"] = remote.prefetch_metrics
    if inbound.tenant.client.telemetry:
        _note_telemetry(walk, answer, remote)
    return _respond(walk, answer)


def _note_telemetry(walk: Walk, answer: JsonObject, remote: Remote) -> None:
    tenant = walk.inbound.tenant
    method = "on-device" if remote is NOTHING else "server-side"
    seconds = time.perf_counter() - walk.inbound.started
    tenant.note_answer(answer["requestId"], {**answer, **remote.members}, method, seconds)


async def _decide(walk: Walk) -> dict[Place, Results]:
    """Give the local results by place, once it is known where the visitor is."""
    inbound, artifact = walk.inbound, walk.artifact
    if artifact is None:
        walk.lose("artifact", names_of(walk.plan.local))
        return {}
    tenant, context = inbound.tenant, inbound.request.context
    if address := tenant.find_address(artifact, context):
        try:
            async with asyncio.timeout_at(inbound.inner_deadline):
                context = await tenant.locate(context, address)
        except TimeoutError:
            walk.lost.append("geo")
    decision = tenant.decide(artifact, inbound.request, context, walk.plan.local, walk.visitor)
    if decision.notifications:
        body = make_notification_body(inbound.body, walk.visitor.id, context, decision.notifications)
        walk.services.outbox.put(tenant.code, inbound.session_id, body)
    return {place_of(item): found for item, found in zip(walk.plan.local, decision.results, strict=True)}


def _settle_identity(walk: Walk, remote: Remote) -> JsonObject:
    """Give the ids of the answer; what Target said of them is kept for the session's next calls (gw:S2)."""
    device_id, hint = read_answered(remote.id, remote.members.get("edgeHost"))
    if device_id or hint:
        walk.services.sessions.save(walk.inbound.tenant.code, walk.inbound.session_id, device_id, hint)
    return merge_answered_id(walk.visitor, remote.id)


def _show_id(walk: Walk, identity: JsonObject) -> JsonObject:
    return shield_id(identity, keep_clients=walk.services.settings.web.keep_clients)


def _members(walk: Walk, remote: Remote) -> JsonObject:
    if not walk.services.settings.web.keep_clients:
        return remote.members
    return {name: value for name, value in remote.members.items() if name != "edgeHost"}


def _answer_ping(walk: Walk) -> Answer:
    """Answer a call that asks nothing: it opens, changes and merges nothing (gw:S11)."""
    inbound, identity = walk.inbound, read_visitor(walk.inbound.identity, walk.inbound.session_id).id
    answer: JsonObject = {"status": 200, "requestId": inbound.request.request_id or walk.request_id}
    if identity:
        answer["id"] = _show_id(walk, identity)
    answer["client"] = inbound.tenant.code
    status = 204 if inbound.request.context.beacon else 200
    report(walk, status, 200)
    return Answer(status, encode(answer) if status != 204 else b"")


def _respond(walk: Walk, answer: JsonObject) -> Answer:
    inbound, web = walk.inbound, walk.services.settings.web
    status = 204 if inbound.request.context.beacon else web.partial_status if answer["status"] == 206 else 200
    headers = make_cookie_headers(walk.services, inbound, answer) if inbound.sets_cookies else []
    if walk.lost:
        headers.append(("X-Gateway-Degraded", describe_losses(walk)))
    report(walk, status, answer["status"])
    return Answer(status, encode(answer) if status != 204 else b"", headers)
