"""The order of an activity's candidates: tiers of equal rank, best first, and inside a tier pure chance (dec §5.8, 9).

Tiers are made with the catalogue. What a decision pays for is drawing: one candidate after the other, only as many as
it needs, and every rule only when a candidate that has it is drawn.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Protocol

from msgspec import Struct

from gateway.offers.inventory import PersonalizedOffer, Rule


class Block(Struct, frozen=True):
    """Offers of one tier that share a rule (None: everyone is eligible)."""

    rule: Rule | None
    offers: tuple[PersonalizedOffer, ...]


class Tier(Struct, frozen=True):
    """Offers of equal rank."""

    blocks: tuple[Block, ...]
    size: int


Ranking = Callable[[Sequence[PersonalizedOffer], Mapping[str, Rule]], tuple[Tier, ...]]


def rank_by_priority(offers: Sequence[PersonalizedOffer], rules: Mapping[str, Rule]) -> tuple[Tier, ...]:
    """Give the tiers of `offers`, a higher `xdm:priority` first; `rules` has every rule they name."""
    ordered = sorted(offers, key=lambda offer: (-offer.priority, offer.rule_id or ""))
    return tuple(_tier(tuple(equals), rules) for _, equals in groupby(ordered, key=lambda offer: offer.priority))


def _tier(offers: tuple[PersonalizedOffer, ...], rules: Mapping[str, Rule]) -> Tier:
    blocks = tuple(
        Block(rules[rule_id] if rule_id else None, tuple(same))
        for rule_id, same in groupby(offers, key=lambda offer: offer.rule_id)
    )
    return Tier(blocks, len(offers))


RANKINGS: dict[str, Ranking] = {"priority": rank_by_priority}
"""How candidates can be ranked; offers without a further word are ranked by their priority."""


class Gate(Protocol):
    """Who may be drawn: `eligibility.Eligibility`."""

    def admits(self, rule: Rule | None) -> bool:
        """Answer for all offers of a rule at once."""

    def passes(self, offer: PersonalizedOffer, rule: Rule | None) -> bool:
        """Answer for one offer whose rule is admitted."""


class _Pool(Struct):
    """What is left of a block from which offers are drawn."""

    rule: Rule | None
    offers: list[PersonalizedOffer]


class RankedOrder:
    """The eligible candidates of one entry, best first; tied ones in an order drawn for this entry alone.

    A draw takes any candidate left in the tier with equal chance; those that are not eligible are thrown away. So the
    eligible ones come in uniformly random order, however many others there are.
    """

    __slots__ = ("_chance", "_gate", "_left", "_pools", "_tiers", "drawn")

    def __init__(self, tiers: Sequence[Tier], gate: Gate, chance: Callable[[], float]) -> None:
        """Draw from `tiers` what passes `gate`; `chance` gives floats in [0, 1)."""
        self.drawn: list[PersonalizedOffer] = []
        self._tiers = iter(tiers)
        self._gate = gate
        self._chance = chance
        self._pools: list[Block | _Pool] = []
        self._left = 0

    def __iter__(self) -> Iterator[PersonalizedOffer]:
        """Give the candidates from the best on; every walk sees the same order."""
        at = 0
        while at < len(self.drawn) or self._draw():
            yield self.drawn[at]
            at += 1

    def position(self, offer: PersonalizedOffer) -> int:
        """Give the place of a candidate that was drawn."""
        return self.drawn.index(offer)

    def _draw(self) -> bool:
        while self._left or self._open_tier():
            at = int(self._chance() * self._left) if self._left > 1 else 0
            offer = self._take(at)
            if offer is not None:
                self.drawn.append(offer)
                return True
        return False

    def _open_tier(self) -> bool:
        tier = next(self._tiers, None)
        if tier is None:
            return False
        self._pools = list(tier.blocks)
        self._left = tier.size
        return True

    def _take(self, at: int) -> PersonalizedOffer | None:
        """Take number `at` of what is left in the tier; None when it is not eligible."""
        nth = 0
        while at >= len(self._pools[nth].offers):
            at -= len(self._pools[nth].offers)
            nth += 1
        pool = self._pools[nth]
        if isinstance(pool, Block):  # the first that is drawn of it
            if not self._gate.admits(pool.rule):
                self._left -= len(pool.offers)
                del self._pools[nth]
                return None
            pool = self._pools[nth] = _Pool(pool.rule, list(pool.offers))
        offers = pool.offers
        offer = offers[at]
        last = offers.pop()
        if at < len(offers):
            offers[at] = last
        self._left -= 1
        return offer if self._gate.passes(offer, pool.rule) else None
