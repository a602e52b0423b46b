"""A disk that is slow to fsync: Redis acknowledges what it has not written yet, the repository does not (gw:R4)."""

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from gateway.offers.instances import Saved
from gateway.store.durability import is_written
from gateway.store.embedded import EmbeddedServer, find_server
from gateway.store.safety import read_info
from tests.store.objects import SPACE, make_change, make_container, make_entities, new_uuid
from tests.store.servers import connected, installed_servers, wait_until

_COMPILER = shutil.which("cc")
_SERVERS = installed_servers()
_SLOW = """
#include <unistd.h>
int fdatasync(int file) { (void)file; usleep(500000); return 0; }
int fsync(int file) { return fdatasync(file); }
"""


@pytest.fixture(params=_SERVERS)
def slow_server(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the path of a Redis server whose every fsync takes half a second."""
    (tmp_path / "slow.c").write_text(_SLOW)
    subprocess.run([str(_COMPILER), "-shared", "-fPIC", "-o", tmp_path / "slow.so", tmp_path / "slow.c"], check=True)
    path = tmp_path / "server"
    path.write_text(f'#!/bin/sh\nLD_PRELOAD={tmp_path}/slow.so exec {find_server(_SERVERS[request.param])} "$@"\n')
    path.chmod(0o700)
    return str(path)


@pytest.mark.skipif(not _COMPILER, reason="needs a C compiler")
async def test_what_is_acknowledged_while_redis_puts_off_writing_survives_its_death(tmp_path: Path, slow_server: str):
    acknowledged: list[str] = []
    with EmbeddedServer(tmp_path / "data", slow_server) as redis:
        async with connected(redis.url) as store, connected(redis.url) as watcher:
            entities = make_entities(store)
            container = await make_container(entities)

            async def write() -> None:
                while True:
                    instance_id = new_uuid()
                    verdict = await entities.save(
                        SPACE, container, make_change(instance_id, f"xcore:tag:{instance_id}")
                    )
                    assert isinstance(verdict, Saved)
                    acknowledged.append(instance_id)

            writing = [asyncio.create_task(write()) for _ in range(4)]
            async with asyncio.timeout(30):
                while not acknowledged or is_written(read_info(await watcher.call("INFO", "persistence"))):  # noqa: ASYNC110 - Redis has no Event
                    await asyncio.sleep(0.001)
            for _ in range(200):  # time enough to acknowledge something wrongly
                await watcher.call("PING")
            os.kill(redis.pid, signal.SIGKILL)
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)
            await wait_until(redis.revive)
        async with connected(redis.url) as store:
            await wait_until(lambda: store.connected)
            found = [
                one.instance_id async for batch in make_entities(store).snapshot(SPACE, container) for one in batch
            ]
    assert acknowledged
    assert set(acknowledged) <= set(found)
