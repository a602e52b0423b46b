"""Caps in Redis: one atomic claim for all counters of a response, counted once for each claim id (dec §7, gw:C1-C8)."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from gateway.offers.capping import Counter, Selection, Verdict
from gateway.offers.instances import Space


class Claimant(Struct, frozen=True):
    """Who a claim counts for: the canonical profile id in a container of a space; no key holds it raw (gw:S6)."""

    space: Space
    container: str
    profile_id: str


class Caps:
    """The counters of all containers of one Redis, or one Redis Cluster."""

    async def claim(self, claimant: Claimant, selection: Selection, claim_id: str, deadline: float) -> Verdict:
        """Count all claims of a selection, or none; the verdict means `judge` (dec:CA8). Never raises, save Cancelled.

        A claim id that comes again within 10 minutes gets its first verdict and counts nothing (gw:C2): each selection
        of a decision needs an id of its own. With `selection.is_dry` the counters are only read and the id is not used.
        `deadline` is of the loop's clock; what the store has not confirmed by then is Unavailable, perhaps counted.
        """
        raise NotImplementedError

    async def read(self, claimant: Claimant, counters: Iterable[Counter]) -> Mapping[Counter, int]:
        """Give the counts of some counters; raises StoreError."""
        raise NotImplementedError

    async def forget_offer(self, space: Space, container: str, offer: str) -> int:
        """Delete the counters of a deleted offer (dec §7.3); gives how many there were; raises StoreError."""
        raise NotImplementedError

    async def forget_profile(self, space: Space, profile_id: str) -> int:
        """Delete the counters of an erased profile in every container of its space (profiles U4); raises StoreError."""
        raise NotImplementedError
