"""Asynchronous deletes on a real server (repo:§10)."""

import asyncio
import time

import pytest

from gateway.offers.instances import Conflict, Deleting, Missing, Refused, Saved
from gateway.offers.operations import Operation
from gateway.store.connection import Store
from gateway.store.delete_worker import DeleteWorker
from gateway.store.entities import Entities
from gateway.store.places import PENDING
from tests.store.objects import SPACE, make_change, make_container, make_entities, make_operation, new_uuid, opened
from tests.store.servers import connected

TAG, OFFER = "xcore:tag:02", "xcore:personalized-offer:03"


@pytest.fixture
def entities(store: Store) -> Entities:
    return make_entities(store)


@pytest.fixture
async def container(entities: Entities) -> str:
    return await make_container(entities)


@pytest.fixture
async def tag(entities: Entities, container: str) -> str:
    instance_id = new_uuid()
    await entities.save(SPACE, container, make_change(instance_id, TAG, name="winter"))
    return instance_id


def referring(number: int, pointers: int = 1):
    return make_change(new_uuid(), f"xcore:personalized-offer:{number:04x}", references=((TAG, "tag"),) * pointers)


async def test_a_delete_that_nothing_refers_to_is_carried_out(entities, container, tag):
    """repo:D2-D4, D6: until it is decided the instance is there; then it and its name are not."""
    operation = make_operation(tag)
    assert isinstance(await entities.ask_delete(SPACE, container, 1, operation), Saved)
    pending = await entities.read_operation(SPACE, container, operation.operation_id)
    assert (pending.state, pending.instance_id, pending.receipt) == ("pending", tag, operation.receipt)
    assert (await entities.read(SPACE, container, tag)).operation == operation.operation_id
    before = await entities.sequence(SPACE, container)
    outcome = await entities.decide(SPACE, container, operation.operation_id)
    assert outcome.show(container) == operation.receipt | {"outcome": "deleted", "status": 200}
    assert await entities.read_operation(SPACE, container, operation.operation_id) == outcome
    assert await entities.read(SPACE, container, tag) is None
    (event,) = await entities.changes(SPACE, container, before)
    assert (event.instance_id, event.gone) == (tag, True)
    again = make_change(new_uuid(), "xcore:tag:07", name="winter")
    assert isinstance(await entities.save(SPACE, container, again), Saved)


async def test_a_delete_of_what_is_referred_to_is_rejected_and_changes_nothing(entities, container, tag):
    """repo:D4, D6, D8."""
    offer = make_change(new_uuid(), OFFER, references=((TAG, "tag"),))
    await entities.save(SPACE, container, offer)
    operation = make_operation(tag)
    before = await entities.read(SPACE, container, tag)
    await entities.ask_delete(SPACE, container, None, operation)
    sequence = await entities.sequence(SPACE, container)
    outcome = await entities.decide(SPACE, container, operation.operation_id)
    shown = outcome.show(container)
    assert (shown["outcome"], shown["status"], shown["problem"]["status"]) == ("rejected", 409, 409)
    assert shown["problem"]["references"] == [
        {"@id": OFFER, "href": f"/{container}/instances/{offer.instance_id}", "property": "/_instance/links/0"}
    ]
    assert await entities.read(SPACE, container, tag) == before
    told = await entities.changes(SPACE, container, sequence)
    assert [(event.instance_id, event.gone) for event in told or ()] == [(tag, False)], "it may be asked for again"


async def test_what_was_decided_stays_decided(entities, container, tag):
    offer = make_change(new_uuid(), OFFER, references=((TAG, "tag"),))
    await entities.save(SPACE, container, offer)
    operation = make_operation(tag)
    await entities.ask_delete(SPACE, container, None, operation)
    outcome = await entities.decide(SPACE, container, operation.operation_id)
    await entities.delete_now(SPACE, container, offer.instance_id, None)
    assert await entities.decide(SPACE, container, operation.operation_id) == outcome
    assert isinstance(await entities.ask_delete(SPACE, container, None, operation), Saved), "asked again: the same"
    assert await entities.decide(SPACE, container, operation.operation_id) == outcome
    assert (await entities.read(SPACE, container, tag)).operation == ""


async def test_at_most_50_references_are_listed(entities, container, tag):
    """repo:D4, also where one instance has many of them."""
    await asyncio.gather(*(entities.save(SPACE, container, referring(number, 7)) for number in range(10)))
    operation = make_operation(tag)
    await entities.ask_delete(SPACE, container, None, operation)
    assert len((await entities.decide(SPACE, container, operation.operation_id)).referrers) == 50


async def test_a_second_delete_is_told_the_first_ones_operation(entities, container, tag):
    """repo:D5."""
    first = make_operation(tag)
    await entities.ask_delete(SPACE, container, 1, first)
    for expected in (None, 1, 9):
        verdict = await entities.ask_delete(SPACE, container, expected, make_operation(tag))
        assert verdict == Deleting(first.operation_id)


