"""Offer decisions: activities, candidates, eligibility, rank, duplicates, caps, fallback (dec §5).

    plan = resolve(catalog, request)                    the entries, or 422 for all that cannot be asked for
    decision = Decision(plan, profile, surroundings)
    selection = decision.select()                       what has to be counted first
    while selection is not None:
        selection = decision.settle(verdict)            the store's verdict; a refusal gives the next selection
    decision.propositions                               what may be handed out

Nothing here waits: whoever drives the decision asks the store, with `selection.is_dry` without counting.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from gateway import pql
from gateway.errors import Problem, Violation
from gateway.offers.arbitration import Allotment, Contender
from gateway.offers.capping import (
    Granted,
    Refused,
    Room,
    Selection,
    Unavailable,
    Verdict,
    claim_options,
    probe_caps,
    shrinks,
)
from gateway.offers.catalog import Catalog, OfferActivity
from gateway.offers.counters import Claim, Counter
from gateway.offers.eligibility import Eligibility, explain_dates
from gateway.offers.instances import JsonObject
from gateway.offers.inventory import FallbackOffer, PersonalizedOffer
from gateway.offers.model import DecisionRequest, ProfileView
from gateway.offers.ranking import RankedOrder

_FIRST_PROBES = 8
_MOST_PROBES = 512

ContextCheck = Callable[[str, JsonObject], Sequence[Violation] | None]
"""What is wrong with context data of a schema, pointers from the data; None for a schema that is not registered."""


def know_no_schema(_schema: str, _data: JsonObject) -> None:
    """Check context data where no schema is registered."""


class Plan(Struct, frozen=True):
    """A request whose every entry names an activity that can be asked for, on one snapshot of the catalogue."""

    catalog: Catalog
    request: DecisionRequest
    activities: tuple[OfferActivity, ...]


class Surroundings(Struct, frozen=True):
    """What a decision needs from outside: the server's clock, floats in [0, 1), and what is known of counters.

    `known` are counts other decisions have met, at least so many: advice that saves refusals by caps that are used up
    (dec:CA11); counts only grow, but a reset or a deletion has to clear them.
    """

    clock: datetime
    chance: Callable[[], float]
    known: Mapping[Counter, int] = {}


class Proposition(Struct, frozen=True):
    """The answer to one entry: options best first, or none and then the activity's fallback (dec:R1)."""

    activity: OfferActivity
    options: tuple[PersonalizedOffer, ...]

    @property
    def fallback(self) -> FallbackOffer | None:
        """The fallback offer where there is no option; it is never counted (dec:CA5)."""
        return None if self.options else self.activity.fallback


def resolve(catalog: Catalog, request: DecisionRequest, check_context: ContextCheck = know_no_schema) -> Plan:
    """Find the activities of every entry. Raises Problem 422 with all entries that cannot be served (dec §5.1, X6).

    `check_context` is asked where the request wants its context data validated.
    """
    faults: list[Violation] = []
    found: list[OfferActivity] = []
    seen: set[str] = set()
    for ask in request.asks:
        activity = catalog.activities.get(ask.activity_id)
        fault = _fault_of(ask.activity_id, activity, ask.placement_id, seen)
        if fault is not None:
            faults.append(Violation(fault[0], _place(ask.pointer, fault[0]), fault[1]))
        elif isinstance(activity, OfferActivity):
            found.append(activity)
            seen.add(ask.activity_id)
    if request.validates_context:
        faults += _check_context(request, check_context)
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise Problem(422, faults[0].code, f"{faults[0].pointer} {faults[0].detail}{more}", violations=faults)
    return Plan(catalog, request, tuple(found))


def _fault_of(at_id: str, activity: object, placement_id: str | None, seen: set[str]) -> tuple[str, str] | None:
    if not isinstance(activity, OfferActivity):
        if activity is None:
            return "activity-not-found", "names no offer activity of this container"
        return "activity-not-live", "names an activity that cannot be used; see the container's diagnostics"
    if not activity.is_live:
        status = "being deleted" if activity.is_deleting else activity.status
        return "activity-not-live", f"names an activity that is {status}"
    if placement_id is not None and placement_id != activity.placement.at_id:
        return "placement-mismatch", f"is not the placement of the activity, {activity.placement.at_id}"
    if at_id in seen:
        return "duplicate-request", "asks for the same activity and placement again; raise xdm:itemCount instead"
    return None


def _place(pointer: str, code: str) -> str:
    return pointer.replace("/xdm:activityId", "/xdm:placementId") if code == "placement-mismatch" else pointer


def _check_context(request: DecisionRequest, check: ContextCheck) -> list[Violation]:
    faults = []
    for pointer, item in zip(request.context_pointers, request.context, strict=True):
        wrong = check(item["@type"], item["xdm:data"])
        if wrong is None:
            faults.append(Violation("context-invalid", f"{pointer}/@type", "names a schema that is not registered"))
        where = f"{pointer}/xdm:data"
        faults += [Violation("context-invalid", where + each.pointer, each.detail) for each in wrong or ()]
    return faults


