"""Waiting calls of a session: when they leave, who gets what, and that nothing stays behind (gw:M3, M5, M6, F2, F7)."""

import asyncio
import gc
from typing import Any

import msgspec
import pytest

from gateway.delivery.stitching import DEFAULT_CONSUMER, read_sdid
from gateway.demo.target import Trouble
from gateway.errors import UpstreamError, UpstreamGarbled, UpstreamOverloaded, UpstreamRefused, UpstreamTimeout
from gateway.upstream.bundle import Bundle, Member
from gateway.upstream.joiner import Ticket
from tests.store.servers import wait_until
from tests.upstream.joining import LONG_MS, SDID, Bench, gather, names_of, run_bench, waiting


async def test_an_idle_session_without_a_window_is_on_the_wire_at_once(bench: Bench) -> None:
    """gw:M3: no turn of the loop passes between start and the call."""
    await bench.start("warm").reply()
    ticket = bench.start("a")
    assert bench.fanout.calls == 2
    assert names_of(await ticket.reply()) == [("a", 7)]


async def test_calls_gather_while_one_is_under_way_and_leave_as_one(bench: Bench) -> None:
    first = bench.start("first")
    others = [bench.start(f"m{at}", f"m{at}") for at in range(10)]
    replies = await gather(first, *others)
    assert bench.sent() == [["first"], [f"m{at // 2}" for at in range(20)]]
    assert [names_of(one) for one in replies[1:]] == [[(f"m{at}", 7), (f"m{at}", 8)] for at in range(10)]
    assert bench.stand_in.max_in_flight_per_session == 1


async def test_within_a_window_first_calls_leave_together(bench: Bench) -> None:
    async with run_bench(window_ms=LONG_MS) as waiting:
        await gather(*(waiting.start(f"m{at}") for at in range(5)))
        assert waiting.stand_in.received == 1


async def test_who_names_no_consumer_does_not_wait_for_a_window() -> None:
    """gw:M3, F2: an idle session pays at most the window; here nobody has said that others may come."""
    async with run_bench(window_ms=LONG_MS) as waiting:
        await waiting.start("warm", consumer=DEFAULT_CONSUMER).reply()
        ticket = waiting.start("a", consumer=DEFAULT_CONSUMER)
        assert waiting.fanout.calls == 2
        named, unnamed = waiting.start("b"), waiting.start("c", consumer=DEFAULT_CONSUMER)
        await gather(ticket, named, unnamed)
        assert waiting.sent() == [["warm"], ["a"], ["b", "c"]]


async def test_a_full_group_does_not_wait_for_its_window() -> None:
    """gw:M3: at once when it holds 50 mboxes; the window here is longer than the test may take."""
    async with run_bench(window_ms=LONG_MS) as waiting:
        tickets = [waiting.start(*(f"m{at}" for _ in range(10))) for at in range(5)]
        assert waiting.fanout.under_way == 1
        late = waiting.start("late")
        assert waiting.fanout.under_way == 1
        late.end()
        await gather(*tickets)


async def test_a_group_leaves_when_its_most_hurried_caller_has_half_of_its_time_left(bench: Bench) -> None:
    """gw:M3: though the call before it hangs."""
    bench.stand_in.trouble = Trouble(hang=True, times=1)
    hanging = bench.start("first")
    await bench.stand_in.wait_received(1)
    patient, hurried = bench.start("a"), bench.start("b", seconds=0.4)
    with pytest.raises(UpstreamTimeout):  # Target runs one session's calls one after another
        await hurried.reply()
    assert bench.sent() == [["first"], ["a", "b"]]
    hanging.end()
    assert names_of(await patient.reply()) == [("a", 7)]


async def test_sessions_and_clients_do_not_wait_for_each_other(bench: Bench) -> None:
    bench.stand_in.trouble = Trouble(hang=True, times=1)
    hanging = bench.start("first", session="one")
    await bench.stand_in.wait_received(1)
    assert names_of(await bench.start("a", session="two").reply()) == [("a", 7)]
    hanging.end()


