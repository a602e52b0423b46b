"""Profiles: attributes, events and identities of one person, found by any of the identities (gw:P1, spec profiles-api).

A profile lives at its home, the keys of the identity it was made with, all in one slot. Every further identity has an
alias in a slot of its own that names the home. An alias counts only where the home agrees: it names the home's birth
and the home lists it. So neither a crash between two slots nor an erasure leaves anything behind that could be taken
for another person's data.
"""

from collections.abc import Awaitable, Callable, Sequence

from gateway.config import Profiles as Settings
from gateway.offers.instances import Space
from gateway.offers.model import Identity, ProfileView
from gateway.offers.profiles import NewEvent, Stale, StoredProfile, Taken, Unknown, Written
from gateway.store.connection import Store
from gateway.store.keys import Keys

_DEFAULTS = Settings()
Forget = Callable[[Space, Sequence[str]], Awaitable[None]]
"""Removes the cap counters of canonical ids, however often it is called (prof:U4)."""


class Profiles:
    """The profiles of one Redis; every method raises StoreError.

    A write whose reply was lost is repeated under the same write id: nothing happens twice.
    """

    def __init__(self, store: Store, keys: Keys, settings: Settings = _DEFAULTS) -> None:
        """Read and write through `store`, which should be a connection of its own: documents may be large."""

    async def find(
        self, space: Space, lookups: Sequence[Identity], *, wants_events: bool = True, merge_policy: str | None = None
    ) -> ProfileView:
        """Do what `offers.providers.ProfileProvider.find` says, in one round trip, two where an alias leads away."""
        raise NotImplementedError

    async def read(self, space: Space, identity: Identity) -> StoredProfile | None:
        """Give the profile of an identity without its events (U3); None where the identity is unknown."""
        raise NotImplementedError

    async def save(
        self, space: Space, identity: Identity, attributes: bytes, *, expected: int | None = None
    ) -> Written | Stale | Unknown:
        """Replace the attributes by a JSON object (U1); with `expected` only where that is the revision."""
        raise NotImplementedError

    async def append(self, space: Space, identity: Identity, events: Sequence[NewEvent]) -> int:
        """Add events, making the profile where there is none (P7); give how many were no duplicates (P4)."""
        raise NotImplementedError

    async def read_events(self, space: Space, identity: Identity, most: int) -> list[bytes] | None:
        """Give the newest `most` events, newest first, as JSON (U6); None where the identity is unknown."""
        raise NotImplementedError

    async def link(self, space: Space, identity: Identity, others: Sequence[Identity]) -> StoredProfile | Taken:
        """Make `others` identities of the same person, all or none (U7); Taken names the first one of another."""
        raise NotImplementedError

    async def erase(self, space: Space, identity: Identity, forget: Forget) -> None:
        """Erase the person's attributes, events, identities and, through `forget`, cap counters (U4)."""
        raise NotImplementedError
