"""Trouble with the store: the mode is obeyed, nothing is counted twice, an emptied store is noticed (gw:C4, C6)."""

import asyncio

import pytest

from gateway.errors import ConfigError
from gateway.offers.capping import Granted, Refused, Selection, Unavailable
from gateway.offers.counters import Counter
from gateway.store.epoch import Record, read_epoch, reset_epoch
from tests.store.cap_stage import SPACE, claim_one, claims_of, open_caps, somebody
from tests.store.faults import FaultProxy
from tests.store.servers import wait_until, wait_until_connected
from tests.store.test_caps import claim

MODES = pytest.mark.parametrize("mode", ["closed", "open"])
HASTY = {"timeout_ms": 40, "patience_ms": 300}


@pytest.fixture
async def proxy(redis_url, store, tmp_path):
    async with FaultProxy(redis_url, tmp_path) as proxy:
        yield proxy


async def count(store):
    """Read the one global counter of the tests past everything."""
    names = await store.call("KEYS", "*:counts")
    return int(await store.call("HGET", names[0], "o") or 0) if names else 0


@MODES
async def test_a_hung_store_obeys_the_mode_within_the_deadline(proxy, mode):
    """dec:CA10, gw:C4."""
    async with open_caps(proxy.url, when_store_fails=mode, **HASTY) as caps:
        assert await claim(caps, claim_one("o", 5)) == Granted()
        proxy.black_hole = True
        loop = asyncio.get_running_loop()
        begun = loop.time()
        verdict = await caps.claim(somebody(), claim_one("o", 5), "hung", begun + 0.1)
        assert verdict == Unavailable(mode)
        assert caps.counts.unavailable == 1


@MODES
async def test_a_store_that_refuses_connections_obeys_the_mode_at_once(tmp_path, mode):
    async with open_caps(f"unix://{tmp_path}/nobody", cluster="no", when_store_fails=mode) as caps:
        assert await claim(caps, claim_one("o", 5)) == Unavailable(mode)
        dry = Selection(claims=claims_of([("o", 1, 5, None)]), is_dry=True)
        assert await claim(caps, dry) == Unavailable(mode)


@pytest.mark.parametrize("cut_after", [0, 2])
async def test_a_claim_whose_reply_was_lost_is_asked_again_and_counted_once(proxy, store, cut_after):
    """The connection is reset after Redis did it: the same claim id finds the first verdict."""
    async with open_caps(proxy.url) as caps:
        assert await claim(caps, claim_one("o", 99)) == Granted()
        for expected in range(2, 8):
            proxy.cut_after = cut_after
            assert await claim(caps, claim_one("o", 99)) == Granted()
            assert await count(store) == expected
        assert caps.counts.repeated >= 6


async def test_a_claim_that_timed_out_is_asked_again_and_counted_once(proxy, store):
    async with open_caps(proxy.url, timeout_ms=30) as caps:
        assert await claim(caps, claim_one("o", 99)) == Granted()
        proxy.delay_s = 0.1
        slow = asyncio.create_task(claim(caps, claim_one("o", 99), "slow"))
        await wait_until(lambda: caps.counts.repeated > 0)
        proxy.delay_s = 0
        assert await slow == Granted()
        assert await count(store) == 2


@MODES
async def test_a_replica_takes_no_claims(redis_url, store, mode):
    async with open_caps(redis_url, when_store_fails=mode) as caps:
        assert await claim(caps, claim_one("o", 5)) == Granted()
        await store.call("REPLICAOF", "127.0.0.1", "1")
        try:
            assert await claim(caps, claim_one("o", 5)) == Unavailable(mode)
        finally:
            await store.call("REPLICAOF", "NO", "ONE")
        assert await count(store) == 1