async def test_a_delete_honours_the_expected_revision(entities, container, tag):
    """repo:D9."""
    operation = make_operation(tag)
    assert await entities.ask_delete(SPACE, container, 2, operation) == Conflict(1)
    assert await entities.read_operation(SPACE, container, operation.operation_id) is None
    assert (await entities.read(SPACE, container, tag)).operation == ""


async def test_references_of_what_is_itself_being_deleted_count(entities, container, tag):
    """repo:D7."""
    offer = make_change(new_uuid(), OFFER, references=((TAG, "tag"),))
    await entities.save(SPACE, container, offer)
    operations = [make_operation(offer.instance_id), make_operation(tag)]
    for operation in operations:
        await entities.ask_delete(SPACE, container, None, operation)
    assert (await entities.decide(SPACE, container, operations[1].operation_id)).state == "rejected"
    assert (await entities.decide(SPACE, container, operations[0].operation_id)).state == "deleted"


async def test_a_decided_operation_lives_for_over_an_hour_and_a_pending_one_for_ever(store, entities, container, tag):
    """repo:D10, D11."""
    operation = make_operation(tag)
    await entities.ask_delete(SPACE, container, None, operation)
    (key,) = await store.call("KEYS", f"*:operation:{operation.operation_id}")
    assert await store.call("TTL", key) == -1
    await entities.decide(SPACE, container, operation.operation_id)
    assert await store.call("TTL", key) > 3600


async def test_an_unknown_operation_is_nothing(entities, container):
    assert await entities.decide(SPACE, container, new_uuid()) is None
    assert await entities.decide(SPACE, container, "{}") is None
    assert await entities.read_operation(SPACE, container, new_uuid()) is None


async def test_a_delete_asked_of_a_gateway_that_died_is_decided_by_another(redis_url, entities, container, tag):
    """repo:D11."""
    operation = make_operation(tag)
    async with opened(redis_url) as dying:
        await dying.ask_delete(SPACE, container, None, operation)
    assert await entities.decide_pending() == 1
    assert await entities.decide_pending() == 0
    assert (await entities.read_operation(SPACE, container, operation.operation_id)).state == "deleted"


async def test_the_worker_decides_what_is_asked_for_here(entities, container, tag):
    """repo:D12."""
    sequence = await entities.sequence(SPACE, container)
    worker = asyncio.create_task(DeleteWorker(entities, lambda _: None).run())
    operation = make_operation(tag)
    await entities.ask_delete(SPACE, container, None, operation)
    async with asyncio.timeout(10):
        told = []
        async for events in entities.follow(SPACE, container, sequence):
            told += [(event.instance_id, event.gone) for event in events]
            if told[-1][1]:
                break
        assert told == [(tag, False), (tag, True)], "marked, then gone"
    worker.cancel()
    await asyncio.wait([worker])


async def test_trouble_is_reported_once_and_work_goes_on_after_it(redis_url, store, entities, container, tag):
    operation = make_operation(tag)
    await entities.ask_delete(SPACE, container, None, operation)
    await store.call("RENAME", PENDING, "elsewhere")
    await store.call("SET", PENDING, "not a sorted set")
    reports: list[str] = []
    worker = DeleteWorker(entities, reports.append)
    await worker.step()
    await worker.step()
    assert len(reports) == 1
    await store.call("RENAME", "elsewhere", PENDING)
    await worker.step()
    assert (await entities.read_operation(SPACE, container, operation.operation_id)).state == "deleted"
    assert len(reports) == 1


async def test_a_worker_without_redis_waits_for_it(redis_url):
    async with connected(redis_url) as store:
        pass
    reports: list[str] = []
    await DeleteWorker(make_entities(store), reports.append).step()
    assert reports == []


async def test_a_name_without_an_operation_is_forgotten_only_when_it_is_old(store, entities, container, tag):
    """Its asker may still be about to mark the instance."""
    place, _, _ = (await store.call("KEYS", f"*{container}*"))[0].partition(b":{")
    space = place.removeprefix(b"repo:").decode()
    await store.call("ZADD", PENDING, f"{time.time()}", f"{space} {container} {new_uuid()}")
    assert await entities.decide_pending() == 0
    assert await store.call("ZCARD", PENDING) == 1
    await entities.decide_pending(forget_after_s=-1)
    assert await store.call("ZCARD", PENDING) == 0


