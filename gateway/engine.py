"""The decisioning engine at work on a request: what is decided by the artifact, without Target (spec on-device §6-§14).

`decide_items` is the one way to it: for the local part of a request on its walk (`gateway/walk/delivery.py`), whoever
asked, and for requests decided on device as a whole, which the conformance suites run.
"""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct

from gateway.delivery.answer import Place, Results, join, place_of
from gateway.delivery.artifact import Artifact
from gateway.delivery.model import DeliveryRequest, JsonObject
from gateway.delivery.notifications import make_notification_body
from gateway.delivery.plan import Item, Needs, find_needs, list_items
from gateway.delivery.session import Visitor, adopt_device, mint_device_id, read_visitor
from gateway.errors import ArtifactMissing
from gateway.tenants import Tenant


class Question(Struct, frozen=True, kw_only=True):
    """Which items of `request` are to be decided by `artifact`, and for whom.

    `read_body` gives the body that `request` is the checked form of; `deadline`, a time of the event loop's clock in
    seconds, bounds the look-up of a place.
    """

    tenant: Tenant
    artifact: Artifact
    request: DeliveryRequest
    read_body: Callable[[], JsonObject]
    items: Sequence[Item]
    visitor: Visitor
    deadline: float | None = None


class Decided(Struct, frozen=True):
    """Results by place, the body of the call that tells Target (None: nothing was displayed), a place not found."""

    results: dict[Place, Results]
    background: JsonObject | None
    lost_place: bool


async def decide_items(asked: Question, *, tell_always: bool = False) -> Decided:
    """Decide every item of `asked`; with `tell_always` Target is told even when nothing was displayed."""
    tenant, request, context, lost_place = asked.tenant, asked.request, asked.request.context, False
    if address := tenant.find_address(asked.artifact, context):
        try:
            async with asyncio.timeout_at(asked.deadline):
                context = await tenant.locate(context, address)
        except TimeoutError:
            lost_place = True
    decision = tenant.decide(asked.artifact, request, context, asked.items, asked.visitor)
    background = None
    if decision.notifications or tell_always:
        background = make_notification_body(asked.read_body(), asked.visitor.id, context, decision.notifications)
    found = {place_of(item): results for item, results in zip(asked.items, decision.results, strict=True)}
    return Decided(found, background, lost_place)


class WholeRequest(Struct, frozen=True):
    """A request to decide on device as a whole; with `telemetry` Target is told of every decision (on-device §13)."""

    request: DeliveryRequest
    body: JsonObject
    session_id: str = ""
    location_hint: str = ""
    telemetry: bool = False


class LocalAnswer(Struct, frozen=True):
    """The response, the body of the background call to Target (None: nothing to tell), and what needs Target."""

    response: JsonObject
    background: JsonObject | None
    needs: Needs


async def answer_locally(tenant: Tenant, whole: WholeRequest) -> LocalAnswer:
    """Decide every item of a request; raises ArtifactMissing without an artifact."""
    artifact, request = tenant.feed.artifact, whole.request
    if artifact is None:
        raise ArtifactMissing("the decisioning engine is not ready: no artifact has been loaded")
    items = list_items(request, whole.body)
    needs = find_needs(artifact, request, items)
    visitor = read_visitor(whole.body.get("id"), whole.session_id, location_hint=whole.location_hint)
    if not visitor.is_known:
        visitor = adopt_device(visitor, mint_device_id(tenant.new_id(), whole.location_hint), "")
    asked = Question(
        tenant=tenant, artifact=artifact, request=request, read_body=lambda: whole.body, items=items, visitor=visitor
    )
    decided = await decide_items(asked, tell_always=whole.telemetry)
    response: JsonObject = {
        "status": 206 if needs else 200,
        "requestId": request.request_id or tenant.new_id(),
        "id": visitor.id,
        "client": tenant.code,
    }
    return LocalAnswer(response | join(request, items, decided.results), decided.background, needs)
