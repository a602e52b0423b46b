"""Session records: which device a session belongs to and near which edge cluster it lives (gw:S1, S2, S7)."""

from typing import Any

from msgspec import Struct

from gateway.errors import StoreError
from gateway.store.connection import Store
from gateway.store.keys import SESSION_LIFE_S, Keys
from gateway.store.scripts import SCRIPTS

_OPEN, _REFRESH, _SAVE = SCRIPTS["open_session"], SCRIPTS["refresh_session"], SCRIPTS["save_session"]


class StoredSession(Struct, frozen=True):
    """What is known of a session; an empty text where nothing is, or where the location hint has expired."""

    device_id: str
    location_hint: str


class Sessions:
    """The session records of one Redis."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    async def open(self, client: str, session_id: str, candidate: str) -> StoredSession:
        """Give the session's device id and location hint, and begin its life of 1860 s anew.

        Where it has no device id it gets `candidate`; of concurrent calls the first wins and all get its id (gw:S2).
        An empty candidate creates nothing. Raises StoreError.
        """
        reply = await self._store.run(_OPEN, [self._keys.session(client, session_id)], [candidate, SESSION_LIFE_S])
        return _read(reply)

    def refresh(self, client: str, session_id: str, device_id: str) -> None:
        """Note, without waiting, that the caller brought its own device id; it wins over another visitor's (gw:S3).

        Where both are the same visitor's, the stored suffix stays: it came from an answer, and the caller may have
        sent its copy before that. Another visitor's location hint is forgotten.
        """
        self._store.fire(_REFRESH, [self._keys.session(client, session_id)], [device_id, SESSION_LIFE_S])

    def save(self, client: str, session_id: str, device_id: str, location_hint: str) -> None:
        """Note, without waiting, what Target answered: its device id wins, an empty text changes nothing (gw:S2)."""
        key = self._keys.session(client, session_id)
        self._store.fire(_SAVE, [key], [device_id, location_hint, SESSION_LIFE_S])

    async def save_and_wait(self, client: str, session_id: str, device_id: str, location_hint: str) -> None:
        """Do what `save` does and return when it is done; raises StoreError."""
        key = self._keys.session(client, session_id)
        await self._store.run(_SAVE, [key], [device_id, location_hint, SESSION_LIFE_S])


def _read(reply: Any) -> StoredSession:
    try:
        device_id, location_hint = reply
        return StoredSession(device_id=device_id.decode(), location_hint=location_hint.decode())
    except (TypeError, ValueError, AttributeError) as error:
        raise StoreError("A session record in Redis cannot be read") from error
