"""Session records: which device a session belongs to, near which edge it lives, its pages' SDIDs (gw:S1, S2, S7)."""

import math
import time
from typing import Any

from msgspec import Struct

from gateway.errors import StoreError
from gateway.store.connection import Store
from gateway.store.keys import SESSION_LIFE_S, Keys
from gateway.store.scripts import SCRIPTS

_OPEN, _REFRESH, _SAVE = SCRIPTS["open_session"], SCRIPTS["refresh_session"], SCRIPTS["save_session"]

NOTE_EVERY_S = 30.0
MOST_NOTED = 20_000


class StoredSession(Struct, frozen=True):
    """What is known of a session; an empty text where nothing is, or where the location hint has expired.

    `sdid` is the one the consumer of this call is to use, "" where none was asked for.
    """

    device_id: str
    location_hint: str
    sdid: str = ""


class Stitch(Struct, frozen=True):
    """The wish for an SDID: the consumer that is to use it, and a new one in case that is needed (get-offers §8)."""

    consumer: str
    fresh: str


class _Note(Struct, frozen=True):
    """What was last written of a session; `hint` is None when the caller said it and not an answer."""

    device_id: str
    hint: str | None
    until_s: float


class Sessions:
    """The session records of one Redis."""

    def __init__(self, store: Store, keys: Keys, note_every_s: float = NOTE_EVERY_S) -> None:
        """Write what is already known of a session at most every `note_every_s` seconds."""
        self._store = store
        self._keys = keys
        self._life_s = math.ceil(SESSION_LIFE_S + note_every_s)  # so that no life is cut short by a note left out
        self._note_every_s = note_every_s
        self._noted: dict[tuple[str, str], _Note] = {}

    async def open(self, client: str, session_id: str, candidate: str, stitch: Stitch | None = None) -> StoredSession:
        """Give the session's device id and location hint, and begin its life of 1860 s anew.

        Where it has no device id it gets `candidate`; of concurrent calls the first wins and all get its id (gw:S2).
        An empty candidate creates nothing. With `stitch` the SDID machine takes a step. Raises StoreError.
        """
        consumer = self._keys.consumer(stitch.consumer) if stitch else ""
        fresh = stitch.fresh if stitch else ""
        key = self._keys.session(client, session_id)
        return _read(await self._store.run(_OPEN, [key], [candidate, self._life_s, consumer, fresh]))

    def refresh(self, client: str, session_id: str, device_id: str) -> None:
        """Note, without waiting, that the caller brought its own device id; it wins over another visitor's (gw:S3).

        Where both are the same visitor's, the stored suffix stays: it came from an answer, and the caller may have
        sent its copy before that. Another visitor's location hint is forgotten.
        """
        note = self._noted.get((client, session_id))
        if note is None or note.device_id != device_id or time.monotonic() >= note.until_s:
            self._note(client, session_id, device_id, None)
            self._store.fire(_REFRESH, [self._keys.session(client, session_id)], [device_id, self._life_s])

    def save(self, client: str, session_id: str, device_id: str, location_hint: str) -> None:
        """Note, without waiting, what Target answered: its device id wins, an empty text changes nothing (gw:S2)."""
        note, now = self._noted.get((client, session_id)), time.monotonic()
        if note is None or (device_id, location_hint) != (note.device_id, note.hint) or now >= note.until_s:
            self._note(client, session_id, device_id, location_hint)
            key = self._keys.session(client, session_id)
            self._store.fire(_SAVE, [key], [device_id, location_hint, self._life_s])

    def _note(self, client: str, session_id: str, device_id: str, hint: str | None) -> None:
        """Remember what is being written, for most calls of a session say what its last one said."""
        if len(self._noted) >= MOST_NOTED:
            self._noted.clear()
        if self._store.connected:
            self._noted[client, session_id] = _Note(device_id, hint, time.monotonic() + self._note_every_s)


def _read(reply: Any) -> StoredSession:
    try:
        device_id, location_hint, sdid = reply
        return StoredSession(device_id.decode(), location_hint.decode(), sdid.decode())
    except (TypeError, ValueError, AttributeError) as error:
        raise StoreError("A session record in Redis cannot be read") from error
