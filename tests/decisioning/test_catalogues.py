"""Catalogues that follow their containers (gw:R2, gw:R5, dec:AL1, AL2)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.decisioning.catalogues import Catalogues, drive
from gateway.offers.instances import Change, Instance, Saved
from gateway.store.connection import Store
from tests.offers import containers
from tests.store.objects import SPACE, make_container, make_entities, make_operation


def change(stored: Instance, revision: int = 1) -> Change:
    schema = stored.instance_id.rpartition("-")[0]
    name = stored.instance_id.rpartition("-")[2]
    return Change(
        instance_id=stored.instance_id,
        at_id=containers.at_id(schema, name),
        schemas=(schema,),
        document=stored.document,
        expected=revision - 1,
        revision=revision,
    )


@pytest.fixture
async def entities(store: Store):
    return make_entities(store)


async def forget_nothing(*_: object) -> None:
    """Where no caps are counted."""


@pytest.fixture
async def catalogues(entities) -> AsyncIterator[Catalogues]:
    catalogues = Catalogues(entities, 2, forget_nothing)
    entities.changed = catalogues.note_change
    yield catalogues
    await catalogues.close()


def soon() -> float:
    return asyncio.get_running_loop().time() + 10


async def test_own_writes_are_in_the_next_view(entities, catalogues: Catalogues):
    """dec:X4, AL1."""
    container = await make_container(entities)
    view = await catalogues.find(SPACE, container, soon())
    assert view is not None
    assert view.catalog.compiled is None, "nothing to compile yet (dec:DG1)"
    for number in range(5):
        assert isinstance(await entities.save(SPACE, container, change(containers.offer(f"o{number}"))), Saved)
        after = await catalogues.find(SPACE, container, soon())
        assert after is not None
        assert len(after.catalog.offers) == number + 1
        assert len(view.catalog.offers) == number, "a view stays as it was (dec:AL2)"
        view = after


async def test_what_is_not_used_is_let_go(entities, catalogues: Catalogues):
    made = [await make_container(entities) for _ in range(3)]
    for container in made:
        assert await catalogues.find(SPACE, container, soon()) is not None
    assert len(catalogues) == 2
    assert catalogues.peek(SPACE, made[0]) is None
    assert await catalogues.find(SPACE, made[0], soon()) is not None


async def test_a_container_that_never_was_and_one_that_is_gone(entities, catalogues: Catalogues):
    assert await catalogues.find(SPACE, "nonsense/..", soon()) is None
    assert await catalogues.find(SPACE, "018f7a60-0000-7000-8000-000000000000", soon()) is None
    container = await make_container(entities)
    assert await catalogues.find(SPACE, container, soon()) is not None
    operation = make_operation(container)
    await entities.ask_delete_container(SPACE, None, operation)
    await entities.decide(SPACE, container, operation.operation_id)
    assert await catalogues.find(SPACE, container, soon()) is None
    assert len(catalogues) == 0


async def test_a_trimmed_stream_is_read_anew(store: Store, entities, catalogues: Catalogues):
    container = await make_container(entities)
    await catalogues.find(SPACE, container, soon())
    for number in range(3):
        await entities.save(SPACE, container, change(containers.offer(f"o{number}")))
    (stream,) = await store.call("KEYS", f"*{container}*changes")
    await store.call("XTRIM", stream, "MAXLEN", 1)
    await entities.save(SPACE, container, change(containers.offer("last")))
    view = await catalogues.find(SPACE, container, soon())
    assert view is not None
    assert len(view.catalog.offers) == 4


async def test_others_come_in_between_while_a_catalogue_is_made(entities, catalogues: Catalogues):
    """gw:R2: made in slices."""
    steps = []

    def slices():
        for number in range(50):
            sum(range(40_000))
            steps.append(number)
            yield
        return "made"

    async def watch() -> list[int]:
        seen = []
        while len(steps) < 50:
            seen.append(len(steps))
            await asyncio.sleep(0)
        return seen

    watching = asyncio.create_task(watch())
    assert await drive(slices()) == "made"
    assert len(set(await watching)) > 5


async def test_counters_of_a_deleted_offer_are_forgotten(entities):
    """Dec §7.3."""
    forgotten = asyncio.Queue()

    async def forget(*what: object) -> None:
        await forgotten.put(what)

    catalogues = Catalogues(entities, 2, forget)
    entities.changed = catalogues.note_change
    try:
        container = await make_container(entities)
        await entities.save(SPACE, container, change(containers.offer("o")))
        await catalogues.find(SPACE, container, soon())
        await entities.delete_now(SPACE, container, "personalized-offer-o", None)
        async with asyncio.timeout(10):
            assert await forgotten.get() == (SPACE, container, containers.offer_id("o"))
    finally:
        await catalogues.close()
