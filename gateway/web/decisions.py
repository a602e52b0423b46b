"""Offer decisions over HTTP: decide, list candidates, diagnose, take feedback (spec decisions-api §2).

A dry run lets others go first between its steps, for the reason that `delivery_api` gives; other decisions wait for
Redis there anyway.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import lru_cache, partial
from typing import TypeVar

import msgspec

from gateway.decisioning.catalogues import View, drive
from gateway.decisioning.decider import Asking
from gateway.decisioning.repeats import Repeat, make_digest
from gateway.delivery.nesting import is_deeper
from gateway.errors import InvalidBody, Problem, RequestError, StoreTimeout, Violation
from gateway.offers.candidates import list_candidates
from gateway.offers.decide import know_no_schema, resolve
from gateway.offers.decision_requests import read_request
from gateway.offers.diagnostics import diagnose
from gateway.offers.documents import read_json
from gateway.offers.events import read_feedback
from gateway.offers.instances import JsonObject
from gateway.offers.model import DecisionRequest
from gateway.offers.plain_requests import read_plain_request
from gateway.offers.registry import Registry
from gateway.offers.validation import validate
from gateway.web.hal import HalAnswer, read_pairs, read_raw_query
from gateway.web.inbound import read_budget_ms
from gateway.web.negotiation import JSON, Native, choose, make_native, read_content_type
from gateway.web.response import Answer, Header
from gateway.web.rest import Area, Call, Route
from gateway.web.subjects import Containers
from gateway.web.wire import decode_object, encode, read_limited

MOST_BODY = 256 * 1024
XDM = "application/vnd.adobe.xdm+json"
RESPONSE = "https://ns.adobe.com/experience/offer-management/decision-response"
CONTEXTS = frozenset(("dma_offers", "acp"))
"""Product contexts of containers that decisions are made in (spec repository C4)."""
_DECISION = Native(XDM, f'{XDM}; schema="{RESPONSE};version=1.0"', frozenset({RESPONSE}))
_PLAIN = make_native(XDM)

Found = TypeVar("Found")


def decide(call: Call) -> Awaitable[Answer]:
    """Answer D1."""
    return _decide(call, call.names["container"], _find_deadline(call))


async def decide_anywhere(call: Call) -> Answer:
    """Answer D5: in the only container of the sandbox that decisions can be made in."""
    deadline = _find_deadline(call)
    containers = await _by(deadline, Containers(call).list_visible())
    ids = [one.instance_id for one in containers if CONTEXTS & _read_contexts(one.document)]
    if len(ids) != 1:
        message = f"Name the container in the path: {len(ids)} containers of this sandbox could be meant"
        raise Problem(422, "container-ambiguous", message)
    return await _decide(call, ids[0], deadline)


async def _decide(call: Call, container: str, deadline: float) -> Answer:
    view = _peek(call, container) or await _open(call, container, deadline)
    headers = call.request.headers
    media_type = _choose(tuple(headers.getall("Accept", ())), _DECISION)
    schema = _read_schema(headers.get("Content-Type"))
    raw = await _read_body(call)
    asking = Asking(space=call.caller.space, container=container, deadline=deadline)
    request = _read_request(call, raw, schema)
    if request.is_dry:
        await asyncio.sleep(0)
    degraded: list[str] = []
    if (request_id := headers.get("x-request-id")) is None:
        body = await _make_answer(call, view, asking, request, degraded)
    else:
        parts = (headers.get("Authorization", ""), str(asking.space), container, request_id)
        digest = make_digest(*(part.encode("utf-8", "surrogateescape") for part in parts), raw)
        make = partial(_make_answer, call, view, asking, request, degraded)
        body = await call.services.decisions.repeats.answer(Repeat(digest, deadline), make)
    return _answer(200, body, media_type, [("X-Gateway-Degraded", reason) for reason in degraded])


def _read_request(call: Call, raw: bytes, schema: str | None) -> DecisionRequest:
    settings = call.services.settings
    if not is_deeper(raw, settings.web.max_depth):
        plain = read_plain_request(raw, schema, inline_profile=settings.offers.inline_profile)
        if plain is not None:
            return plain
    try:
        body = decode_object(raw, settings.web.max_depth)
    except InvalidBody as error:
        detail = error.message.removeprefix("Invalid request: ")
        raise Problem(400, "invalid-body", detail, violations=[Violation("malformed-json", "", detail)]) from error
    return read_request(body, schema, inline_profile=settings.offers.inline_profile)


async def _make_answer(call: Call, view: View, asking: Asking, request: DecisionRequest, degraded: list[str]) -> bytes:
    """Decide, and give the body of the answer."""
    services = call.services
    decider = services.decisions.decider
    check = partial(check_context, services.registry) if request.validates_context else know_no_schema
    plan = resolve(view.catalog, request, check)
    try:
        settled = await decider.decide(plan, asking)
    except Problem as problem:
        if problem.code == "profile-unavailable":
            services.metrics.count_degraded("profiles")
        raise
    if reason := settled.degraded:
        services.metrics.count_degraded(reason)
        degraded.append(reason)
    if request.is_dry:
        await asyncio.sleep(0)
    if settled.is_long:
        return await decider.respond_aside(settled, asking.deadline)
    return settled.respond()


async def list_offers(call: Call) -> Answer:
    """Answer D2."""
    deadline, container = _find_deadline(call), call.names["container"]
    view = await _open(call, container, deadline)
    media_type = _choose(tuple(call.request.headers.getall("Accept", ())), _PLAIN)
    ids = [value for name, value in read_pairs(read_raw_query(call)) if name == "activityId"]

    def make() -> bytes:
        return encode(list_candidates(view.catalog, container, ids))

    return _answer(200, await call.services.decisions.decider.run_aside(make, deadline), media_type)


async def show_diagnostics(call: Call) -> Answer:
    """Answer D3."""
    container = call.names["container"]
    view = await _open(call, container, _find_deadline(call))
    media_type = _choose(tuple(call.request.headers.getall("Accept", ())), _PLAIN)
    return _answer(200, encode(await drive(diagnose(view.catalog, container))), media_type)


async def take_feedback(call: Call) -> Answer:
    """Answer D4: 202 once the events are kept."""
    container = call.names["container"]
    deadline = _find_deadline(call)
    await _open(call, container, deadline)
    read_content_type(call.request.headers.get("Content-Type"), (XDM, JSON))
    try:
        body = read_json(await _read_body(call))
    except Problem as error:
        if error.status != 400:
            raise
        told = [Violation(error.code, "", error.message)]
        raise Problem(400, "invalid-body", error.message, violations=told) from error
    events = call.services.decisions.events
    await _by(deadline, events.put_feedback(call.caller.space, container, read_feedback(body)))
    return _answer(202, b"", "")


def check_context(registry: Registry, schema: str, data: JsonObject) -> list[Violation] | None:
    """Give what is wrong with context data, None for a schema that is not registered (`xdm:validateContextData`)."""
    entity_type = registry.find(schema)
    if entity_type is None:
        return None
    found = validate([registry.schema(entity_type)], data)
    return [each._replace(pointer=each.pointer.removeprefix("/_instance")) for each in found]


def _peek(call: Call, container: str) -> View | None:
    """Give what `_open` gives where there is nothing to wait for and the caller may see it, else None."""
    view = call.services.decisions.catalogues.current(call.caller.space, container)
    return view if view is not None and call.caller.grants.may_read(container, view.owners) else None


async def _open(call: Call, container: str, deadline: float) -> View:
    """Give the container of the path as decisions see it; raises Problem 404 also for one the caller may not see."""
    catalogues, space = call.services.decisions.catalogues, call.caller.space
    if catalogues.peek(space, container) is None:  # nobody makes this worker load what they may not see
        await _by(deadline, Containers(call).read(container))
    view = await catalogues.find(space, container, deadline)
    if view is None or not call.caller.grants.may_read(container, view.owners):
        raise Problem(404, "container-not-found", "There is no container with this id")
    return view


async def _by(deadline: float, asked: Awaitable[Found]) -> Found:
    """Give what the repository says; raises StoreTimeout at the deadline, which may be long before its own."""
    try:
        async with asyncio.timeout_at(deadline):
            return await asked
    except TimeoutError as error:
        raise StoreTimeout("The repository did not say in time which containers there are") from error


def _find_deadline(call: Call) -> float:
    try:
        budget_ms = read_budget_ms(call.request.headers, call.services.settings.web)
    except RequestError as error:
        raise Problem(400, "invalid-header", error.message.removeprefix("Invalid request: ")) from error
    return asyncio.get_running_loop().time() + budget_ms / 1000


@lru_cache(maxsize=256)
def _choose(accept: tuple[str, ...], native: Native) -> str:
    return choose(list(accept), native)


@lru_cache(maxsize=256)
def _read_schema(content_type: str | None) -> str | None:
    schemas = read_content_type(content_type, (XDM, JSON)).schemas
    return " ".join(schemas) if schemas else None


def _read_body(call: Call) -> Awaitable[bytes]:
    return read_limited(call.request, MOST_BODY, call.services.settings.web.body_timeout_ms)


class _Contexts(msgspec.Struct):
    productContexts: tuple[str, ...] = ()  # noqa: N815 - the wire's name


def _read_contexts(document: bytes) -> frozenset[str]:
    return frozenset(msgspec.json.decode(document, type=_Contexts).productContexts)


def _answer(status: int, body: bytes, media_type: str, headers: Sequence[Header] = ()) -> Answer:
    answer = HalAnswer(status, body, headers)
    answer.content = _show_type(media_type)
    return answer


@lru_cache(maxsize=16)
def _show_type(media_type: str) -> str:
    """Give the headers that few media types make, laid out for all answers that have it; "" is none."""
    shown = f"Content-Type: {media_type}\r\n" if media_type else ""
    return f"{shown}Vary: Accept\r\n"


DECISIONS = Area(
    "/data/core/ode",
    (
        Route("{container}/decisions", {"POST": decide}),
        Route("{container}/offers", {"GET": list_offers}),
        Route("{container}/diagnostics", {"GET": show_diagnostics}),
        Route("{container}/events", {"POST": take_feedback}),
    ),
)
ALIAS = Area("/data/core/ods", (Route("decisions", {"POST": decide_anywhere}),))
