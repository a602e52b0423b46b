"""What trouble costs, in figures: `python -m tests.load.faults`.

How much a gateway adds to a server-side call, how late answers are when Target hangs, and how many calls Target gets
in an outage. One gateway process over loopback, the stand-in Target and a private Redis beside it.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from urllib.request import Request, urlopen

import msgspec
import uvloop

from gateway.store.embedded import EmbeddedServer
from tests.load.bench import Bench
from tests.load.delivery import run_gateway, run_target
from tests.load.generator import BenchError, Load, _Connection
from tests.load.processes import Server, choose_cores, pin, watch_stalls
from tests.load.report import middle, percentile
from tests.load.scenarios import SCENARIOS, find_begin, make_requests

_SCENARIO = SCENARIOS["server-side"]
_DEADLINE_MS = 250
_CONNECTIONS = 64
_PER_S = 150
_SLICES = 10
_BREAKER = "GATEWAY_UPSTREAM__TARGET__BREAKER_PERCENT"


class AnyLoad(Load):
    """Load that times every reply, good or not."""

    def take_reply(self, connection: _Connection, *, good: bool) -> None:  # noqa: ARG002 - every reply counts
        """Count a reply and go on with its connection."""
        super().take_reply(connection, good=True)


def make_hurried_requests(deadline_ms: int):
    """Give what makes the n-th request, to be answered within `deadline_ms`."""
    plain = make_requests(_SCENARIO)
    header = f"\r\nX-Request-Timeout-Ms: {deadline_ms}\r\n\r\n".encode()
    return lambda number: plain(number).replace(b"\r\n\r\n", header, 1)


def control(target: Server, trouble: dict[str, object] | None) -> int:
    """Bring a trouble about at the stand-in, or end it; gives how many calls it has had."""
    data = None if trouble is None else msgspec.json.encode(trouble)
    address = f"http://127.0.0.1:{target.port}/control"
    with urlopen(Request(address, data, method="DELETE" if data is None else "PUT"), timeout=10) as reply:
        return int(msgspec.json.decode(reply.read())["received"])


async def measure_added(target: Server, gateway: Server, seconds: float) -> str:
    """Ask Target directly and through the gateway in turn, one call at a time."""
    loads = {name: Load(make_requests(_SCENARIO), find_begin(_SCENARIO)) for name in ("direct", "gateway")}
    for name, server in (("direct", target), ("gateway", gateway)):
        await loads[name].connect("127.0.0.1", server.port, 1)
        await loads[name].run_closed(0.5)
    found: dict[str, list[float]] = {"direct": [], "gateway": []}
    fastest: dict[str, list[float]] = {"direct": [], "gateway": []}
    for _ in range(_SLICES):
        for name, load in loads.items():
            window = await load.run_closed(seconds / _SLICES)
            if window.failed:
                raise BenchError(f"{window.failed} calls to {name} failed")
            found[name].append(1000 * percentile(window.latencies, 0.5))
            fastest[name].append(1000 * percentile(window.latencies, 0.1))
    for load in loads.values():
        load.close()
    added = [ours - theirs for ours, theirs in zip(found["gateway"], found["direct"], strict=True)]
    undisturbed = middle(fastest["gateway"]) - middle(fastest["direct"])
    return (
        f"added to a server-side call, p50: {middle(added):.2f} ms "
        f"(through the gateway {middle(found['gateway']):.2f}, direct {middle(found['direct']):.2f}; "
        f"in the best of {_SLICES} slices {min(added):.2f}, p10 of all {undisturbed:.2f}); goal at most 1.5"
    )


async def measure_lateness(target: Server, gateway: Server, seconds: float) -> str:
    """Let Target hang, and see when answers leave that are due after a quarter of a second."""
    load = AnyLoad(make_hurried_requests(_DEADLINE_MS), b"{")
    await load.connect("127.0.0.1", gateway.port, _CONNECTIONS)
    control(target, {"hang": True})
    cpu = gateway.cpu_seconds()
    window = await load.run_open(seconds, _PER_S)
    cpu_ms = 1000 * (gateway.cpu_seconds() - cpu) / window.good
    control(target, None)
    load.close()
    late = [1000 * latency - _DEADLINE_MS for latency in window.latencies]
    return (
        f"answers while Target hangs, past their deadline of {_DEADLINE_MS} ms: p50 {percentile(late, 0.5):+.1f} ms, "
        f"p99 {percentile(late, 0.99):+.1f}, p99.9 {percentile(late, 0.999):+.1f}, worst {max(late):+.1f}, "
        f"of {len(late):,} ({_PER_S} a second, {cpu_ms:.2f} ms of CPU each); goal p99.9 at most +20"
    )


async def measure_outage(target: Server, gateway: Server, seconds: float, about: str) -> str:
    """Let Target answer 503, and count what it gets for each call it should have got."""
    load = AnyLoad(make_requests(_SCENARIO), b"{")
    await load.connect("127.0.0.1", gateway.port, _CONNECTIONS // 2)
    before = control(target, {"status": 503})
    window = await load.run_closed(seconds)
    sent = control(target, None) - before
    load.close()
    share = sent / window.good
    return f"calls sent for each wanted in an outage, {about}: {share:.3f} of {window.good:,}; goal at most 1.1"


async def measure(bench: Bench) -> None:
    """Print every figure as it is known."""
    with run_target(bench) as target:
        with run_gateway(bench, target) as gateway:
            print(await measure_added(target, gateway, bench.seconds), flush=True)
            print(await measure_lateness(target, gateway, bench.seconds), flush=True)
            print(await measure_outage(target, gateway, bench.seconds, "with the circuit breaker"), flush=True)
        os.environ[_BREAKER] = "0"
        with run_gateway(bench, target) as gateway:
            print(await measure_outage(target, gateway, bench.seconds, "without it"), flush=True)


def main() -> int:
    """Measure; gives 0, or 1 when something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement (default: %(default)s)")
    options = parser.parse_args()
    cores = choose_cores()
    pin(cores.others)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder, EmbeddedServer(Path(folder)) as redis:
            only = frozenset[str]()
            bench = Bench(seconds=options.seconds, rounds=1, only=only, redis_url=redis.url, cores=cores)
            before = watch_stalls(cores.server)
            uvloop.run(measure(bench))
            print(f"before and after: {before.describe()}; {watch_stalls(cores.server).describe()}")
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
