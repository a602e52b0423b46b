"""Profiles, identities and events as they are kept (spec profiles-api)."""

from msgspec import Struct

from gateway.offers.model import Identity

MOST_IDENTITIES = 50
"""Identities of one person."""


class StoredProfile(Struct, frozen=True, kw_only=True):
    """A profile without its events.

    `revision` grows with every change of what is here, and goes on growing over an erasure; `changed` is the revision
    at which the attributes last changed. `identities` begin with the one the profile was made with.
    """

    revision: int
    changed: int
    modified_ms: int
    attributes: bytes
    identities: tuple[Identity, ...]
    event_count: int


class Condition(Struct, frozen=True):
    """What has to hold for attributes to be saved: nothing, or the profile's or the attributes' revision.

    `revision` 0: there must be no profile.
    """

    revision: int | None = None
    changed: int | None = None
    must_exist: bool = False


class Written(Struct, frozen=True):
    """The attributes were saved."""

    revision: int
    is_new: bool


class Stale(Struct, frozen=True):
    """Nothing was saved: the profile is at this revision."""

    revision: int


class Unknown(Struct, frozen=True):
    """Nothing was saved: nobody knows this identity."""


class Taken(Struct, frozen=True):
    """Nothing was linked: this identity belongs to another profile."""

    identity: Identity


class TooMany(Struct, frozen=True):
    """Nothing was added: the profile has as many identities, or ids of recent events, as it may have."""


class NewEvent(Struct, frozen=True):
    """An event to be added: microseconds since 1970 of its timestamp, its id ("" for none), the event as JSON."""

    instant_us: int
    event_id: str
    document: bytes
