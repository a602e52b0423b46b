"""What concerns several identities of a person, in several slots: linking them, renewing their aliases, erasing them.

A link takes four steps, each of which may be repeated: the home lists the identities as pending; each identity's slot
takes the alias or refuses; the home keeps them, or takes them off again; refused ones' companions lose their aliases.
Cut off anywhere, it leaves at most a pending entry, which is not shown, and an alias that the home does or does not
list. An erasure empties the home first and notes the aliases there, then removes them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec
from msgspec import Struct

from gateway.errors import StoreError
from gateway.offers.instances import Space
from gateway.offers.model import Identity
from gateway.offers.profiles import MOST_IDENTITIES, StoredProfile, Taken, TooMany
from gateway.store.homes import ALL, Arguments, Homes, Reply, Way, name_key, new_name, read_alias

_MOST_TRIES = 32
_ALIAS_MARGIN_MS = 3_600_000  # an alias is made before its home counts its life from then on
_GIVEN_UP_S = 3600
_NOTED_S = 86_400


class Entry(Struct, frozen=True):
    """An identity as a home lists it."""

    namespace: str
    id: str
    pending: bool

    @property
    def identity(self) -> Identity:
        """The identity itself."""
        return Identity(self.namespace, self.id)


class State(Struct, frozen=True):
    """All a home says of its profile, but for the events."""

    profile: StoredProfile
    born: str
    linked: str
    entries: dict[str, Entry]
    """by digest, pending ones too"""

    def names(self) -> set[str]:
        """Give every canonical id that decisions may have counted under."""
        return {identity.canonical_id for identity in self.profile.identities} | {
            entry.identity.canonical_id for entry in self.entries.values()
        }


_read_identity = msgspec.json.Decoder(Identity).decode
_read_entry = msgspec.json.Decoder(Entry).decode


def read_state(found: Reply) -> State:
    """Read what `look(…, "state")` gives; raises StoreError."""
    try:
        _, (origin, attributes, born, linked, revision, changed, modified), count, rows = found
        entries = {d.decode(): _read_entry(row) for d, row in zip(rows[::2], rows[1::2], strict=True)}
        others = sorted(entry.identity for entry in entries.values() if not entry.pending)
        profile = StoredProfile(
            revision=int(revision),
            changed=int(changed),
            modified_ms=int(modified),
            attributes=attributes,
            identities=(_read_identity(origin), *others),
            event_count=count,
        )
        return State(profile, born.decode(), linked.decode(), entries)
    except (msgspec.DecodeError, TypeError, ValueError, AttributeError) as error:
        raise StoreError("A profile in Redis cannot be read") from error


class IdentityLinks:
    """Links, renews and erases."""

    def __init__(self, homes: Homes) -> None:
        """Work on these homes."""
        self._homes = homes
        self._alias_life_ms = homes.life_ms and 2 * homes.life_ms

    async def link(
        self, space: Space, identity: Identity, others: Iterable[Identity]
    ) -> StoredProfile | Taken | TooMany:
        """Do what `Profiles.link` says."""
        own = self._homes.digest(space, identity)
        wanted = {self._homes.digest(space, each): each for each in others}
        for _ in range(_MOST_TRIES):
            if (refused := await self._foresee(own, wanted)) is not None:
                return refused
            outcome = await self._try_link(own, identity, wanted)
            if isinstance(outcome, Taken | TooMany):
                return outcome
            if outcome:
                _, found = await self._homes.look(own, "state")
                if found is not None:
                    return read_state(found).profile
        raise StoreError("A profile changed again and again while identities were linked")

    async def _foresee(self, own: str, wanted: dict[str, Identity]) -> Taken | None:
        """Look whether one of the identities belongs to another profile, before anything is written."""
        way, _ = await self._homes.look(own, "sight")
        places = await asyncio.gather(*(self._homes.look(digest, "sight") for digest in wanted))
        for each, (place, found) in zip(wanted.values(), places, strict=True):
            if found is not None and place.home != way.home:
                return Taken(each)
        return None

    async def _try_link(self, own: str, identity: Identity, wanted: dict[str, Identity]) -> bool | Taken | TooMany:
        """Go through the steps once; False where the profile was erased meanwhile."""
        link, birth = new_name(), new_name()

        async def send(way: Way) -> Reply:
            listed = [part for d, each in wanted.items() if d != way.home for part in (d, each.namespace, each.id)]
            verdict, life_s = self._homes.remember(way, link)
            args = [*self._homes.begin(way, identity, birth), life_s, link, MOST_IDENTITIES, _GIVEN_UP_S, *listed]
            return await self._homes.run("list_identities", [*way.keys(*ALL), verdict], args)

        way, verdict = await self._homes.write(own, send)
        if verdict[0] == "full":
            return TooMany()
        home = Way(way.home, born=verdict[1])
        digests = [digest for digest in wanted if digest != home.home]
        claimed = await asyncio.gather(*(self._claim(home, digest, link) for digest in digests))
        refused = [digest for digest, is_ours in zip(digests, claimed, strict=True) if not is_ours]
        if refused:
            await self._take_back(home, link, digests)
            return Taken(wanted[refused[0]])
        if (await self._settle(home, "keep", link, digests))[0] == b"settled":
            return True
        await self._take_back(home, link, digests)
        return False

    async def _claim(self, home: Way, digest: str, link: str) -> bool:
        """Make an identity lead to a home; False where it belongs to another profile."""
        life_ms = self._alias_life_ms and self._alias_life_ms + _ALIAS_MARGIN_MS
        keys = [name_key(digest, "home"), name_key(digest, "alias")]
        for _ in range(_MOST_TRIES):
            verdict = await self._homes.run("claim_alias", keys, [f"{home.home} {home.born} ", link, life_ms])
            if verdict[0] != b"alias":
                return bool(verdict[0] == b"claimed")
            place, found = await self._homes.look(digest, "sight")
            if found is not None:
                return place.home == home.home
            await self._homes.drop_alias(digest, read_alias(digest, verdict[1]).alias)
        raise StoreError("An identity moved again and again while it was linked")

    async def _take_back(self, home: Way, link: str, digests: Sequence[str]) -> None:
        """Undo a link: off the list first, then the aliases of what was taken off.

        What is still listed was listed by somebody else's link, which needs the alias whoever has made it last. An
        alias that somebody else's link has made meanwhile has another name and stays.
        """
        verdict, *taken_off = await self._settle(home, "drop", link, digests)
        if verdict == b"gone":
            await self._drop_all(home, digests)
            return
        start = f"{home.home} {home.born} {link}"
        await asyncio.gather(*(self._homes.drop_alias(digest.decode(), start) for digest in taken_off))

    async def _drop_all(self, home: Way, digests: Iterable[str]) -> None:
        """Remove every alias that leads to a profile that is no more."""
        start = f"{home.home} {home.born} "
        await asyncio.gather(*(self._homes.drop_alias(digest, start) for digest in digests))

    async def renew(self, way: Way) -> None:
        """Begin the life of a profile's aliases anew."""
        _, found = await self._homes.look(way.home, "state")
        if found is None:
            return
        state, link = read_state(found), new_name()
        home = Way(way.home, born=state.born)
        digests = [digest for digest, entry in state.entries.items() if not entry.pending]
        claimed = await asyncio.gather(*(self._claim(home, digest, link) for digest in digests))
        lost = [digest for digest, is_ours in zip(digests, claimed, strict=True) if not is_ours]
        if lost:
            await self._settle(home, "lose", link, lost)
        if (await self._settle(home, "renew", link, ()))[0] == b"gone":
            await self._drop_all(home, digests)

    async def _settle(self, home: Way, mode: str, link: str, digests: Sequence[str]) -> Reply:
        args: Arguments = [home.born, mode, link, self._homes.life_ms, self._alias_life_ms, *digests]
        return await self._homes.run("settle_identities", home.keys("home", "identities", "events"), args)

    async def erase(
        self, space: Space, identity: Identity, forget: Callable[[Space, Sequence[str]], Awaitable[None]]
    ) -> None:
        """Do what `Profiles.erase` says.

        Counters go first, so that a crash cannot lose the names they are kept under, and again at the end, for
        decisions that were under way meanwhile.
        """
        own = self._homes.digest(space, identity)
        names = {identity.canonical_id}
        for _ in range(_MOST_TRIES):
            way, found = await self._homes.look(own, "state")
            state = None if found is None else read_state(found)
            names |= set() if state is None else state.names()
            await forget(space, sorted(names))
            if await self._erase_home(way, state):
                await forget(space, sorted(names))
                return
        raise StoreError("A profile changed again and again while it was erased")

    async def _erase_home(self, way: Way, state: State | None) -> bool:
        """Empty a home as it was read and remove what led there; False where it has changed since."""
        born, linked = ("", "") if state is None else (state.born, state.linked)
        verdict, noted = await self._homes.run("erase_profile", way.keys(*ALL, "erased"), [born, linked, _NOTED_S])
        aliases = [note.decode().split(" ") for note in noted]
        await asyncio.gather(*(self._homes.drop_alias(digest, f"{way.home} {died} ") for digest, died in aliases))
        return bool(verdict == b"erased")
