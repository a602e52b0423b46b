"""One session's calls run one after another, and never more than 100 wait (spec/delivery-api.md §8, §16)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.demo.messages import RefusedError

MOST_CALLS = 100


class _Line:
    """The calls of one session: one has the turn, the others wait in the order they came."""

    __slots__ = ("calls", "turn")

    def __init__(self) -> None:
        self.calls = 0
        self.turn = asyncio.Lock()


class Sessions:
    """The lines of all sessions with a call under way; a session without one is forgotten."""

    def __init__(self) -> None:
        """Start without sessions; `most` is the highest number of calls one session ever had in flight."""
        self.most = 0
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def turn(self, session: str) -> AsyncIterator[None]:
        """Wait for the session's turn and hold it for the block; raises RefusedError (420) when 100 are in flight."""
        line = self._lines.setdefault(session, _Line())
        if line.calls >= MOST_CALLS:
            raise RefusedError(f"too many requests with the same session id: {MOST_CALLS} are in flight", status=420)
        line.calls += 1
        self.most = max(self.most, line.calls)
        try:
            async with line.turn:
                yield
        finally:
            line.calls -= 1
            if not line.calls:
                del self._lines[session]
