"""The walk of one offer decision: snapshot, profile, selection, claim, answer (dec §5-§7, gw:C1).

    1 plan    2 who is this (await)    3 select    4 claim, select again where room is lacking (await)    5 record

Everything between the waits is the pure room's. Whatever the store does, the walk is over by its deadline.
"""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from msgspec import Struct

from gateway.decisioning.advice import Advice
from gateway.decisioning.pace import Aside, overloaded
from gateway.errors import Problem, StoreError
from gateway.ids import new_uuid
from gateway.offers.capping import Granted, Refused, Selection, Unavailable, Verdict
from gateway.offers.catalog import PROFILE, PROFILE_CAP, XEVENT
from gateway.offers.decide import Decision, Plan, Surroundings
from gateway.offers.effort import estimate_effort
from gateway.offers.events import Recording, record_decision
from gateway.offers.instances import JsonObject, Space
from gateway.offers.model import ProfileView, stranger
from gateway.offers.providers import ProfileProvider
from gateway.offers.response import respond
from gateway.store.caps import Caps, Claimant
from gateway.store.decision_events import DecisionEvents
from gateway.telemetry import Metrics, get_log

LONG_US = 4_000
"""Decisions that may take longer are made beside the event loop."""
_MARGIN_S = 0.025
_MOST_ROUNDS = 200
_MOST_FAULTS = 1000
_RETRY = {"Retry-After": "1"}
_DRAW = random.random
_GRANTED = Granted()

Result = TypeVar("Result")


class Asking(Struct, frozen=True, kw_only=True):
    """Where a decision is made, and by when: `deadline` is of the event loop's clock."""

    space: Space
    container: str
    deadline: float


class Settled(Struct, frozen=True, kw_only=True):
    """A decision whose options may be handed out; `created_ms` are milliseconds since 1970, `is_long` its making."""

    decision: Decision
    proposition_id: str
    created_ms: int
    is_long: bool

    @property
    def degraded(self) -> str:
        """What was done without the counters, as a reason for `x-gateway-degraded` (X3); "" where they answered."""
        return f"caps-{self.decision.store_mode}" if self.decision.store_mode else ""

    def respond(self) -> bytes:
        """Give the response as JSON; where `is_long` says so that takes milliseconds."""
        return respond(self.decision, self.proposition_id, self.created_ms)


