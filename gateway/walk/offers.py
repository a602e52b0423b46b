"""`get_offers` around the walk: options in, the walk of a delivery request, the envelope out (get-offers §2-§13).

One function for HTTP callers and for callers in the same process, so that both get the same answers.
"""

from typing import Any

from msgspec import Struct

from gateway.delivery.cookies import cluster_of_edge_host, is_cluster
from gateway.delivery.enrichment import Surroundings, check_notifications_request, check_offers_request, enrich
from gateway.delivery.experience_cloud import join_customer_ids, read_amcv
from gateway.delivery.model import JsonObject
from gateway.delivery.offers_request import OffersOptions, check_enriched, read_cookie, read_options
from gateway.delivery.offers_response import Outcome, make_envelope
from gateway.delivery.plan import NO_NEEDS, Policy
from gateway.delivery.session import shield_answer, shield_id
from gateway.delivery.stitching import DEFAULT_CONSUMER, SdidState, make_sdid, put_sdid, read_sdid, take_sdid
from gateway.delivery.visitor_state import VisitorState, keep_sdid, read_visitor_state, write_visitor_state
from gateway.errors import InvalidBody
from gateway.ids import new_id
from gateway.services import Services
from gateway.tenants import Tenant
from gateway.walk.delivery import answer_request
from gateway.walk.identity import name_visitor
from gateway.walk.inbound import Inbound
from gateway.walk.walk import Walk


class OffersCall(Struct, frozen=True, kw_only=True):
    """One call; `deadline` is a time of the event loop's clock in seconds, `started` one of the performance counter."""

    services: Services
    tenant: Tenant
    given: JsonObject
    request_id: str
    started: float
    deadline: float
    version: str = ""
    notifies: bool = False  # send_notifications: always server-side, and reports no needs (§13)


class Taken(Struct, frozen=True):
    """The SDID of a call, "" where the session's record or the caller has one, and the visitor's state with it used."""

    sdid: str
    state: VisitorState


class Offered(Struct, frozen=True):
    """The envelope, the walk it came from, and how many invalid items were left out."""

    envelope: JsonObject
    walk: Walk
    dropped: int


async def answer_offers(call: OffersCall) -> Offered:
    """Give the envelope. Raises RequestError, or UpstreamError where lone notifications could not be passed on."""
    options = read_options(call.given)
    inbound, taken, dropped = _read(call, options)
    walk = Walk(
        services=call.services,
        inbound=inbound,
        request_id=call.request_id,
        visitor=name_visitor(inbound),
        sdid=taken.sdid,
    )
    response = await answer_request(walk)
    state, sent = _settle_state(taken, walk), _describe_sent(walk)
    cluster = walk.visitor.cluster or cluster_of_edge_host(str(response.get("edgeHost", "")))
    if call.services.settings.web.keep_clients:
        shield_answer(response)
        cluster = ""
    outcome = Outcome(
        request=sent,
        response=response,
        session_id=inbound.session_id,
        visitor_state=write_visitor_state(call.tenant.client.organization_id, state),
        method="on-device" if walk.plan.local and not walk.plan.remote else "server-side",
        cluster=cluster,
        needs=NO_NEEDS if call.notifies else walk.plan.needs,
        lost=walk.lost,
    )
    return Offered(make_envelope(outcome, int(call.tenant.clock() * 1000)), walk, dropped)


