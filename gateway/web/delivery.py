"""`POST /rest/v1/delivery`, from bytes to bytes: the whole walk of a request, in order.

1 read · 2 plan · 3 who is this · 4 remote goes out · 5 local meanwhile · 6 meet · 7 finish · 8 out. Losses on the way
are noted in `lost`, not raised: a valid request gets an answer by its deadline, with default content where something
is missing (gw:F5, F9).
"""

import asyncio
import time
from collections.abc import Mapping

from gateway.delivery.answer import NOTHING, Place, Remote, Results, find_missing, join, place_of, read_remote
from gateway.delivery.artifact import Artifact
from gateway.delivery.decide import Decision
from gateway.delivery.model import Context, JsonObject
from gateway.delivery.notifications import make_notification_body
from gateway.delivery.plan import Plan, list_items, split
from gateway.delivery.session import Visitor, merge_answered_id, read_answered, read_visitor, shield_id
from gateway.errors import RequestError, UpstreamError, UpstreamOverloaded, UpstreamRefused, UpstreamTimeout
from gateway.services import Services
from gateway.upstream.fanout import Pending
from gateway.web.identity import ask_session, must_ask_session, name_visitor
from gateway.web.inbound import Inbound, read_inbound
from gateway.web.middleware import Ask
from gateway.web.outgoing import start_remote
from gateway.web.reporting import Outcome, report
from gateway.web.response import Answer
from gateway.web.visitor_cookies import make_cookie_headers
from gateway.web.wire import encode

_NOT_SENT: Mapping[str, tuple[type[UpstreamError], str]] = {
    "budget": (UpstreamTimeout, "there was no time left to pass the notifications on; send them again"),
    "overload": (UpstreamOverloaded, "the gateway is too busy to pass the notifications on; send them again"),
}


async def answer_delivery(ask: Ask) -> Answer:
    """Answer one delivery request."""
    services = ask.services
    services.under_way += 1
    try:
        inbound = await read_inbound(ask.request, services)
        if inbound.is_ping:
            return _answer_ping(services, inbound, ask.request_id)
        return await _walk(services, inbound, ask.request_id)
    finally:
        services.under_way -= 1


async def _walk(services: Services, inbound: Inbound, request_id: str) -> Answer:
    lost: list[str] = []
    artifact = inbound.tenant.feed.artifact  # one snapshot for the whole request
    items = list_items(inbound.request, inbound.body)
    plan = split(inbound.request, items, artifact, inbound.tenant.policy)
    visitor = name_visitor(services, inbound)
    if must_ask_session(services, visitor, asks_target=plan.ask_target):
        visitor = await ask_session(services, inbound, visitor, lost)
    pending = start_remote(services, inbound, plan, visitor, request_id, lost) if plan.ask_target else None
    if pending is None and lost and not items and inbound.request.notifications:
        kind, message = _NOT_SENT[lost[-1]]
        raise kind(message)
    try:
        local = await _decide(services, inbound, artifact, plan, visitor, lost) if plan.local else {}
        remote = await _meet(services, inbound, plan, pending, lost) if pending is not None else NOTHING
    finally:
        if pending is not None:
            pending.end()
    results = local if remote is NOTHING else {**remote.results, **local}
    complete = _is_complete(inbound, plan, remote, lost)
    identity = visitor.id if remote is NOTHING else _settle_identity(services, inbound, visitor, remote)
    answer: JsonObject = {
        "status": 200 if complete else 206,
        "requestId": inbound.request.request_id or request_id,
        "id": shield_id(identity, keep_clients=services.settings.web.keep_clients),
        "client": inbound.tenant.code,
        **_members(services, remote),
        **join(inbound.request, items, results),
    }
    if remote.prefetch_metrics and "prefetch" in answer:
        answer["prefetch"]["metrics"] = remote.prefetch_metrics
    _note_telemetry(inbound, answer, remote)
    return _respond(services, inbound, answer, Outcome(plan, lost, request_id))


def _note_telemetry(inbound: Inbound, answer: JsonObject, remote: Remote) -> None:
    if inbound.tenant.client.telemetry:
        method = "on-device" if remote is NOTHING else "server-side"
        seconds = time.perf_counter() - inbound.started
        inbound.tenant.note_answer(answer["requestId"], {**answer, **remote.members}, method, seconds)


