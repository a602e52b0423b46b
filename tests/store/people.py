"""People for tests of profiles, a store that loses replies, and the laws that hold of what is in Redis."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from gateway.errors import StoreTimeout
from gateway.offers.instances import Space
from gateway.offers.model import Identity
from gateway.offers.profiles import NewEvent
from gateway.store.connection import Store
from gateway.store.keys import Keys
from gateway.store.pipeline import Counts
from gateway.store.scripts import Script

SPACE = Space("o", "prod")
CRM, ECID, EMAIL = Identity("CRM", "c-1001"), Identity("ECID", "e-1"), Identity("Email", "ann@example.com")


def make_event(instant_us: int, event_id: str = "") -> NewEvent:
    """Make an event that says when it was."""
    return NewEvent(instant_us, event_id, b'{"at":%d}' % instant_us)


class Counters:
    """Cap counters that can be forgotten."""

    def __init__(self) -> None:
        self.forgotten: set[tuple[Space, str]] = set()

    async def __call__(self, space: Space, canonical_ids: Sequence[str]) -> None:
        """Forget the counters of canonical ids."""
        self.forgotten |= {(space, one) for one in canonical_ids}


class LossyStore:
    """A store in front of a real one: other tasks come between its commands, replies get lost, a caller is cut off.

    The command numbered `stop_at` is still done, but whoever asked is cancelled before the reply. `before` and `after`
    say what somebody else does before or after the first run of a script; after it, the reply is lost.
    """

    def __init__(
        self, store: Store, chance: random.Random | None = None, *, lose: float = 0.0, stop_at: int | None = None
    ) -> None:
        self._store = store
        self._chance = chance or random.Random(0)
        self._lose = lose
        self._left = stop_at
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}
        self.after: dict[str, Callable[[], Awaitable[object]]] = {}
        self.connected = True
        self.counts: Counts = store.counts

    async def run(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes | str | int]) -> Any:
        """Run a script, and perhaps lose what it said."""
        if script.name in self.before:
            await self.before.pop(script.name)()
        if self._lose:
            await asyncio.sleep(self._chance.random() * 0.003)
        reply = await self._store.run(script, keys, args)
        if script.name in self.after:
            await self.after.pop(script.name)()
            raise StoreTimeout("lost")
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                raise asyncio.CancelledError
        if self._chance.random() < self._lose:
            raise StoreTimeout("lost")
        return reply

    def fire(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes | str | int]) -> None:
        """Run a script without waiting for it."""
        self._store.fire(script, keys, args)


async def find_faults(store: Store, keys: Keys) -> list[str]:
    """Look at everything in Redis and say which laws of identities do not hold.

    No identity has both a profile and an alias; what a home lists, and is not pending, leads there; and so nothing is
    listed by two homes. Aliases that lead nowhere are harmless.
    """
    names = [key.decode() for key in await store.call("KEYS", "profile:*")]
    homes = {name.split("{")[1].split("}")[0] for name in names if name.endswith(":home")}
    aliases = {name.split("{")[1].split("}")[0] for name in names if name.endswith(":alias")}
    faults = [f"{digest} has a profile and an alias" for digest in homes & aliases]
    for home in homes:
        born = (await store.call("HGET", f"profile:{{{home}}}:home", "born")).decode()
        rows = await store.call("HGETALL", f"profile:{{{home}}}:identities")
        for digest, row in zip(rows[::2], rows[1::2], strict=True):
            alias = await store.call("GET", f"profile:{{{digest.decode()}}}:alias")
            leads = alias is not None and alias.decode().startswith(f"{home} {born} ")
            if not json.loads(row)["pending"] and not leads:
                faults.append(f"{home} lists {digest.decode()}, which leads to {alias}")
    return faults
