"""Caps on a real Redis Cluster of three primaries: slots that move, nodes that die (gw:C3, C8)."""

import asyncio
from collections import Counter as Tally

import pytest

from gateway.errors import StoreError, StoreUnreachable
from gateway.offers.capping import Granted, Refused, Unavailable
from gateway.store.cluster import read_slots, replace_address, slot_of
from gateway.store.places import digest_space
from tests.store.cap_stage import SPACE, claim_one, open_caps, somebody
from tests.store.clusters import Node, run_cluster
from tests.store.servers import connected, installed_servers, wait_until_connected
from tests.store.test_caps import claim
from tests.test_scripts import slot

SERVERS = installed_servers()


@pytest.fixture(scope="module", params=list(SERVERS))
def nodes(request, tmp_path_factory):
    with run_cluster(tmp_path_factory.mktemp("cluster"), SERVERS[request.param]) as nodes:
        yield nodes


@pytest.fixture
async def emptied(nodes):
    for node in nodes:
        async with connected(node.url) as store:
            await store.call("FLUSHALL")


@pytest.mark.usefixtures("emptied")
async def test_a_cluster_is_detected_and_a_cap_holds_over_its_shards(nodes):
    async with open_caps(nodes[0].url, shards=4) as caps:
        assert len(caps._nodes.primaries()) == 3
        verdicts = await asyncio.gather(*(claim(caps, claim_one("o", 40), whom=somebody(f"p{n}")) for n in range(200)))
        assert Tally(type(verdict) for verdict in verdicts) == {Granted: 40, Refused: 160}
        assert await caps.show(SPACE, "shop") == {"o": 40}
        assert sum(store.counts.sent > 40 for store in caps._nodes.primaries()) >= 2
        assert await caps.forget_offer(SPACE, "shop", "o") > 40


@pytest.mark.usefixtures("emptied")
async def test_a_slot_that_moved_is_followed(nodes):
    """MOVED: the node did not do it, the other one does, and the map of slots is right from then on."""
    container = container_of(nodes[0])
    async with open_caps(nodes[1].url) as caps:
        assert await claim(caps, claim_one("o", 9)) == Granted()
        await give_slot(slot_of(epoch_of(container)), nodes[0], nodes[2], nodes)
        try:
            assert await claim(caps, claim_one("o", 9), whom=somebody(container=container)) == Granted()
            assert caps._nodes.node_of(epoch_of(container))._parts["port"] == nodes[2].port
        finally:
            async with connected(nodes[2].url) as store:
                await store.call("FLUSHALL")
            await give_slot(slot_of(epoch_of(container)), nodes[2], nodes[0], nodes)


@pytest.mark.usefixtures("emptied")
async def test_a_slot_on_its_way_is_asked_for_where_it_goes(nodes):
    """ASK: keys that are not there any more are at the node that imports the slot; the map stays as it is."""
    container = container_of(nodes[0])
    number = slot_of(epoch_of(container))
    async with connected(nodes[0].url) as giver, connected(nodes[2].url) as taker:
        await taker.call("CLUSTER", "SETSLOT", number, "IMPORTING", await id_of(nodes[0]))
        await giver.call("CLUSTER", "SETSLOT", number, "MIGRATING", await id_of(nodes[2]))
        try:
            async with open_caps(nodes[1].url) as caps:
                assert await caps._nodes.call("SET", epoch_of(container), "on its way") == b"OK"
                assert caps._nodes.node_of(epoch_of(container))._parts["port"] == nodes[0].port
            assert await taker.call("DBSIZE") == 1
        finally:
            await taker.call("FLUSHALL")
            for store in (giver, taker):
                await store.call("CLUSTER", "SETSLOT", number, "STABLE")


async def test_a_dead_primary_closes_its_shards_only(tmp_path):
    with run_cluster(tmp_path) as nodes:
        for node in nodes:
            async with connected(node.url) as store:
                await store.call("CONFIG", "SET", "cluster-require-full-coverage", "no")
        async with open_caps(nodes[0].url, shards=12, patience_ms=300) as caps:
            whom = [somebody(f"p{number}") for number in range(60)]
            one = claim_one("o", None)
            assert {await claim(caps, one, whom=each) == Granted() for each in whom} == {True}
            nodes[2].process.kill()
            nodes[2].process.wait()
            dead = next(each for each in caps._nodes.primaries() if each._parts["port"] == nodes[2].port)
            await wait_until_connected(dead, connected=False)
            verdicts = [await claim(caps, one, whom=each) for each in whom]
            assert {type(verdict) for verdict in verdicts} == {Granted, Unavailable}


def epoch_of(container):
    return f"caps:{digest_space(SPACE)}:{{{container}:0}}:epoch".encode()


def container_of(node: Node):
    """Find a container whose one shard is in the first third of the slots."""
    del node
    return next(name for n in range(1000) if slot_of(epoch_of(name := f"c{n}")) < 5_000)


async def id_of(node: Node):
    async with connected(node.url) as store:
        return await store.call("CLUSTER", "MYID")


async def give_slot(number, giver, taker, nodes):
    """Let a slot without keys change hands."""
    for node in (taker, giver, *nodes):
        async with connected(node.url) as store:
            await store.call("CLUSTER", "SETSLOT", number, "NODE", await id_of(taker))


@pytest.mark.parametrize("key", [b"a", b"{a}b", b"x{}y", b"{", b"a{b}c{d}", b"foo{{bar}}zap", bytes(range(256))])
def test_the_slot_of_a_key_is_the_specifications(key):
    assert slot_of(key) == slot(key)


@pytest.mark.parametrize("reply", [None, [[0]], [[0, 99_999, [b"h", 1]]], [[0, 5, []]], b"x"])
def test_slots_that_cannot_be_are_refused(reply):
    with pytest.raises(StoreError):
        read_slots(reply, "localhost")


def test_slots_without_a_host_are_at_the_node_that_was_asked():
    assert read_slots([[0, 16_383, [b"", 7001], [b"replica", 7002]]], "asked")[77] == ("asked", 7001)


def test_another_nodes_url_keeps_credentials_and_parameters():
    url = "rediss://user:p%40ss@one:6379/?ssl_cert_reqs=none"
    assert replace_address(url, ("two", 1)) == "rediss://user:p%40ss@two:1/?ssl_cert_reqs=none"
    assert replace_address("redis://one", ("::1", 1)) == "redis://[::1]:1"


async def test_a_slot_nobody_has_is_unreachable(nodes):
    async with open_caps(nodes[0].url) as caps:
        caps._nodes._slots = [None] * 16_384
        with pytest.raises(StoreUnreachable, match="No node"):
            caps._nodes.node_of(b"k")