async def test_a_call_alongside_another_neither_waits_nor_joins(bench: Bench) -> None:
    """gw:F4: a secondary call of a request must not wait for its primary one."""
    tickets = [bench.start("first"), bench.start("next"), bench.start("second", alongside=True)]
    assert bench.fanout.under_way == 2
    await gather(*tickets)
    assert sorted(bench.sent()) == [["first"], ["next"], ["second"]]


async def test_without_merging_each_call_leaves_on_its_own_and_few_at_once() -> None:
    """gw:F2: parallel-per-session."""
    async with run_bench({"parallel_per_session": 3}, enabled=False) as alone:
        tickets = [alone.start(f"m{at}") for at in range(10)]
        assert alone.fanout.under_way == 3
        replies = await gather(*tickets)
        assert [names_of(one) for one in replies] == [[(f"m{at}", 7)] for at in range(10)]
        assert alone.stand_in.received == 10
        assert alone.stand_in.max_in_flight_per_session <= 3


async def test_a_call_with_too_many_mboxes_leaves_as_several() -> None:
    """gw:F2, delivery-api §16: notifications, telemetry and the SDID as they should, and the answers are one again."""
    async with run_bench({"mboxes_per_call": 20, "parallel_per_session": 2}) as bench:
        told = [{"id": "n", "type": "click", "timestamp": 1700000000000}]
        ticket = bench.start(
            *(f"m{at}" for at in range(45)),
            notifications=told,
            take_entries=waiting([{"requestId": "ours"}]),
            requestId="mine",
        )
        assert bench.fanout.under_way == 2
        assert names_of(await ticket.reply()) == [(f"m{at}", 7 + at) for at in range(45)]
        assert ticket.lost == []
        bodies = [call.body for call in bench.stand_in.requests]
        assert sorted(len(one["execute"]["mboxes"]) for one in bodies) == [5, 20, 20]
        assert [one.get("notifications") for one in bodies].count(told) == 1
        assert sum("telemetry" in one for one in bodies) == 1
        assert {read_sdid(one) for one in bodies} == {SDID}
        assert len({one["impressionId"] for one in bodies}) == 1
        assert len({one["requestId"] for one in bodies}) == 3
        assert "mine" in {one["requestId"] for one in bodies}
        assert bench.stand_in.max_in_flight_per_session <= 2


async def test_what_some_of_several_calls_answered_is_not_lost() -> None:
    """gw:F5."""
    async with run_bench({"mboxes_per_call": 2}) as bench:
        bench.stand_in.trouble = Trouble(status=500, mboxes=("bad",))
        ticket = bench.start("a", "b", "bad", "c", "d")
        assert [name for name, _ in names_of(await ticket.reply())] == ["a", "b", "d"]
        assert ticket.lost == ["upstream-refused"]
        bench.stand_in.trouble = Trouble(wrong_shape=True, mboxes=("bad",))
        ticket = bench.start("a", "b", "bad", "c", "d")
        assert [name for name, _ in names_of(await ticket.reply())] == ["a", "b", "d"]
        assert (ticket.lost, ticket.lacks_first) == (["upstream-garbled"], False)
        bench.stand_in.trouble = Trouble(wrong_shape=True)
        (error,) = await gather(bench.start("a", "b", "c"))
        assert isinstance(error, UpstreamGarbled)
        bench.stand_in.trouble = Trouble(status=500)
        (error,) = await gather(bench.start("a", "b", "c"))
        assert isinstance(error, UpstreamRefused)
        bench.stand_in.trouble = Trouble(status=400, mboxes=("bad",))
        (error,) = await gather(bench.start("a", "b", "bad"))
        assert (type(error), error.upstream_status) == (UpstreamRefused, 400)