@MODES
async def test_a_full_store_counts_nothing_and_resets_nothing(redis_url, store, mode):
    """Reliability C10: maxmemory with noeviction."""
    async with open_caps(redis_url, when_store_fails=mode) as caps:
        assert await claim(caps, claim_one("o", 5)) == Granted()
        await store.call("CONFIG", "SET", "maxmemory", "1")
        try:
            assert await claim(caps, claim_one("o", 5)) == Unavailable(mode)
        finally:
            await store.call("CONFIG", "SET", "maxmemory", "0")
        assert await count(store) == 1
        assert await claim(caps, claim_one("o", 2)) == Granted()


@MODES
async def test_a_count_that_is_none_is_not_written_over(redis_url, store, mode):
    async with open_caps(redis_url, when_store_fails=mode) as caps:
        assert await claim(caps, claim_one("o", 5)) == Granted()
        (name,) = await store.call("KEYS", "*:counts")
        await store.call("HSET", name, "o", "many")
        assert await claim(caps, claim_one("o", 5)) == Unavailable(mode)
        assert await store.call("HGET", name, "o") == b"many"


@MODES
@pytest.mark.parametrize("shards", [1, 3])
async def test_an_emptied_store_closes_caps_in_either_mode(redis_url, store, mode, shards):
    """gw:C6, reliability C9: nobody trusts counters that begin at 0 again. A dry run does not either."""
    async with open_caps(redis_url, when_store_fails=mode, shards=shards) as caps:
        assert await claim(caps, claim_one("o", 1)) == Granted()
        await store.call("FLUSHALL")
        tried = Selection(claim_one("o", 1).claims, is_dry=True)
        for selection in (tried, claim_one("o", 1), claim_one("o", 1), tried):
            assert await claim(caps, selection) == Unavailable("closed")
        assert caps.epoch.is_lost
        assert await count(store) == 0


@MODES
async def test_a_lost_shard_closes_claims_that_need_its_share(redis_url, store, mode):
    """gw:C6: also where it is only met when a cap was edited and shares are given out anew."""
    async with open_caps(redis_url, when_store_fails=mode, shards=3) as caps:
        assert await claim(caps, claim_one("o", 9)) == Granted()
        at = caps._find(somebody()).at.number
        await store.call("DEL", *await store.call("KEYS", f"*{{shop:{(at + 1) % 3}}}*"))
        assert await claim(caps, claim_one("o", 5)) == Unavailable("closed")
        assert caps.epoch.is_lost


async def test_an_emptied_store_is_noticed_by_a_gateway_that_starts_later(redis_url, store, tmp_path):
    record = str(tmp_path / "epoch")
    async with open_caps(redis_url, record) as caps:
        assert await claim(caps, claim_one("o", 1)) == Granted()
    await store.call("FLUSHALL")
    async with open_caps(redis_url, record) as caps:
        assert await claim(caps, claim_one("o", 1)) == Unavailable("closed")
    async with open_caps(redis_url, str(tmp_path / "another")) as stranger:  # it knows of nothing, and begins
        assert await claim(stranger, claim_one("o", 1)) == Granted()
    async with open_caps(redis_url, record) as caps:
        assert await claim(caps, claim_one("o", 1)) == Unavailable("closed")


@pytest.mark.parametrize("shards", [1, 3])
async def test_a_reset_of_the_epoch_opens_caps_for_gateways_that_run(redis_url, store, tmp_path, shards):
    record = Record(str(tmp_path / "epoch"))
    async with open_caps(redis_url, str(tmp_path / "epoch"), shards=shards) as caps:
        for number in range(4):
            assert await claim(caps, claim_one("o", 4), whom=somebody(f"p{number}")) == Granted()
        await store.call("FLUSHALL")
        assert await claim(caps, claim_one("o", 4)) == Unavailable("closed")
        before = record.read()
        token = await reset_epoch(caps._nodes, record, shards)
        assert record.read() == token != before
        assert await claim(caps, claim_one("o", 4)) == Granted()
        assert not caps.epoch.is_lost


