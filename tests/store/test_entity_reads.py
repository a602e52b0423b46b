"""Reading whole containers and following what changes (gw:R1-R3)."""

import asyncio

import pytest

from gateway.offers.instances import Saved
from gateway.store.connection import Store
from gateway.store.entities import Entities
from gateway.store.entity_reads import Event
from tests.store.faults import FaultProxy
from tests.store.objects import SPACE, make_change, make_container, make_entities, make_operation, new_uuid, opened
from tests.store.servers import connected, wait_until_connected


@pytest.fixture
def entities(store: Store) -> Entities:
    return make_entities(store, changes_kept=100)


@pytest.fixture
async def container(entities: Entities) -> str:
    return await make_container(entities)


async def create(entities: Entities, container: str, number: int, **facts: object) -> int:
    verdict = await entities.save(SPACE, container, make_change(f"{number:08d}", f"xcore:tag:{number:08d}", **facts))
    assert isinstance(verdict, Saved)
    return verdict.sequence


async def test_changes_come_in_order_and_in_pieces(entities, container):
    start = await entities.sequence(SPACE, container)
    first = await create(entities, container, 1)
    second = await create(entities, container, 2)
    third = (await entities.delete_now(SPACE, container, "00000001", 1)).sequence
    events = [
        Event(first, "00000001", 1, False),
        Event(second, "00000002", 1, False),
        Event(third, "00000001", 1, True),
    ]
    assert await entities.changes(SPACE, container, start) == events
    assert await entities.changes(SPACE, container, start, most=2) == events[:2]
    assert await entities.changes(SPACE, container, second) == events[2:]
    assert await entities.changes(SPACE, container, third) == []


async def test_a_container_s_own_record_is_in_its_stream(entities, container):
    start = await entities.sequence(SPACE, container)
    await entities.save_container(SPACE, make_change(container, schema="container", revision=2))
    (event,) = await entities.changes(SPACE, container, start)
    assert (event.instance_id, event.revision) == (container, 2)


async def test_who_is_behind_the_trimmed_part_notices(store, entities, container):
    """The stream is bounded; no follower misses a change without being told."""
    start = await entities.sequence(SPACE, container)
    sequences = [await create(entities, container, number) for number in range(500)]
    (key,) = await store.call("KEYS", "*:changes")
    assert await store.call("XLEN", key) < 300
    assert await entities.changes(SPACE, container, start) is None
    assert await entities.changes(SPACE, container, sequences[100]) is None
    assert len(await entities.changes(SPACE, container, sequences[-50])) == 49


async def test_who_saw_what_never_happened_notices(store, entities, container):
    """Redis was restored from a backup, or lost its last second, and went on from there."""
    sequence = await create(entities, container, 1)
    (key,) = await store.call("KEYS", "*:changes")
    await store.call("XDEL", key, f"{sequence}-0")
    assert await entities.changes(SPACE, container, sequence) is None
    await create(entities, container, 2)
    assert await entities.changes(SPACE, container, sequence) is None


async def test_a_container_that_is_gone_or_made_again_is_noticed(entities, container):
    start = await entities.sequence(SPACE, container)
    operation = make_operation(container)
    await entities.ask_delete_container(SPACE, None, operation)
    await entities.decide(SPACE, container, operation.operation_id)
    assert await entities.sequence(SPACE, container) == 0
    assert await entities.changes(SPACE, container, start) is None
    assert await entities.changes(SPACE, container, 0) is None
    await entities.import_container(SPACE, make_change(container, schema="container"))
    assert await entities.sequence(SPACE, container) > start
    assert await entities.changes(SPACE, container, start) is None


async def test_a_snapshot_is_ordered_and_whole(entities, container):
    await asyncio.gather(*(create(entities, container, number) for number in range(1100)))
    batches = [batch async for batch in entities.snapshot(SPACE, container)]
    assert len(batches) > 2
    assert [one.instance_id for batch in batches for one in batch] == [f"{number:08d}" for number in range(1100)]
    assert batches[0][0] == await entities.read(SPACE, container, "00000000")


async def test_a_snapshot_of_a_schema_has_only_that_and_what_inherits_from_it(entities, container):
    await create(entities, container, 1)
    await create(entities, container, 2, schema="personalized-offer")
    await create(entities, container, 3, schema="tagging")

    async def ids(schema: str) -> list[str]:
        return [one.instance_id async for batch in entities.snapshot(SPACE, container, schema) for one in batch]

    assert await ids("tag") == ["00000001"]
    assert await ids("offer") == await ids("personalized-offer") == ["00000002"]
    assert await ids("") == ["00000001", "00000002", "00000003"]
    assert await ids("none") == []


async def test_large_documents_make_small_batches(entities, container):
    for number in range(5):
        await create(entities, container, number, note="x" * 1_000_000)
    sizes = [len(batch) async for batch in entities.snapshot(SPACE, container)]
    assert sizes == [2, 2, 1]


async def test_a_snapshot_with_the_changes_since_is_the_container(entities, container):
    """gw:R2: while others write."""
    await asyncio.gather(*(create(entities, container, number) for number in range(600)))
    sequence = await entities.sequence(SPACE, container)
    held: dict[str, int] = {}
    deleted = 0
    async for batch in entities.snapshot(SPACE, container):
        held |= {one.instance_id: one.revision for one in batch}
        for number in (5, 550):
            revision = (await entities.read(SPACE, container, f"{number:08d}")).revision + 1
            await create(entities, container, number, revision=revision)
        await entities.delete_now(SPACE, container, batch[-1].instance_id, None)
        deleted += 1
    for event in await entities.changes(SPACE, container, sequence):
        if event.gone:
            held.pop(event.instance_id, None)
        else:
            held[event.instance_id] = event.revision
    now = [one async for batch in entities.snapshot(SPACE, container) for one in batch]
    assert held == {one.instance_id: one.revision for one in now}
    assert len(now) == 600 - deleted < 599


async def test_a_follower_is_given_changes_as_they_come(redis_url, entities, container):
    start = await entities.sequence(SPACE, container)
    async with opened(redis_url) as other:
        seen: list[Event] = []

        async def follow() -> None:
            async for events in other.follow(SPACE, container, start):
                assert events
                seen.extend(events)
                if len(seen) == 3:
                    return

        task = asyncio.create_task(follow())
        sequences = [await create(entities, container, number) for number in range(3)]
        async with asyncio.timeout(10):
            await task
    assert [event.sequence for event in seen] == sequences


async def test_following_ends_where_a_follower_must_start_over(entities, container):
    assert [events async for events in entities.follow(SPACE, container, 1)] == []
    assert [events async for events in entities.follow(SPACE, new_uuid(), 0)] == []


async def test_a_follower_goes_on_when_redis_is_back(redis_url, entities, container, tmp_path):
    """gw:R5."""
    start = await entities.sequence(SPACE, container)
    async with FaultProxy(redis_url, tmp_path) as proxy, connected(proxy.url) as through:
        changes = make_entities(through).follow(SPACE, container, start)
        first = asyncio.ensure_future(anext(changes))
        proxy.cut_after = 0
        await wait_until_connected(through, connected=False)
        sequence = await create(entities, container, 1)
        async with asyncio.timeout(10):
            assert [event.sequence for event in await first] == [sequence]
        await changes.aclose()
