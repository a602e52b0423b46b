"""Connections: plain requests one after the other, aiohttp for all else, and an end in every case."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from importlib.util import find_spec

import pytest

from gateway.web import front
from gateway.web.front import Front
from gateway.web.plain import PlainReader
from tests.stage import run_stage
from tests.store.servers import wait_until
from tests.web.houses import LONG, House, Wire, call, make, make_odd, open_house
from tests.web.wires import HERO, make_request, read_json

LOOPS = {"asyncio": asyncio.new_event_loop}
if find_spec("uvloop"):  # on which the gateway runs where it is to be had, which is not on Windows
    LOOPS["uvloop"] = import_module("uvloop").new_event_loop


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as found:
        yield found


@pytest.fixture
async def wire(house: House) -> AsyncIterator[Wire]:
    async with call(house.port) as found:
        yield found


@pytest.fixture
async def slow(house: House) -> AsyncIterator[Wire]:
    """Connect with so little room that the gateway has to keep what is not read."""
    async with call(house.port, room=4096) as found:
        yield found


async def test_plain_requests_of_one_connection_are_answered_one_after_the_other(house: House, wire: Wire) -> None:
    for body in (b"a", b"b", b""):
        wire.send(make(body))
        head, said = await wire.read()
        assert said == b'"%b"' % body
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Connection" not in head
    assert house.asked == ["plain a", "plain b", "plain "]


async def test_handlers_learn_who_calls_and_dead_callers_are_noticed(house: House, wire: Wire) -> None:
    wire.send(make(b"who"))
    assert (await wire.read())[1] == b'"127.0.0.1"'
    assert house.front._transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_a_request_in_pieces_is_plain_when_they_come_quickly(
    house: House, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came of it is not handed over again with a later request that is not plain."""
    monkeypatch.setattr(front, "_PATIENCE_S", 20)
    whole = make(b"abc")
    wire.send(whole[:6])
    for at in range(6, len(whole)):
        await wire.writer.drain()
        await asyncio.sleep(0)
        wire.send(whole[at : at + 1])
    assert (await wire.read())[1] == b'"abc"'
    for sent, said in ((make(b"d"), b'"d"'), (make_odd(b"e"), b'"e"')):
        wire.send(sent)
        assert (await wire.read())[1] == said
    assert house.asked == ["plain abc", "plain d", "other e"]


async def test_the_answer_to_a_request_in_pieces_may_take_longer_than_pieces_may(house: House, wire: Wire) -> None:
    await wait_until(lambda: bool(house.server.fronts))
    whole = make(b"wait")
    house.front.data_received(whole[:-2])
    house.front.data_received(whole[-2:])
    await asyncio.sleep(2.5 * front._PATIENCE_S)  # enough for what must not happen
    house.gate.set()
    assert (await wire.read())[1] == b'"wait"'
    assert house.asked == ["plain wait"]


async def test_a_body_that_does_not_follow_is_waited_for_by_aiohttp(house: House, wire: Wire) -> None:
    """The rest has a moment to come before aiohttp takes over."""
    loop, whole = asyncio.get_running_loop(), make(b"abc")
    wire.send(make(b"first"))
    await wire.read()
    before = loop.time()
    wire.send(whole[:-3])
    await wait_until(lambda: bool(house.server.connections))
    assert loop.time() - before >= 0.015, "it came in time, however busy the machine is"
    wire.send(b"abc")
    assert (await wire.read())[1] == b'"abc"'
    wire.send(make(b"d"))
    assert (await wire.read())[1] == b'"d"'
    assert house.asked == ["plain first", "other abc", "other d"]


async def test_what_is_odd_goes_to_aiohttp_with_every_byte(house: House, wire: Wire) -> None:
    for sent, said in ((make(b"first"), b'"first"'), (make_odd(b"abc"), b'"abc"'), (make(b"last"), b'"last"')):
        wire.send(sent)
        assert (await wire.read())[1] == said
    assert house.asked == ["plain first", "other abc", "other last"]
    assert not house.server.fronts


async def test_two_requests_sent_at_once_are_answered_in_order(house: House, wire: Wire) -> None:
    wire.send(make(b"a") + make(b"b"))
    assert [(await wire.read())[1] for _ in range(2)] == [b'"a"', b'"b"']
    assert house.asked == ["other a", "other b"]


async def send_two(house: House, wire: Wire, first: bytes, second: bytes) -> None:
    """Send the second request while the first is being answered; what comes after that is not even received."""
    wire.send(first)
    await wait_until(lambda: bool(house.asked))
    wire.send(second)
    await wait_until(lambda: not house.front._transport.is_reading())


async def test_a_request_sent_before_the_answer_waits_its_turn(house: House, wire: Wire) -> None:
    await send_two(house, wire, make(b"wait"), make(b"b"))
    wire.send(make_odd(b"c"))
    house.gate.set()
    assert [(await wire.read())[1] for _ in range(3)] == [b'"wait"', b'"b"', b'"c"']
    assert house.asked == ["plain wait", "plain b", "other c"]


