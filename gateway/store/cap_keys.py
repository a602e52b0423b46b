"""Key names of caps: `{<container>:<shard>}` is the hash tag, so that one script may take all keys of a shard (gw:C3).

An organisation's sandbox is a digest; profile ids are keyed hashes (gw:S6). Container and offer ids are ids of the
repository and may be seen, and so may claim ids, which the gateway draws at random.
"""

import re
from functools import cached_property

from msgspec import Struct

from gateway.errors import StoreError
from gateway.offers.instances import Space
from gateway.store.digests import Digests
from gateway.store.places import digest_space

EPOCH = b"caps:{epoch}:token"
"""Hash of the store's epoch: token, shards, and the tokens it replaces (gw:C6)."""

SHARDS = b"caps:{epoch}:shards"
"""Set of the shards that were begun, each as `Shard.name`."""

FORMER = b"caps:{epoch}:former"
"""Set of the shards that were begun before the last reset of the epoch: they may still hold counts."""

_MOST_KNOWN = 256
_CONTAINER = re.compile(r"[0-9A-Za-z._-]{1,128}", re.ASCII)
_NAME = re.compile(r"([0-9a-f]{32}) (\S+) (\d+)", re.ASCII)


class Shard(Struct, frozen=True, dict=True):
    """One shard of a container's counters: all its keys are in one slot. Those that every claim takes are kept."""

    space: str
    """digest of organisation and sandbox"""
    container: str
    number: int

    @cached_property
    def name(self) -> str:
        """Give the text by which the shard is registered."""
        return f"{self.space} {self.container} {self.number}"

    @cached_property
    def epoch(self) -> bytes:
        """Give the key of the epoch that this shard was begun in."""
        return self._key("epoch")

    @cached_property
    def counts(self) -> bytes:
        """Give the key of the global counts: a hash of offer to count."""
        return self._key("counts")

    @cached_property
    def shares(self) -> bytes:
        """Give the key of the shares of global caps: a hash of offer to share."""
        return self._key("shares")

    def move(self, move_id: str, end: str) -> bytes:
        """Give the key of the note of one end of a move, "given" or "taken"."""
        return self._key(f"move:{move_id}:{end}")

    def profile(self, digest: str) -> bytes:
        """Give the key of a profile's counts: a hash of offer to count."""
        return self._key(f"profile:{digest}")

    @property
    def profile_pattern(self) -> bytes:
        """Give the pattern that matches the profiles' keys in all shards of the container."""
        return f"caps:{self.space}:{{{self.container}:*}}:profile:*".encode()

    def claim(self, claim_id: str) -> bytes:
        """Give the key of a claim's verdict; claim ids are drawn here at random, and say of nobody who it is."""
        return self._key(f"claim:{claim_id}")

    def _key(self, part: str) -> bytes:
        return f"{self._begin}{part}".encode()

    @cached_property
    def _begin(self) -> str:
        return f"caps:{self.space}:{{{self.container}:{self.number}}}:"


class CapKeys:
    """Where counters are, made with the secret of all gateways of one Redis."""

    def __init__(self, secret: bytes, shards: int) -> None:
        """Spread profiles over `shards` shards; raises ConfigError without a secret."""
        self._digests = Digests(secret)
        self.shards = shards
        self._known: dict[tuple[Space, str], tuple[Shard, ...]] = {}

    def shard(self, space: Space, container: str, number: int) -> Shard:
        """Give a shard of a container; raises StoreError for an id that no container has."""
        if not _CONTAINER.fullmatch(container):
            raise StoreError("A container id for caps has other characters than letters, digits, '.', '_' and '-'")
        return Shard(digest_space(space), container, number)

    def all_shards(self, space: Space, container: str) -> tuple[Shard, ...]:
        """Give every shard of a container."""
        found = self._known.get((space, container))
        if found is None:
            found = tuple(self.shard(space, container, number) for number in range(self.shards))
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[space, container] = found
        return found

    def digest_profile(self, container: str, profile_id: str) -> str:
        """Give what stands for a profile in a container's keys."""
        return self._digests.after(("profile", container), profile_id)

    def digest_event(self, space: Space, container: str, event_id: str) -> str:
        """Give what stands for a reported event in the key that notes it."""
        return self._digests.after(("event", space.organization, space.sandbox, container), event_id)

    def place(self, digest: str) -> int:
        """Give the number of the shard that has a profile's counters."""
        return int(digest, 16) % self.shards if self.shards > 1 else 0


def read_name(name: str) -> Shard | None:
    """Give the shard that was registered by a name; None for another text."""
    match = _NAME.fullmatch(name)
    return Shard(match[1], match[2], int(match[3])) if match else None
