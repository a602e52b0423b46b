"""Servers as processes of their own: on a core of their own where there are two, with their CPU time read."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from tests.load.generator import BenchError

_PATIENCE_S = 20.0
_POLL_S = 0.02
_WATCH_S = 0.5
_GAP_S = 0.0005
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_USER_TIME, _SYSTEM_TIME = 11, 12  # fields of /proc/<pid>/stat after the command name: proc(5)


class Cores(Struct, frozen=True):
    """Where the server under test runs, and where everything else does; None leaves it to the system."""

    server: int | None
    others: int | None

    def each(self) -> list[int | None]:
        """Give each, once."""
        return [self.server, self.others] if self.server is not None else [None]

    def describe(self) -> str:
        """Say how the processes are laid out."""
        if self.server is None:
            return "one core for everything: no process is pinned, and the load generator slows the server down"
        return f"server under test on core {self.server}; load generator, stand-in Target and Redis on {self.others}"


def choose_cores() -> Cores:
    """Give two different cores of those this process may use, or none."""
    available = sorted(os.sched_getaffinity(0))
    return Cores(available[0], available[1]) if len(available) > 1 else Cores(None, None)


def pin(core: int | None) -> None:
    """Keep this process, and those it starts from now on, on `core`."""
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Keep this process on `core` for a while."""
    before = os.sched_getaffinity(0)
    pin(core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Stalls(Struct, frozen=True):
    """How much of a core others took away: the share of the time looked at, and the longest stretch in ms."""

    core: int | None
    share: float
    longest_ms: float

    def describe(self) -> str:
        """Say it in one line."""
        where = "this process" if self.core is None else f"core {self.core}"
        return f"others took {self.share:.0%} of {where}, up to {self.longest_ms:.1f} ms at once"


def watch_stalls(core: int | None) -> Stalls:
    """Spin on `core` for a moment and see how often the clock jumps: a busy machine explains bad latencies."""
    with pinned(core):
        begun = last = time.perf_counter()
        lost = longest = 0.0
        while last - begun < _WATCH_S:
            now = time.perf_counter()
            if (gap := now - last) > _GAP_S:
                lost, longest = lost + gap, max(longest, gap)
            last = now
    return Stalls(core, lost / (last - begun), longest * 1000)


class Server(Struct, frozen=True):
    """A server that listens on this machine."""

    pid: int
    port: int
    folder: Path

    def cpu_seconds(self) -> float:
        """Give the CPU time it has used, user and system, in steps of a hundredth of a second."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])) * _TICK_S


class Command(Struct, frozen=True, kw_only=True):
    """How to start a server: arguments of Python, its environment and core, and how to find its port in a line."""

    arguments: list[str]
    environ: Mapping[str, str] = {}
    core: int | None = None
    read_port: Callable[[dict[str, object]], int | None]


@contextmanager
def run_server(command: Command) -> Iterator[Server]:
    """Give a running server; raises BenchError with its last words when it does not come up. It is ended on leaving."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *command.arguments],
                env={**os.environ, **command.environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: pin(command.core),  # noqa: PLW1509 - one system call, and no thread is running
            )
        try:
            yield Server(process.pid, _await_port(process, folder / "output", command), folder)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_port(process: "subprocess.Popen[bytes]", output: Path, command: Command) -> int:
    deadline = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        for line in output.read_bytes().split(b"\n")[:-1]:  # what follows the last line end is still being written
            if line.startswith(b"{") and (port := command.read_port(msgspec.json.decode(line))):
                return port
        time.sleep(_POLL_S)
    words = output.read_text(errors="replace")[-2000:] or "nothing"
    raise BenchError(f"`python {' '.join(command.arguments)}` did not start; it said: {words}")


def read_port(line: dict[str, object]) -> int | None:
    """Give the port of a line like `{"port": 1234}`, as the stand-in and the bare handler print it."""
    port = line.get("port")
    return port if isinstance(port, int) else None


def read_started(line: dict[str, object]) -> int | None:
    """Give the port of the gateway's log line `server.started`."""
    if line.get("event") != "server.started":
        return None
    return int(str(line["public"]).rpartition(":")[2])
