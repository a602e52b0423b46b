"""How long the event loop is held while a 10 MB artifact is read, compiled, swapped in and the old one let go.

`python -m tests.load.swap` prints the longest and the usual lag of a loop that has nothing else to do, and how long a
start takes, of the process up to its first decision, with an artifact on disk and nothing to reach: no source of
artifacts, no Target, no Redis.
"""

import asyncio
import gc
import json
import tempfile
import time
import urllib.request
from pathlib import Path

import aiohttp
import uvloop

from gateway.config import Artifact, Client
from gateway.upstream.artifact_feed import ArtifactFeed
from tests.load.artifacts import make_large_artifact
from tests.load.processes import Command, read_started, run_server

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
    booted = await asyncio.to_thread(boot, folder, settings, client)
    assert again.artifact is not None, "nothing was kept on disk"
    assert feed.retrieved == 2, said
    print(f"artifact {size / 1e6:.1f} MB, {sum(map(len, again.artifact.mboxes.values()))} rules")
    print(f"event loop, nothing to do:            {idle.describe()}")
    print(f"event loop, loading and swapping it:  {busy.describe()}; it took {took:.2f} s")
    print(f"artifact from disk, source gone:      {started:.2f} s")
    print(f"`gateway run` to its first decision, with nothing to reach: {booted:.2f} s")


def boot(folder: Path, settings: Artifact, client: Client) -> float:
    """Give the seconds from the start of a gateway process to its first local decision."""
    config = folder / "gateway.toml"
    config.write_text(
        f"""
        [web]
        listen = "127.0.0.1:0"
        admin-listen = "127.0.0.1:0"
        [client.bench]
        organization-id = "{client.organization_id}"
        artifact-location = "{client.artifact_location}"
        method = "on-device"
        [artifact]
        cache-dir = "{settings.cache_dir}"
        [upstream.target]
        url = "http://127.0.0.1:9"
        edge-url = ""
        """
    )
    environ = {"REDIS_URL": "redis://127.0.0.1:9", "GATEWAY_KEY_SECRET": "of the measurement"}
    command = Command(
        arguments=["-m", "gateway", "run", "--config", str(config)], environ=environ, read_port=read_started
    )
    body = {"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 1, "name": "mbox-two-0"}]}}
    begun = time.perf_counter()
    with run_server(command) as server:
        address = f"http://127.0.0.1:{server.port}/rest/v1/delivery?client=bench&sessionId=s"
        with urllib.request.urlopen(urllib.request.Request(address, json.dumps(body).encode()), timeout=10) as reply:
            answer = json.load(reply)
        took = time.perf_counter() - begun
    assert answer["status"] == 200, answer
    return took


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        uvloop.run(measure(Path(name)))
