"""One delivery request decided on device as a whole, without HTTP in front and Target behind (spec on-device §6-§14).

The walk in `web/delivery.py` decides the local part of a request; this decides all of one, for callers in the same
process and for the conformance suites.
"""

from msgspec import Struct

from gateway.delivery.answer import Place, Results, join, place_of
from gateway.delivery.model import DeliveryRequest, JsonObject
from gateway.delivery.notifications import make_notification_body
from gateway.delivery.plan import Needs, find_needs, list_items
from gateway.delivery.session import adopt_device, mint_device_id, read_visitor
from gateway.errors import ArtifactMissing
from gateway.tenants import Tenant


class LocalAnswer(Struct, frozen=True):
    """The response, the body of the background call to Target (None: nothing to tell), and what needs Target."""

    response: JsonObject
    background: JsonObject | None
    needs: Needs


async def answer_locally(
    tenant: Tenant,
    request: DeliveryRequest,
    body: JsonObject,
    session_id: str = "",
    location_hint: str = "",
    *,
    telemetry: bool = False,
) -> LocalAnswer:
    """Decide every item of `request`, the checked form of `body`; raises ArtifactMissing without an artifact.

    With `telemetry` there is a background call for every decision (on-device §13), else only after a display.
    """
    artifact = tenant.feed.artifact
    if artifact is None:
        raise ArtifactMissing("the decisioning engine is not ready: no artifact has been loaded")
    items = list_items(request, body)
    needs = find_needs(artifact, request, items)
    visitor = read_visitor(body.get("id"), session_id, location_hint=location_hint)
    if not visitor.is_known:
        visitor = adopt_device(visitor, mint_device_id(tenant.new_id(), location_hint), "")
    context = request.context
    if address := tenant.find_address(artifact, context):
        context = await tenant.locate(context, address)
    decision = tenant.decide(artifact, request, context, items, visitor)
    results: dict[Place, Results] = {place_of(item): found for item, found in zip(items, decision.results, strict=True)}
    response: JsonObject = {
        "status": 206 if needs else 200,
        "requestId": request.request_id or tenant.new_id(),
        "id": visitor.id,
        "client": tenant.code,
    }
    background = None
    if decision.notifications or telemetry:
        background = make_notification_body(body, visitor.id, context, decision.notifications)
    return LocalAnswer(response | join(request, items, results), background, needs)
