"""Profiles: attributes, events and identities of one person, found by any of the identities (gw:P1, spec profiles-api).

What is written in one slot is written by one script, whole or not at all; what concerns several identities is in
`identity_links`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from gateway.config import Profiles as Settings
from gateway.errors import StoreError
from gateway.offers.instances import JsonObject, Space
from gateway.offers.model import Identity, ProfileView
from gateway.offers.profiles import Condition, NewEvent, Stale, StoredProfile, Taken, TooMany, Unknown, Written
from gateway.store.connection import Store
from gateway.store.homes import ALL, Homes, Reply, Way, new_name
from gateway.store.identity_links import IdentityLinks, read_state
from gateway.store.keys import Keys
from gateway.store.pipeline import Counts

_DEFAULTS = Settings()
_VIEW_PARTS = 2
_ANY, _SOME = -1, -2
_SEEN_LIFE_S = 86_400
_MOST_SEEN = 100_000
_EPOCH_YEAR_0_US = 62_167_219_200_000_000
_ANYTHING = Condition()
_read_object = msgspec.json.Decoder(JsonObject).decode
_read_identity = msgspec.json.Decoder(Identity).decode

Forget = Callable[[Space, Sequence[str]], Awaitable[None]]
"""Removes the cap counters of canonical ids, however often it is called (prof:U4)."""


class Profiles:
    """The profiles of one Redis; every method raises StoreError.

    A write whose reply was lost is repeated and known again: nothing happens twice.
    """

    def __init__(self, store: Store, keys: Keys, settings: Settings = _DEFAULTS) -> None:
        """Read and write through `store`, which should be a connection of its own: documents may be large."""
        self._homes = Homes(store, keys, settings)
        self._links = IdentityLinks(self._homes)
        self._max_events = settings.max_events

    @property
    def connected(self) -> bool:
        """Whether Redis can be asked now."""
        return self._homes.store.connected

    @property
    def counts(self) -> Counts:
        """What became of the commands of the profiles' connection."""
        return self._homes.store.counts

    def find(
        self,
        space: Space,
        lookups: Sequence[Identity],
        *,
        wants_events: bool = True,
        merge_policy: str | None = None,  # noqa: ARG002 - identities of different profiles are never merged (dec:PR2)
    ) -> Awaitable[ProfileView]:
        """Do what `offers.providers.ProfileProvider.find` says, in one round trip, two where an alias leads away."""
        return (self._find_one if len(lookups) == 1 else self._find_first)(space, lookups, wants_events=wants_events)

    async def _find_one(self, space: Space, lookups: Sequence[Identity], *, wants_events: bool) -> ProfileView:
        (identity,) = lookups
        homes = self._homes
        digest = homes.digest(space, identity)
        reply = await homes.ask_view(digest, wants_events=wants_events)
        found: Reply | None = reply  # most often that is all there is to ask
        if len(reply) < _VIEW_PARTS:
            found = await homes.follow_view(digest, reply, wants_events=wants_events)
        return ProfileView(identity.canonical_id) if found is None else _read_view(found)

    async def _find_first(self, space: Space, lookups: Sequence[Identity], *, wants_events: bool) -> ProfileView:
        """Give the profile of the first identity that is known."""
        digests = [self._homes.digest(space, identity) for identity in lookups]
        first, *others = digests
        # The first one whole, and of all others whether they are known: most often that is all there is to ask.
        found, seen = await asyncio.gather(
            self._homes.view(first, wants_events=wants_events),
            asyncio.gather(*(self._homes.look(digest, "sight") for digest in others)),
        )
        known = (digest for digest, (_, sight) in zip(others, seen, strict=True) if sight is not None)
        while found is None and (digest := next(known, None)) is not None:
            found = await self._homes.view(digest, wants_events=wants_events)
        return ProfileView(lookups[0].canonical_id) if found is None else _read_view(found)

    async def read(self, space: Space, identity: Identity) -> StoredProfile | None:
        """Give the profile of an identity without its events (U3); None where the identity is unknown."""
        _, found = await self._homes.look(self._homes.digest(space, identity), "state")
        return None if found is None else read_state(found).profile

    async def read_events(self, space: Space, identity: Identity, most: int) -> list[bytes] | None:
        """Give the newest `most` events, newest first, as JSON (U6); None where the identity is unknown."""
        _, found = await self._homes.look(self._homes.digest(space, identity), "events", most)
        return None if found is None else list(found[1])

    async def save(
        self, space: Space, identity: Identity, attributes: bytes, condition: Condition = _ANYTHING
    ) -> Written | Stale | Unknown:
        """Replace the attributes by a JSON object, making the profile where there is none (U1, P3)."""
        expected = _SOME if condition.must_exist else _ANY
        expected = expected if condition.revision is None else condition.revision
        basis = _ANY if condition.changed is None else condition.changed
        name, *rest = await self._write("save_profile", space, identity, [attributes, expected, basis])
        if name == "saved":
            return Written(int(rest[0]), rest[1] == "1")
        return Stale(int(rest[0])) if name == "stale" else Unknown()

    async def append(self, space: Space, identity: Identity, events: Sequence[NewEvent]) -> int | TooMany:
        """Add events, all or none, making the profile where there is none (P7); give how many were no duplicates."""
        described = [part for event in events for part in self._describe(event)]
        args = [self._max_events, _MOST_SEEN, _SEEN_LIFE_S, *described]
        name, *rest = await self._write("append_events", space, identity, args)
        return int(rest[0]) if name == "appended" else TooMany()

    async def link(
        self, space: Space, identity: Identity, others: Iterable[Identity]
    ) -> StoredProfile | Taken | TooMany:
        """Make `others` identities of the same person, all or none, making the profile where there is none (U7)."""
        return await self._links.link(space, identity, others)

    async def erase(self, space: Space, identity: Identity, forget: Forget) -> None:
        """Erase the person's attributes, events, identities and, through `forget`, cap counters (U4).

        An identity nobody knows has counters too: those of its own canonical id (dec:PR3).
        """
        await self._links.erase(space, identity, forget)

    async def _write(
        self, script: str, space: Space, identity: Identity, args: Sequence[bytes | str | int]
    ) -> list[str]:
        write_id = new_name()

        async def send(way: Way) -> Reply:
            verdict, life_s = self._homes.remember(way, write_id)
            keys = [*way.keys(*ALL), verdict]
            return await self._homes.run(script, keys, [*self._homes.begin(way, identity, write_id), life_s, *args])

        way, reply = await self._homes.write(self._homes.digest(space, identity), send)
        if reply[0] in ("saved", "appended") and reply[-1] == "1":
            await self._links.renew(way)
        return reply

    def _describe(self, event: NewEvent) -> tuple[str, str, bytes]:
        """Give what a script takes of an event: its time as digits that sort as the times do."""
        order = f"{event.instant_us + _EPOCH_YEAR_0_US + 86_400_000_000:016x}"
        return order, self._homes.digest_event(event.event_id), event.document


def _read_view(found: Reply) -> ProfileView:
    origin, attributes, *more = found
    try:
        return ProfileView(
            _read_identity(origin).canonical_id,
            is_found=True,
            attributes=_read_object(attributes),
            events=tuple(map(_read_object, more[0])) if more else (),
        )
    except (msgspec.DecodeError, TypeError) as error:
        raise StoreError("A profile in Redis cannot be read") from error
