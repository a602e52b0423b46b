"""Where a profile is kept: at its home, found by an identity at once or by an alias (gw:P1, S6).

Each identity has keys of its own in a slot of its own, named by a keyed hash. There stands either a profile, whose home
this then is, or an alias: the home's digest, the birth of the profile there, and the link that made it. An alias
counts only while that birth lives and lists the identity. So an alias that a crash or an erasure left behind leads
nowhere, and never to the profile that somebody else makes there later.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from gateway.config import Profiles as Settings
from gateway.errors import StoreError
from gateway.offers.instances import Space
from gateway.offers.model import Identity
from gateway.store.connection import Store
from gateway.store.durability import Durability
from gateway.store.keys import Keys
from gateway.store.packing import pack, pack_script
from gateway.store.scripts import SCRIPTS
from gateway.store.writes import Writes

_READ, _VIEW, _DROP = (SCRIPTS[name] for name in ("read_profile", "view_profile", "drop_alias"))
_MOST_TRIES = 16
_DAY_MS = 86_400_000
_VERDICT_LIFE_S = 120

Arguments = Sequence[bytes | str | int]
Reply = list[Any]


class Way(Struct, frozen=True):
    """How a home is reached: `via` is the digest of the identity whose alias led there, "" without one."""

    home: str
    via: str = ""
    born: str = ""
    alias: str = ""
    """the whole alias, as it stands at `via`"""

    def key(self, part: str) -> bytes:
        """Give the key of one of the home's parts."""
        return name_key(self.home, part)

    def keys(self, *parts: str) -> list[bytes]:
        """Give the keys of several parts."""
        begin = f"profile:{{{self.home}}}:"
        return [f"{begin}{part}".encode() for part in parts]


_EXAMPLE = "x" * 32  # as long as every digest, and none
_READ_PARTS = ("home", "alias", "identities", "events")
ALL = ("home", "alias", "identities", "events", "seen")
"""The parts of a home that writes touch."""


def name_key(digest: str, part: str) -> bytes:
    """Give a key of an identity."""
    return f"profile:{{{digest}}}:{part}".encode()


class Homes:
    """Asks and writes homes, and follows aliases to them."""

    def __init__(self, store: Store, keys: Keys, settings: Settings) -> None:
        """Read with the store's timeout, and repeat writes of unknown outcome for `settings.patience_ms`."""
        self.store = store
        self.life_ms = settings.ttl_days * _DAY_MS
        self._keys = keys
        patience_s = settings.patience_ms / 1000
        self._writes = Writes(store, Durability(store, settings.durability, patience_s), patience_s)

    def digest(self, space: Space, identity: Identity) -> str:
        """Give what stands for an identity of a space in key names."""
        return self._keys.digest_in(("profile", space.organization, space.sandbox), identity.namespace, identity.id)

    def digest_event(self, event_id: str) -> str:
        """Give what stands for an event's id, "" for none."""
        return self._keys.digest("event", event_id) if event_id else ""

    async def look(self, digest: str, wanted: str, most_events: int = 0) -> tuple[Way, Reply | None]:
        """Read what is `wanted` of the profile an identity belongs to; None where there is none.

        One round trip, two where an alias leads away. An alias that leads nowhere is removed without waiting.
        """
        return await self.follow(digest, await self._read(Way(digest), wanted, most_events), wanted, most_events)

    def ask_view(self, digest: str, *, wants_events: bool) -> Awaitable[Reply]:
        """Ask what decisions see of a profile, at the identity itself; one part or none is to be followed."""
        return self.store.run_packed(_VIEW, digest.encode().join(_split_view(wants_events)))

    async def follow_view(self, digest: str, reply: Reply, *, wants_events: bool) -> Reply | None:
        """Give origin, attributes and, where they are wanted, events; None where there is no profile."""
        if len(reply) != 1:
            return reply or None
        _, found = await self.follow(digest, [b"alias", *reply], "view", -1 if wants_events else 0)
        return None if found is None else found[1:]

    async def view(self, digest: str, *, wants_events: bool) -> Reply | None:
        """Do both."""
        return await self.follow_view(
            digest, await self.ask_view(digest, wants_events=wants_events), wants_events=wants_events
        )

    async def follow(self, digest: str, reply: Reply, wanted: str, most_events: int) -> tuple[Way, Reply | None]:
        """Go on from the first reply, as `look` does."""
        way = Way(digest)
        if reply[0] == b"alias":
            way = read_alias(digest, reply[1])
            reply = await self._read(way, wanted, most_events)
        if reply[0] == b"dangling":
            self.store.fire(_DROP, [name_key(digest, "alias")], [way.alias])
            return Way(digest), None
        return way, reply if reply[0] == b"found" else None

    def _read(self, way: Way, wanted: str, most_events: int) -> Awaitable[Reply]:
        args: Arguments = [way.via, way.born, wanted, most_events]
        return self.store.run(_READ, way.keys(*_READ_PARTS), args)

    async def write(self, digest: str, send: Callable[[Way], Awaitable[Reply]]) -> tuple[Way, list[str]]:
        """Run a write at the home an identity belongs to, or else at its own, and give its verdict."""
        way = Way(digest)
        for _ in range(_MOST_TRIES):
            verdict = [_to_text(part) for part in await send(way)]
            if verdict[0] == "alias":
                way = read_alias(digest, verdict[1].encode())
            elif verdict[0] == "dangling":
                await self.drop_alias(digest, way.alias)
                way = Way(digest)
            else:
                return way, verdict
        raise StoreError("A profile moved again and again while it was written")

    async def run(self, script: str, keys: Sequence[bytes], args: Arguments) -> Reply:
        """Run a script that may be repeated until its outcome is known."""
        reply: Reply = await self._writes.run(SCRIPTS[script], keys, args)
        return reply

    async def drop_alias(self, digest: str, start: str) -> None:
        """Remove an identity's alias where it begins with `start`."""
        await self._writes.run(_DROP, [name_key(digest, "alias")], [start])

    def begin(self, way: Way, identity: Identity, birth: str) -> list[bytes | str | int]:
        """Give the arguments with which every script begins that may make a profile."""
        return [way.via, way.born, birth, msgspec.json.encode(identity), self.life_ms]

    def remember(self, way: Way, write_id: str) -> tuple[bytes, int]:
        """Give the key of what became of a write, and its life in seconds."""
        return way.key(f"write:{write_id}"), _VERDICT_LIFE_S


@cache
def _split_view(wants_events: bool) -> list[bytes]:  # noqa: FBT001 - a cache's key
    """Give the packed command that asks for a view, split where the home's digest stands."""
    keys = Way(_EXAMPLE).keys("home", "alias", "events")
    packed = pack_script(_VIEW, len(keys), len(keys) + 1) + pack(*keys, b"%d" % wants_events)
    return packed.split(_EXAMPLE.encode())


def new_name() -> str:
    """Give a name for a birth, a write or a link: nobody else gives the same."""
    return secrets.token_hex(16)


def read_alias(digest: str, alias: bytes) -> Way:
    """Give the way an identity's alias leads."""
    try:
        home, born, _ = alias.decode("ascii").split(" ")
    except ValueError as error:
        raise StoreError("An alias in Redis cannot be read") from error
    return Way(home, digest, born, alias.decode("ascii"))


def _to_text(part: Any) -> str:
    if not isinstance(part, bytes):
        raise StoreError("What Redis answered to a write of a profile cannot be read")
    return part.decode()
