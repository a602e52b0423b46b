"""`POST /rest/v1/delivery` over HTTP: bytes in, the walk (`gateway/walk/delivery.py`), bytes out.

Between these steps a request lets the others go first. So those that came together take each step together, and its
code stays in the processor's nearest cache: under load that saves a sixth of a local decision.
"""

import asyncio

from gateway.delivery.model import JsonObject
from gateway.delivery.session import shield_answer
from gateway.walk.delivery import answer_request
from gateway.walk.identity import name_visitor
from gateway.walk.reporting import report
from gateway.walk.walk import Walk, describe_losses
from gateway.web.inbound import read_inbound
from gateway.web.middleware import Ask
from gateway.web.response import Answer
from gateway.web.visitor_cookies import make_cookie_headers
from gateway.web.wire import encode


async def answer_delivery(ask: Ask) -> Answer:
    """Answer one delivery request."""
    inbound = await read_inbound(ask.request, ask.services)
    await asyncio.sleep(0)
    walk = Walk(services=ask.services, inbound=inbound, request_id=ask.request_id, visitor=name_visitor(inbound))
    answer = await answer_request(walk)
    await asyncio.sleep(0)
    if ask.services.settings.web.keep_clients:
        shield_answer(answer)
    return _respond(walk, answer)


def _respond(walk: Walk, answer: JsonObject) -> Answer:
    inbound, web = walk.inbound, walk.services.settings.web
    status = 204 if inbound.request.context.beacon else web.partial_status if answer["status"] == 206 else 200
    sets_cookies = inbound.sets_cookies and not inbound.is_ping
    headers = make_cookie_headers(walk.services, inbound, answer) if sets_cookies else []
    if walk.lost:
        headers.append(("X-Gateway-Degraded", describe_losses(walk)))
    report(walk, status, answer["status"])
    return Answer(status, encode(answer) if status != 204 else b"", headers)
