"""The delivery scenarios: one gateway process under load, beside a bare handler under the same load in the same run.

Rounds go through all scenarios in turn, bare handler first, so that a machine that slows down slows both; ratios are
taken within a round, and the median round is reported.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from urllib.request import urlopen

import msgspec
from msgspec import Struct, field

from gateway.demo.target import ORGANIZATION
from gateway.store.connection import Store
from gateway.store.notifications import NotificationStream
from tests.load.bench import Bench
from tests.load.generator import BenchError, Load, Window
from tests.load.processes import Command, Server, read_port, read_started, run_server
from tests.load.report import Row, middle, percentile
from tests.load.scenarios import BARE, SCENARIOS, Scenario, check_answer, find_begin, make_requests

CONFIG = "config/demo.toml"
_CONNECTIONS = 32
_WARM_UP_S = 0.5
_LONGEST_SETTLING_S = 20.0
_POLL_S = 0.01

Settle = Callable[[], Awaitable[None]]


class Peak(Struct, frozen=True):
    """One closed-loop window: requests answered, seconds it took, CPU seconds the server used."""

    good: int
    elapsed: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return self.good / self.elapsed


class Calm(Struct, frozen=True):
    """One open-loop window at half the peak: latencies in ms."""

    p50_ms: float
    p99_ms: float


class Trial(Struct):
    """One scenario under way."""

    scenario: Scenario
    server: Server
    load: Load
    peaks: list[Peak] = field(default_factory=list)
    calms: list[Calm] = field(default_factory=list)
    failed: int = 0

    @property
    def per_s(self) -> float:
        """The peak: the median of the rounds."""
        return middle([peak.per_s for peak in self.peaks])

    @property
    def cpu_us(self) -> float:
        """CPU time a request, over all rounds: a single window is too short for the kernel's steps of 10 ms."""
        return 1e6 * sum(peak.cpu_s for peak in self.peaks) / sum(peak.good for peak in self.peaks)


async def measure(bench: Bench) -> list[Row]:
    """Give a row for the bare handler and for each scenario that was asked for; raises BenchError."""
    with ExitStack() as stack:
        target = stack.enter_context(run_target(bench))
        bare = stack.enter_context(run_bare(bench))
        gateway = stack.enter_context(run_gateway(bench, target))
        trials = [_make_trial(BARE, bare)]
        trials += [_make_trial(s, gateway) for s in SCENARIOS.values() if bench.wants(s.name)]
        try:
            async with _settling(bench) as settle:
                await _begin(trials, target, settle)
                for number in range(bench.rounds):
                    for trial in trials:
                        await _run_round(bench, trial, settle)
                    found = ", ".join(_describe_round(trial) for trial in trials)
                    bench.say(f"round {number + 1} of {bench.rounds}, peak a second and p99 in ms: {found}")
        finally:
            for trial in trials:
                trial.load.close()
            await asyncio.sleep(0)
    return [_make_row(trial, trials[0]) for trial in trials]


def run_target(bench: Bench) -> AbstractContextManager[Server]:
    """Run the stand-in Target."""
    arguments = ["-m", "gateway.demo.target", "--port", "0"]
    return run_server(Command(arguments=arguments, core=bench.cores.others, read_port=read_port))


def run_bare(bench: Bench) -> AbstractContextManager[Server]:
    """Run the bare handler."""
    arguments = ["-m", "tests.load.bare"]
    return run_server(Command(arguments=arguments, core=bench.cores.server, read_port=read_port))


def run_gateway(bench: Bench, target: Server, arguments: Sequence[str] = ()) -> AbstractContextManager[Server]:
    """Run a gateway in front of `target`, with its access log on; `arguments` replace those that start it."""
    origin = f"http://127.0.0.1:{target.port}"
    environ = {
        "GATEWAY_WEB__LISTEN": "127.0.0.1:0",
        "GATEWAY_WEB__ADMIN_LISTEN": "127.0.0.1:0",
        "GATEWAY_UPSTREAM__TARGET__URL": origin,
        "GATEWAY_ARTIFACT__GEO_URL": f"{origin}/v1/geo",
        "GATEWAY_CLIENT__DEMO__ORGANIZATION_ID": ORGANIZATION,
        "GATEWAY_CLIENT__DEMO__ARTIFACT_LOCATION": f"{origin}/artifact/demo/production/v1/rules.json",
        "GATEWAY_LOG__ACCESS": "true",
        "GATEWAY_OFFERS__INLINE_PROFILE": "true",
        "GATEWAY_CAPS__RECORD": "",
        "GATEWAY_REDIS__TIMEOUT_MS": "2000",  # a core taken away for 40 ms shows as latency, not as a failed request
        "GATEWAY_REPOSITORY__INDEXED_AT_START": "0",  # the `index` rows measure what the first list has to do
        "REDIS_URL": bench.redis_url,
        "GATEWAY_KEY_SECRET": "a secret of the benchmark",
    }
    start = list(arguments) or ["-m", "gateway", "run", "--config", CONFIG]
    return run_server(Command(arguments=start, environ=environ, core=bench.cores.server, read_port=read_started))


