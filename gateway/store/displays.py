"""Which displays of prefetched offers were counted: each event token once (gw:O2)."""

from gateway.store.connection import Store
from gateway.store.keys import Keys

LIFE_S = 24 * 3600
"""How long after its prefetch a display is counted, and remembered."""


class Displays:
    """The counted displays of the last day, in Redis."""

    def __init__(self, store: Store, keys: Keys) -> None:
        """Remember in `store`; no key holds a token."""
        self._store = store
        self._keys = keys

    async def take(self, token_id: str) -> bool:
        """Say that a display is being counted; False where it was already. Raises StoreError."""
        return await self._store.call("SET", self._keys.display(token_id), 1, "NX", "EX", LIFE_S) is not None

    def give_back(self, token_id: str) -> None:
        """Let a display that could not be counted be told again, without waiting."""
        self._store.send("DEL", self._keys.display(token_id))