async def test_what_waits_behind_a_long_answer_is_taken_once_that_is_read(house: House, slow: Wire) -> None:
    await send_two(house, slow, make(b"wait long"), make(b"next"))
    house.gate.set()
    await wait_until(lambda: house.front._transport.get_write_buffer_size() > 0)
    await asyncio.sleep(0.05)  # enough for what must not happen
    assert house.asked == ["plain wait long"]
    assert len((await slow.read())[1]) == LONG
    assert (await slow.read())[1] == b'"next"'


async def test_a_connection_stays_plain_after_a_long_answer(house: House, slow: Wire) -> None:
    for body in (b"long", b"b"):
        slow.send(make(body))
        await slow.read()
    assert house.asked == ["plain long", "plain b"]


async def test_who_does_not_read_is_not_answered_any_further(house: House, slow: Wire) -> None:
    slow.send(make(b"long"))
    await wait_until(lambda: bool(house.ended))
    slow.send(make(b"next"))
    await asyncio.sleep(0.05)  # enough for what must not happen
    assert house.asked == ["plain long"]
    assert len((await slow.read())[1]) == LONG
    assert (await slow.read())[1] == b'"next"'


@pytest.mark.parametrize("by", ["the caller", "the handler", "the listener"])
async def test_nothing_is_taken_any_more_once_the_end_was_announced(house: House, slow: Wire, by: str) -> None:
    """RFC 9112 §9.6: whoever has read `Connection: close` takes what they sent later for not carried out."""
    first = make(b"wait long close") if by == "the handler" else make(b"wait long")
    if by == "the caller":
        first = make(b"wait long", b"Connection: close")
    await send_two(house, slow, first, make(b"next"))
    if by == "the listener":
        house.server.pre_shutdown()
    house.gate.set()
    head, said = await slow.read()
    assert b"\r\nConnection: close\r\n" in head
    assert (len(said), await slow.read_end()) == (LONG, b"")
    assert len(house.asked) == 1


@pytest.mark.parametrize("sent", [make(b"close"), make(b"a", b"Connection: close")])
async def test_a_connection_ends_where_one_side_says_so(wire: Wire, sent: bytes) -> None:
    wire.send(sent)
    head, _ = await wire.read()
    assert b"\r\nConnection: close\r\n" in head
    assert await wire.read_end() == b""


async def test_no_answer_may_have_a_line_break_in_a_header(wire: Wire) -> None:
    wire.send(make(b"break"))
    whole = await wire.read_end()
    assert whole.startswith(b"HTTP/1.1 500 ")
    assert b"X-B" not in whole


async def test_a_defect_is_answered_and_ends_the_connection(wire: Wire) -> None:
    wire.send(make(b"fail"))
    whole = await wire.read_end()
    assert whole.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in whole


async def test_where_no_answer_comes_the_connection_ends(house: House, wire: Wire) -> None:
    """The answer to a later request would be taken for that to the one which was cancelled."""
    wire.send(make(b"cancel"))
    assert await wire.read_end() == b""
    await wait_until(lambda: not house.server.fronts)


@pytest.mark.parametrize(
    ("sent", "status"), [(make_request(HERO)[:-5], 408), (make_request(b"x" * 300_000), 413)], ids=["408", "413"]
)
async def test_a_body_that_is_late_or_too_long_is_refused_on_a_plain_connection(
    bundled_url: str, sent: bytes, status: int
) -> None:
    """gw:F9: aiohttp takes over, and reads or lets go the rest of the body."""
    changes = {"GATEWAY_WEB__BODY_TIMEOUT_MS": "300"}
    async with run_stage(bundled_url, changes) as stage, call(int(stage.running.public.rpartition(":")[2])) as wire:
        for one, expected in ((make_request(HERO), 200), (sent, status)):
            wire.send(one.replace(b"Connection: close\r\n", b""))
            head, said = await wire.read()
            assert (int(head.split()[1]), read_json(said)["status"]) == (expected, expected)
            assert (b"\r\nConnection: close\r\n" in head) == (expected == status)
        assert await wire.read_end() == b""


@pytest.fixture
def left() -> Iterator[dict[type, int]]:
    """Give how many readers and connections were there before; nobody looks for cycles meanwhile."""
    gc.collect()
    gc.disable()
    yield count_left()
    gc.enable()


def count_left() -> dict[type, int]:
    kinds = [type(one) for one in gc.get_objects()]
    return {kind: kinds.count(kind) for kind in (PlainReader, Front)}