async def _decide(
    services: Services, inbound: Inbound, artifact: Artifact | None, plan: Plan, visitor: Visitor, lost: list[str]
) -> dict[Place, Results]:
    """Give the local results by place, and note for Target what they displayed."""
    if artifact is None:
        lost.append("artifact")
        return {}
    tenant, context = inbound.tenant, inbound.request.context
    if address := tenant.find_address(artifact, context):
        try:
            async with asyncio.timeout_at(inbound.inner_deadline):
                context = await tenant.locate(context, address)
        except TimeoutError:
            lost.append("geo")
    decision = tenant.decide(artifact, inbound.request, context, plan.local, visitor)
    if decision.notifications:
        _tell_target(services, inbound, visitor, context, decision)
    return {place_of(item): found for item, found in zip(plan.local, decision.results, strict=True)}


def _is_complete(inbound: Inbound, plan: Plan, remote: Remote, lost: list[str]) -> bool:
    """Whether everything that was asked is answered and everything that was told has been passed on."""
    if plan.undecided and "artifact" not in lost:
        lost.append("on-device")  # Target would have had a say
    if remote is NOTHING:
        return not (plan.undecided or plan.remote or inbound.request.notifications)
    if find_missing(plan.remote, remote.results):
        lost.append("upstream-incomplete")
        return False
    return not plan.undecided


def _tell_target(services: Services, inbound: Inbound, visitor: Visitor, context: Context, decision: Decision) -> None:
    body = make_notification_body(inbound.body, visitor.id, context, decision.notifications)
    services.outbox.put(inbound.tenant.code, visitor.session_id, body)


async def _meet(services: Services, inbound: Inbound, plan: Plan, pending: Pending, lost: list[str]) -> Remote:
    """Give Target's part of the answer, or nothing where it failed."""
    try:
        return read_remote(await pending.reply(), plan.remote)
    except UpstreamError as error:
        if isinstance(error, UpstreamRefused):
            services.metrics.count_refusal(error.upstream_status)
        _refuse(error, inbound, plan)
        lost.append(error.code)
        return NOTHING


def _refuse(error: UpstreamError, inbound: Inbound, plan: Plan) -> None:
    """Raise where the caller must know: Target found the request invalid, or nobody took the notifications."""
    if isinstance(error, UpstreamRefused) and error.upstream_status == 400 and not plan.local:
        raise RequestError(error.upstream_message[:1000] or "Target refused the request as invalid") from error
    if not plan.local and not plan.remote and inbound.request.notifications:
        raise error


def _settle_identity(services: Services, inbound: Inbound, visitor: Visitor, remote: Remote) -> JsonObject:
    """Give the ids of the answer; what Target said of them is kept for the session's next calls (gw:S2)."""
    device_id, hint = read_answered(remote.id, remote.members.get("edgeHost"))
    if device_id or hint:
        services.sessions.save(inbound.tenant.code, visitor.session_id, device_id, hint)
    return merge_answered_id(visitor, remote.id)


def _members(services: Services, remote: Remote) -> JsonObject:
    if not services.settings.web.keep_clients:
        return remote.members
    return {name: value for name, value in remote.members.items() if name != "edgeHost"}


def _answer_ping(services: Services, inbound: Inbound, request_id: str) -> Answer:
    """Answer a call that asks nothing: it opens, changes and merges nothing (gw:S11)."""
    identity = read_visitor(inbound.body.get("id"), inbound.session_id).id
    answer: JsonObject = {"status": 200, "requestId": inbound.request.request_id or request_id}
    if identity:
        answer["id"] = shield_id(identity, keep_clients=services.settings.web.keep_clients)
    answer["client"] = inbound.tenant.code
    return Answer(204, b"") if inbound.request.context.beacon else Answer(200, encode(answer))


def _respond(services: Services, inbound: Inbound, answer: JsonObject, outcome: Outcome) -> Answer:
    partial = services.settings.web.partial_status
    status = 204 if inbound.request.context.beacon else partial if answer["status"] == 206 else 200
    headers = make_cookie_headers(services, inbound, answer) if inbound.sets_cookies else []
    if outcome.lost:
        headers.append(("X-Gateway-Degraded", ", ".join(dict.fromkeys(outcome.lost))))
    report(services, inbound, outcome, status, answer["status"])
    return Answer(status, encode(answer) if status != 204 else b"", headers)
