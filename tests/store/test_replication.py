"""`caps.safety = "strict"`: what replicas have not confirmed is not handed out, and no failover overshoots (gw:C5)."""

import asyncio
import signal
from contextlib import asynccontextmanager

import pytest

from gateway.offers.capping import Granted, Unavailable
from tests.store.cap_stage import SPACE, claim_one, open_caps
from tests.store.clusters import answering, run_nodes
from tests.store.servers import installed_servers
from tests.store.test_caps import claim

SERVERS = installed_servers()
STRICT = {"safety": "strict", "timeout_ms": 200, "patience_ms": 250, "cluster": "no"}


@asynccontextmanager
async def replicated(folder, server):
    """Give a primary and its replica, in step."""
    with run_nodes(folder, 2, server, "--repl-diskless-sync-delay", "0") as (primary, replica):
        async with answering(replica) as store, asyncio.timeout(30):
            await store.call("REPLICAOF", "127.0.0.1", primary.port)
            while b"master_link_status:up" not in await store.call("INFO", "replication"):  # noqa: ASYNC110 - a server
                await asyncio.sleep(0.02)
        yield primary, replica


async def granted(caps, selection, claim_id):
    """Claim with one id until it is granted: on a busy machine a confirmation may come late."""
    async with asyncio.timeout(20):
        while await claim(caps, selection, claim_id) != Granted():  # noqa: ASYNC110 - a server
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("server", list(SERVERS.values()), ids=list(SERVERS))
async def test_no_failover_overshoots_a_strict_cap(tmp_path, server):
    """Reliability §2.3: the replica stops, claims go on, the primary dies, the replica is promoted."""
    cap, handed = 40, 0
    async with replicated(tmp_path, server) as (primary, replica):
        async with open_caps(primary.url, **STRICT) as caps:
            for number in range(25):
                await granted(caps, claim_one("o", cap), f"first-{number}")
                handed += 1
            replica.process.send_signal(signal.SIGSTOP)
            verdicts = await asyncio.gather(*(claim(caps, claim_one("o", cap)) for _ in range(10)))
            assert set(map(type, verdicts)) == {Unavailable}
        async with open_caps(primary.url, cluster="no") as caps:
            assert await caps.show(SPACE, "shop") == {"o": 35}  # counted, and not handed out
        primary.process.kill()
        primary.process.wait()
        replica.process.send_signal(signal.SIGCONT)
        async with answering(replica) as store:
            await store.call("REPLICAOF", "NO", "ONE")
        async with open_caps(replica.url, cluster="no") as caps:
            for _ in range(50):
                handed += await claim(caps, claim_one("o", cap)) == Granted()
        assert handed <= cap


async def test_a_claim_that_is_asked_again_is_confirmed_too(tmp_path):
    """The first verdict is there, but its replication was never confirmed: a repeat has to wait for it as well."""
    async with replicated(tmp_path, "") as (primary, replica):
        url = primary.url
        async with open_caps(url, **STRICT) as caps, open_caps(url, **STRICT) as another:
            await granted(caps, claim_one("o", 2), "one")
            await granted(another, claim_one("o", 2), "two")
            replica.process.send_signal(signal.SIGSTOP)
            assert await claim(caps, claim_one("p", 1), "same") == Unavailable("closed")
            assert await claim(another, claim_one("p", 1), "same") == Unavailable("closed")
            replica.process.send_signal(signal.SIGCONT)
            await granted(another, claim_one("p", 1), "same")
            assert await caps.show(SPACE, "shop") == {"o": 2, "p": 1}


async def test_a_strict_cap_over_shards_confirms_every_step(tmp_path):
    patient = STRICT | {"patience_ms": 20_000}
    async with replicated(tmp_path, "") as (primary, _), open_caps(primary.url, shards=3, **patient) as caps:
        granted = [await claim(caps, claim_one("o", 9)) == Granted() for _ in range(12)]
        assert sum(granted) == 9
        assert caps.escrow.counts.moves > 0
