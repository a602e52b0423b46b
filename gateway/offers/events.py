"""Decision events, and what callers report of propositions (dec §8)."""

from typing import Any

import jsonschema_rs
from msgspec import Struct

from gateway.offers.catalog import Catalog, OfferActivity
from gateway.offers.dates import write_instant
from gateway.offers.decide import Decision, Proposition
from gateway.offers.decision_requests import describe_faults, refuse
from gateway.offers.displays import Display
from gateway.offers.instances import JsonObject

MOST_EVENTS = 100
PROPOSITIONS = "https://ns.adobe.com/experience/decisioning/propositions"
KINDS = tuple(f"decisioning.proposition{word}" for word in ("Display", "Interact", "Dismiss"))


class Recording(Struct, frozen=True):
    """What a decision event says besides the decision."""

    proposition_id: str
    container: str
    organization: str
    created_ms: int


def record_decision(decision: Decision, recording: Recording) -> JsonObject:
    """Give the event of a settled decision that was no dry run (dec:EV1)."""
    return {
        "xdm:propositionId": recording.proposition_id,
        "xdm:timestamp": write_instant(recording.created_ms),
        "xdm:identityMap": decision.plan.request.identity_map,
        "gw:canonicalId": decision.profile.canonical_id,
        "gw:container": recording.container,
        "gw:organization": recording.organization,
        "gw:counted": not decision.store_mode,
        "xdm:propositions": [_record(each) for each in decision.propositions],
    }


def _record(proposition: Proposition) -> JsonObject:
    activity = proposition.activity
    recorded: JsonObject = {"xdm:activity": activity.reference, "xdm:placement": activity.placement.reference}
    if proposition.options:
        recorded["xdm:options"] = [option.reference for option in proposition.options]
    else:
        recorded["xdm:fallback"] = activity.fallback.reference
    return recorded


def record_display(catalog: Catalog, display: Display, organization: str) -> JsonObject | None:
    """Give the event of a prefetched offer's display, which is when it counts (gw:O2); None where either is gone.

    Whose profile it was is said by the digest that stands for it in the counters.
    """
    offer, activity = catalog.offers.get(display.offer), catalog.activities.get(display.activity)
    if offer is None or not isinstance(activity, OfferActivity):
        return None
    return {
        "xdm:propositionId": display.id,
        "xdm:timestamp": write_instant(display.issued_ms),
        "gw:profileDigest": display.profile,
        "gw:container": display.container,
        "gw:organization": organization,
        "gw:counted": True,
        "xdm:propositions": [_record(Proposition(activity, (offer,)))],
    }


_ID = {"type": "string", "minLength": 1, "maxLength": 256}
EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["xdm:eventType", "@id", "xdm:timestamp", PROPOSITIONS],
    "properties": {
        "xdm:eventType": {"enum": list(KINDS)},
        "@id": _ID,
        "xdm:timestamp": {"type": "string", "format": "date-time"},
        PROPOSITIONS: {
            "type": "array",
            "minItems": 1,
            "maxItems": 30,
            "items": {
                "type": "object",
                "required": ["xdm:id"],
                "properties": {
                    "xdm:id": _ID,
                    "xdm:items": {
                        "type": "array",
                        "maxItems": 30,
                        "items": {"type": "object", "required": ["xdm:id"], "properties": {"xdm:id": _ID}},
                    },
                },
            },
        },
    },
}
_one = jsonschema_rs.Draft202012Validator(EVENT, validate_formats=True)
_many = jsonschema_rs.Draft202012Validator(
    {"type": "array", "minItems": 1, "maxItems": MOST_EVENTS, "items": EVENT}, validate_formats=True
)


def read_feedback(body: object) -> tuple[JsonObject, ...]:
    """Give the events of a decoded body, one or up to 100, without those that are marked as a dry run (dec:EV2, EV3).

    Raises Problem 400 that lists every fault. Ids nobody knows are accepted: events may arrive late.
    """
    validator = _many if isinstance(body, list) else _one
    faults = describe_faults(validator, body)
    if faults:
        raise refuse(faults)
    events: list[JsonObject] = body if isinstance(body, list) else [body]  # type: ignore[list-item] # the schema says so
    return tuple(event for event in events if not is_dry_run(event))


def is_dry_run(event: JsonObject) -> bool:
    """Whether an event suppresses itself: `data.__adobe.ajo.dryRun` is true."""
    found: Any = event.get("data")
    for step in ("__adobe", "ajo", "dryRun"):
        found = found.get(step) if isinstance(found, dict) else None
    return found is True
