"""How long the event loop is held while a 10 MB artifact is read, compiled, swapped in and the old one let go.

`python -m tests.load.swap` prints the longest and the usual lag of a loop that has nothing else to do, and how long a
start from the disk takes with nothing to reach.
"""

import asyncio
import gc
import tempfile
import time
from pathlib import Path

import aiohttp
import uvloop

from gateway.config import Artifact, Client
from gateway.upstream.artifact_feed import ArtifactFeed
from tests.load.artifacts import make_large_artifact

_TICK_S = 0.001
_WATCH_AFTER_S = 1.0
MEGABYTES = 10


class Lag:
    """Wakes every millisecond and notes how late it was."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []

    async def watch(self) -> None:
        """Watch until cancelled."""
        while True:
            due = time.perf_counter() + _TICK_S
            await asyncio.sleep(_TICK_S)
            self.late_ms.append((time.perf_counter() - due) * 1000)

    def describe(self) -> str:
        """Say it in one line."""
        late = sorted(self.late_ms)
        return f"longest {late[-1]:.1f} ms, 99 % under {late[len(late) * 99 // 100]:.1f} ms, {len(late)} looks"


async def measure(folder: Path) -> None:
    """Swap one large artifact for another and print what it did to the loop."""
    source = folder / "rules.json"
    settings = Artifact(cache_dir=str(folder / "kept"))
    client = Client(organization_id="BENCH@AdobeOrg", artifact_location=str(source), poll_s=0)
    source.write_bytes(make_large_artifact(MEGABYTES, "one"))
    async with aiohttp.ClientSession() as session:
        said: list[str] = []
        feed = ArtifactFeed("bench", client, settings, session, lambda event, detail: said.append(f"{event} {detail}"))
        await feed.start()
        size = source.stat().st_size
        gc.collect()
        gc.freeze()
        idle, busy = Lag(), Lag()
        watching = asyncio.create_task(idle.watch())
        await asyncio.sleep(_WATCH_AFTER_S)
        watching.cancel()
        source.write_bytes(make_large_artifact(MEGABYTES, "two"))
        watching = asyncio.create_task(busy.watch())
        begun = time.perf_counter()
        await feed.refresh()
        took = time.perf_counter() - begun
        await asyncio.sleep(_WATCH_AFTER_S)
        watching.cancel()
        await feed.close()
        source.unlink()
        again = ArtifactFeed("bench", client, settings, session, lambda *_: None)
        begun = time.perf_counter()
        await again.start()
        started = time.perf_counter() - begun
    assert again.artifact is not None, "nothing was kept on disk"
    assert feed.retrieved == 2, said
    print(f"artifact {size / 1e6:.1f} MB, {sum(map(len, again.artifact.mboxes.values()))} rules")
    print(f"event loop, nothing to do:            {idle.describe()}")
    print(f"event loop, loading and swapping it:  {busy.describe()}; it took {took:.2f} s")
    print(f"start from disk, source gone:         {started:.2f} s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        uvloop.run(measure(Path(name)))
