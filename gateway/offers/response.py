"""A settled decision as the newer response (dec §4)."""

from gateway.offers.content import show_content
from gateway.offers.decide import Decision, Proposition
from gateway.offers.instances import JsonObject
from gateway.offers.inventory import Entity, FallbackOffer, PersonalizedOffer
from gateway.offers.model import ResponseFormat
from gateway.offers.trace import trace_decision

ACTIVITY = {"name": ("xdm:name", "name")}
OPTION = {
    "name": ("xdm:name", "name"),
    "characteristics": ("xdm:characteristics", "characteristics"),
    "priority": ("xdm:priority", "priority"),
}
PLACEMENT = {
    "name": ("xdm:name", "name"),
    "channel": ("xdm:channel", "channel"),
    "componentType": ("xdm:componentType", "component_type"),
}
"""What can be asked for in `xdm:includeMetadata`: the member it becomes and where it comes from."""


def respond(decision: Decision, proposition_id: str, created_ms: int) -> JsonObject:
    """Give the response. `created_ms` is the server's clock, in milliseconds, also with `gw:at` (X9)."""
    request = decision.plan.request
    answer: JsonObject = {"xdm:propositionId": proposition_id}
    if request.decision_request_id is not None:
        answer["xdm:decisionRequestId"] = request.decision_request_id
    answer["xdm:propositions"] = [write_proposition(each, request.format) for each in decision.propositions]
    answer["ode:createDate"] = created_ms
    if request.wants_trace:
        answer["gw:trace"] = trace_decision(decision)
    return answer


def write_proposition(proposition: Proposition, wanted: ResponseFormat) -> JsonObject:
    """Give one proposition with what `wanted` asks for."""
    activity = proposition.activity
    written: JsonObject = {
        "xdm:activity": _write(activity, ACTIVITY, wanted.activity),
        "xdm:placement": _write(activity.placement, PLACEMENT, wanted.placement),
    }
    if proposition.options:
        written["xdm:options"] = [_write_offer(each, activity.placement, wanted) for each in proposition.options]
    else:
        written["xdm:fallback"] = _write_offer(activity.fallback, activity.placement, wanted)
    return written


def _write_offer(offer: PersonalizedOffer | FallbackOffer, placement: Entity, wanted: ResponseFormat) -> JsonObject:
    written = _write(offer, OPTION, wanted.option)
    return {**written, **show_content(offer, placement.at_id)} if wanted.content else written


def _write(entity: Entity, members: dict[str, tuple[str, str]], wanted: frozenset[str]) -> JsonObject:
    if not wanted:
        return entity.reference
    written = dict(entity.reference)
    for name, (member, attribute) in members.items():
        value = getattr(entity, attribute, None) if name in wanted else None
        if value is not None:
            written[member] = value
    return written
