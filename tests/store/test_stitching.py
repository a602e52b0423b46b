"""The SDID machine in Redis: the same as the pure one, one for all workers, bounded (gw:S1, M2; get-offers §8)."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.delivery.stitching import SdidState, make_sdid, take_sdid
from gateway.errors import ScriptFailed
from gateway.ids import new_id
from gateway.store.sessions import Sessions, Stitch
from tests.store.servers import connected


@pytest.fixture
def sessions(store, keys):
    return Sessions(store, keys, note_every_s=0)


async def take(sessions, consumer, session="s"):
    return (await sessions.open("acme", session, "", Stitch(consumer, make_sdid(new_id)))).sdid


async def test_the_trace_of_the_specification(sessions):
    names = {}
    found = [names.setdefault(await take(sessions, one), f"S{len(names) + 1}") for one in "ababaccba"]
    assert found == ["S1", "S1", "S2", "S2", "S3", "S2", "S3", "S3", "S4"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["a", "b", "c", ",", "", "%d+", "ü"]), max_size=25))
async def test_redis_decides_as_the_pure_machine_does(redis_url, keys, consumers):
    async with connected(redis_url) as store:
        await store.call("FLUSHALL")
        sessions, state = Sessions(store, keys), SdidState()
        for number, consumer in enumerate(consumers):
            stored = await sessions.open("acme", "s", "", Stitch(consumer, f"fresh-{number}"))
            sdid, state = take_sdid(state, consumer, f"fresh-{number}")
            assert stored.sdid == sdid


async def test_workers_agree_on_device_and_sdid(redis_url, store, keys):
    """gw:S2, M7: 50 consumers at once over four connections, for each of 40 sessions; then the same page again."""
    async with AsyncExitStack() as stack:
        workers = [Sessions(await stack.enter_async_context(connected(redis_url)), keys) for _ in range(4)]
        for number in range(40):
            pages = []
            for _ in range(2):
                opened = await asyncio.gather(
                    *(
                        workers[at % 4].open("acme", f"s{number}", f"device-{at}", Stitch(f"c{at}", make_sdid(new_id)))
                        for at in range(50)
                    )
                )
                assert len({one.device_id for one in opened}) == 1
                pages.append({one.sdid for one in opened})
            assert [len(page) for page in pages] == [1, 1]
            assert pages[0].isdisjoint(pages[1])


async def test_workers_never_give_one_consumer_an_sdid_twice(redis_url, store, keys):
    async with AsyncExitStack() as stack:
        workers = [Sessions(await stack.enter_async_context(connected(redis_url)), keys) for _ in range(4)]
        consumers = [f"c{at % 3}" for at in range(120)]
        found = await asyncio.gather(*(take(workers[at % 4], one) for at, one in enumerate(consumers)))
        assert max(Counter(zip(consumers, found, strict=True)).values()) == 1


async def test_sessions_and_clients_do_not_share_sdids(sessions):
    found = {await take(sessions, "a", "one"), await take(sessions, "b", "two")}
    found.add((await sessions.open("other", "one", "", Stitch("b", make_sdid(new_id)))).sdid)
    assert len(found) == 3


async def test_without_a_wish_no_sdid_is_made(sessions, store, keys):
    assert (await sessions.open("acme", "s", "device")).sdid == ""
    assert await store.call("HKEYS", keys.session("acme", "s")) == [b"device", b"seen"]


async def test_a_record_lives_on_with_its_sdids_and_names_no_consumer(sessions, store, keys):
    """gw:S1, S6."""
    for _ in range(3):
        await take(sessions, "homepage-hero")
    key = keys.session("acme", "s")
    fields = await store.call("HGETALL", key)
    assert b"homepage" not in b"".join(fields)
    assert 1855 <= await store.call("TTL", key) <= 1890


async def test_an_sdid_with_very_many_consumers_counts_as_used(sessions, store, keys):
    """Bounded: a session with a consumer for every call does not grow for ever."""
    found = await asyncio.gather(*(take(sessions, f"c{at}") for at in range(2000)))
    assert max(Counter(found).values()) == 512
    sizes = [len(value) for value in await store.call("HVALS", keys.session("acme", "s"))]
    assert max(sizes) == 512 * 17


@pytest.mark.parametrize("stitch", [Stitch("c", "S" * 257)])
async def test_an_oversized_sdid_is_refused_and_changes_nothing(sessions, store, stitch):
    with pytest.raises(ScriptFailed):
        await sessions.open("acme", "s", "device", stitch)
    assert await store.call("DBSIZE") == 0
