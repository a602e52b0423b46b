"""The figures of merging: `python -m tests.load.merging`; each is printed with what it has to be.

One gateway, a stand-in Target that runs a session's calls one after another, and a private Redis, in this process and
on real sockets. `tests/web/test_merging.py` and `tests/delivery/test_merging.py` are the short version.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from gateway.delivery.stitching import read_sdid
from gateway.demo.target import Trouble
from gateway.store.embedded import EmbeddedServer
from tests.delivery.test_merging import count_wrong_merges
from tests.stage import DELIVERY, Stage, run_stage

_LOCAL, _REMOTE = "homepage-hero", "recommendations"
_SERVER_SIDE = {"GATEWAY_CLIENT__DEMO__METHOD": "server-side", "GATEWAY_OUTBOX__ENABLED": "false"}
_HYBRID = {"GATEWAY_OUTBOX__ENABLED": "false"}
_CALLERS = 10
_TARGET_MS = 20
_TRIES = 500


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; gives 1 where a figure is not what it has to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.merging", description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000, help="near-equal pairs of calls (default: %(default)s)")
    parser.add_argument("--sessions", type=int, default=10_000, help="of ten first calls each (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="repetitions of the others (default: %(default)s)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder, EmbeddedServer(Path(folder)) as redis:
        missed = uvloop.run(_measure(redis.url, given))
    begun = time.perf_counter()
    wrong = count_wrong_merges(given.pairs)
    missed += _tell(
        f"{given.pairs:,} near-equal pairs: {wrong} merged wrongly, {time.perf_counter() - begun:.0f} s", wrong
    )
    return 1 if missed else 0


def _tell(line: str, missed: object) -> int:
    print(f"{'MISSED ' if missed else 'ok     '}{line}", flush=True)
    return int(bool(missed))


async def _measure(redis_url: str, given: argparse.Namespace) -> int:
    missed = await measure_page(redis_url, given.rounds)
    missed += await measure_first_calls(redis_url, given.sessions)
    missed += await measure_serial(redis_url, given.rounds)
    await measure_idle(redis_url)
    return missed


async def measure_page(redis_url: str, rounds: int) -> int:
    """Fifty calls at once of one session, each with a consumer of its own: calls to Target, SDIDs."""
    calls, sdids = [], []
    async with run_stage(redis_url, _SERVER_SIDE) as stage, _Wire.open(stage, 50) as wires:
        for number in range(rounds):
            before = stage.stand_in.received
            await asyncio.gather(*(wires[at].post(_ask(_REMOTE), f"page-{number}", f"c{at}") for at in range(50)))
            sent = list(stage.stand_in.requests)[before - stage.stand_in.received :]
            calls.append(len(sent))
            sdids.append(len({read_sdid(call.body) for call in sent}))
    line = f"50 concurrent calls of a session, {rounds} times: {min(calls)} to {max(calls)} calls to Target (at most 3)"
    return _tell(f"{line}, {max(sdids)} SDID", max(calls) > 3 or max(sdids) > 1)


async def measure_first_calls(redis_url: str, sessions: int) -> int:
    """Ten first calls at once of each session, local, remote and mixed, with and without consumers: device ids."""
    bodies = (_ask(_LOCAL), _ask(_REMOTE), _ask(_LOCAL, _REMOTE))
    found: dict[str, set[str]] = {}
    begun, degraded = time.perf_counter(), 0

    async def open_session(wire: "_Wire", session: str, at: int) -> None:
        answer, head = await wire.post(bodies[at % 3], session, f"c{at}" if at % 2 else "")
        nonlocal degraded
        degraded += b"X-Gateway-Degraded" in head
        found.setdefault(session, set()).add(answer["id"]["tntId"].partition(".")[0])

    async with run_stage(redis_url, _HYBRID) as stage, _Wire.open(stage, 20 * _CALLERS) as wires:
        for first in range(0, sessions, 20):
            batch = range(first, min(first + 20, sessions))
            jobs = [(number, at) for at in range(_CALLERS) for number in batch]
            await asyncio.gather(
                *(open_session(wire, f"first-{number}", at) for wire, (number, at) in zip(wires, jobs, strict=False))
            )
        upstream = stage.stand_in.received
    several = sum(len(ids) != 1 for ids in found.values())
    shared = len(found) - len({tnt_id for ids in found.values() for tnt_id in ids})
    line = f"{sessions * _CALLERS:,} concurrent first calls over {len(found):,} sessions: {several} with several ids"
    more = f"{degraded} degraded, {upstream:,} calls to Target, {time.perf_counter() - begun:.0f} s"
    return _tell(f"{line}, {shared} shared between sessions; {more}", several or shared or len(found) != sessions)


async def measure_serial(redis_url: str, rounds: int) -> int:
    """Ten calls at once of one session, at a Target that takes 20 ms for each: time until all are in."""
    taken: dict[str, float] = {}
    for name, changes in (("unmerged", {"GATEWAY_MERGE__ENABLED": "false"}), ("merged", {})):
        async with run_stage(redis_url, _SERVER_SIDE | changes) as stage, _Wire.open(stage, _CALLERS) as wires:
            stage.stand_in.trouble = Trouble(delay_ms=_TARGET_MS)
            times = []
            for number in range(rounds):
                begun = time.perf_counter()
                posts = [wire.post(_ask(_REMOTE), f"{name}-{number}", f"c{at}") for at, wire in enumerate(wires)]
                await asyncio.gather(*posts)
                times.append(time.perf_counter() - begun)
            taken[name] = statistics.median(times)
    ratio = taken["unmerged"] / taken["merged"]
    line = f"10 concurrent calls of a serialised session: {taken['unmerged'] * 1000:.1f} ms unmerged"
    return _tell(f"{line}, {taken['merged'] * 1000:.1f} ms merged: {ratio:.1f} times sooner (at least 3)", ratio < 3)


async def measure_idle(redis_url: str) -> None:
    """One call after another, to Target directly and through the gateway: what is added, with which window."""
    for changes in ({"GATEWAY_MERGE__ENABLED": "false"}, {"GATEWAY_MERGE__WINDOW_MS": "0"}, {}):
        async with run_stage(redis_url, _SERVER_SIDE | changes) as stage:
            direct_port = stage.running.services.settings.upstream.target.url.rpartition(":")[2]
            async with _Wire.open(stage, 1) as through, _Wire.open(stage, 1, direct_port) as direct:
                direct_ms, unnamed_ms, named_ms = await _time_in_turns(
                    lambda at, wire=direct[0]: wire.post(_ask(_REMOTE, f"d{at}"), f"d{at}", ""),
                    lambda at, wire=through[0]: wire.post(_ask(_REMOTE, f"u{at}"), f"u{at}", ""),
                    lambda at, wire=through[0]: wire.post(_ask(_REMOTE, f"n{at}"), f"n{at}", "c"),
                )
        what = ", ".join(f"{name.removeprefix('GATEWAY_').lower()}={value}" for name, value in changes.items())
        line = f"one call after another ({what or 'window-ms=2'}): direct {direct_ms:.2f} ms p50"
        _tell(f"{line}, gateway +{unnamed_ms - direct_ms:.2f} ms, with a consumer +{named_ms - direct_ms:.2f} ms", None)


async def _time_in_turns(*calls: Callable[[int], Awaitable[object]]) -> list[float]:
    times: list[list[float]] = [[] for _ in calls]
    for at in range(_TRIES):
        for call, taken in zip(calls, times, strict=True):
            begun = time.perf_counter()
            await call(at)
            taken.append((time.perf_counter() - begun) * 1000)
    return [statistics.median(taken) for taken in times]


def _ask(*names: str) -> dict[str, Any]:
    """Give a request; the second name, if it is no mbox of the shop, is the visitor's device id."""
    mboxes = [{"index": at, "name": name} for at, name in enumerate(names) if name in (_LOCAL, _REMOTE)]
    known = [name for name in names if name not in (_LOCAL, _REMOTE)]
    body: dict[str, Any] = {"context": {"channel": "web"}, "execute": {"mboxes": mboxes}}
    return body | ({"id": {"tntId": known[0]}} if known else {})


class _Wire:
    """One kept connection; a client library would cost more than the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def open(cls, stage: Stage, count: int, port: str = "") -> AsyncIterator[list["_Wire"]]:
        number = port or stage.running.public.rpartition(":")[2]
        wires = [cls(*await asyncio.open_connection("127.0.0.1", int(number))) for _ in range(count)]
        try:
            yield wires
        finally:
            for wire in wires:
                wire._writer.close()
                await wire._writer.wait_closed()

    async def post(self, body: Any, session: str, consumer: str) -> tuple[Any, bytes]:
        raw = json.dumps(body).encode()
        named = f"&consumerId={consumer}" if consumer else ""
        head = f"POST {DELIVERY}?client=demo&sessionId={session}{named} HTTP/1.1\r\nHost: bench\r\n"
        self._writer.write(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)
        answered = await self._reader.readuntil(b"\r\n\r\n")
        length = int(answered.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        return json.loads(await self._reader.readexactly(length)), answered


if __name__ == "__main__":
    raise SystemExit(main())
