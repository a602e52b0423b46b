"""How many sessions one process opens a second, over one connection and 50 callers at a time."""

import asyncio
import random
import time
from typing import Any

from gateway.store.connection import Store
from gateway.store.keys import Keys
from gateway.store.sessions import Sessions
from tests.load.bench import Bench
from tests.load.processes import pinned
from tests.load.report import Goal, Row, middle

_CALLERS = 50
_SESSIONS = 10_000
_WARM_UP_S = 0.3
_GOALS = (Goal("per_s", at_least=15_000),)


async def give_rows(bench: Bench) -> list[Row]:
    """Give one row: this process opens sessions on the server's core, Redis runs on the other."""
    with pinned(bench.cores.server):
        await measure(bench.redis_url, _WARM_UP_S)
        found = [await measure(bench.redis_url, bench.seconds) for _ in range(bench.rounds)]
    bench.say(f"sessions opened a second: {', '.join(format(one['calls_per_s'], ',') for one in found)}")
    return [
        Row(
            name="sessions",
            about=f"session scripts, one process, {_CALLERS} callers",
            per_s=middle([one["calls_per_s"] for one in found]),
            p50_ms=middle([one["p50_ms"] for one in found]),
            p99_ms=middle([one["p99_ms"] for one in found]),
            goals=_GOALS,
        )
    ]


async def measure(url: str, seconds: float) -> dict[str, Any]:
    """Open sessions on the Redis at `url` for `seconds`; gives calls_per_s, p50_ms and p99_ms."""
    store = await Store.connect(url, timeout_ms=5000, connect_timeout_ms=5000, max_waiting=20_000)
    sessions = Sessions(store, Keys(b"a secret for measuring"))
    try:
        begun = time.perf_counter()
        rounds = await asyncio.gather(*(_open_until(sessions, begun + seconds, seed) for seed in range(_CALLERS)))
        elapsed = time.perf_counter() - begun
    finally:
        await store.close()
    times = sorted(took for one in rounds for took in one)
    return {
        "calls_per_s": round(len(times) / elapsed),
        "p50_ms": round(times[len(times) // 2] * 1000, 3),
        "p99_ms": round(times[len(times) * 99 // 100] * 1000, 3),
    }


async def _open_until(sessions: Sessions, end: float, seed: int) -> list[float]:
    chance = random.Random(seed)
    times = []
    while (begun := time.perf_counter()) < end:
        await sessions.open("acme", f"session-{chance.randrange(_SESSIONS)}", f"visitor-{seed}.35_0")
        times.append(time.perf_counter() - begun)
    return times
