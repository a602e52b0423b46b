"""A settled decision as the newer response (dec §4)."""

import msgspec

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


_LONGEST_KEPT = 0x4000
_encode = msgspec.json.Encoder().encode


def respond(decision: Decision, proposition_id: str, created_ms: int) -> bytes:
    """Give the response as JSON. `created_ms` is the server's clock, in milliseconds, also with `gw:at` (X9)."""
    request = decision.plan.request
    answer: JsonObject = {"xdm:propositionId": proposition_id}
    if request.decision_request_id is not None:
        answer["xdm:decisionRequestId"] = request.decision_request_id
    answer["xdm:propositions"] = [_write_proposition(each, request.format) for each in decision.propositions]
    answer["ode:createDate"] = created_ms
    if request.wants_trace:
        answer["gw:trace"] = trace_decision(decision)
    return _encode(answer)


def _write_proposition(proposition: Proposition, wanted: ResponseFormat) -> JsonObject:
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


def _write_offer(offer: PersonalizedOffer | FallbackOffer, placement: Entity, wanted: ResponseFormat) -> object:
    if not wanted.content:
        return _write(offer, OPTION, wanted.option)
    if wanted.option:
        found = _find(offer, OPTION, wanted.option)
        return {**offer.reference, **found, **show_content(offer, placement.at_id)}
    return offer.shown.get(placement.at_id) or _write_shown(offer, placement.at_id)


def _write_shown(offer: FallbackOffer, placement_id: str) -> msgspec.Raw:
    """Give an option with its content and nothing else, as most callers want it: kept unless it is long."""
    written = msgspec.Raw(_encode({**offer.reference, **show_content(offer, placement_id)}))
    if len(written) <= _LONGEST_KEPT:
        offer.shown[placement_id] = written
    return written


def _write(entity: Entity, members: dict[str, tuple[str, str]], wanted: frozenset[str]) -> object:
    return {**entity.reference, **_find(entity, members, wanted)} if wanted else entity.written


def _find(entity: Entity, members: dict[str, tuple[str, str]], wanted: frozenset[str]) -> JsonObject:
    """Give the wanted members that have a value."""
    found = (
        (member, getattr(entity, attribute, None)) for name, (member, attribute) in members.items() if name in wanted
    )
    return {member: value for member, value in found if value is not None}
