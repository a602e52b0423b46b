"""The shipped Redis settings, taken by a real server (gw:C7, R4)."""

import subprocess
from pathlib import Path

import pytest

from gateway.store.embedded import find_server
from gateway.store.safety import inspect, read_info
from tests.deploy.places import DEPLOY, read
from tests.store.servers import connected, installed_servers, wait_until

_SERVERS = installed_servers()
_CONF = DEPLOY / "redis" / "redis.conf"


@pytest.fixture(params=list(_SERVERS))
async def server_url(request, tmp_path):
    socket = tmp_path / "redis.sock"
    place = ["--port", "0", "--unixsocket", str(socket), "--dir", str(tmp_path), "--logfile", str(tmp_path / "log")]
    process = subprocess.Popen([find_server(_SERVERS[request.param]), str(_CONF), *place])
    await wait_until(lambda: process.poll() is not None or socket.exists())
    assert process.poll() is None, (tmp_path / "log").read_text()
    yield f"unix://{socket}"
    process.terminate()
    assert process.wait(10) == 0


async def test_the_gateway_finds_nothing_to_warn_of(server_url):
    async with connected(server_url) as store:
        assert await inspect(store) == []


async def test_a_full_server_refuses_writes_and_forgets_nothing(server_url):
    async with connected(server_url) as store:
        await store.call("SET", "kept", "value")
        await store.call("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(Exception, match="OOM"):
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


async def test_nothing_but_the_append_only_file_is_written(server_url):
    async with connected(server_url) as store:
        facts = read_info(bytes(await store.call("INFO")))
        folder = Path((await store.call("CONFIG", "GET", "dir"))[1].decode())
    assert facts["rdb_last_save_time"]
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["appendonlydir"]
    assert not list(folder.glob("*.rdb"))
