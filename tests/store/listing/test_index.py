"""A worker's index over a real Redis: it is caught up before every answer (gw:R3, repo:Z1, Z2)."""

import asyncio
import json
import threading

import pytest

from gateway.errors import ConfigError, Problem, StoreError
from gateway.offers.instances import Saved
from gateway.offers.query import parse_container_query
from gateway.store.connection import Store
from gateway.store.embedded import EmbeddedServer
from gateway.store.entities import Entities
from gateway.store.listing.index import Index
from gateway.store.places import find_place
from tests.store.listing.stage import REGISTRY, SCHEMA, ids, make_instance, parse
from tests.store.objects import SPACE, make_change, make_container, make_entities, new_uuid, opened


@pytest.fixture
def entities(store: Store) -> Entities:
    return make_entities(store)


@pytest.fixture
async def container(entities: Entities) -> str:
    return await make_container(entities)


@pytest.fixture
async def index(entities: Entities):
    index = Index(entities, REGISTRY)
    yield index
    index.close()


async def save(entities, container, instance_id, content, revision=1):
    document = make_instance(instance_id, content).document
    change = make_change(
        instance_id, f"xcore:thing:{instance_id}", schema="thing", revision=revision, document=document
    )
    assert isinstance(await entities.save(SPACE, container, change), Saved)


async def fill(entities, container, count):
    names = sorted(new_uuid() for _ in range(count))
    await asyncio.gather(*(save(entities, container, name, {"P": number}) for number, name in enumerate(names)))
    return names


async def listed(index, container, text=""):
    return ids(await index.page(SPACE, container, parse(text)))


async def test_a_container_is_listed_from_the_store(entities, index, container):
    names = await fill(entities, container, 7)
    assert await listed(index, container) == names
    assert await listed(index, container, "orderBy=-P&limit=2") == names[:-3:-1]


async def test_a_container_that_is_empty_or_unknown_has_empty_lists(entities, index, container):
    for name in (container, new_uuid()):
        page = await index.page(SPACE, name, parse(""))
        assert (page.items, page.total, page.count, page.next_start) == ((), 0, 0, None)


async def test_every_write_is_in_the_next_page_of_every_worker(entities, index, container):
    """repo:Z1: create, replace and delete."""
    other = Index(entities, REGISTRY)
    name = new_uuid()
    try:
        for step in range(1, 5):
            await save(entities, container, name, {"P": step}, revision=step)
            for each in (index, other):
                assert await listed(each, container, f"property=P=={step}") == [name]
                assert await listed(each, container, f"property=P!={step}") == []
        assert isinstance(await entities.delete_now(SPACE, container, name, None), Saved)
        for each in (index, other):
            assert await listed(each, container) == []
    finally:
        other.close()


async def test_a_renamed_container_does_not_appear_among_its_instances(entities, index, container):
    await listed(index, container)
    change = make_change(container, schema="container", revision=2)
    assert isinstance(await entities.save_container(SPACE, change), Saved)
    name = (await fill(entities, container, 1))[0]
    assert await listed(index, container) == [name]
    assert (
        await index.page(SPACE, container, parse("", schema="https://ns.adobe.com/experience/xcore/container"))
    ).total == 0


async def test_a_stream_that_was_trimmed_makes_the_index_read_everything_again(entities, index, container, store):
    names = await fill(entities, container, 3)
    assert await listed(index, container) == names
    await save(entities, container, names[0], {"P": 9}, revision=2)
    await fill(entities, container, 3)
    await store.call("XTRIM", find_place(SPACE, container).key("changes"), "MAXLEN", 1)
    assert len(await listed(index, container)) == 6
    assert await listed(index, container, "property=P==9") == [names[0]]


async def test_a_store_that_went_back_in_time_makes_the_index_read_everything_again(entities, index, container, store):
    names = await fill(entities, container, 3)
    assert await listed(index, container) == names
    await store.call("FLUSHALL")
    assert await listed(index, container) == []


async def test_many_first_pages_at_once_read_the_container_once(entities, index, container):
    names = await fill(entities, container, 20)
    reads = []
    snapshot = entities.snapshot

    def counted(*args):
        reads.append(args)
        return snapshot(*args)

    entities.snapshot = counted
    assert await asyncio.gather(*(listed(index, container) for _ in range(20))) == [names] * 20
    assert len(reads) == 1


async def test_a_walk_during_which_others_write_gives_what_stays_exactly_once(entities, index, container):
    """repo:L18: with an immutable sort property, while others create, change and delete."""
    names = await fill(entities, container, 30)
    gone, stay = names[::3], [name for name in names if name not in names[::3]]
    other = asyncio.create_task(meddle(entities, container, gone, stay))
    seen, start = [], None
    while True:
        query = parse("limit=4", *([("start", start)] if start else []))
        page = await index.page(SPACE, container, query)
        seen += ids(page)
        start = page.next_start
        if start is None:
            break
    await other
    assert sorted(seen) == seen
    assert len(set(seen)) == len(seen)
    assert set(stay) <= set(seen)


async def meddle(entities, container, gone, stay):
    for lost, kept in zip(gone, stay, strict=False):
        await entities.delete_now(SPACE, container, lost, None)
        await save(entities, container, kept, {"P": "changed"}, revision=2)
        await save(entities, container, new_uuid(), {"P": "new"})