class Decision:
    """One call's decision, from the first selection to what may be handed out.

    `eligibility`, `room`, `contenders` and `allotment` are there for the trace. `store_mode` is what was done without
    the store ("closed" or "open"; "" when it answered). `inactive` has, for each entry, why its activity is not
    running (reason and detail), or None.
    """

    def __init__(self, plan: Plan, profile: ProfileView, surroundings: Surroundings) -> None:
        """Prepare: the calendar of the activities, and who is asking."""
        request = plan.request
        self.plan = plan
        self.profile = profile
        self.now = request.at or surroundings.clock
        self.eligibility = Eligibility(_facts(request, profile, self.now))
        self.room = Room(surroundings.known)
        self.inactive = [explain_dates(each.starts, each.ends, self.now) for each in plan.activities]
        self.store_mode = ""
        self.contenders = self._contend(surroundings.chance)
        self.allotment: Allotment
        self._propositions: tuple[Proposition, ...] = ()
        self._selection = Selection()
        self._probes = 0

    @property
    def propositions(self) -> tuple[Proposition, ...]:
        """One proposition for each entry, in request order; only to be handed out once the decision is settled."""
        if not self._propositions:
            pairs = zip(self.plan.activities, self.allotment.held, strict=True)
            self._propositions = tuple([Proposition(activity, tuple(options)) for activity, options in pairs])
        return self._propositions

    def select(self) -> Selection:
        """Give the first selection: what the store has to count, all of it or nothing."""
        self._arbitrate()
        probes = probe_caps(self.eligible_capped()) if self.plan.request.wants_trace else ()
        return self._ask(probes)

    def settle(self, verdict: Verdict) -> Selection | None:
        """Take the verdict on the last selection; give the next selection, or None when the decision is settled."""
        if isinstance(verdict, Granted):
            self.room.narrow(verdict.room)
            return None
        if isinstance(verdict, Unavailable):
            self.store_mode = verdict.mode
            self.room.is_closed = verdict.mode == "closed"
            if self.room.is_closed:
                self._arbitrate()
            return None
        return self._select_again(verdict)

    def eligible_capped(self) -> list[PersonalizedOffer]:
        """Give every eligible candidate of the running activities that has a cap, each once."""
        found: dict[PersonalizedOffer, None] = {}
        for activity, reason in zip(self.plan.activities, self.inactive, strict=True):
            for offer, rule in activity.candidates() if reason is None else ():
                if offer.is_capped and self.eligibility.admits(rule) and self.eligibility.passes(offer, rule):
                    found[offer] = None
        return list(found)

    def _contend(self, chance: Callable[[], float]) -> list[Contender]:
        entries = zip(self.plan.request.asks, self.plan.activities, self.inactive, strict=True)
        return [
            Contender(
                activity.at_id,
                activity.placement.at_id,
                ask.count,
                RankedOrder(activity.tiers if reason is None else (), self.eligibility, chance),
            )
            for ask, activity, reason in entries
        ]

    def _arbitrate(self) -> None:
        self.allotment = Allotment(self.contenders, self.plan.request.duplicates, self.room)
        self._propositions = ()

    def _ask(self, probes: tuple[Claim, ...]) -> Selection:
        handed = [option for options in self.allotment.held for option in options]
        self._selection = Selection(claim_options(handed), probes, self.plan.request.is_dry)
        return self._selection

    def _select_again(self, refused: Refused) -> Selection:
        """Select with the room a refusal told of; raises ValueError for a refusal that names nothing it lacked."""
        if not shrinks(self._selection, refused):
            raise ValueError("a refusal has to tell which counter lacked room")
        self.room.narrow(refused.room)
        self._arbitrate()
        self._probes = min(max(_FIRST_PROBES, 8 * self._probes), _MOST_PROBES)
        return self._ask(probe_caps(self._likely_next()))

    def _likely_next(self) -> list[PersonalizedOffer]:
        """Give the capped candidates that would be next if what is selected now lacked room too."""
        found: dict[PersonalizedOffer, None] = {}
        for contender in self.contenders:
            sure = 0
            for offer in contender.order:
                if sure >= contender.count or len(found) >= self._probes:
                    break
                if not self.room.is_known(offer):
                    found[offer] = None
                elif self.room.of(offer) > 0:
                    sure += 1
        return list(found)


def _facts(request: DecisionRequest, profile: ProfileView, now: datetime) -> pql.Facts:
    attributes = profile.attributes if request.profile is None else request.profile
    events = profile.events if request.events is None else request.events
    return pql.Facts(now=now, profile=attributes, events=list(events), context=list(request.context))
