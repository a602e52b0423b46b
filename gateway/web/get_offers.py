"""`POST /v1/get-offers`, `/v1/send-notifications`, `/v1/get-attributes`: for sidecar callers of any language.

The options of get-offers §2 come as one JSON object with their names in snake_case; the envelope of §12 goes out.
"""

import asyncio
import time

from gateway.delivery.attributes import add_mboxes, index_attributes
from gateway.delivery.model import JsonObject
from gateway.delivery.offers_request import read_mbox_names
from gateway.errors import InvalidBody
from gateway.telemetry import get_log
from gateway.walk.offers import Offered, OffersCall, answer_offers
from gateway.walk.reporting import report
from gateway.walk.walk import describe_losses
from gateway.web.consumer import read_consumer
from gateway.web.inbound import find_tenant, read_budget_ms, read_version
from gateway.web.middleware import Ask
from gateway.web.response import Answer
from gateway.web.wire import decode_object, encode, read_body, read_query, take_body


async def answer_get_offers(ask: Ask) -> Answer:
    """Answer a call for offers with the envelope."""
    return _respond(await answer_offers(await _read(ask)))


async def answer_send_notifications(ask: Ask) -> Answer:
    """Pass notifications on and answer with the envelope."""
    return _respond(await answer_offers(await _read(ask, notifies=True)))


async def answer_get_attributes(ask: Ask) -> Answer:
    """Answer with the envelope and, under `attributes`, the merged JSON offers by mbox name."""
    offered = await answer_offers(await _read(ask, wants_attributes=True))
    offered.envelope["attributes"] = index_attributes(offered.envelope["response"])
    return _respond(offered)


async def _read(ask: Ask, *, notifies: bool = False, wants_attributes: bool = False) -> OffersCall:
    """Give the checked call; raises RequestError at the first failure."""
    settings = ask.services.settings.web
    started, arrived = time.perf_counter(), asyncio.get_running_loop().time()
    raw = take_body(ask.request, settings)
    given = decode_object(await read_body(ask.request, settings) if raw is None else raw, settings.max_depth)
    if wants_attributes:
        given = _ask_for_attributes(given)
    query = read_query(ask.request.rel_url.raw_query_string)
    consumer = read_consumer(ask.request.headers, query)
    if consumer and given.get("consumer_id") is None:
        given = given | {"consumer_id": consumer}
    return OffersCall(
        services=ask.services,
        tenant=find_tenant(query, ask.services.tenants),
        given=given,
        request_id=ask.request_id,
        started=started,
        deadline=arrived + read_budget_ms(ask.request.headers, settings) / 1000,
        version=read_version(query),
        notifies=notifies,
    )


def _ask_for_attributes(given: JsonObject) -> JsonObject:
    request = given.get("request")
    if request is not None and not isinstance(request, dict):
        raise InvalidBody("Invalid request: expected an object", path="$.request")
    return given | {"request": add_mboxes(request, read_mbox_names(given))}


def _respond(offered: Offered) -> Answer:
    walk, services = offered.walk, offered.walk.services
    if offered.dropped:
        services.metrics.count_event("delivery.item_dropped")
        get_log().warning("delivery.item_dropped", client=walk.inbound.tenant.code, count=offered.dropped)
    headers = [("X-Gateway-Degraded", describe_losses(walk))] if walk.lost else []
    report(walk, 200, offered.envelope["response"]["status"])
    return Answer(200, encode(offered.envelope), headers)
