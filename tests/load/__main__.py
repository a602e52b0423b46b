"""The command line of the benchmark: `python -m tests.load`."""

import argparse
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import uvloop

from gateway.errors import GatewayError
from gateway.store.embedded import EmbeddedServer
from tests.load import decisions, delivery, repository, sessions
from tests.load.bench import Bench
from tests.load.generator import BenchError
from tests.load.processes import choose_cores, pin, watch_stalls
from tests.load.profiled import profile
from tests.load.report import Row, format_table, write_json
from tests.load.scenarios import BARE, SCENARIOS

# One line a measurement: what `--only` calls it, and what gives its rows.
MEASUREMENTS: Mapping[str, Callable[[Bench], Awaitable[list[Row]]]] = {
    "delivery": delivery.measure,
    "sessions": sessions.give_rows,
    "repository": repository.give_rows,
    "decisions": decisions.give_rows,
}

_OUT = Path("build/bench")
_ABOUT = """\
Loads one gateway process over loopback and compares it with a bare aiohttp handler in the same run. Needs nothing
but this machine: the stand-in Target and a private Redis are started beside it. docs/benchmarks.md explains the table.
"""
_EXAMPLES = """\
examples:
  python -m tests.load                                 everything, about three minutes
  python -m tests.load --only local-known hybrid       two scenarios (the bare handler is always there)
  python -m tests.load --only sessions                 session scripts only
  python -m tests.load --only decisions                offer decisions, about a minute
  python -m tests.load --only repository               business objects, at 1,000 and 100,000 of them, about a minute
  python -m tests.load --rounds 4                      a quick look, about 30 seconds; noisier
  python -m tests.load --profile local-known           where a gateway spends its time in one scenario

A missed goal does not fail the run, for a busy machine misses goals too; a wrong answer does (status 1).
"""
_LONGEST_SCENARIO_S = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; gives 0, or 1 when something could not be measured or any reply was wrong."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not 0 < 2 * options.seconds * options.rounds <= _LONGEST_SCENARIO_S:
        parser.error(f"twice --seconds times --rounds is what a scenario takes: at most {_LONGEST_SCENARIO_S:.0f} s")
    cores = choose_cores()
    pin(cores.others)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder, EmbeddedServer(Path(folder)) as redis:
            only = frozenset(options.only or ())
            bench = Bench(seconds=options.seconds, rounds=options.rounds, only=only, redis_url=redis.url, cores=cores)
            if options.profile:
                print(uvloop.run(profile(bench, SCENARIOS[options.profile])))
                return 0
            return _run(bench)
    except (BenchError, GatewayError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def make_parser() -> argparse.ArgumentParser:
    """Give the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.load",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [*MEASUREMENTS, *SCENARIOS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {', '.join(names)}")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of one window (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=12, help="windows a scenario and load (default: %(default)s)")
    parser.add_argument("--profile", choices=list(SCENARIOS), help="profile one scenario instead of measuring")
    return parser


def _run(bench: Bench) -> int:
    print(bench.cores.describe(), file=sys.stderr, flush=True)
    before = [watch_stalls(core) for core in bench.cores.each()]
    rows = uvloop.run(_measure(bench))
    stalls = before + [watch_stalls(core) for core in bench.cores.each()]
    print(format_table(rows))
    print(f"\nbefore and after: {'; '.join(stall.describe() for stall in stalls)}")
    _OUT.mkdir(parents=True, exist_ok=True)
    settings = {"seconds": bench.seconds, "rounds": bench.rounds, "cores": bench.cores.describe(), "stalls": stalls}
    write_json(_OUT / "bench.json", rows, settings)
    written = [_OUT / "bench.json"]
    if any(row.name != BARE.name and row.ratio is not None for row in rows):
        from tests.load.picture import draw  # matplotlib takes a second and memory: not while measuring

        draw(rows, _OUT / "bench.png")
        written.append(_OUT / "bench.png")
    print(f"written: {', '.join(map(str, written))}")
    return 1 if any(row.failed for row in rows) else 0


async def _measure(bench: Bench) -> list[Row]:
    rows: list[Row] = []
    for name, give_rows in MEASUREMENTS.items():
        asked = {name} | (set(SCENARIOS) if name == "delivery" else set())
        if not bench.only or bench.only & asked:
            rows += await give_rows(bench)
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