async def test_of_a_caller_who_leaves_in_the_middle_nothing_is_kept(
    left: dict[type, int], house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers who come and go would fill the memory before anybody looks for cycles."""
    monkeypatch.setattr(front, "_PATIENCE_S", 20)
    async with call(house.port) as wire:
        wire.send(make(b"a" * 1000)[:-1])
        await wait_until(lambda: any(one._seen for one in house.server.fronts))
    await wait_until(lambda: not house.server.fronts)
    assert count_left() == left


@pytest.mark.parametrize("sent", [make(b"abc"), make_odd(b"abc")], ids=["late", "odd"])
async def test_of_a_connection_that_was_handed_over_nothing_is_kept(
    left: dict[type, int], house: House, wire: Wire, sent: bytes
) -> None:
    wire.send(sent[:-3])
    await wait_until(lambda: bool(house.server.connections))
    assert count_left() == left
    wire.send(sent[-3:])
    assert (await wire.read())[1] == b'"abc"'


async def test_a_connection_nobody_uses_is_ended() -> None:
    async with open_house(keepalive_s=0.05) as house, call(house.port) as silent, call(house.port) as wire:
        wire.send(make(b"a"))
        await wire.read()
        assert await wire.read_end() == b""
        assert await silent.read_end() == b""


def let_pass(one: Front) -> None:
    """Have a connection find that nothing has happened on it for longer than one may be idle."""
    one._quiet_since -= 100
    one._look()


async def test_the_time_an_answer_takes_is_no_idle_time(house: House, wire: Wire) -> None:
    wire.send(make(b"wait"))
    await wait_until(lambda: bool(house.asked))
    let_pass(house.front)
    house.gate.set()
    assert (await wire.read())[1] == b'"wait"'
    house.front._look()
    wire.send(make(b"b"))
    assert (await wire.read())[1] == b'"b"'


async def test_who_reads_slowly_may_go_on_until_they_stop(house: House, slow: Wire) -> None:
    slow.send(make(b"long"))
    await wait_until(lambda: bool(house.ended))
    one, transport = house.front, house.front._transport
    for _ in range(3):
        unread = transport.get_write_buffer_size()
        let_pass(one)
        await slow.reader.readexactly(1_000_000)
        await wait_until(lambda before=unread: transport.get_write_buffer_size() < before)
    let_pass(one)
    assert not transport.is_closing()
    let_pass(one)
    assert transport.is_closing()


@pytest.mark.parametrize("body", [b"long", b"long close"])
async def test_who_never_reads_is_let_go(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(front, "_LOOK_AGAIN_S", 0.05)
    async with open_house(keepalive_s=0.05) as house, call(house.port, room=4096) as wire:
        wire.send(make(body))
        await wait_until(lambda: bool(house.asked))
        await wait_until(lambda: not house.server.fronts)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await wire.read()


async def test_an_answer_is_made_also_when_its_caller_has_gone(house: House) -> None:
    """What they sent after it is not kept."""
    async with call(house.port) as wire:
        await send_two(house, wire, make(b"wait"), make(b"next"))
        one = house.front
        one._transport.abort()  # a caller who is not read from is not seen to go
    await wait_until(lambda: one._transport is None)
    assert (house.ended, list(house.server.fronts), one._waiting) == ([], [one], [])
    house.gate.set()
    await wait_until(lambda: not house.server.fronts)
    assert (house.asked, house.ended) == (["plain wait"], ["wait"])


async def test_at_the_end_idle_connections_close_and_answers_on_their_way_still_leave(house: House) -> None:
    async with call(house.port) as idle, call(house.port) as busy:
        idle.send(make(b"a"))
        await idle.read()
        busy.send(make(b"wait"))
        await wait_until(lambda: len(house.asked) == 2)
        ending = asyncio.create_task(house.runner.cleanup())
        assert await idle.read_end() == b""
        house.gate.set()
        head, said = await busy.read()
        assert said == b'"wait"'
        assert b"\r\nConnection: close\r\n" in head
        await ending


async def test_at_the_end_nobody_waits_for_an_answer_that_does_not_come(house: House, wire: Wire) -> None:
    wire.send(make(b"wait"))
    await wait_until(lambda: bool(house.asked))
    await house.server.shutdown(0.01)
    assert house.ended == ["wait"]
    assert await wire.read_end() == b""
    await wait_until(lambda: not house.server.fronts)


async def test_at_the_end_half_a_request_is_not_handed_over(house: House, slow: Wire) -> None:
    """Also where the connection takes a while to end, because an answer has not been read yet."""
    await wait_until(lambda: bool(house.server.fronts))
    house.front._transport.set_write_buffer_limits(high=2 * LONG)
    slow.send(make(b"long"))
    await wait_until(lambda: bool(house.ended))
    house.front.data_received(make(b"half")[:-1])
    house.server.pre_shutdown()
    await asyncio.sleep(2.5 * front._PATIENCE_S)  # enough for what must not happen
    assert not house.server.connections
    assert len((await slow.read())[1]) == LONG
    assert await slow.read_end() == b""
