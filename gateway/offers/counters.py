"""What caps count: one counter for each offer and scope, and what a claim says of it (dec §7)."""

from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple, Protocol


class Capped(Protocol):
    """What has caps: `inventory.PersonalizedOffer`; None is no cap."""

    @property
    def global_cap(self) -> int | None:
        """How often it may be handed out at all."""

    @property
    def profile_cap(self) -> int | None:
        """How often one profile may get it."""


class Scope(NamedTuple):
    """What a cap counts over: its name, the reason it gives in a trace, and where an offer keeps it."""

    name: str
    reason: str
    cap: Callable[[Capped], int | None]


SCOPES = (
    Scope("global", "global-cap", attrgetter("global_cap")),
    Scope("profile", "profile-cap", attrgetter("profile_cap")),
)
"""Every offer has one counter a scope (dec:CA3), with or without a cap (dec:CA6); reported in this order (dec §9)."""


class Counter(NamedTuple):
    """One counter: an offer's @id and a scope's name; "profile" is that of the decision's canonical profile."""

    offer: str
    scope: str


class Claim(NamedTuple):
    """Count `amount` more if that keeps the counter at or below `cap`; without a cap there is always room."""

    counter: Counter
    amount: int
    cap: int | None