async def test_a_failure_of_a_joined_call_is_everybodys(bench: Bench) -> None:
    """gw:M5."""
    first = bench.start("first")
    others = [bench.start("a"), bench.start("b")]
    bench.stand_in.trouble = Trouble(status=500, mboxes=("a",))
    reply, *errors = await gather(first, *others)
    assert names_of(reply) == [("first", 7)]
    assert [(type(one), one.upstream_status) for one in errors] == [(UpstreamRefused, 500)] * 2
    bench.stand_in.trouble = Trouble(wrong_shape=True, mboxes=("a",))
    first = bench.start("first")
    _, *errors = await gather(first, bench.start("a"), bench.start("b"))
    assert bench.sent()[-1] == ["a", "b"]
    assert [type(one) for one in errors] == [UpstreamGarbled] * 2


async def test_a_caller_whose_call_is_invalid_does_not_spoil_the_others(bench: Bench) -> None:
    """gw:M5, delivery-api §6.6: Target refuses the whole call; each caller is then asked for alone, once."""
    told = {"id": "n", "type": "display", "timestamp": 1}  # seconds, not milliseconds
    fine = {"id": "f", "type": "display", "timestamp": 1700000000000}
    first = bench.start("first")
    replies = await gather(
        first, bench.start("a", notifications=[fine]), bench.start("b", notifications=[told]), bench.start("c")
    )
    assert [names_of(replies[at]) for at in (1, 3)] == [[("a", 7)], [("c", 7)]]
    assert (type(replies[2]), replies[2].upstream_status) == (UpstreamRefused, 400)
    assert bench.sent() == [["first"], ["a", "b", "c"], ["a"], ["b"], ["c"]]
    assert [one["id"] for one in bench.stand_in.notifications] == ["f"]
    assert bench.joiner.counts.parted == 3
    assert len({read_sdid(call.body) for call in bench.stand_in.requests}) == 1


async def test_a_repeated_call_is_one_call_and_both_get_its_answer(bench: Bench) -> None:
    """gw:M6: also when the first is still waiting, and when the first caller has gone."""
    first = bench.start("first", repeatable="r")
    again = bench.start("first", repeatable="r")
    waiting = [bench.start("a", repeatable="w") for _ in range(3)]
    waiting[0].end()
    other = bench.start("b", repeatable="w", consumer="a")
    replies = await gather(first, again, *waiting[1:], other)
    assert [names_of(one) for one in replies] == [[("first", 7)]] * 2 + [[("a", 7)]] * 2 + [[("b", 7)]]
    assert bench.sent() == [["first"], ["a"], ["b"]]
    assert bench.joiner.counts.repeated == 3
    await bench.start("first", repeatable="r").reply()
    assert bench.stand_in.received == 4


async def test_the_first_caller_of_a_repeated_call_may_go_while_it_is_under_way(bench: Bench) -> None:
    first, again = (bench.start("a", repeatable="r") for _ in range(2))
    await bench.stand_in.wait_received(1)
    first.end()
    assert names_of(await again.reply()) == [("a", 7)]
    assert bench.stand_in.received == 1


async def test_who_goes_away_takes_only_its_own_items(bench: Bench) -> None:
    """gw:M5."""
    first = bench.start("first")
    a, b, c = bench.start("a"), bench.start("b"), bench.start("c")
    b.end()
    replies = await gather(first, a, c)
    assert bench.sent() == [["first"], ["a", "c"]]
    assert [names_of(one) for one in replies] == [[("first", 7)], [("a", 7)], [("c", 7)]]


async def test_when_all_go_away_the_call_is_given_up(bench: Bench) -> None:
    """Design P3: its connection is free at once, and the next call of the session leaves."""
    bench.stand_in.trouble = Trouble(hang=True, times=1)
    first, again = bench.start("first", repeatable="r"), bench.start("first", repeatable="r")
    waiting = bench.start("next")
    await bench.stand_in.wait_received(1)
    first.end()
    again.end()
    assert names_of(await waiting.reply()) == [("next", 7)]


