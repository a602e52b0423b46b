"""`python -m tests.load.soak`: many processes against one global cap, and never one grant too many (gw:C1, gw:C3).

Every worker writes one byte to a file of its own for each grant it hands out, so that also what a killed worker handed
out is counted. The counter in the store may be ahead of the grants by what killed workers had claimed, never behind.
"""

import argparse
import asyncio
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop
from msgspec import Struct

from gateway.ids import new_id
from gateway.offers.capping import Granted, Refused
from gateway.store.embedded import EmbeddedServer
from tests.store.cap_stage import SPACE, claim_one, open_caps, somebody
from tests.store.clusters import run_cluster

OFFER, CONTAINER = "xcore:personalized-offer:soak", "shop"
PROFILES = 5_000
PAUSE_S = 2.5
"""Between the claims of a task where workers are killed, so that they are killed while there is something to grant."""

_LONGEST_LIFE_S = 1.5


class Load(Struct, frozen=True):
    """How much is asked of the caps, and by whom."""

    attempts: int = 1_000_000
    cap: int = 10_000
    processes: int = 8
    tasks: int = 200
    kills: int = 0
    pause_s: float = 0.0


class Outcome(Struct, frozen=True):
    """What came of it."""

    granted: int
    counted: int
    unavailable: int
    attempts: int
    seconds: float
    killed: int

    def describe(self, load: Load) -> str:
        """Say it in one line."""
        return (
            f"{self.attempts:>9,} attempts, {self.killed} kills: granted {self.granted:,} of {load.cap:,}, counted "
            f"{self.counted:,}, overshoot {max(0, self.granted - load.cap, self.counted - load.cap)}, "
            f"unavailable {self.unavailable}, {self.attempts / self.seconds:,.0f} claims/s"
        )


def run(url: str, load: Load, shards: int, folder: Path) -> Outcome:
    """Let worker processes claim, kill some where wanted, and count what they handed out."""
    numbers = itertools.count()
    share = load.attempts // load.processes
    begun = time.monotonic()

    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.load.soak", "--worker", str(folder / f"grants-{next(numbers)}")]
        command += ["--url", url, "--attempts", str(share), "--cap", str(load.cap)]
        return subprocess.Popen(
            [*command, "--tasks", str(load.tasks), "--shards", str(shards), "--pause", str(load.pause_s)]
        )

    workers = [start() for _ in range(load.processes)]
    killed = 0
    while killed < load.kills:
        time.sleep(random.uniform(0.1, _LONGEST_LIFE_S))
        place = random.randrange(len(workers))
        killed += workers[place].poll() is None
        workers[place].send_signal(signal.SIGKILL)
        workers[place].wait()
        workers[place] = start()
    codes = [worker.wait() for worker in workers]
    if any(codes):
        raise SystemExit(f"a worker failed: exit codes {codes}")
    granted, unavailable = 0, 0
    for path in folder.glob("grants-*"):
        written = path.read_bytes()
        granted += written.count(b"g")
        unavailable += written.count(b"u")
    counted = asyncio.run(_read_count(url, shards))
    attempts = share * (load.processes + killed)
    return Outcome(granted, counted, unavailable, attempts, time.monotonic() - begun, killed)


async def _read_count(url: str, shards: int) -> int:
    async with open_caps(url, shards=shards) as caps:
        return (await caps.show(SPACE, CONTAINER)).get(OFFER, 0)


async def work(options: argparse.Namespace) -> None:
    """Claim as one worker, and note every grant at once."""
    attempts = iter(range(options.attempts))
    notes = os.open(options.worker, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    loop = asyncio.get_running_loop()
    pause_s = [options.pause]
    selection, mine = claim_one(OFFER, options.cap), new_id()

    async def claim_on() -> None:
        for number in attempts:
            if pause_s[0]:
                await asyncio.sleep(random.uniform(0, 2 * pause_s[0]))
            whom = somebody(f"p{random.randrange(PROFILES)}", CONTAINER)
            verdict = await caps.claim(whom, selection, f"{mine}-{number}", loop.time() + 60)
            if isinstance(verdict, Granted):
                os.write(notes, b"g")
            elif isinstance(verdict, Refused):
                pause_s[0] = 0.0  # nothing is left to be killed for
            else:
                os.write(notes, b"u")

    async with open_caps(options.url, shards=options.shards) as caps:
        await asyncio.gather(*(claim_on() for _ in range(options.tasks)))


@contextmanager
def servers(kind: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Give the URL of one server and 1 shard, or of a cluster of three primaries and 4."""
    if kind == "single":
        with EmbeddedServer(folder / "single") as server:
            yield server.url, 1
    else:
        with run_cluster(folder / "cluster") as nodes:
            yield nodes[0].url, 4


def soak(kind: str, load: Load) -> Outcome:
    """Run one kind of server under a load."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name, servers(kind, Path(name)) as (url, shards):
        return run(url, load, shards, Path(name))


def main() -> int:
    """Soak one server and a cluster, with and without kills; gives 1 where a cap was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--shards", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--pause", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--attempts", type=int, default=Load().attempts)
    parser.add_argument("--cap", type=int, default=Load().cap)
    parser.add_argument("--tasks", type=int, default=Load().tasks)
    parser.add_argument("--kills", type=int, default=24, help="workers to kill in the runs with kills")
    options = parser.parse_args()
    if options.worker:
        uvloop.run(work(options))
        return 0
    broken = 0
    for kills in (0, options.kills):
        for kind in ("single", "cluster"):
            load = Load(options.attempts, options.cap, tasks=options.tasks, kills=kills, pause_s=PAUSE_S * bool(kills))
            outcome = soak(kind, load)
            print(f"{kind:>8}: {outcome.describe(load)}", flush=True)
            broken += outcome.counted > load.cap or outcome.granted > outcome.counted
            broken += not kills and outcome.granted != min(load.attempts, load.cap)
    return int(broken > 0)


if __name__ == "__main__":
    raise SystemExit(main())