class Decider:
    """Makes decisions; one for each worker."""

    def __init__(
        self, profiles: ProfileProvider, caps: Caps, events: DecisionEvents, metrics: Metrics, ample_s: float
    ) -> None:
        """Take the stores a decision needs; `ample_s` is longer than a look-up of a profile may take by itself."""
        self._profiles = profiles
        self._ample_s = ample_s
        self._caps = caps
        self._events = events
        self._metrics = metrics
        self._clock = asyncio.get_running_loop().time
        self._advice = Advice(time.monotonic)
        self._aside = Aside()
        self._told: set[tuple[str, int]] = set()

    def close(self) -> None:
        """Take on nothing more."""
        self._aside.close()

    async def decide(self, plan: Plan, asking: Asking) -> Settled:
        """Decide, count and record. Raises Problem 503 without profile data (dec:PR4) or without time."""
        profile = await self._find_profile(plan, asking)
        effort_us = estimate_effort(plan, profile)
        is_long = effort_us > LONG_US
        deadline = asking.deadline - _MARGIN_S - (effort_us / 1_000_000 if is_long else 0)
        now_s = time.time()
        known = self._advice.of(asking.space, asking.container)
        surroundings = Surroundings(datetime.fromtimestamp(now_s, UTC), _DRAW, known)
        if is_long:
            begin = partial(_begin, plan, profile, surroundings)
            decision, selection = await self._aside.run(begin, deadline)
        else:
            decision, selection = _begin(plan, profile, surroundings)
        proposition_id = new_uuid()
        claimant = Claimant(asking.space, asking.container, profile.canonical_id)
        for attempt in range(_MOST_ROUNDS):
            if selection.is_dry or selection.is_empty:
                verdict = await self._look(claimant, selection, deadline)
            else:
                verdict = await self._caps.claim(claimant, selection, f"{proposition_id}:{attempt}", deadline)
            if not isinstance(verdict, Unavailable) and verdict.room:
                self._advice.learn(asking.space, asking.container, selection, verdict.room)
            if is_long and isinstance(verdict, Refused):
                following = await self._aside.run(partial(decision.settle, verdict), deadline)
            else:
                following = decision.settle(verdict)
            if following is None:
                break
            selection = following
        else:
            raise overloaded()
        settled = Settled(
            decision=decision, proposition_id=proposition_id, created_ms=int(now_s * 1000), is_long=is_long
        )
        self._record(settled, asking)
        return settled

    async def respond_aside(self, settled: Settled, deadline: float) -> bytes:
        """Give the response of a long decision, written beside the event loop.

        Never fails for want of time: what was counted has to be handed out, for no status but 200 counts (dec §12).
        """
        return await self._aside.finish(settled.respond, deadline - _MARGIN_S)

    async def run_aside(self, work: Callable[[], Result], deadline: float) -> Result:
        """Do something long beside the event loop. Raises Problem 503 at `deadline`."""
        return await self._aside.run(work, deadline)

    async def _find_profile(self, plan: Plan, asking: Asking) -> ProfileView:
        request = plan.request
        if not _needs_profile(plan):
            return stranger(request)
        finding = self._profiles.find(
            asking.space,
            request.lookups,
            wants_events=request.wants_trace or _reads(plan, XEVENT),
            merge_policy=request.merge_policy,
        )
        try:
            if asking.deadline - self._clock() > self._ample_s:
                return await finding  # the store gives up long before; a timer of its own is saved
            async with asyncio.timeout_at(asking.deadline - _MARGIN_S):
                return await finding
        except (StoreError, TimeoutError) as error:
            message = "The profile cannot be read just now; try again"
            raise Problem(503, "profile-unavailable", message, headers=_RETRY) from error

    async def _look(self, claimant: Claimant, selection: Selection, deadline: float) -> Verdict:
        """Give the verdict on a selection that counts nothing; what has no cap need not be read."""
        claims = tuple([claim for claim in selection.claims if claim.cap is not None])
        if not claims and not selection.probes:
            return _GRANTED
        return await self._caps.claim(claimant, Selection(claims, selection.probes, is_dry=True), "", deadline)

    def _record(self, settled: Settled, asking: Asking) -> None:
        decision = settled.decision
        if not decision.plan.request.is_dry:  # which leaves no trace (dec:CA12)
            self._events.put(asking.space, _make_event(settled, asking))
        for rule_id, fault in decision.eligibility.faults().items():
            self._metrics.count_event("decisions.rule_failed")
            self._tell_fault(asking.container, rule_id, str(fault))

    def _tell_fault(self, container: str, rule_id: str, detail: str) -> None:
        """Log what is wrong with a rule once, not with every decision."""
        key = (rule_id, hash(detail))
        if key not in self._told and len(self._told) < _MOST_FAULTS:
            self._told.add(key)
            get_log().warning("decisions.rule_failed", container=container, rule=rule_id, detail=detail)


def _begin(plan: Plan, profile: ProfileView, surroundings: Surroundings) -> tuple[Decision, Selection]:
    decision = Decision(plan, profile, surroundings)
    return decision, decision.select()


def _make_event(settled: Settled, asking: Asking) -> JsonObject:
    organization = asking.space.organization
    recording = Recording(settled.proposition_id, asking.container, organization, settled.created_ms)
    return record_decision(settled.decision, recording)


def _needs_profile(plan: Plan) -> bool:
    """Whether anything depends on who asks: always when it is counted or traced, else as rules and caps say."""
    request = plan.request
    if not request.is_dry or request.wants_trace:
        return True
    needed = {PROFILE_CAP}
    if request.profile is None:
        needed.add(PROFILE)
    if request.events is None:
        needed.add(XEVENT)
    return not all(needed.isdisjoint(activity.reads) for activity in plan.activities)


def _reads(plan: Plan, part: str) -> bool:
    return any(part in activity.reads for activity in plan.activities)
