"""Calls that are made again, and edges that are left alone, over real sockets (spec get-offers §11; gw:F6)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from yarl import URL

from gateway.config import Target
from gateway.errors import CircuitOpen, UpstreamError, UpstreamRefused, UpstreamUnreached
from gateway.upstream.breaker import CLOSES_AFTER, FEWEST, PROBE_EVERY, Breaker
from gateway.upstream.fanout import Fanout
from gateway.upstream.target import Call, read_address

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}"
NOT_FOUND = b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n{}"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
NOT_JSON = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n<"
TOLD = b'{"notifications":[{"id":"n"}]}'


class Script:
    """A server that answers the n-th call with what `reply(n)` gives, and closes after a cut."""

    def __init__(self) -> None:
        self.reply: Callable[[int], bytes] = lambda _: GOOD
        self.calls = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
                reply = self.reply(self.calls)
                self.calls += 1
                writer.write(reply)
                if reply in (b"", CUT):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def scripted(saved: int = 0, **limits: Any) -> AsyncIterator[tuple[Fanout, Script, Callable[..., Call]]]:
    """Give a fan-out that has saved up for `saved` retries, the server behind it, and what makes calls to it."""
    script = Script()
    async with (
        await asyncio.start_server(script.answer, "127.0.0.1", 0) as listening,
        Fanout(Target(**limits), lambda: 0.5) as fanout,
    ):
        url = URL(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/rest/v1/delivery")
        loop = asyncio.get_running_loop()

        def make_call(body: bytes = b"{}", seconds: float = 10.0) -> Call:
            return Call(read_address(url), body, {}, loop.time() + seconds)

        for _ in range(10 * saved):
            await fanout.ask(make_call())
        script.calls = fanout.calls = 0
        yield fanout, script, make_call
        assert fanout.under_way == 0


@pytest.mark.parametrize("failure", [BUSY, CUT, b""], ids=["503", "cut", "closed"])
async def test_a_passing_failure_is_made_good_by_another_attempt(failure: bytes) -> None:
    async with scripted(saved=2) as (fanout, script, make_call):
        script.reply = lambda number: GOOD if number == 2 else failure
        assert await fanout.ask(make_call()) == {}
        assert (script.calls, fanout.repeated) == (3, 2)


async def test_at_most_two_more_attempts_are_made() -> None:
    async with scripted(saved=5) as (fanout, script, make_call):
        script.reply = lambda _: BUSY
        with pytest.raises(UpstreamRefused):
            await fanout.ask(make_call())
        assert script.calls == 3


@pytest.mark.parametrize("failure", [NOT_FOUND, NOT_JSON], ids=["404", "not JSON"])
async def test_what_would_fail_again_is_not_made_again(failure: bytes) -> None:
    async with scripted(saved=2) as (fanout, script, make_call):
        script.reply = lambda _: failure
        with pytest.raises(UpstreamError):
            await fanout.ask(make_call())
        assert script.calls == 1


@pytest.mark.parametrize("failure", [BUSY, CUT, b""], ids=["503", "cut", "closed"])
async def test_notifications_that_have_left_are_not_sent_twice(failure: bytes) -> None:
    """Spec get-offers §11."""
    async with scripted(saved=2) as (fanout, script, make_call):
        script.reply = lambda _: failure
        with pytest.raises(UpstreamError):
            await fanout.ask(make_call(TOLD))
        assert script.calls == 1


async def test_notifications_that_have_not_left_are_tried_again(unused_tcp_port_factory: Callable[[], int]) -> None:
    script, port = Script(), unused_tcp_port_factory()
    async with Fanout(Target(), lambda: 9.5) as fanout:  # the next attempt is a fifth of a second away
        fanout._retries._saved = 200
        call = Call(read_address(URL(f"http://127.0.0.1:{port}/")), TOLD, {}, asyncio.get_running_loop().time() + 10)
        pending = fanout.start(call)
        while fanout._retries._saved > 200:  # noqa: ASYNC110 - until the first attempt has failed: nobody listens yet
            await asyncio.sleep(0)
        listening = await asyncio.start_server(script.answer, "127.0.0.1", port)
        assert await pending.reply() == {}
        listening.close()  # and not waited for: the connection stays as long as the fan-out
        assert (script.calls, fanout.repeated) == (1, 1)


async def test_without_savings_nothing_is_made_again() -> None:
    async with scripted() as (fanout, script, make_call):
        script.reply = lambda _: BUSY
        for _ in range(9):
            with pytest.raises(UpstreamRefused):
                await fanout.ask(make_call())
        assert (script.calls, fanout.repeated) == (9, 0)


async def test_no_attempt_begins_without_the_minimum_of_time() -> None:
    """gw:F3: inside the budget."""
    async with scripted(saved=2, minimum_budget_ms=5000) as (fanout, script, make_call):
        script.reply = lambda _: BUSY
        with pytest.raises(UpstreamRefused):
            await fanout.ask(make_call(seconds=5.0))
        assert script.calls == 1


async def test_an_outage_is_not_made_worse() -> None:
    """gw:F6: at most 1.1 calls are sent for each that is asked for, breaker or not."""
    async with scripted(max_in_flight=8) as (fanout, script, make_call):
        script.reply = lambda _: BUSY
        asked = 0
        for _ in range(50):
            outcomes = await asyncio.gather(*(fanout.ask(make_call()) for _ in range(8)), return_exceptions=True)
            assert all(isinstance(outcome, UpstreamError) for outcome in outcomes)
            asked += len(outcomes)
            for edge in fanout.edges._edges.values():
                edge.breaker = Breaker(0.0, 50)
        assert fanout.repeated > 0
        assert script.calls == fanout.calls == asked + fanout.repeated
        assert 100 * script.calls <= 110 * asked


async def test_a_circuit_opens_probes_and_closes_by_itself() -> None:
    async with scripted(retry_percent=0) as (fanout, script, make_call):
        script.reply = lambda _: BUSY
        for _ in range(FEWEST):
            with pytest.raises(UpstreamRefused):
                await fanout.ask(make_call())
        assert fanout.edges.open_circuits == 1
        sent = script.calls
        for _ in range(PROBE_EVERY - 1):
            with pytest.raises((CircuitOpen, UpstreamRefused)):
                await fanout.ask(make_call())
        assert script.calls - sent <= 1, "at most the one a second"
        script.reply = lambda _: GOOD
        outcomes = [await outcome_of(fanout, make_call()) for _ in range(PROBE_EVERY * CLOSES_AFTER)]
        assert {CircuitOpen, dict} == set(outcomes)
        assert fanout.edges.open_circuits == 0
        assert await fanout.ask(make_call()) == {}


async def outcome_of(fanout: Fanout, call: Call) -> type:
    try:
        return type(await fanout.ask(call))
    except UpstreamError as error:
        return type(error)


async def test_an_open_circuit_leaves_other_hosts_alone() -> None:
    nowhere = read_address(URL("http://127.0.0.1:1/"))
    async with scripted(retry_percent=0) as (fanout, _script, make_call):
        for _ in range(FEWEST):
            with pytest.raises(UpstreamUnreached):
                await fanout.ask(Call(nowhere, b"{}", {}, asyncio.get_running_loop().time() + 10))
        assert fanout.edges.open_circuits == 1
        assert await fanout.ask(make_call()) == {}


async def test_a_cancelled_caller_ends_the_pause_between_attempts() -> None:
    async with scripted(saved=2) as (fanout, script, make_call):
        script.reply = lambda _: BUSY
        fanout._chance = lambda: 100.0
        task = asyncio.create_task(fanout.ask(make_call()))
        while fanout._retries._saved >= 200:  # noqa: ASYNC110 - until the retry is granted; there is no event for it
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert (fanout.under_way, fanout._sending) == (0, 0)