def _make_trial(scenario: Scenario, server: Server) -> Trial:
    return Trial(scenario, server, Load(make_requests(scenario), find_begin(scenario)))


@asynccontextmanager
async def _settling(bench: Bench) -> AsyncIterator[Settle]:
    """Give what waits until no notification is on its way to Target any more."""
    store = await Store.connect(bench.redis_url, timeout_ms=5000, connect_timeout_ms=5000, max_waiting=100)
    stream = NotificationStream(store, "benchmark", 1)

    async def settle() -> None:
        end = time.perf_counter() + _LONGEST_SETTLING_S
        while waiting := await stream.count():
            if time.perf_counter() > end:
                raise BenchError(f"{waiting} notifications have not reached Target in {_LONGEST_SETTLING_S:.0f} s")
            await asyncio.sleep(_POLL_S)

    try:
        yield settle
    finally:
        await store.close()


async def _begin(trials: Sequence[Trial], target: Server, settle: Settle) -> None:
    def count_calls() -> int:
        with urlopen(f"http://127.0.0.1:{target.port}/control", timeout=10) as reply:
            return int(msgspec.json.decode(reply.read())["received"])

    for trial in trials:
        check_answer(trial.scenario, trial.server.port, count_calls)
        await trial.load.connect("127.0.0.1", trial.server.port, _CONNECTIONS)
        await trial.load.run_closed(_WARM_UP_S)
        await settle()


async def _run_round(bench: Bench, trial: Trial, settle: Settle) -> None:
    """Find the peak, then at once the latency at half of it: later the machine may be another one."""
    peak = await _find_peak(bench, trial, settle)
    window = await trial.load.run_open(bench.seconds, peak.per_s / 2)
    await settle()
    _count_failed(trial, window)
    ms = [1000 * latency for latency in window.latencies]
    trial.peaks.append(peak)
    trial.calms.append(Calm(percentile(ms, 0.5), percentile(ms, 0.99)))


def _describe_round(trial: Trial) -> str:
    return f"{trial.scenario.name} {trial.peaks[-1].per_s:,.0f} {trial.calms[-1].p99_ms:.1f}"


async def _find_peak(bench: Bench, trial: Trial, settle: Settle) -> Peak:
    cpu = trial.server.cpu_seconds()
    window = await trial.load.run_closed(bench.seconds)
    elapsed = window.elapsed
    if trial.scenario.settles:
        begun = time.perf_counter()
        await settle()
        elapsed += time.perf_counter() - begun
    cpu = trial.server.cpu_seconds() - cpu
    _count_failed(trial, window)
    return Peak(window.good, elapsed, cpu)


def _count_failed(trial: Trial, window: Window) -> None:
    trial.failed += window.failed
    if not window.good:
        raise BenchError(f"{trial.scenario.name}: none of {window.failed} replies was good")


def _make_row(trial: Trial, bare: Trial) -> Row:
    ratios = [ours.per_s / theirs.per_s for ours, theirs in zip(trial.peaks, bare.peaks, strict=True)]
    own = trial is bare
    p99 = [calm.p99_ms for calm in trial.calms]
    return Row(
        name=trial.scenario.name,
        about=trial.scenario.about,
        per_s=trial.per_s,
        ratio=middle(ratios),
        lower=None if own else percentile(ratios, 0.25),
        upper=None if own else percentile(ratios, 0.75),
        cpu_us=trial.cpu_us,
        cpu_ratio=bare.cpu_us / trial.cpu_us,
        busy=sum(peak.cpu_s for peak in trial.peaks) / sum(peak.elapsed for peak in trial.peaks),
        p50_ms=middle([calm.p50_ms for calm in trial.calms]),
        p99_ms=middle(p99),
        best_p99_ms=min(p99),
        p99_over_bare_ms=None if own else middle(p99) - middle([calm.p99_ms for calm in bare.calms]),
        failed=trial.failed,
        goals=trial.scenario.goals,
    )
