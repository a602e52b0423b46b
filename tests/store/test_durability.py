"""What Redis must be for its word to count (gw:R4), and what is done while its disk is busy."""

import asyncio
import contextlib

import pytest

from gateway.errors import StoreUnreachable, StoreUnsafe
from gateway.offers.instances import Saved
from gateway.store.connection import Store
from gateway.store.durability import Durability, find_fault, is_written
from tests.store.objects import SPACE, make_change, make_container, make_entities, new_uuid
from tests.store.servers import connected, wait_until, wait_until_connected

_SAFE = {"aof_enabled": "1", "maxmemory_policy": "noeviction"}


@pytest.mark.parametrize(
    ("level", "facts", "policy", "named"),
    [
        ("log", {"aof_enabled": "0"}, "everysec", "appendonly yes"),
        ("fsync", {"aof_enabled": "0"}, "always", "appendonly yes"),
        ("log", {}, "", "appendonly yes"),
        ("log", _SAFE | {"maxmemory_policy": "allkeys-lru"}, "everysec", "noeviction"),
        ("fsync", _SAFE, "everysec", "appendfsync is everysec"),
        ("fsync", _SAFE, "", "appendfsync always"),
    ],
)
def test_a_redis_that_cannot_keep_the_promise_is_named(level, facts, policy, named):
    assert named in find_fault(level, facts, policy)


@pytest.mark.parametrize(("level", "policy"), [("log", "everysec"), ("log", "no"), ("log", ""), ("fsync", "always")])
def test_a_redis_that_can_keep_it_is_taken(level, policy):
    assert find_fault(level, _SAFE, policy) == ""


@pytest.mark.parametrize(("buffered", "fsyncs", "written"), [("0", "1", True), ("99", "0", True), ("99", "1", False)])
def test_a_write_is_in_the_file_unless_it_was_put_off(buffered, fsyncs, written):
    facts = {"aof_enabled": "1", "aof_buffer_length": buffered, "aof_pending_bio_fsync": fsyncs}
    assert is_written(facts) is written


async def test_the_servers_we_test_with_say_whether_a_write_is_in_the_file(store: Store):
    await store.call("SET", "a", "b")
    info = bytes(await store.call("INFO", "persistence"))
    assert b"aof_pending_bio_fsync:" in info
    assert b"aof_buffer_length:" in info
    async with asyncio.timeout(10):
        await Durability(store, "log", 10.0).confirm()


@pytest.fixture
async def without_log(store: Store):
    """Give a server that keeps no append-only file."""
    await store.call("CONFIG", "SET", "appendonly", "no")
    yield store
    await store.call("CONFIG", "SET", "appendonly", "yes")


@pytest.mark.parametrize("level", ["log", "fsync"])
async def test_writes_are_refused_where_they_would_not_be_kept(without_log, level):
    entities = make_entities(without_log, durability=level)
    with pytest.raises(StoreUnsafe, match=f'durability = "{level}"'):
        await entities.check()
    with pytest.raises(StoreUnsafe, match="appendonly yes"):
        await entities.save(SPACE, new_uuid(), make_change(new_uuid()))
    assert await entities.list_containers(SPACE) == [], "reading goes on"


async def test_memory_asks_for_nothing(without_log):
    entities = make_entities(without_log, durability="memory")
    await entities.check()
    container = await make_container(entities)
    assert isinstance(await entities.save(SPACE, container, make_change(new_uuid())), Saved)


async def test_a_log_that_is_switched_off_later_is_noticed(store: Store):
    entities = make_entities(store, patience_ms=0)
    container = await make_container(entities)
    await store.call("CONFIG", "SET", "appendonly", "no")
    try:
        with pytest.raises(StoreUnsafe):
            await entities.save(SPACE, container, make_change(new_uuid()))
    finally:
        await store.call("CONFIG", "SET", "appendonly", "yes")


async def test_fsync_needs_appendfsync_always(store: Store):
    entities = make_entities(store, durability="fsync")
    with pytest.raises(StoreUnsafe, match="appendfsync always"):
        await entities.check()
    await store.call("CONFIG", "SET", "appendfsync", "always")
    try:
        await entities.check()
        assert await make_container(entities)
    finally:
        await store.call("CONFIG", "SET", "appendfsync", "everysec")


async def test_a_redis_that_does_not_let_us_ask_for_its_policy_is_taken_for_the_slow_one(redis_url: str, store: Store):
    """Managed servers forbid CONFIG; INFO is enough for "log"."""
    rules = ("on", ">pass", "~*", "+@all", "-config")
    await store.call("ACL", "SETUSER", "limited", *rules)
    async with connected(redis_url.replace("unix://", "unix://limited:pass@")) as limited:
        await make_entities(limited).check()
        with pytest.raises(StoreUnsafe, match="not to be asked for"):
            await make_entities(limited, durability="fsync").check()
    await store.call("ACL", "DELUSER", "limited")


async def test_a_new_connection_is_asked_again(redis_url: str, store: Store):
    """Behind one address there may be another server than before."""
    async with connected(redis_url) as other:
        entities = make_entities(other)
        await entities.check()
        await store.call("CONFIG", "SET", "appendonly", "no")
        with contextlib.suppress(StoreUnreachable):
            await other.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
        try:
            await wait_until(lambda: other.counts.reconnected == 1)
            with pytest.raises(StoreUnsafe):
                await entities.check()
        finally:
            await wait_until_connected(store)
            await store.call("CONFIG", "SET", "appendonly", "yes")
