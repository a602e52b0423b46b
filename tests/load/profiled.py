"""Where a gateway spends its time: one run under cProfile, which makes Python code look dearer than C code."""

import cProfile
import pstats
import sys
from pathlib import Path

from gateway.__main__ import run_loop
from gateway.configuration import load_settings
from gateway.server import serve
from gateway.telemetry import set_up_logs
from tests.load.bench import Bench
from tests.load.delivery import CONFIG, run_gateway, run_target
from tests.load.generator import Load
from tests.load.scenarios import Scenario, find_begin, make_requests

_FUNCTIONS = 40
_SECONDS = 4.0
_CONNECTIONS = 32


async def profile(bench: Bench, scenario: Scenario) -> str:
    """Load a profiled gateway with `scenario` for 4 s; gives the 40 functions that took most time themselves."""
    load = Load(make_requests(scenario), find_begin(scenario))
    with run_target(bench) as target:
        path = target.folder / "profile"
        with run_gateway(bench, target, ["-m", "tests.load.profiled", str(path)]) as gateway:
            await load.connect("127.0.0.1", gateway.port, _CONNECTIONS)
            window = await load.run_closed(_SECONDS)
            load.close()
        return _describe(pstats.Stats(str(path)), window.good)


def _describe(stats: pstats.Stats, requests: int) -> str:
    functions = stats.stats  # type: ignore[attr-defined]  # (file, line, name) -> calls, calls, own, total, callers
    whole = sum(own for _, _, own, _, _ in functions.values())
    lines = [
        f"{requests:,} requests, {1e6 * whole / requests:,.0f} µs each under the profiler; µs and calls a request:"
    ]
    lines.append("  share  own µs  total µs  calls  function")
    for place, (_, calls, own, total, _) in sorted(functions.items(), key=lambda item: -item[1][2])[:_FUNCTIONS]:
        figures = f"{own / whole:7.1%} {1e6 * own / requests:7.1f} {1e6 * total / requests:9.1f}"
        lines.append(f"{figures} {calls / requests:6.1f}  {_name(*place)}")
    return "\n".join(lines)


def _name(file: str, line: int, name: str) -> str:
    if file == "~":
        return name
    parts = Path(file).parts
    return f"{'/'.join(parts[-3:])}:{line} {name}"


def main(path: str) -> None:
    """Run a gateway, profiled from when it listens until it is told to stop; write the profile to `path`."""
    settings = load_settings(CONFIG)
    set_up_logs(settings.log.level)
    profiler = cProfile.Profile()
    run_loop(serve(settings, lambda _: profiler.enable()))
    profiler.disable()
    profiler.dump_stats(path)


if __name__ == "__main__":
    main(sys.argv[1])