async def test_a_cancelled_caller_leaves_a_whole_index(entities, index, container):
    names = await fill(entities, container, 200)
    for _ in range(5):
        task = asyncio.create_task(listed(index, container))
        await asyncio.wait([task], timeout=0.001)
        task.cancel()
        await asyncio.wait([task])
        await save(entities, container, new_uuid(), {"P": "more"})
    assert await listed(index, container, "property=P<201&limit=1000") == names
    assert await listed(index, container, "property=P==more&limit=1000") != []


async def test_an_unreachable_store_is_an_error_and_no_stale_answer(tmp_path):
    with EmbeddedServer(tmp_path) as server:
        async with opened(server.url, patience_ms=100) as entities:
            container, index = await make_container(entities), Index(entities, REGISTRY)
            try:
                await fill(entities, container, 2)
                assert len(await listed(index, container)) == 2
                server.stop()
                with pytest.raises(StoreError):
                    await listed(index, container)
            finally:
                index.close()


def test_a_sqlite_without_full_text_search_is_named_at_the_start(monkeypatch):
    monkeypatch.setattr("gateway.store.listing.engine.PROBE", "CREATE VIRTUAL TABLE temp.probe USING no_such(words)")
    with pytest.raises(ConfigError, match="FTS5"):
        Index(None, REGISTRY)


async def test_only_so_many_containers_are_kept(entities):
    index = Index(entities, REGISTRY, most_containers=2)
    try:
        containers = [await make_container(entities) for _ in range(4)]
        for name in containers:
            await fill(entities, name, 1)
        for _ in range(2):
            assert [len(await listed(index, name)) for name in containers] == [1] * 4
        await asyncio.gather(*(listed(index, name) for name in containers))
    finally:
        index.close()


async def test_closing_ends_every_thread(entities, container):
    before = set(threading.enumerate())
    index = Index(entities, REGISTRY)
    await listed(index, container)
    started = set(threading.enumerate()) - before
    assert started
    index.close()
    for thread in started:
        await asyncio.to_thread(thread.join)
        assert not thread.is_alive()


CONTAINER = "https://ns.adobe.com/experience/xcore/container"


def make_record(number, products, name="shop"):
    instance = make_instance(f"c{number}", {"repo:name": f"{name} {number}"}, 1 + number // 2, (CONTAINER,))
    envelope = json.loads(instance.document) | {"productContexts": products}
    return type(instance)(instance.instance_id, 1, json.dumps(envelope).encode())


async def test_containers_are_filtered_ordered_and_paged_like_any_list(index):
    """repo:C3, C4, C5, C6, X2: a union of products, by date, equal dates never split, `start` exclusive."""
    products = [["dma_offers", "acp"], ["acp"], ["dma_offers"], [], ["other"], ["acp"]]
    records = [make_record(number, each) for number, each in enumerate(products)]

    async def ask(*pairs):
        page = await index.page_of(records, parse_container_query(pairs, REGISTRY))
        return " ".join(ids(page)), page.total, page.next_start

    assert await ask() == ("c0 c1 c2 c3 c4 c5", 6, None)
    assert await ask(("product", "acp")) == ("c0 c1 c5", 3, None)
    assert await ask(("product", "acp"), ("product", "dma_offers")) == ("c0 c1 c2 c5", 4, None)
    assert await ask(("product", "nobody's")) == ("", 0, None)
    assert await ask(("limit", "3")) == ("c0 c1", 6, "2024-05-01T00:00:00.000Z")
    assert await ask(("limit", "1"), ("start", "2024-05-01T00:00:00.000Z")) == ("c2 c3", 4, "2024-05-02T00:00:00.000Z")
    assert await ask(("start", "1714608000000")) == ("c4 c5", 2, None)
    assert await ask(("property", "repo:name~SHOP [12]"), ("orderBy", "x,x")) == ("c1 c2", 2, None)


def test_the_schema_of_the_stage_is_known():
    assert REGISTRY.find(SCHEMA).name == "thing"


async def test_containers_changed_last_are_read_at_start(entities: Entities, index: Index, container: str):
    """gw:R3: the first list need not wait for that; as many as are asked for."""
    await fill(entities, container, 3)
    other = await make_container(entities)
    names = await fill(entities, other, 2)
    await index.prepare([SPACE], 0)
    assert not index._shelves
    await index.prepare([SPACE], 1)
    assert list(index._shelves) == [(SPACE, other)]
    assert index._shelves[SPACE, other]._database is not None
    assert await listed(index, other) == names
    await index.prepare([SPACE], 5)
    assert set(index._shelves) == {(SPACE, container), (SPACE, other)}


async def test_long_pages_that_slow_readers_keep_are_bounded(
    entities: Entities, index: Index, container: str, monkeypatch: pytest.MonkeyPatch
):
    """repo:L14: 503 until one of them is sent."""
    monkeypatch.setattr("gateway.store.listing.index.LONG_PAGE", 500)
    monkeypatch.setattr("gateway.store.listing.index.MOST_HELD", 2_000)
    await fill(entities, container, 9)
    kept = [await index.page(SPACE, container, parse(""))]
    assert kept[0].size > 2_000
    with pytest.raises(Problem) as caught:
        await index.page(SPACE, container, parse("limit=1"))
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "1")
    kept.clear()
    assert (await index.page(SPACE, container, parse(""))).count == 9
