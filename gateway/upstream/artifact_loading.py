"""Loading and letting go of artifacts beside a busy event loop.

Python's lock lets one thread run at a time, and one call into C can hold it for a tenth of a second. A large artifact
is therefore read, and later freed, in slices, with the lock given away after each of them. The garbage collector is
off meanwhile: with a million new objects about, one look of its would stop everything for longer than that.
"""

import asyncio
import threading
import time
import weakref
from typing import Any

from gateway.delivery.artifact import Artifact, read_slices
from gateway.garbage import without_collections

LARGE = 262_144
_SLICE_S = 0.002
_LET_OTHERS_S = 0.0005
_PATIENCE_S = 120
_LOOK_S = 0.1
_one_at_a_time = threading.Lock()


def load(raw: bytes, organization_id: str, *, binary: bool, gently: bool = True) -> Artifact:
    """Give the artifact in `raw`; `gently` lets other threads run every 2 ms. Raises ArtifactUnsupported."""
    slices = read_slices(raw, organization_id=organization_id, binary=binary)
    pace = Pace(gently=gently)
    with _one_at_a_time, without_collections(large=len(raw) > LARGE):
        while True:
            try:
                next(slices)
            except StopIteration as end:
                artifact: Artifact = end.value
                return artifact
            pace.step()


class Pace:
    """Tells when others have waited long enough, and lets them run."""

    def __init__(self, *, gently: bool) -> None:
        """Begin now."""
        self._gently = gently
        self._since = time.perf_counter()

    def step(self) -> None:
        """Let others run if the last time is 2 ms ago."""
        if self._gently and time.perf_counter() - self._since > _SLICE_S:
            time.sleep(_LET_OTHERS_S)
            self._since = time.perf_counter()


async def let_go(artifacts: list[Artifact]) -> None:
    """Free the one artifact in `artifacts`, whose only owner this list is, once no request uses it any more."""
    pieces = _list_pieces(artifacts[0])
    gone = weakref.ref(artifacts.pop())
    deadline = time.monotonic() + _PATIENCE_S
    while gone() is not None and time.monotonic() < deadline:  # noqa: ASYNC110 - requests have no event to wait for
        await asyncio.sleep(_LOOK_S)
    await asyncio.to_thread(_drop, pieces)


def _list_pieces(artifact: Artifact) -> list[Any]:
    places: list[Any] = [*artifact.mboxes.values(), *artifact.views.values()]
    for decoded in artifact.payload["rules"].values():
        places.extend(decoded.values() if isinstance(decoded, dict) else ())
    return [rule for rules in places if isinstance(rules, list | tuple) for rule in rules]


def _drop(pieces: list[Any]) -> None:
    pace = Pace(gently=True)
    while pieces:
        pieces.pop()
        pace.step()
