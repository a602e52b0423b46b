"""Why each offer was or was not selected: the first stage that removed it (dec §9).

Only read after a decision is settled, so that it cannot change it (dec:TR3). Candidates are listed before the other
offers of the container: what is cut off is what the activity's filter, placement or status had excluded anyway.
"""

from collections.abc import Iterator

from gateway.offers.catalog import OfferActivity
from gateway.offers.counters import SCOPES
from gateway.offers.decide import Decision
from gateway.offers.eligibility import Drop, write_instant
from gateway.offers.instances import JsonObject
from gateway.offers.inventory import FILTERS, PersonalizedOffer, Rule

MOST_DROPPED = 1000
_REMOVED = {"calendar", "eligibility", "cap"}


def trace_decision(decision: Decision) -> JsonObject:
    """Give the trace of a settled decision; values of profile attributes are never in it."""
    profile, request = decision.profile, decision.plan.request
    events = profile.events if request.events is None else request.events
    return {
        "gw:now": write_instant(decision.now),
        "gw:profile": {
            "gw:canonicalId": profile.canonical_id,
            "gw:found": profile.is_found,
            "gw:events": len(events),
        },
        "gw:scopes": [trace_scope(decision, at) for at in range(len(decision.plan.activities))],
    }


def trace_scope(decision: Decision, at: int) -> JsonObject:
    """Give the trace of entry number `at`."""
    activity, inactive = decision.plan.activities[at], decision.inactive[at]
    scope: JsonObject = {
        "xdm:activityId": activity.at_id,
        "xdm:placementId": activity.placement.at_id,
        "gw:activityActive": inactive is None,
        "gw:selected": [option.at_id for option in decision.allotment.held[at]],
        "gw:dropped": [],
    }
    if inactive is not None:
        scope["gw:activity"] = {"gw:reason": inactive[0], "gw:detail": inactive[1]}
        return scope | {"gw:fallbackReason": "activity-inactive"}
    reasons: set[str] = set()
    for offer, drop in _drops(decision, at, activity):
        if len(scope["gw:dropped"]) == MOST_DROPPED:
            scope["gw:truncated"] = True
            break
        reasons.add(drop.stage)
        scope["gw:dropped"].append(_write(offer, drop))
    return scope | {"gw:fallbackReason": None if scope["gw:selected"] else _fallback_reason(reasons)}


def _fallback_reason(stages: set[str]) -> str:
    """Say why there is no option; any duplicate among the reasons tells (X8)."""
    if "duplicate" in stages:
        return "all-duplicate"
    return "none-eligible" if stages & _REMOVED else "no-candidate"


def _write(offer: PersonalizedOffer, drop: Drop) -> JsonObject:
    written: JsonObject = {"xdm:id": offer.at_id, "gw:stage": drop.stage, "gw:reason": drop.reason}
    return written | {"gw:detail": drop.detail} if drop.detail else written


def _drops(decision: Decision, at: int, activity: OfferActivity) -> Iterator[tuple[PersonalizedOffer, Drop]]:
    """Give every offer of the container that entry `at` did not get, and why."""
    candidates = dict(activity.candidates())
    yield from _candidate_drops(decision, at, candidates)
    for offer in decision.plan.catalog.offers.values():
        if offer not in candidates:
            yield offer, _exclusion(offer, activity)


def _candidate_drops(
    decision: Decision, at: int, candidates: dict[PersonalizedOffer, Rule | None]
) -> Iterator[tuple[PersonalizedOffer, Drop]]:
    """Give the candidates in rank order where they have one, then those that were not eligible."""
    held = set(decision.allotment.held[at])
    position = 0
    ranked: set[PersonalizedOffer] = set()
    for offer in decision.contenders[at].order:
        ranked.add(offer)
        drop = None if offer in held else _cap_drop(decision, at, offer) or _duplicate_drop(decision, at, offer)
        if drop is not None:
            yield offer, drop
            continue
        position += 1
        if offer not in held:
            detail = {"xdm:priority": offer.priority, "gw:position": position}
            yield offer, Drop("rank", "outranked", detail)
    for offer, rule in candidates.items():
        if offer not in ranked:
            drop = decision.eligibility.explain(offer, rule)
            if drop is not None:
                yield offer, drop


def _exclusion(offer: PersonalizedOffer, activity: OfferActivity) -> Drop:
    if not FILTERS[activity.filter.kind](activity.filter.ids, offer):
        return Drop("filter", "not-in-filter")
    if activity.placement.at_id not in offer.representations:
        return Drop("placement", "no-representation")
    return Drop("status", offer.status)


def _cap_drop(decision: Decision, at: int, offer: PersonalizedOffer) -> Drop | None:
    """Say which cap is used up: by what was counted before, or together with what this very call hands out (X1)."""
    if decision.store_mode == "closed" and offer.is_capped:
        return Drop("cap", "cap-unavailable")
    handed = decision.allotment.held_count(offer)
    if decision.allotment.conflicting_holder(at, offer) is not None:
        return None
    for scope in SCOPES:
        cap, left = scope.cap(offer), decision.room.left_of(offer, scope)
        if cap is not None and left <= handed:
            return Drop("cap", scope.reason, {"gw:count": cap - left + handed, "gw:cap": cap})
    return None


def _duplicate_drop(decision: Decision, at: int, offer: PersonalizedOffer) -> Drop | None:
    holder = decision.allotment.conflicting_holder(at, offer)
    return None if holder is None else Drop("duplicate", "taken-by-other-entry", {"gw:entry": holder})
