"""Caps: what a selection has to claim, and what a refusal means for the next one (dec §7, gw:C1).

A claim is one atomic step of the store: every counter has room for its amount and all are counted, or none is and the
store tells what is left. Nothing is reserved and given back, so nothing can leak (dec:CA8).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from gateway.offers.counters import SCOPES, Claim, Counter, Scope
from gateway.offers.inventory import ENDLESS, PersonalizedOffer


class Selection(Struct, frozen=True):
    """What has to be counted before it may be handed out, all or nothing.

    `probes` are counters to look at in the same step, never to count: a verdict says what is left of them, so that the
    next selection does not meet their caps one by one. With `is_dry` nothing may be counted (dec:CA12): the store reads
    the counters and the verdict is `judge(selection, counts)`.
    """

    claims: tuple[Claim, ...] = ()
    probes: tuple[Claim, ...] = ()
    is_dry: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to ask the store for."""
        return not self.claims and not self.probes


class Granted(Struct, frozen=True):
    """All claims were counted; `room` is what was left of each probed counter before: its cap less its count."""

    room: Mapping[Counter, int] = {}


class Refused(Struct, frozen=True):
    """Nothing was counted; `room` has what is left of every claimed counter that lacked room, and of each probe.

    What is left is the cap less the count, below zero where a cap was lowered under its count.
    """

    room: Mapping[Counter, int]


class Unavailable(Struct, frozen=True):
    """The store cannot say; `mode` is `caps.when-store-fails`: whether offers with a cap are out or in (dec:CA10)."""

    mode: Literal["closed", "open"]


Verdict = Granted | Refused | Unavailable


def judge(selection: Selection, counts: Mapping[Counter, int]) -> Granted | Refused:
    """Give the verdict on a selection for these counts (missing: 0): the meaning of a claim, without its counting."""
    lacking = {
        claim.counter: claim.cap - counts.get(claim.counter, 0)
        for claim in selection.claims
        if claim.cap is not None and counts.get(claim.counter, 0) + claim.amount > claim.cap
    }
    probed = {
        probe.counter: probe.cap - counts.get(probe.counter, 0) for probe in selection.probes if probe.cap is not None
    }
    return Refused({**probed, **lacking}) if lacking else Granted(probed)


class Room:
    """What is known to be left of each offer in this call; it only shrinks, so that selecting comes to an end."""

    __slots__ = ("_known", "_left", "_told", "is_closed")

    def __init__(self, known: Mapping[Counter, int]) -> None:
        """Begin with counts known beforehand, at least so many: advice, only a claim binds (dec:CA11)."""
        self.is_closed = False
        self._known = known
        self._told: dict[Counter, int] = {}
        self._left: dict[str, int] = {}

    def narrow(self, told: Mapping[Counter, int]) -> None:
        """Learn from the store what is left of some counters."""
        for counter, left in told.items():
            self._told[counter] = min(left, self._told.get(counter, ENDLESS))
            self._left[counter.offer] = min(left, self._left.get(counter.offer, ENDLESS))

    def of(self, offer: PersonalizedOffer) -> int:
        """Give how many propositions of an offer can be left at most, ENDLESS without a cap."""
        if not offer.is_capped:
            return ENDLESS
        if self.is_closed:
            return 0
        left = self._left.get(offer.at_id, ENDLESS) if self._left else ENDLESS
        if not self._known:
            return min(left, offer.least_cap)
        return min(left, *(self._advised(offer, scope) for scope in SCOPES))

    def left_of(self, offer: PersonalizedOffer, scope: Scope) -> int:
        """Give what can be left at most of one counter of an offer, ENDLESS without a cap."""
        return min(self._told.get(Counter(offer.at_id, scope.name), ENDLESS), self._advised(offer, scope))

    def is_known(self, offer: PersonalizedOffer) -> bool:
        """Whether the store has told about the offer, or need not be asked."""
        return not offer.is_capped or offer.at_id in self._left or self.of(offer) < 1

    def _advised(self, offer: PersonalizedOffer, scope: Scope) -> int:
        cap = scope.cap(offer)
        return ENDLESS if cap is None else cap - self._known.get(Counter(offer.at_id, scope.name), 0)


def claim_options(handed: Sequence[PersonalizedOffer]) -> tuple[Claim, ...]:
    """Give the claims for offers about to be handed out; one that is named twice counts twice (dec:CA1)."""
    if len(handed) == 1:
        return handed[0].claims
    amounts: dict[PersonalizedOffer, int] = {}
    for offer in handed:
        amounts[offer] = amounts.get(offer, 0) + 1
    return tuple([claim._replace(amount=amount) for offer, amount in amounts.items() for claim in offer.claims])


def probe_caps(offers: Iterable[PersonalizedOffer]) -> tuple[Claim, ...]:
    """Give probes of the counters that have a cap."""
    capped = ((offer, scope, scope.cap(offer)) for offer in offers for scope in SCOPES)
    return tuple(Claim(Counter(offer.at_id, scope.name), 0, cap) for offer, scope, cap in capped if cap is not None)


def shrinks(selection: Selection, refused: Refused) -> bool:
    """Whether a refusal says what lacked room; one that does not would be refused again and again."""
    return any(refused.room.get(claim.counter, ENDLESS) < claim.amount for claim in selection.claims)
