"""Notifications of local decisions outlive a gateway and a Redis that are killed: at least once, counted (gw:F8)."""

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path

from gateway.demo.target import Trouble
from gateway.store.connection import Store
from gateway.store.embedded import EmbeddedServer
from gateway.store.notifications import GROUP, STREAM
from tests.store.servers import connected
from tests.web.processes import Gateway, run_process

DECISIONS = 40
BODY = {"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}]}}


async def decide_while_target_is_down(gateway: Gateway, store: Store) -> set[str]:
    """Have decisions made that Target cannot be told of; gives the ids of the notifications once Redis has them all."""
    gateway.stand_in.trouble = Trouble(status=503)
    answers = await asyncio.gather(
        *(gateway.post(json.dumps(BODY).encode(), sessionId=f"s{at}") for at in range(DECISIONS))
    )
    assert [answer.status for answer in answers] == [200] * DECISIONS
    async with asyncio.timeout(20):
        while await store.call("XLEN", STREAM) < DECISIONS:  # noqa: ASYNC110 - Redis is another process
            await asyncio.sleep(0.01)
    assert not gateway.stand_in.notifications
    return await read_ids(store)


async def read_ids(store: Store) -> set[str]:
    rows = await store.call("XRANGE", STREAM, "-", "+")
    return {told["id"] for _, fields in rows for told in json.loads(fields[1])["body"]["notifications"]}


async def let_time_pass(store: Store) -> None:
    """Make what the killed gateway had taken look as if it had been idle for a minute: then others take it over."""
    for entry, consumer, *_ in await store.call("XPENDING", STREAM, GROUP, "-", "+", 1000):
        await store.call("XCLAIM", STREAM, GROUP, consumer, 0, entry, "IDLE", 60_000, "JUSTID")


async def collect(gateway: Gateway, store: Store) -> "Counter[str]":
    """Wait until nothing is left in the stream; gives how often each notification came."""
    async with asyncio.timeout(20):
        while await store.call("XLEN", STREAM):  # noqa: ASYNC110 - Redis is another process
            await asyncio.sleep(0.01)
    return Counter(told["id"] for told in gateway.stand_in.notifications)


async def test_what_a_killed_gateway_had_not_told_its_successor_tells(clean_url: str, tmp_path: Path) -> None:
    async with connected(clean_url) as store:
        async with run_process(clean_url, tmp_path) as gateway:
            wanted = await decide_while_target_is_down(gateway, store)
            gateway.process.send_signal(signal.SIGKILL)
            assert await gateway.process.wait() == -signal.SIGKILL
        await let_time_pass(store)
        async with run_process(clean_url, tmp_path) as gateway:
            told = await collect(gateway, store)
    assert len(wanted) == DECISIONS
    assert told.keys() == wanted, "each at least once"


async def test_what_redis_had_accepted_is_there_when_it_comes_back_from_being_killed(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "redis")
    url = server.start()
    try:
        async with connected(url) as store, run_process(url, tmp_path) as gateway:
            wanted = await decide_while_target_is_down(gateway, store)
            os.kill(server.pid, signal.SIGKILL)
            gateway.process.send_signal(signal.SIGKILL)
            await gateway.process.wait()
    finally:
        server.stop()
    with EmbeddedServer(tmp_path / "redis") as again:
        async with connected(again.url) as store:
            assert await read_ids(store) == wanted, "none was lost with the process"
            await let_time_pass(store)
            async with run_process(again.url, tmp_path) as gateway:
                told = await collect(gateway, store)
    assert told.keys() == wanted


async def test_a_gateway_goes_on_when_its_redis_was_killed_and_tells_the_rest(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "redis")
    url = server.start()
    try:
        async with run_process(url, tmp_path) as gateway:
            async with connected(url) as store:
                wanted = await decide_while_target_is_down(gateway, store)
                os.kill(server.pid, signal.SIGKILL)
            server.stop()
            answer = await gateway.post(json.dumps(BODY).encode(), sessionId="meanwhile")
            assert answer.status == 200, "decisions go on without Redis (gw:S5)"
            server = EmbeddedServer(tmp_path / "redis")
            assert server.start() == url
            gateway.stand_in.trouble = None
            async with connected(url) as store:
                told = await collect(gateway, store)
            assert wanted <= told.keys(), "each at least once"
    finally:
        server.stop()
