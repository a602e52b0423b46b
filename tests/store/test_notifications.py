"""The stream of notifications on a real server (gw:F8)."""

import asyncio
import time

import pytest

from gateway.errors import ScriptFailed
from gateway.store.connection import Store
from gateway.store.notifications import GROUP, STREAM, NotificationStream
from tests.store.servers import connected


async def fill(store: Store, *contents: bytes, consumer: str = "one", most: int = 1000) -> NotificationStream:
    stream = NotificationStream(store, consumer, most)
    await stream.open()
    for content in contents:
        stream.put(content)
    return stream


async def test_entries_are_taken_once_in_order_and_gone_when_finished(store: Store) -> None:
    stream = await fill(store, b"a", b"b", b"c")
    first = await stream.take(2)
    second = await stream.take(2)
    assert [entry.content for entry in first + second] == [b"a", b"b", b"c"]
    assert await stream.take(2) == []
    assert await stream.count() == 3
    await stream.finish(first)
    assert await stream.count() == 1
    await stream.finish(second)
    await stream.finish([])
    assert await stream.count() == 0
    assert await store.call("XPENDING", STREAM, GROUP) == [0, None, None, None]


async def test_two_gateways_take_different_entries(store: Store) -> None:
    one = await fill(store, *(b"%d" % number for number in range(20)))
    two = await fill(store, consumer="two")
    taken = await asyncio.gather(*(stream.take(3) for _ in range(4) for stream in (one, two)))
    contents = [entry.content for entries in taken for entry in entries]
    assert sorted(contents, key=int) == [b"%d" % number for number in range(20)]


async def test_what_was_taken_and_not_finished_is_taken_over_when_idle(store: Store) -> None:
    one = await fill(store, b"a", b"b")
    two = await fill(store, consumer="two")
    await one.take(10)
    assert await two.take(10) == []
    assert await two.take_over(60_000, 10) == []
    assert [entry.content for entry in await two.take_over(0, 1)] == [b"a"]
    over = await two.take_over(0, 10)
    assert [entry.content for entry in over] == [b"a", b"b"]
    await two.finish(over)
    assert await one.take_over(0, 10) == []


async def test_an_entry_that_was_trimmed_away_while_taken_is_no_entry(store: Store) -> None:
    stream = await fill(store, b"a", b"b")
    (first, _) = await stream.take(10)
    await store.call("XDEL", STREAM, first.id)
    assert [entry.content for entry in await stream.take_over(0, 10)] == [b"b"]


async def test_entries_survive_the_connection_and_the_group_is_made_once(redis_url: str, store: Store) -> None:
    await fill(store, b"a")
    await store.call("PING")
    async with connected(redis_url) as other:
        stream = await fill(other, consumer="later")
        await stream.open()
        assert [entry.content for entry in await stream.take(10)] == [b"a"]


async def test_entries_put_before_the_group_was_made_are_not_lost(store: Store) -> None:
    stream = NotificationStream(store, "one", 1000)
    stream.put(b"early")
    await stream.open()
    assert [entry.content for entry in await stream.take(10)] == [b"early"]


async def test_without_a_group_taking_fails(store: Store) -> None:
    with pytest.raises(ScriptFailed):
        await NotificationStream(store, "one", 1000).take(10)


async def test_the_stream_is_bounded_and_the_oldest_give_way(store: Store) -> None:
    """Trimming is approximate: by whole nodes of 100 entries."""
    stream = await fill(store, *(b"%d" % number for number in range(2000)), most=100)
    assert 100 <= await stream.count() <= 300
    last = (await stream.take(1000))[-1]
    assert last.content == b"1999"


async def test_the_age_of_an_entry_is_redis_own_time(store: Store) -> None:
    before = time.time() * 1000
    stream = await fill(store, b"a")
    (entry,) = await stream.take(1)
    assert before - 1000 <= entry.added_ms <= time.time() * 1000 + 1000


async def test_an_entry_of_another_shape_does_not_stop_the_others(store: Store) -> None:
    """The stream outlives versions of the gateway: what cannot be read must not block what can."""
    stream = await fill(store)
    await store.call("XADD", STREAM, "*", "other", "x", "n", "y")
    stream.put(b"good")
    assert b"good" in [entry.content for entry in await stream.take(10)]


async def test_gateways_that_are_gone_and_left_nothing_are_taken_off_the_list(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every start is a new consumer; one with unfinished entries stays, for others take them over."""
    gone, busy, here = (NotificationStream(store, name, 1000) for name in ("gone", "busy", "here"))
    await gone.open()
    await gone.take(1)
    busy.put(b"x")
    assert len(await busy.take(1)) == 1
    monkeypatch.setattr("gateway.store.notifications._GONE_MS", -1)
    await here.open()
    rows = await store.call("XINFO", "CONSUMERS", STREAM, GROUP)
    assert {bytes(row[1]) for row in rows} == {b"busy"}