async def test_each_caller_keeps_its_own_deadline(bench: Bench) -> None:
    """gw:M5: the hurried one gets nothing, the patient one of the same call its answer."""
    bench.stand_in.trouble = Trouble(delay_ms=300)
    first = bench.start("first")
    await bench.stand_in.wait_received(1)
    patient, hurried = bench.start("a"), bench.start("b", seconds=0.1)
    replies = await gather(first, patient, hurried)
    assert isinstance(replies[2], UpstreamTimeout)
    assert names_of(replies[1]) == [("a", 7)]


async def test_nobody_is_asked_for_when_there_is_no_time_left() -> None:
    """gw:F3: a group that waited too long is not sent."""
    async with run_bench({"minimum_budget_ms": 60_000}, window_ms=0) as bench:
        with pytest.raises(UpstreamTimeout):
            await bench.start("a").reply()
        assert bench.stand_in.received == 0


async def test_a_call_that_waited_too_long_for_a_place_is_not_made() -> None:
    """gw:F3, F2: the calls of one request that come after its time was used up."""
    async with run_bench({"mboxes_per_call": 1, "parallel_per_session": 1, "minimum_budget_ms": 1900}) as bench:
        bench.stand_in.trouble = Trouble(delay_ms=300)
        ticket = bench.start("a", "b", "c", seconds=2.0)
        assert names_of(await ticket.reply()) == [("a", 7)]
        assert list(ticket.lost) == ["upstream-timeout"] * 2
        assert bench.sent() == [["a"]]


async def test_waiting_callers_are_bounded_for_a_session_and_in_all() -> None:
    """gw:F7."""
    async with run_bench(window_ms=LONG_MS, waiting_per_session=3, max_waiting=5) as bench:
        tickets = [bench.start(f"m{at}") for at in range(3)]
        refused = [bench.start("more"), *(bench.start("n", session=f"t{at}") for at in range(3))]
        tickets += refused[1:3]
        outcomes = await gather(refused[0], refused[3])
        assert [type(one) for one in outcomes] == [UpstreamOverloaded] * 2
        for ticket in tickets:
            ticket.end()
        assert bench.joiner.counts.refused == 2
        bench.start("m").end()


@pytest.mark.parametrize("is_complete", [True, False])
async def test_one_caller_alone_sends_its_own_bytes(bench: Bench, is_complete: bool) -> None:
    """Whether somebody had to look at them or not; and not once there is something to add (delivery-api §14)."""
    with_sdid = {"experienceCloud": {"analytics": {"supplementalDataId": SDID}}}
    raw = b" " + msgspec.json.encode(bench.ask("a", **with_sdid).share.body)
    more = {"raw": raw, "repeatable": "r-a", "is_complete": is_complete}
    assert names_of(await bench.start("a", **with_sdid, **more).reply()) == [("a", 7)]
    assert bench.stand_in.requests[0].raw == raw
    take_entries = waiting([{"requestId": "ours"}])
    assert names_of(await bench.start("a", **with_sdid, **more, take_entries=take_entries).reply()) == [("a", 7)]
    assert bench.stand_in.requests[1].body["telemetry"] == {"entries": [{"requestId": "ours"}]}


async def test_a_caller_alone_and_who_repeats_its_call_each_end_by_their_own_deadline(bench: Bench) -> None:
    """gw:F3, M5: also where the caller's deadline is that of the call it waits for."""
    bench.stand_in.trouble = Trouble(hang=True)
    alone = bench.start("a", seconds=0.4, repeatable="r")
    hurried = bench.start("a", seconds=0.1, repeatable="r")
    with pytest.raises(UpstreamTimeout):
        await hurried.reply()
    assert bench.fanout.under_way == 1, "the other one waits on"
    with pytest.raises(UpstreamTimeout):
        await alone.reply()
    assert bench.is_empty()
    assert bench.stand_in.received == 1


