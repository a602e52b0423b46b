"""Answers of decisions, kept for a minute for whoever asks the same of another gateway (dec:CA13)."""

from gateway.store.connection import Store
from gateway.store.keys import Keys

_LIFE_MS = 60_000
_UNDER_WAY_MS = 10_000


class AnswerStore:
    """Answers in Redis, by a digest of what was asked."""

    def __init__(self, store: Store, keys: Keys) -> None:
        """Keep answers in `store`; no key tells what was asked."""
        self._store = store
        self._keys = keys

    async def begin(self, digest: bytes) -> bool:
        """Say that an answer is on its way; False where it is already, or is there. Raises StoreError.

        Whoever ends without an answer is no longer in the way after ten seconds.
        """
        return await self._store.call("SET", self._keys.answer(digest), b"", "NX", "PX", _UNDER_WAY_MS) is not None

    async def read(self, digest: bytes) -> bytes | None:
        """Give an answer, b"" while it is on its way, None where there is none. Raises StoreError."""
        found: bytes | None = await self._store.call("GET", self._keys.answer(digest))
        return found

    def keep(self, digest: bytes, body: bytes) -> None:
        """Keep an answer for a minute, without waiting for it."""
        self._store.send("SET", self._keys.answer(digest), body, "PX", _LIFE_MS)

    def forget(self, digest: bytes) -> None:
        """Leave the way to the next one, without waiting for it."""
        self._store.send("DEL", self._keys.answer(digest))
