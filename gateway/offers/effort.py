"""How long a decision can take, estimated before it is made."""

from gateway.offers.decide import Plan
from gateway.offers.model import ProfileView
from gateway.offers.trace import MOST_DROPPED

CANDIDATE_US = 0.6
RULE_US = 2.0
EVENT_US = 0.3
TRACED_US = 2.0


def estimate_effort(plan: Plan, profile: ProfileView) -> int:
    """Give roughly how many microseconds a decision takes that has to look at everything, as where nobody is eligible.

    Whoever drives decisions on an event loop can make the few that are long in a thread of their own.
    """
    events = profile.events if plan.request.events is None else plan.request.events
    rule_us = RULE_US + EVENT_US * len(events)
    total = 0.0
    for activity in plan.activities:
        total += rule_us * len(activity.rules) + CANDIDATE_US * activity.size
        if activity.asks_offers:
            total += rule_us * activity.size
        if plan.request.wants_trace:
            total += TRACED_US * (activity.size + min(len(plan.catalog.offers), MOST_DROPPED))
    return round(total)