async def test_a_joined_call_has_an_id_of_its_own_one_sdid_and_all_our_telemetry(bench: Bench) -> None:
    """get-offers §17 point 2; gw:M2."""
    first = bench.start("first")
    take = waiting([{"requestId": "one"}, {"requestId": "two"}])
    others = [bench.start(name, take_entries=take) for name in ("a", "b")]
    await gather(first, *others)
    body = bench.stand_in.requests[1].body
    assert body["requestId"] not in ("r-a", "r-b")
    assert body["telemetry"] == {"entries": [{"requestId": "one"}, {"requestId": "two"}]}
    assert read_sdid(body) == SDID
    assert {ticket.sdid for ticket in others} == {SDID}


async def test_our_telemetry_waits_for_a_call_that_leaves(bench: Bench) -> None:
    """get-offers §11: a caller who repeats a call, goes away or is turned away takes none of it along."""
    take = waiting([{"requestId": "ours"}])
    first = bench.start("first", repeatable="r")
    bench.start("first", repeatable="r", take_entries=take).end()
    bench.start("a", take_entries=take).end()
    await gather(first, bench.start("b", take_entries=take), bench.start("c", take_entries=take))
    assert [call.body.get("telemetry") for call in bench.stand_in.requests] == [
        None,
        {"entries": [{"requestId": "ours"}]},
    ]


@pytest.mark.parametrize("trouble", [None, Trouble(status=500), Trouble(status=400), Trouble(hang=True, times=1)])
async def test_a_caller_cancelled_at_any_turn_of_the_loop_harms_nobody(trouble: Trouble | None) -> None:
    """gw:M5, design P4: ever later, until it is not cancelled any more; the others get theirs, nothing stays behind."""
    async with run_bench({"mboxes_per_call": 6}, window_ms=0) as bench:
        turns, done = 0, False
        while not done and turns < 300:
            bench.stand_in.trouble = trouble

            async def call(*names: str, **more: Any) -> Any:
                return await bench.start(*names, **({"seconds": 0.6} | more)).reply()

            victims = [
                asyncio.create_task(call(*names, repeatable="r", seconds=0.5))
                for names in (("v",), ("v",), ("w", "w"), tuple("big chunks".replace(" ", "")))
            ]
            others = [asyncio.create_task(call(name)) for name in ("a", "b")]
            for _ in range(turns):
                await asyncio.sleep(0)
            done = all(one.done() for one in victims)
            for one in victims:
                one.cancel()
            outcomes = await asyncio.gather(*others, return_exceptions=True)
            await asyncio.wait(victims)
            for name, outcome in zip(("a", "b"), outcomes, strict=True):
                if trouble is None:
                    assert names_of(outcome) == [(name, 7)]
                else:
                    assert isinstance(outcome, UpstreamError) or names_of(outcome) == [(name, 7)]
            await wait_until(bench.is_empty)
            turns += 1 if trouble is None else 20
        assert done is (trouble is None or not trouble.hang)


async def test_closing_ends_every_wait() -> None:
    async with run_bench(window_ms=0) as bench:
        bench.stand_in.trouble = Trouble(hang=True)
        tickets = [bench.start("a"), bench.start("b")]
        await bench.stand_in.wait_received(1)
        waiting = asyncio.gather(*(one.reply() for one in tickets), return_exceptions=True)
        await asyncio.sleep(0)
        await bench.joiner.close()
        assert [type(one) for one in await waiting] == [UpstreamError] * 2


async def test_who_starts_and_ends_at_once_leaves_nothing(bench: Bench) -> None:
    """A task that is cancelled before its first step cleans up too."""
    for _ in range(3):
        bench.start("a").end()
        bench.start("b").end()
    await wait_until(bench.is_empty)


async def test_answered_calls_leave_nothing_for_the_garbage_collector(bench: Bench) -> None:
    """Looking for cycles took a tenth of the time of a request (gateway/server.py): none are made."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            await gather(bench.start("first"), bench.start("a", repeatable="r"), bench.start("a", repeatable="r"))
        left = bench.start("first"), bench.start("b")
        for ticket in left:
            ticket.end()
        del ticket, left
        await wait_until(bench.is_empty)
        await asyncio.sleep(0)
        assert not [one for one in gc.get_objects() if isinstance(one, Bundle | Member | Ticket)]
    finally:
        gc.enable()
