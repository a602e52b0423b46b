"""What stands in for Redis where a process decides for itself alone: nothing outlives it, nobody else sees it."""

import time
from collections import deque
from typing import Protocol

from gateway.store.notifications import Entry
from gateway.store.sessions import Stitch, StoredSession


class SessionRecords(Protocol):
    """Where sessions are known: `store.sessions.Sessions`, or `LocalSessions`."""

    async def open(self, client: str, session_id: str, candidate: str, stitch: Stitch | None = None) -> StoredSession:  # noqa: D102
        ...

    def refresh(self, client: str, session_id: str, device_id: str) -> None: ...  # noqa: D102
    def save(self, client: str, session_id: str, device_id: str, location_hint: str) -> None: ...  # noqa: D102


class LocalSessions:
    """No records: a visitor is who the caller says, as with Adobe's SDKs, and is known again by their cookies."""

    async def open(
        self,
        client: str,  # noqa: ARG002 - no records
        session_id: str,  # noqa: ARG002
        candidate: str,
        stitch: Stitch | None = None,
    ) -> StoredSession:
        """Give the candidate and the new SDID; a page's SDIDs are kept in `visitor_state`."""
        return StoredSession(candidate, "", stitch.fresh if stitch else "")

    def refresh(self, client: str, session_id: str, device_id: str) -> None:
        """Keep nothing."""

    def save(self, client: str, session_id: str, device_id: str, location_hint: str) -> None:
        """Keep nothing."""


class LocalStream:
    """Notifications on their way to Target, in memory: those of a process that ends unexpectedly are lost."""

    def __init__(self, max_length: int) -> None:
        """Keep at most `max_length` entries; beyond that the oldest give way."""
        self._waiting: deque[Entry] = deque(maxlen=max_length)
        self._taken: dict[bytes, Entry] = {}
        self._max_length = max_length
        self._number = 0

    def put(self, content: bytes) -> None:
        """Add an entry."""
        self._number += 1
        self._waiting.append(Entry(b"%d-%012d" % (int(time.time() * 1000), self._number), content))

    async def open(self) -> None:
        """Do nothing: it is there."""

    async def take(self, count: int, *, after: bytes | None = None) -> list[Entry]:
        """Give up to `count` entries nobody has taken yet, or those `after` an id that were taken and not finished."""
        if after is not None:
            return [entry for entry in self._taken.values() if after == b"0" or entry.id > after][:count]
        room = max(self._max_length - len(self._taken), 0)
        found = [self._waiting.popleft() for _ in range(min(count, room, len(self._waiting)))]
        self._taken |= {entry.id: entry for entry in found}
        return found

    async def take_over(self, idle_ms: int, count: int) -> list[Entry]:  # noqa: ARG002 - the signature of a stream
        """Give nothing: there is nobody else."""
        return []

    async def finish(self, entries: list[Entry]) -> None:
        """Forget entries that were sent or given up."""
        for entry in entries:
            self._taken.pop(entry.id, None)

    async def count(self) -> int:
        """Give how many entries wait."""
        return len(self._waiting) + len(self._taken)
