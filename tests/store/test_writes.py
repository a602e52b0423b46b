"""Lost replies: a write is repeated until its outcome is known, and happens once."""

import asyncio

import pytest

from gateway.errors import StoreError, StoreTimeout, StoreUnreachable
from gateway.offers.instances import Saved
from gateway.store.connection import Store
from tests.store.faults import FaultProxy
from tests.store.objects import SPACE, make_change, make_container, make_entities, make_operation, new_uuid
from tests.store.servers import connected, wait_until_connected

TAG = "xcore:tag:02"


@pytest.fixture
async def proxy(redis_url, tmp_path):
    async with FaultProxy(redis_url, tmp_path) as proxy:
        yield proxy


async def test_a_write_whose_reply_was_cut_off_is_made_once(store: Store, proxy: FaultProxy):
    entities = make_entities(store)
    container = await make_container(entities)
    start = await entities.sequence(SPACE, container)
    instance_id = new_uuid()
    async with connected(proxy.url) as through:
        shaky = make_entities(through)
        await shaky.check()
        for revision in range(1, 6):
            proxy.cut_after = 0
            verdict = await shaky.save(SPACE, container, make_change(instance_id, TAG, revision=revision))
            assert isinstance(verdict, Saved)
        assert through.counts.reconnected >= 5
    events = await entities.changes(SPACE, container, start)
    assert [event.revision for event in events] == [1, 2, 3, 4, 5]


async def test_a_write_that_is_not_answered_in_time_is_made_once(store: Store, proxy: FaultProxy):
    entities = make_entities(store)
    container = await make_container(entities)
    start = await entities.sequence(SPACE, container)
    async with connected(proxy.url, timeout_ms=100) as through:
        shaky = make_entities(through)
        await shaky.check()
        proxy.black_hole = True
        writing = asyncio.ensure_future(shaky.save(SPACE, container, make_change(new_uuid(), TAG)))
        async with asyncio.timeout(10):
            async for _ in entities.follow(SPACE, container, start):
                break
        await wait_until_connected(through, connected=False)
        proxy.black_hole = False
        assert await writing == Saved(await entities.sequence(SPACE, container))
    assert len(await entities.changes(SPACE, container, start)) == 1


async def test_when_patience_ends_the_outcome_is_unknown_and_can_be_asked_for(store: Store, proxy: FaultProxy):
    entities = make_entities(store)
    container = await make_container(entities)
    change = make_change(new_uuid(), TAG)
    async with connected(proxy.url, timeout_ms=50) as through:
        shaky = make_entities(through, patience_ms=0)
        await shaky.check()
        proxy.black_hole = True
        with pytest.raises((StoreTimeout, StoreUnreachable)):
            await shaky.save(SPACE, container, change, "write-1")
        proxy.black_hole = False
    verdict = await entities.save(SPACE, container, change, "write-1")
    assert verdict == Saved(await entities.sequence(SPACE, container))
    assert (await entities.read(SPACE, container, change.instance_id)).revision == 1


async def test_a_delete_whose_reply_was_lost_is_asked_for_once(store: Store, proxy: FaultProxy):
    """repo:D11: the operation id is the write id."""
    entities = make_entities(store)
    container = await make_container(entities)
    change = make_change(new_uuid(), TAG)
    await entities.save(SPACE, container, change)
    operation = make_operation(change.instance_id)
    async with connected(proxy.url) as through:
        shaky = make_entities(through)
        await shaky.check()
        proxy.cut_after = 0
        assert isinstance(await shaky.ask_delete(SPACE, container, 1, operation), Saved)
        proxy.cut_after = 0
        assert (await shaky.decide(SPACE, container, operation.operation_id)).state == "deleted"
    assert await entities.read(SPACE, container, change.instance_id) is None


async def test_without_a_connection_a_write_fails_at_once(redis_url: str, proxy: FaultProxy):
    async with connected(redis_url) as store:
        pass
    with pytest.raises(StoreUnreachable):
        await make_entities(store, patience_ms=60_000).save(SPACE, new_uuid(), make_change(new_uuid()))


async def test_an_error_of_redis_is_not_repeated(store: Store):
    """It says that nothing was done, so there is nothing to find out."""
    entities = make_entities(store)
    container = await make_container(entities)
    (key,) = await store.call("KEYS", f"*{container}*:documents")
    await store.call("RENAME", key, key + b"-away")
    await store.call("SET", key, "of another type")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await entities.save(SPACE, container, make_change(new_uuid(), TAG))


async def test_writes_after_redis_forgot_its_scripts(store: Store):
    entities = make_entities(store)
    container = await make_container(entities)
    await store.call("SCRIPT", "FLUSH")
    assert isinstance(await entities.save(SPACE, container, make_change(new_uuid(), TAG)), Saved)
    await wait_until_connected(store)
