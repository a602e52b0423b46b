"""A decision request, whichever form it came in, and who it is about (dec §3, §4.2, profiles)."""

from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from gateway.offers.arbitration import Duplicates
from gateway.offers.instances import JsonObject


class Identity(NamedTuple):
    """One identity of a person; sorts by namespace, then id, by code point (dec:PR2)."""

    namespace: str
    id: str

    @property
    def canonical_id(self) -> str:
        """The canonical id of a profile nobody knows (dec:PR3)."""
        return f"{self.namespace}|{self.id}"


class Ask(Struct, frozen=True):
    """One entry of the request; `pointer` is where its activity is named in the body."""

    activity_id: str
    placement_id: str | None
    count: int
    pointer: str


class ResponseFormat(Struct, frozen=True):
    """Whether content is wanted, and which members of activity, option and placement."""

    content: bool = False
    activity: frozenset[str] = frozenset()
    option: frozenset[str] = frozenset()
    placement: frozenset[str] = frozenset()


class DecisionRequest(Struct, frozen=True, kw_only=True):
    """What is asked. `lookups` are the identities to try at the profile provider, in this order, until one is known.

    `context` are the items rules see, `profile` and `events` what replaces the stored ones for this call, `at` the
    instant to decide for (None: now). `context_pointers` say where each context item stands in the body.
    """

    asks: tuple[Ask, ...]
    lookups: tuple[Identity, ...]
    identity_map: JsonObject
    context: tuple[JsonObject, ...] = ()
    context_pointers: tuple[str, ...] = ()
    decision_request_id: str | None = None
    duplicates: Duplicates = Duplicates()
    format: ResponseFormat = ResponseFormat()
    merge_policy: str | None = None
    is_dry: bool = False
    validates_context: bool = False
    wants_trace: bool = False
    at: datetime | None = None
    profile: JsonObject | None = None
    events: tuple[JsonObject, ...] | None = None


class ProfileView(Struct, frozen=True):
    """What the profile provider knows about the person (dec:PR1)."""

    canonical_id: str
    is_found: bool = False
    attributes: JsonObject = {}
    events: tuple[JsonObject, ...] = ()


def stranger(request: DecisionRequest) -> ProfileView:
    """Give the view of a profile nobody knows: the same caller keeps one counter (dec:PR3)."""
    return ProfileView(request.lookups[0].canonical_id)