async def test_a_reset_of_the_epoch_keeps_counts_that_are_there(redis_url, store, tmp_path):
    record = Record(str(tmp_path / "epoch"))
    async with open_caps(redis_url, str(tmp_path / "epoch")) as caps:
        assert await claim(caps, claim_one("o", 2)) == Granted()
        await reset_epoch(caps._nodes, record, 1)
        assert await claim(caps, claim_one("o", 2)) == Granted()
        async with open_caps(redis_url, str(tmp_path / "epoch")) as other:
            assert isinstance(await claim(other, claim_one("o", 2)), Refused)
        assert isinstance(await claim(caps, claim_one("o", 2)), Refused)
        assert (await read_epoch(caps._nodes)).token == caps.epoch.token


async def test_an_erasure_finds_counters_of_before_a_reset_of_the_epoch(redis_url, store, tmp_path):
    """Profiles U4: also where nothing was claimed since."""
    async with open_caps(redis_url) as caps:
        assert await claim(caps, claim_one("o", 2, profile_cap=1)) == Granted()
        for _ in range(2):
            await reset_epoch(caps._nodes, Record(""), 1)
        assert await caps.forget_profile(SPACE, "p") == 1
        assert await store.call("KEYS", "*:profile:*") == []


async def test_a_part_of_the_store_that_was_lost_is_noticed(redis_url, store):
    """As when one primary of a cluster comes back empty: its shard is closed, the others go on."""
    async with open_caps(redis_url, shards=2) as caps:
        whom = [somebody(f"p{number}") for number in range(20)]
        one = claim_one("o", None)
        assert {type(await claim(caps, one, whom=each)) for each in whom} == {Granted}
        for name in await store.call("KEYS", "*{shop:0}*"):
            await store.call("DEL", name)
        verdicts = [await claim(caps, one, whom=each) for each in whom]
        assert {type(verdict) for verdict in verdicts} == {Granted, Unavailable}


async def test_counters_that_come_back_open_caps_again(redis_url, store):
    async with open_caps(redis_url) as caps:
        assert await claim(caps, claim_one("o", 2)) == Granted()
        saved = [(name, await store.call("DUMP", name)) for name in await store.call("KEYS", "*")]
        await store.call("FLUSHALL")
        assert await claim(caps, claim_one("o", 2)) == Unavailable("closed")
        for name, content in saved:
            await store.call("RESTORE", name, 0, content)
        assert await claim(caps, claim_one("o", 2)) == Granted()
        assert await claim(caps, claim_one("o", 2)) == Refused({Counter("o", "global"): 0})


async def test_another_number_of_shards_is_refused(redis_url, store):
    """Counters would be looked for where they are not."""
    async with open_caps(redis_url, shards=2) as caps:
        assert await claim(caps, claim_one("o", 2)) == Granted()
    async with open_caps(redis_url, shards=3, when_store_fails="open") as caps:
        with pytest.raises(ConfigError, match="spread over 2"):
            await caps.epoch.look()
        assert await claim(caps, claim_one("o", 2)) == Unavailable("closed")


async def test_claims_of_one_turn_share_their_way(redis_url, store):
    """gw:C8."""
    async with open_caps(redis_url) as caps:
        await claim(caps, claim_one("o", 999))
        counts = caps._nodes.primaries()[0].counts
        before = counts.flushes
        await asyncio.gather(*(claim(caps, claim_one("o", 999)) for _ in range(100)))
        assert counts.flushes <= before + 7  # groups of sixteen


async def test_a_caller_that_goes_away_leaves_nothing_behind(proxy, store):
    """dec:CA9: its propositions may stay counted, at most the calls in flight."""
    async with open_caps(proxy.url, shards=3) as caps:
        await claim(caps, claim_one("o", 50))
        proxy.delay_s = 0.005
        tasks = [asyncio.create_task(claim(caps, claim_one("o", 50), whom=somebody(f"p{n}"))) for n in range(60)]
        await asyncio.sleep(0.01)
        for task in tasks[::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        proxy.delay_s = 0
        granted = 1 + sum(verdict == Granted() for verdict in done)
        await wait_until_connected(caps._nodes.primaries()[0])
        assert granted <= (await caps.show(SPACE, "shop"))["o"] <= 50
