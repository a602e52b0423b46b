"""The shipped Redis settings, taken by a real server (gw:C7, R4)."""

import subprocess
from pathlib import Path

import pytest

from gateway.errors import ScriptFailed
from gateway.store.embedded import find_server
from gateway.store.safety import inspect
from tests.deploy.places import DEPLOY, read
from tests.store.servers import connected, installed_servers, wait_until

_SERVERS = installed_servers()
_CONF = DEPLOY / "redis" / "redis.conf"


@pytest.fixture(params=list(_SERVERS))
async def server_url(request, tmp_path):
    process = start(_SERVERS[request.param], tmp_path)
    try:
        await wait_until(lambda: process.poll() is not None or (tmp_path / "redis.sock").exists())
        assert process.poll() is None, (tmp_path / "log").read_text()
        yield f"unix://{tmp_path / 'redis.sock'}"
    finally:
        process.terminate()
        process.wait(10)


def start(server: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Start a server with the shipped file; only its place is the test's own."""
    place = ["--port", "0", "--unixsocket", str(folder / "redis.sock"), "--dir", str(folder)]
    return subprocess.Popen([find_server(server), str(_CONF), *place, "--logfile", str(folder / "log")])


async def test_the_gateway_finds_nothing_to_warn_of(server_url):
    async with connected(server_url) as store:
        assert await inspect(store) == []


async def test_a_full_server_refuses_writes_and_forgets_nothing(server_url):
    async with connected(server_url) as store:
        await store.call("SET", "kept", "value")
        await store.call("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(ScriptFailed, match="OOM"):
            await store.call("SET", "refused", "value")
        assert await store.call("GET", "kept") == b"value"


async def test_every_setting_is_in_force(server_url):
    settings = [line.split(maxsplit=1) for line in read("deploy/redis/redis.conf").splitlines() if line[:1].isalpha()]
    told = {"maxmemory": str(1024**3), "auto-aof-rewrite-min-size": str(64 * 1024**2), "save": ""}
    async with connected(server_url) as store:
        for name, value in settings:
            if name not in {"port", "dir"}:  # the test gave its own
                reply = await store.call("CONFIG", "GET", name)
                assert reply[1].decode() == told.get(name, value), name


async def test_nothing_but_the_append_only_file_is_written(server_url, tmp_path):
    async with connected(server_url) as store:
        await store.call("SET", "kept", "value")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["appendonlydir", "log", "redis.sock"]
