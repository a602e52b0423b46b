"""The decisioning engine at work on a request: what is decided by the artifact, without Target (spec on-device §6-§14).

`decide_items` is the one way to it: for the local part of a request on its walk (`gateway/walk/delivery.py`), whoever
asked, and for requests decided on device as a whole, which the conformance suites run.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from gateway.delivery.answer import Place, Results, join, place_of
from gateway.delivery.artifact import Artifact
from gateway.delivery.model import Context, DeliveryRequest, JsonObject
from gateway.delivery.notifications import make_notification_body
from gateway.delivery.plan import Item, Needs, find_needs, list_items
from gateway.delivery.session import Visitor, adopt_device, mint_device_id, read_visitor
from gateway.errors import ArtifactMissing
from gateway.tenants import Tenant


class Question(Struct, frozen=True, kw_only=True):
    """Which items of `request` are to be decided by `artifact`, for whom, and in which context.

    `read_body` gives the body that `request` is the checked form of; `context` is the request's own, located.
    """

    tenant: Tenant
    artifact: Artifact
    request: DeliveryRequest
    read_body: Callable[[], JsonObject]
    items: Sequence[Item]
    visitor: Visitor
    context: Context


class Decided(Struct, frozen=True):
    """Results by place, and the body of the call that tells Target (None: nothing was displayed)."""

    results: dict[Place, Results]
    background: JsonObject | None


def decide_items(asked: Question, *, tell_always: bool = False) -> Decided:
    """Decide every item of `asked`; with `tell_always` Target is told even when nothing was displayed."""
    context = asked.context
    decision = asked.tenant.decide(asked.artifact, asked.request, context, asked.items, asked.visitor)
    background = None
    if decision.notifications or tell_always:
        background = make_notification_body(asked.read_body(), asked.visitor.id, context, decision.notifications)
    found = {place_of(item): results for item, results in zip(asked.items, decision.results, strict=True)}
    return Decided(found, background)


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
    context = request.context
    if address := tenant.find_address(artifact, context):
        context = await tenant.locate(context, address)
    asked = Question(
        tenant=tenant,
        artifact=artifact,
        request=request,
        read_body=lambda: whole.body,
        items=items,
        visitor=visitor,
        context=context,
    )
    decided = decide_items(asked, tell_always=whole.telemetry)
    response: JsonObject = {
        "status": 206 if needs else 200,
        "requestId": request.request_id or tenant.new_id(),
        "id": visitor.id,
        "client": tenant.code,
    }
    return LocalAnswer(response | join(request, items, decided.results), decided.background, needs)
