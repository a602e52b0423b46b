"""Profiles, events and identities as the profile endpoints take them (spec profiles-api P2 to P5)."""

from msgspec import Struct

from gateway.offers.model import Identity


class StoredProfile(Struct, frozen=True):
    """A profile without its events. `revision` grows with every change of what is here, over erasures too."""

    revision: int
    modified_ms: int
    attributes: bytes
    identities: tuple[Identity, ...]
    """the one it was made with first, then the others by namespace and id"""
    event_count: int


class Written(Struct, frozen=True):
    """The attributes were saved."""

    revision: int
    is_new: bool


class Stale(Struct, frozen=True):
    """The profile is at another revision than the caller named."""

    revision: int


class Unknown(Struct, frozen=True):
    """Nobody knows this identity."""


class Taken(Struct, frozen=True):
    """An identity belongs to another profile."""

    identity: Identity


class NewEvent(Struct, frozen=True):
    """An event to be added: microseconds since 1970 of its timestamp, what names it ("" where nothing does), JSON."""

    instant_us: int
    name: str
    document: bytes