def _read(call: OffersCall, options: OffersOptions) -> tuple[Inbound, Taken, int]:
    """Give the request as the walk takes it, the SDID it takes along, and how many items were left out."""
    tenant = call.tenant
    request = options.request or {}
    if call.notifies:
        check_notifications_request(request, telemetry_waits=bool(len(tenant.telemetry)))
    else:
        check_offers_request(request)
    cookie = read_cookie(options, tenant.clock())
    is_stitched = bool(options.consumer_id) and options.visitor_state is None and call.services.store is not None
    around, taken = _look_around(options, tenant, takes_sdid=not is_stitched)
    enriched = enrich(request, around)
    hint = options.target_location_hint or ""
    inbound = Inbound(
        tenant=tenant,
        session_id=cookie.session_id or options.session_id or new_id(),
        request=check_enriched(enriched.body),
        identity=enriched.body.get("id"),
        decoded=enriched.body,
        raw=None,
        started=call.started,
        deadline=call.deadline,
        inner_deadline=call.deadline - call.services.settings.upstream.target.deadline_margin_ms / 1000,
        sets_cookies=False,
        device_id=cookie.device_id,
        location_hint=hint if is_cluster(hint) else "",
        version=call.version,
        consumer=options.consumer_id or "",
        policy=_choose_policy(call, options),
    )
    return inbound, taken, enriched.dropped


def _look_around(options: OffersOptions, tenant: Tenant, *, takes_sdid: bool) -> tuple[Surroundings, Taken]:
    """Give what comes with the request, and its SDID with the visitor's state once that has been taken (§7, §8).

    Without `takes_sdid` the session's record knows the page's SDID, and the walk takes it from there (gw:M2). One that
    is made here is no part of the request, or the same request would not be known when it is repeated (gw:M6).
    """
    organization = tenant.client.organization_id
    known = read_visitor_state(options.visitor_state or {}, organization, "$.visitor_state")
    given = options.customer_ids if options.customer_ids is not None else known.customer_ids
    state = VisitorState(given or None, known.sdid)
    request: Any = options.request or {}
    sdid = ""
    if takes_sdid and not keep_sdid(_dig(request, "experienceCloud", "analytics", "supplementalDataId")):
        sdid, after = take_sdid(state.sdid, options.consumer_id or DEFAULT_CONSUMER, make_sdid(new_id))
        state = VisitorState(state.customer_ids, after)
    own = _dig(request, "id", "customerIds")
    around = Surroundings(
        property_token=tenant.client.property_token,
        trace=options.trace,
        amcv=read_amcv(options.visitor_cookie or "", tenant.clock()),
        customer_ids=join_customer_ids(given or [], own if isinstance(own, list) else []),
    )
    return around, Taken(sdid, state)


def _settle_state(taken: Taken, walk: Walk) -> VisitorState:
    """Give the visitor's state with the SDID that was sent: the session's, or that of the call this one repeats."""
    state = taken.state
    if walk.sdid and (not state.sdid.current or (walk.sdid != taken.sdid == state.sdid.current)):
        consumed = state.sdid.current_consumed or frozenset({walk.inbound.consumer or DEFAULT_CONSUMER})
        sdids = SdidState(walk.sdid, consumed, state.sdid.last, state.sdid.last_consumed)
        return VisitorState(state.customer_ids, sdids)
    return state


def _dig(holder: Any, *names: str) -> Any:
    for name in names:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return holder


def _choose_policy(call: OffersCall, options: OffersOptions) -> Policy:
    policy = call.tenant.policy
    if call.notifies:
        return Policy("server-side")
    method = options.decisioning_method
    if method == "on-device" and policy.method == "server-side":
        raise InvalidBody(
            "the decisioning engine is not ready: this client is configured as server-side and loads no artifact",
            path="$.decisioning_method",
        )
    return policy if method is None else Policy(method, all_or_nothing=policy.all_or_nothing)


def _describe_sent(walk: Walk) -> JsonObject:
    """Give the request as it was completed, with the ids it was decided by."""
    sent = walk.inbound.body | {"requestId": walk.inbound.request.request_id or walk.request_id}
    if walk.sdid and not read_sdid(sent):
        sent = put_sdid(sent, walk.sdid)
    keeps = walk.services.settings.web.keep_clients
    return sent | {"id": shield_id(walk.visitor.id, keep_clients=keeps)} if walk.visitor.id else sent
