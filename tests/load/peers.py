"""Our engine beside Adobe's two: `make bench-peers`, or `python -m tests.load.peers [--seconds S]`.

Decisions a second of the engines alone, no HTTP, on one core, in one run and in turns; and what a decision costs with
more rules that nobody asked for. The packages are installed into build/peers and used through their interfaces only.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.load.engine import ARTIFACTS, ROUNDS, read_case
from tests.load.processes import choose_cores, pinned, watch_stalls
from tests.sdk.install import NotInstallableError, Program, install_once

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_BUILD = _ROOT / "build" / "peers"
_NODE_PACKAGES = ("@adobe/target-decisioning-engine@1.9.3",)
_TURNS = 3
_PATIENCE_S = 240
OURS, NODE, PYTHON = "this gateway", "@adobe/target-decisioning-engine", "target-python-sdk"
GOALS = {NODE: 1.5, PYTHON: 40.0}
Rates = dict[str, list[float]]


def install_node_engine() -> Program:
    """Give the program that measures the Node engine; raises NotInstallableError."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise NotInstallableError("node and npm are not on the PATH")
    folder = _BUILD / "node"
    flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", "--no-save", "--no-package-lock"]
    install_once(folder, _NODE_PACKAGES, [[npm, "install", "--prefix", str(folder), *flags, *_NODE_PACKAGES]])
    return Program([node, str(_HERE / "peer_node.js")], {"NODE_PATH": str(folder / "node_modules")})


def install_python_engine() -> Program:
    """Give the program that measures the Python SDK; raises NotInstallableError."""
    folder = _BUILD / "python"
    packages = (_ROOT / "tests" / "sdk" / "python_packages.txt").read_text().split()
    python = str(folder / "bin" / "python")
    steps = [
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", *packages],
    ]
    install_once(folder, [sys.version, *packages], steps)
    return Program([python, str(_HERE / "peer_python.py")], {})


def measure_peer(program: Program, cases: Any, seconds: float) -> Rates:
    """Run a peer's program once; gives its decisions a second by artifact, each round one figure."""
    told = json.dumps({"seconds": seconds, "rounds": ROUNDS, "cases": cases})
    return dict(_run(program.command, program.environment, told)["rates"])


def _run(command: list[str], environment: Mapping[str, str], told: str) -> Any:
    done = subprocess.run(
        command,
        input=told,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
        cwd=_ROOT,
    )
    if done.returncode:
        raise NotInstallableError((done.stderr.strip() or "it said nothing").splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """Install, measure in turns, print two tables; the status is 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each of the windows (default: 0.3)")
    seconds = parser.parse_args().seconds
    cases = {}
    for name in ARTIFACTS:
        artifact, request = read_case(name)
        cases[name] = {"artifact": artifact, "request": request}
    programs: dict[str, Program] = {}
    for engine, install in ((NODE, install_node_engine), (PYTHON, install_python_engine)):
        try:
            programs[engine] = install()
        except NotInstallableError as error:
            print(f"{engine} is left out: {error}", file=sys.stderr)
    core = choose_cores().server
    print(watch_stalls(core).describe())
    rates: dict[str, Rates] = {engine: {name: [] for name in ARTIFACTS} for engine in (OURS, *programs)}
    costs: dict[str, list[float]] = {}
    with pinned(core):
        for turn in range(_TURNS):
            print(f"  turn {turn + 1} of {_TURNS}", file=sys.stderr, flush=True)
            ours = _run([sys.executable, "-m", "tests.load.engine", str(seconds)], {}, "")
            _add(rates[OURS], ours["rates"])
            for size, cost in ours["microseconds"].items():
                costs.setdefault(size, []).append(cost)
            for engine, program in programs.items():
                _add(rates[engine], measure_peer(program, cases, seconds))
    return _print_tables(rates, costs)


def _add(rates: Rates, found: Rates) -> None:
    for name, figures in found.items():
        rates[name].extend(figures)


def _print_tables(rates: Mapping[str, Rates], costs: Mapping[str, list[float]]) -> int:
    """Print medians, and the ratio of medians beside each goal."""
    missed = 0
    print("\ndecisions a second, engine alone, one core (median of all windows; lowest to highest)")
    for name in ARTIFACTS:
        ours = statistics.median(rates[OURS][name])
        for engine, found in rates.items():
            figures = found[name]
            middle = statistics.median(figures)
            line = f"  {name:16} {engine:34} {middle:9,.0f}  ({min(figures):,.0f} to {max(figures):,.0f})"
            if engine in GOALS:
                ratio, goal = ours / middle, GOALS[engine]
                missed += ratio < goal
                line += f"  ours is {ratio:.1f} times that, goal {goal:g}: {'reached' if ratio >= goal else 'MISSED'}"
            print(line)
    print("\nmicroseconds a decision, AB_SIMPLE, with so many rules more that nobody asked for")
    for size, figures in costs.items():
        print(f"  {int(size):7,} rules  {statistics.median(figures):6.1f}")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
