"""What a decision asks others for, as interfaces: rooms above join it with what answers (dec:PR1)."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from gateway.offers.instances import Space
from gateway.offers.model import Identity, ProfileView


class ProfileProvider(Protocol):
    """Knows profiles by identity; `gateway/store/profiles.py` is the implementation of the gateway (gw:P1)."""

    def find(
        self, space: Space, lookups: Sequence[Identity], *, wants_events: bool = True, merge_policy: str | None = None
    ) -> Awaitable[ProfileView]:
        """Give the profile of the first of `lookups` that is known (dec:PR2): `DecisionRequest.lookups` as they are.

        Attributes as decoded JSON, events oldest first (prof:P5), none where `wants_events` is false: ask for them only
        where a rule reads them. None of the identities known: attributes {}, no events, `is_found` false and the
        canonical id of the first one (dec:PR3). Raises StoreError, answered 503 `profile-unavailable` (dec:PR4).
        """
