"""What a write must know of other instances: an activity and its fallback must share a placement (AC2, FB3)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import Violation
from gateway.offers.checks import PLACEMENTS
from gateway.offers.documents import find
from gateway.offers.instances import Instance, JsonObject


class Needs(Struct, frozen=True):
    """What to read before `settle`: instances by @id, and all instances that refer to `referrers_of` ("": none).

    Where `referrers_of` is set, read the container's sequence number first and hand it over with them.
    """

    at_ids: tuple[str, ...] = ()
    referrers_of: str = ""


class Neighbours(Struct, frozen=True, kw_only=True):
    """What was read: instances by @id (absent: there is none), referrers, and the sequence number read before them."""

    by_id: Mapping[str, Instance] = MappingProxyType({})
    referrers: tuple[Instance, ...] = ()
    sequence: int | None = None


NOBODY = Neighbours()


class Step(Struct, frozen=True):
    """From what an `_instance` was (None: it is new) to what it becomes."""

    before: JsonObject | None
    after: JsonObject


class Fit(Struct, frozen=True):
    """A check that needs other instances: what to read for a step, and what is wrong given what was read."""

    needs: Callable[[Step], Needs]
    check: Callable[[Step, Neighbours], list[Violation]]


def instance_of(neighbour: Instance) -> JsonObject:
    """Give the `_instance` of a stored instance."""
    found: JsonObject = msgspec.json.decode(neighbour.document)["_instance"]
    return found


def placements_of(offer: JsonObject) -> set[str]:
    """Give the placements an offer has representations for."""
    return {placement for _, placement in find(offer, PLACEMENTS) if isinstance(placement, str)}


def _fallback_of(activity: JsonObject) -> str:
    fallback: Any = activity.get("xdm:fallback")
    return fallback if isinstance(fallback, str) else ""


def need_fallback(step: Step) -> Needs:
    """Ask for the fallback offer of an activity."""
    fallback = _fallback_of(step.after)
    return Needs(at_ids=(fallback,) if fallback else ())


def check_fallback(step: Step, neighbours: Neighbours) -> list[Violation]:
    """Refuse an activity whose fallback offer has no representation for its placement (AC2)."""
    fallback = neighbours.by_id.get(_fallback_of(step.after))
    placement = step.after.get("xdm:placement")
    if fallback is None or not isinstance(placement, str) or placement in placements_of(instance_of(fallback)):
        return []
    detail = "the fallback offer has no representation for the activity's placement"
    return [Violation("fallback-placement-mismatch", "/_instance/xdm:fallback", detail)]


def _lost_placements(step: Step) -> set[str]:
    return placements_of(step.before) - placements_of(step.after) if step.before else set()


def need_activities(step: Step) -> Needs:
    """Ask for the activities that use a fallback offer, when it is to lose a placement."""
    return Needs(referrers_of=step.after.get("@id", "")) if _lost_placements(step) else Needs()


def check_activities(step: Step, neighbours: Neighbours) -> list[Violation]:
    """Refuse to take a representation away that an activity, of any status, needs (FB3, X2)."""
    lost, at_id = _lost_placements(step), step.after.get("@id")
    activities = [instance_of(referrer) for referrer in neighbours.referrers]
    if not any(each.get("xdm:fallback") == at_id and each.get("xdm:placement") in lost for each in activities):
        return []
    detail = "an activity uses this fallback offer for a placement it would lose; change the activity first"
    return [Violation("fallback-in-use", "/_instance/xdm:representations", detail)]


ACTIVITY_FIT = Fit(need_fallback, check_fallback)
FALLBACK_FIT = Fit(need_activities, check_activities)
