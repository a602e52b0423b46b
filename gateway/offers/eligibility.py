"""Who may get an offer now: the calendar and the eligibility rule (dec §5, steps 5 and 6)."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from gateway import pql
from gateway.offers.inventory import PersonalizedOffer, Rule


class Drop(Struct, frozen=True):
    """The stage that removed an offer, why, and what an author needs to know about it (dec §9)."""

    stage: str
    reason: str
    detail: dict[str, Any] = {}


def write_instant(instant: datetime) -> str:
    """Give RFC 3339 in UTC with milliseconds."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def explain_dates(starts: datetime, ends: datetime, now: datetime) -> tuple[str, dict[str, Any]] | None:
    """Say why `now` is outside of two bounds that belong to the span; None when it is inside (ent:SC2)."""
    if now < starts:
        return "not-started", {"xdm:startDate": write_instant(starts)}
    if now > ends:
        return "ended", {"xdm:endDate": write_instant(ends)}
    return None


class Eligibility:
    """The verdicts of one call: every rule is evaluated once, one about the offer once per offer (dec §5.6)."""

    __slots__ = ("_facts", "_now", "_verdicts")

    def __init__(self, facts: pql.Facts) -> None:
        """Judge by `facts`; its `now` is the instant of the whole call."""
        self._facts = facts
        self._now = facts.now
        self._verdicts: dict[Rule | tuple[Rule, PersonalizedOffer], pql.Verdict] = {}

    def admits(self, rule: Rule | None) -> bool:
        """Whether offers with this rule can be eligible; a rule about the offer itself is left to `passes`."""
        return rule is None or rule.is_per_offer or self._verdict(rule).holds

    def passes(self, offer: PersonalizedOffer, rule: Rule | None) -> bool:
        """Whether an offer whose rule is admitted is eligible."""
        if not offer.starts <= self._now <= offer.ends:
            return False
        return rule is None or not rule.is_per_offer or self._verdict_about(rule, offer).holds

    def explain(self, offer: PersonalizedOffer, rule: Rule | None) -> Drop | None:
        """Say what makes the offer ineligible, the calendar first; None when it is eligible."""
        outside = explain_dates(offer.starts, offer.ends, self._now)
        if outside:
            return Drop("calendar", *outside)
        if rule is None:
            return None
        verdict = self._verdict_about(rule, offer) if rule.is_per_offer else self._verdict(rule)
        if verdict.holds:
            return None
        if verdict.fault is None:
            return Drop("eligibility", "rule-false", {"gw:rule": rule.at_id})
        return Drop("eligibility", "rule-error", {"gw:rule": rule.at_id, "gw:message": str(verdict.fault)})

    def faults(self) -> dict[str, pql.Fault]:
        """Give what went wrong in rules so far, by rule id, for a log (pql:V3)."""
        found: dict[str, pql.Fault] = {}
        for key, verdict in self._verdicts.items():
            if verdict.fault is not None:
                found[(key[0] if isinstance(key, tuple) else key).at_id] = verdict.fault
        return found

    def _verdict(self, rule: Rule) -> pql.Verdict:
        verdict = self._verdicts.get(rule)
        if verdict is None:
            verdict = self._verdicts[rule] = _test(rule, self._facts)
        return verdict

    def _verdict_about(self, rule: Rule, offer: PersonalizedOffer) -> pql.Verdict:
        verdict = self._verdicts.get((rule, offer))
        if verdict is None:
            verdict = self._verdicts[rule, offer] = _test(rule, self._facts.about(offer.instance))
        return verdict


def _test(rule: Rule, facts: pql.Facts) -> pql.Verdict:
    if rule.expression is None:
        return pql.Verdict(holds=False, fault=pql.Fault(rule.fault))
    return rule.expression.test(facts)
