"""Caps on a real Redis as tests want them: roomy limits, a known secret, short ways to say a claim."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from gateway.config import Caps as CapSettings
from gateway.offers.capping import Selection
from gateway.offers.counters import Claim, Counter
from gateway.offers.instances import Space
from gateway.store.cap_keys import CapKeys
from gateway.store.caps import Caps, Claimant
from gateway.store.cluster import Access, open_nodes
from gateway.store.epoch import Epoch, Record

SPACE = Space("org", "prod")
ROOMY = {"timeout_ms": 10_000, "patience_ms": 30_000}


@asynccontextmanager
async def open_caps(url: str, record: str = "", cluster: str = "detect", **settings: Any) -> AsyncIterator[Caps]:
    """Give caps over one connection or cluster; limits are those no test on a busy machine runs into."""
    chosen = CapSettings(**(ROOMY | settings))
    nodes = await open_nodes(Access(url, chosen.timeout_ms, 5_000, 20_000), cluster)
    epoch = Epoch(nodes, Record(record), chosen.shards)
    caps = Caps(nodes, CapKeys(b"a secret of the tests", chosen.shards), epoch, chosen)
    try:
        yield caps
    finally:
        await caps.close()


def claim_one(offer: str, cap: int | None, amount: int = 1, profile_cap: int | None = None) -> Selection:
    """Claim one offer: its global counter and the profile's."""
    return Selection(claims=claims_of([(offer, amount, cap, profile_cap)]))


def claims_of(offers: Iterable[tuple[str, int, int | None, int | None]]) -> tuple[Claim, ...]:
    """Give both claims of each offer: (offer, amount, global cap, profile cap)."""
    return tuple(
        Claim(Counter(offer, scope), amount, cap)
        for offer, amount, everyone, each in offers
        for scope, cap in (("global", everyone), ("profile", each))
    )


def somebody(profile: str = "p", container: str = "shop") -> Claimant:
    """Give who claims."""
    return Claimant(SPACE, container, profile)
