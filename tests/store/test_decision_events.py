"""Decision events never delay a response; a loss is counted and logged once; feedback is kept once (dec:EV1-3)."""

import asyncio

import pytest
import structlog

from gateway.config import Events, Settings
from gateway.errors import ConfigError, StoreError
from gateway.offers.instances import Space
from gateway.store import decision_events
from gateway.store.cap_keys import CapKeys
from gateway.store.cluster import Access, open_nodes
from gateway.store.counting import open_counting
from gateway.store.decision_events import STREAM, DecisionEvents
from tests.store.faults import FaultProxy
from tests.store.servers import wait_until, wait_until_connected

SPACE = Space("org", "prod")


def event(number):
    return {"xdm:propositionId": f"{number}", "gw:container": "shop"}


@pytest.fixture
async def proxy(redis_url, store, tmp_path):
    async with FaultProxy(redis_url, tmp_path) as proxy:
        yield proxy


@pytest.fixture
async def nodes(proxy):
    nodes = await open_nodes(Access(proxy.url, 10_000, 5_000, 20_000), "no")
    yield nodes
    await nodes.close()


@pytest.fixture
def events(nodes):
    return DecisionEvents(nodes, CapKeys(b"s", 1), Events(max_length=100, max_waiting=50))


async def test_events_are_written_in_order_in_the_background(events):
    writing = asyncio.create_task(events.run())
    for number in range(40):
        events.put(SPACE, event(number))
    await wait_until(lambda: events.counts.written == 40)
    kept = await events.read()
    assert [entry.event["xdm:propositionId"] for entry in kept] == [f"{number}" for number in range(40)]
    assert {(entry.kind, entry.space, entry.container) for entry in kept} == {("decision", SPACE, "shop")}
    writing.cancel()


async def test_what_was_under_way_when_the_gateway_ends_is_written_or_counted_as_dropped(events, store, monkeypatch):
    """dec:EV1: a loss is logged, also the loss of what had left for a Redis that hangs."""
    monkeypatch.setattr(decision_events, "_END_S", 0.05)
    await store.call("CLIENT", "PAUSE", 60_000, "WRITE")
    try:
        events.put(SPACE, event(1))
        writing = asyncio.create_task(events.run())
        await wait_until(lambda: not events.waiting)
        writing.cancel()
        await asyncio.wait([writing])
        with structlog.testing.capture_logs() as logs:
            await events.end()
    finally:
        await store.call("CLIENT", "UNPAUSE")
    assert (events.counts.written, events.counts.dropped, events.waiting) == (0, 1, 0)
    assert [line["event"] for line in logs] == ["events.dropped"]


async def test_what_does_not_fit_is_dropped_counted_and_logged_once(events):
    """dec:EV1."""
    with structlog.testing.capture_logs() as logs:
        for number in range(80):
            events.put(SPACE, event(number))
    assert (events.counts.put, events.counts.dropped, events.waiting) == (80, 30, 50)
    assert [line["event"] for line in logs] == ["events.dropped"]
    await events.end()
    assert (events.counts.written, events.waiting) == (50, 0)


async def test_events_wait_for_a_store_that_is_away(events, nodes, proxy):
    """What may or may not have been written is written again: readers tell it by its proposition id."""
    (store,) = nodes.primaries()
    proxy.cut_after = 0
    events.put(SPACE, event(1))
    with pytest.raises(StoreError):
        await events.flush()
    assert events.waiting == 1
    await wait_until_connected(store)
    await events.flush()
    assert events.counts.written == 1
    assert {entry.event["xdm:propositionId"] for entry in await events.read()} == {"1"}


async def test_an_event_that_cannot_be_written_is_dropped_and_the_others_are_kept(events):
    with structlog.testing.capture_logs() as logs:
        events.put(SPACE, event(0) | {"gw:canonicalId": object()})
        events.put(SPACE, event(1))
        await events.flush()
    assert (events.counts.written, events.counts.dropped) == (1, 1)
    assert "TypeError" in logs[0]["detail"]


async def test_an_event_the_store_refuses_is_dropped(events, store):
    await store.call("SET", STREAM, "no stream")
    events.put(SPACE, event(1))
    with structlog.testing.capture_logs() as logs:
        await events.flush()
    assert events.counts.dropped == 1
    assert logs[0]["event"] == "events.dropped"


async def test_the_stream_is_bounded(events, store):
    for begin in range(0, 1_000, 50):
        for number in range(begin, begin + 50):
            events.put(SPACE, event(number))
        await events.flush()
    assert await store.call("XLEN", STREAM) < 400


async def test_feedback_with_a_known_id_is_kept_once(events):
    """dec:EV3: by @id, in its container."""
    told = [{"@id": "1"}, {"@id": "2"}]
    assert await events.put_feedback(SPACE, "shop", told) == 2
    assert await events.put_feedback(SPACE, "shop", [*told, {"@id": "3"}]) == 1
    assert await events.put_feedback(SPACE, "other", told) == 2
    assert [entry.event["@id"] for entry in await events.read() if entry.container == "shop"] == ["1", "2", "3"]


async def test_the_id_of_feedback_is_in_no_key(events, store):
    await events.put_feedback(SPACE, "shop", [{"@id": "canary"}])
    (note,) = await store.call("KEYS", "*seen*")
    assert b"canary" not in note
    assert 86_000 < await store.call("TTL", note) <= 86_400


async def test_a_store_that_may_evict_is_refused_at_start(redis_url, store):
    """gw:C7."""
    await store.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(ConfigError, match="allkeys-lru"):
            async with open_counting(Settings(), redis_url, b"s"):
                pass
        allowed = Settings(caps=type(Settings().caps)(allow_eviction=True))
        async with open_counting(allowed, redis_url, b"s") as counting:
            assert not counting.caps.epoch.is_lost
    finally:
        await store.call("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_an_emptied_store_is_noticed_while_nothing_is_claimed(redis_url, store):
    """gw:C6, reliability C9: within about a second."""
    async with open_counting(Settings(), redis_url, b"s") as counting:
        await store.call("FLUSHALL")
        await wait_until(lambda: counting.caps.epoch.is_lost)
