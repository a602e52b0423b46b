"""`python -m tests.load.caps`: how long a claim takes, and how many a process makes in a second (reliability C14)."""

import asyncio
import tempfile
import time
from itertools import count
from pathlib import Path

import uvloop

from gateway.offers.capping import Granted
from gateway.store.caps import Caps
from gateway.store.embedded import EmbeddedServer
from tests.load.processes import watch_stalls
from tests.store.cap_stage import claim_one, open_caps, somebody

_SECONDS = 3.0
_numbers = count()


async def measure(caps: Caps, tasks: int) -> tuple[float, float, float]:
    """Give claims a second, and the median and 99th percentile of a claim in ms, with so many claims at once."""
    loop = asyncio.get_running_loop()
    end, times = loop.time() + _SECONDS, []

    async def claim_on(number: int) -> None:
        selection, whom = claim_one(f"offer-{number % 50}", 100_000_000, profile_cap=100_000_000), somebody(f"{number}")
        while (begun := time.perf_counter()) and loop.time() < end:
            verdict = await caps.claim(whom, selection, f"{next(_numbers)}", end + 10)
            times.append(time.perf_counter() - begun)
            if not isinstance(verdict, Granted):
                raise SystemExit(f"a claim was not granted: {verdict}")

    await asyncio.gather(*(claim_on(number) for number in range(tasks)))
    times.sort()
    return len(times) / _SECONDS, times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000


async def main() -> None:
    """Measure one server on this machine."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(Path(folder)) as server:
        async with open_caps(server.url) as caps:
            print(watch_stalls(None).describe())
            for tasks in (1, 10, 100):
                speed, median, p99 = await measure(caps, tasks)
                print(f"{tasks:>4} at once: {speed:>8,.0f} claims/s, median {median:.2f} ms, p99 {p99:.2f} ms")


if __name__ == "__main__":
    uvloop.run(main())
