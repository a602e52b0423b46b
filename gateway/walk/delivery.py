"""The whole walk of a delivery request, in order, for `POST /rest/v1/delivery` and for `get_offers`.

1 plan · 2 who is this · 3 remote goes out · 4 local meanwhile · 5 meet · 6 finish. Losses on the way are noted in
`lost`, not raised: a valid request gets an answer by its deadline, with default content where something is missing
(gw:F5, F9).
"""

import asyncio
import time
from collections.abc import Sequence

from msgspec import structs

from gateway.delivery.answer import NOTHING, Place, Remote, Results, join
from gateway.delivery.model import Context, JsonObject
from gateway.delivery.plan import Item, list_lazily, split
from gateway.delivery.session import merge_answered_id, read_answered, read_visitor
from gateway.delivery.stitching import put_sdid
from gateway.engine import Question, decide_items
from gateway.walk.identity import ask_session, must_ask_session, note_visitor
from gateway.walk.meeting import meet
from gateway.walk.offer_mboxes import answer_displays, count_displays, decide_offered, pick_offered, take_displays
from gateway.walk.outgoing import start_remote
from gateway.walk.walk import Walk, names_of


async def answer_request(walk: Walk) -> JsonObject:
    """Give the delivery response. Raises RequestError or UpstreamError where its caller must know of a failure."""
    if walk.inbound.is_ping:
        return _answer_ping(walk)
    services = walk.services
    services.under_way += 1  # from here on: bodies that trickle in must not switch Target off for everybody
    try:
        return await _take(walk)
    finally:
        services.under_way -= 1


async def _take(walk: Walk) -> JsonObject:
    inbound = walk.inbound
    displays = take_displays(walk) if inbound.request.notifications else ()
    items = _plan(walk)
    plan = walk.plan
    note_visitor(walk)
    if must_ask_session(walk):
        await ask_session(walk)
    legs = start_remote(walk) if plan.ask_target else ()
    if walk.sdid and not legs:  # what is decided here is told to Target with it, too
        inbound.body["experienceCloud"] = put_sdid(inbound.body, walk.sdid)["experienceCloud"]
    try:
        context = await _locate(walk) if plan.local and _has_address(walk) else inbound.request.context
        ours = _decide(walk, context) if plan.local else {}
        if plan.offer:
            ours = {**ours, **await decide_offered(walk)}
        if displays:
            await count_displays(walk, displays)
        remote = await meet(walk, legs) if legs else NOTHING
    finally:
        for leg in legs:
            leg.ticket.end()
    if plan.undecided and walk.artifact is not None:
        walk.lose("on-device", (*plan.needs.mboxes, *plan.needs.views))  # Target would have had a say
    answer = _begin_answer(walk, remote)
    answer |= join(inbound.request, items, ours if remote is NOTHING else {**remote.results, **ours})
    if displays:
        answer["notifications"] = answer_displays(displays, answer.get("notifications"))
    if remote.prefetch_metrics and "prefetch" in answer:
        answer["prefetch"]["metrics"] = remote.prefetch_metrics
    if inbound.tenant.client.telemetry:
        _note_telemetry(walk, answer, remote)
    return answer


def _plan(walk: Walk) -> Sequence[Item]:
    """Settle who decides what; gives every item in the order of evaluation."""
    inbound = walk.inbound
    walk.artifact = inbound.tenant.feed.artifact
    items = list_lazily(inbound.request, inbound.read_body)
    offered = pick_offered(walk, items)
    asked = [item for item in items if item not in offered] if offered else items
    plan = split(inbound.request, asked, walk.artifact, inbound.policy or inbound.tenant.policy)
    walk.plan = structs.replace(plan, offer=offered) if offered else plan
    return items


def _begin_answer(walk: Walk, remote: Remote) -> JsonObject:
    """Give the members that belong to the answer as a whole."""
    inbound = walk.inbound
    answer: JsonObject = {
        "status": 206 if walk.is_partial else 200,
        "requestId": inbound.request.request_id or walk.request_id,
        "id": walk.visitor.id if remote is NOTHING else _settle_identity(walk, remote),
        "client": inbound.tenant.code,
    }
    return answer if remote is NOTHING else answer | remote.members


def _note_telemetry(walk: Walk, answer: JsonObject, remote: Remote) -> None:
    tenant = walk.inbound.tenant
    method = "on-device" if remote is NOTHING else "server-side"
    seconds = time.perf_counter() - walk.inbound.started
    tenant.note_answer(answer["requestId"], answer, method, seconds)


def _has_address(walk: Walk) -> bool:
    artifact, inbound = walk.artifact, walk.inbound
    return artifact is not None and bool(inbound.tenant.find_address(artifact, inbound.request.context))


async def _locate(walk: Walk) -> Context:
    """Give the request's context with the visitor's place; without it when it is not found in time."""
    inbound, artifact = walk.inbound, walk.artifact
    context = inbound.request.context
    address = None if artifact is None else inbound.tenant.find_address(artifact, context)
    try:
        async with asyncio.timeout_at(inbound.inner_deadline):
            return await inbound.tenant.locate(context, address) if address else context
    except TimeoutError:
        walk.lost.append("geo")
        return context


def _decide(walk: Walk, context: Context) -> dict[Place, Results]:
    """Give the local results by place, and note for Target what they displayed."""
    inbound, artifact = walk.inbound, walk.artifact
    if artifact is None:
        walk.lose("artifact", names_of(walk.plan.local))
        return {}
    asked = Question(
        tenant=inbound.tenant,
        artifact=artifact,
        request=inbound.request,
        read_body=inbound.read_body,
        items=walk.plan.local,
        visitor=walk.visitor,
        context=context,
    )
    decided = decide_items(asked)
    if decided.background is not None:
        walk.services.outbox.put(inbound.tenant.code, inbound.session_id, decided.background)
    return decided.results


def _settle_identity(walk: Walk, remote: Remote) -> JsonObject:
    """Give the ids of the answer; what Target said of them is kept for the session's next calls (gw:S2)."""
    device_id, hint = read_answered(remote.id, remote.members.get("edgeHost"))
    if device_id or hint:
        walk.services.sessions.save(walk.inbound.tenant.code, walk.inbound.session_id, device_id, hint)
    return merge_answered_id(walk.visitor, remote.id)


def _answer_ping(walk: Walk) -> JsonObject:
    """Answer a call that asks nothing: it opens, changes and merges nothing (gw:S11)."""
    inbound, identity = walk.inbound, read_visitor(walk.inbound.identity, walk.inbound.session_id).id
    answer: JsonObject = {"status": 200, "requestId": inbound.request.request_id or walk.request_id}
    if identity:
        answer["id"] = identity
    return answer | {"client": inbound.tenant.code}