@pytest.mark.parametrize("order", ["reference first", "mark first", "together"])
async def test_writing_a_reference_and_deleting_its_target_never_leave_it_dangling(redis_url, entities, order):
    """repo:W7: from two connections; whoever comes second is refused."""
    container = await make_container(entities)

    async def delete(target: str) -> str:
        operation = make_operation(target)
        await entities.ask_delete(SPACE, container, None, operation)
        return await decide(operation)

    async def decide(operation: Operation) -> str:
        return (await entities.decide(SPACE, container, operation.operation_id)).state

    async def race(other: Entities, number: int) -> tuple[bool, str]:
        target, at_id = new_uuid(), f"xcore:tag:{number:04x}"
        await entities.save(SPACE, container, make_change(target, at_id))
        change = make_change(new_uuid(), f"xcore:personalized-offer:{number:04x}", references=((at_id, "tag"),))
        if order == "mark first":
            operation = make_operation(target)
            await entities.ask_delete(SPACE, container, None, operation)
            verdict, state = await asyncio.gather(other.save(SPACE, container, change), decide(operation))
        elif order == "reference first":
            verdict = await other.save(SPACE, container, change)
            state = await delete(target)
        else:
            verdict, state = await asyncio.gather(other.save(SPACE, container, change), delete(target))
        assert (await entities.read(SPACE, container, target) is None) == (state == "deleted")
        return isinstance(verdict, Saved), state

    async with opened(redis_url) as other:
        seen = set(await asyncio.gather(*(race(other, number) for number in range(100))))
    allowed = {"reference first": {(True, "rejected")}, "mark first": {(False, "deleted")}}
    assert seen <= allowed.get(order, {(True, "rejected"), (False, "deleted")})


class TestContainers:
    """repo:§5, §9.3."""

    async def test_containers_are_listed_by_date_then_id(self, entities):
        """repo:C6."""
        late = await make_container(entities, created="2026-05-03T00:00:00.000Z")
        early = sorted([await make_container(entities, created="2026-05-01T00:00:00.000Z") for _ in range(3)])
        assert [one.instance_id for one in await entities.list_containers(SPACE)] == [*early, late]

    async def test_a_container_is_replaced_like_an_instance(self, entities, container):
        change = make_change(container, schema="container", revision=2)
        assert isinstance(await entities.save_container(SPACE, change), Saved)
        assert await entities.save_container(SPACE, change) == Conflict(2)
        found = await entities.read_container(SPACE, container)
        assert (found.revision, found.document) == (2, change.document)
        unknown = make_change(new_uuid(), schema="container", revision=2)
        assert await entities.save_container(SPACE, unknown) == Missing()
        assert await entities.read_container(SPACE, unknown.instance_id) is None
        assert [one.instance_id for one in await entities.list_containers(SPACE)] == [container]

    async def test_only_an_empty_container_is_deleted(self, store, entities, container, tag):
        """repo:C11."""
        operation = make_operation(container)
        assert await entities.ask_delete_container(SPACE, 2, operation) == Conflict(1)
        assert isinstance(await entities.ask_delete_container(SPACE, 1, operation), Saved)
        refused = await entities.decide(SPACE, container, operation.operation_id)
        assert refused.show(container)["problem"]["references"] == [
            {"@id": TAG, "href": f"/{container}/instances/{tag}"}
        ]
        await entities.delete_now(SPACE, container, tag, None)
        second = make_operation(container)
        await entities.ask_delete_container(SPACE, None, second)
        assert await entities.decide_pending() >= 1
        assert await entities.read_container(SPACE, container) is None
        assert await entities.list_containers(SPACE) == []
        assert (await entities.read_operation(SPACE, container, second.operation_id)).state == "deleted"
        left = await store.call("KEYS", f"*{container}*")
        assert all(b":write:" in key or b":operation:" in key for key in left)

    async def test_nothing_is_written_into_a_container_that_is_being_deleted(self, entities, container, tag):
        operation = make_operation(container)
        await entities.ask_delete_container(SPACE, None, operation)
        under_way = Deleting(operation.operation_id)
        assert await entities.save(SPACE, container, make_change(new_uuid(), "xcore:tag:08")) == under_way
        assert await entities.save(SPACE, container, make_change(tag, TAG, revision=2)) == under_way
        assert await entities.delete_now(SPACE, container, tag, None) == under_way
        assert await entities.ask_delete(SPACE, container, None, make_operation(tag)) == under_way
        change = make_change(container, schema="container", revision=2)
        assert await entities.save_container(SPACE, change) == under_way
        assert (await entities.decide(SPACE, container, operation.operation_id)).state == "rejected"
        assert isinstance(await entities.save(SPACE, container, make_change(tag, TAG, revision=2)), Saved)

    async def test_creating_an_instance_and_deleting_its_container_never_loses_the_instance(self, entities):
        async def race(number: int) -> None:
            container = await make_container(entities)
            operation = make_operation(container)
            create = entities.save(SPACE, container, make_change(new_uuid(), TAG))
            verdict, _ = await asyncio.gather(create, entities.ask_delete_container(SPACE, None, operation))
            outcome = await entities.decide(SPACE, container, operation.operation_id)
            assert (outcome.state == "rejected") == isinstance(verdict, Saved)

        await asyncio.gather(*(race(number) for number in range(50)))

    async def test_a_container_can_be_imported_and_imported_again(self, entities):
        change = make_change(new_uuid(), schema="container", revision=4)
        first = await entities.import_container(SPACE, change)
        assert isinstance(first, Saved)
        assert await entities.import_container(SPACE, change) == first
        assert (await entities.read_container(SPACE, change.instance_id)).revision == 4

    async def test_a_container_with_references_or_names_is_checked_like_an_instance(self, entities):
        change = make_change(new_uuid(), schema="container", references=((TAG, "tag"),))
        assert isinstance(await entities.save_container(SPACE, change), Refused)
