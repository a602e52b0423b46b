"""The conversation under faults: no caller ever gets another's reply, and nothing is done twice."""

import asyncio
import gc
import random
import time

import pytest
import uvloop

from gateway.errors import StoreTimeout, StoreUnreachable
from gateway.store.scripts import SCRIPTS, load_script
from tests.store.faults import FaultProxy
from tests.store.servers import connected, wait_until_connected


@pytest.fixture
async def proxy(redis_url, tmp_path):
    async with FaultProxy(redis_url, tmp_path) as proxy:
        yield proxy


async def test_a_cancelled_caller_never_shifts_the_replies(proxy):
    """2,000 cancellations at random moments, replies delayed: everyone else gets the reply to their own question."""
    chance = random.Random(7)
    cancelled = answered = 0
    proxy.delay_s = 0.002

    async def ask_and_perhaps_leave(store, number):
        nonlocal cancelled, answered
        asking = asyncio.create_task(store.call("ECHO", f"{number}"))
        if chance.random() < 0.7:
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.003]))
            asking.cancel()
        try:
            assert await asking == f"{number}".encode()
            answered += 1
        except asyncio.CancelledError:
            cancelled += 1

    async with connected(proxy.url) as store:
        for begin in range(0, 1_000_000, 100):
            await asyncio.gather(*(ask_and_perhaps_leave(store, begin + number) for number in range(100)))
            if cancelled >= 2000:
                break
        assert cancelled >= 2000
        assert answered > 100
        assert await store.call("ECHO", "last") == b"last"


async def test_a_timed_out_call_never_shifts_the_replies(proxy):
    async with connected(proxy.url, timeout_ms=20) as store:
        proxy.delay_s = 0.1
        results = await asyncio.gather(*(store.call("ECHO", n) for n in range(20)), return_exceptions=True)
        assert [type(result) for result in results] == [StoreTimeout] * 20
        proxy.delay_s = 0
        assert await patiently(store, "ECHO", "mine") == b"mine"
        proxy.black_hole = True
        with pytest.raises(StoreTimeout):  # the watch goes on after the late replies
            await store.call("PING")
        assert store.counts.reconnected == 0


@pytest.mark.parametrize("cut_after", [0, 2])
async def test_a_script_whose_reply_was_lost_is_not_run_again(proxy, store, tmp_path, cut_after):
    """A reset after Redis had run it: the caller is told, the counter is 1 and not 2."""
    (tmp_path / "count_up.lua").write_text("return redis.call('INCR', KEYS[1])")
    count_up = load_script("count_up", tmp_path)
    async with connected(proxy.url) as faulty:
        await faulty.run(count_up, [b"n"], [])
        for expected in range(2, 8):
            proxy.cut_after = cut_after
            with pytest.raises(StoreUnreachable, match="may or may not"):
                await faulty.run(count_up, [b"n"], [])
            assert await store.call("GET", "n") == b"%d" % expected
            await wait_until_connected(faulty)
        assert faulty.counts.reconnected == 6
        assert await faulty.run(count_up, [b"n"], []) == 8


async def test_a_lost_connection_fails_all_who_wait_and_is_made_again(proxy):
    async with connected(proxy.url) as store:
        proxy.cut_after = 5
        results = await asyncio.gather(*(store.call("ECHO", n) for n in range(30)), return_exceptions=True)
        assert {type(result) for result in results} <= {bytes, StoreUnreachable}
        assert all(result == b"%d" % n for n, result in enumerate(results) if isinstance(result, bytes))
        assert sum(isinstance(result, StoreUnreachable) for result in results) >= 29
        await wait_until_connected(store)
        assert await store.call("PING") == b"PONG"
        assert store.counts.reconnected == 1


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [(b"HTTP/1.1 400\r\n\r\n", "cannot be read"), (b"+PONG\r\n+PONG\r\n", "nobody had asked"), (b"*-7\r\n", "cannot")],
)
async def test_a_reply_that_cannot_be_right_ends_the_connection(proxy, garbage, reason):
    async with connected(proxy.url) as store:
        proxy.garbage = garbage
        await asyncio.gather(store.call("PING"), return_exceptions=True)
        await wait_until_connected(store, connected=False)
        assert reason in store.last_error
        await wait_until_connected(store)
        assert await store.call("PING") == b"PONG"


async def test_a_hung_redis_times_out_then_is_unreachable_then_recovers(proxy):
    async with connected(proxy.url, timeout_ms=30, connect_timeout_ms=200) as store:
        proxy.black_hole = True
        store.send("PING")
        with pytest.raises(StoreTimeout):
            await store.call("PING")
        assert store.counts.timed_out == 2
        with pytest.raises(StoreUnreachable):
            await patiently(store, "PING")
        await wait_until_connected(store, connected=False)
        assert "for too long" in store.last_error or "Timeout" in store.last_error
        proxy.black_hole = False
        await wait_until_connected(store)
        assert store.counts.reconnected == 1
        assert await patiently(store, "ECHO", "again") == b"again"


async def patiently(store, *command):
    """Ask again for as long as calls time out, at most 10 s."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await store.call(*command)
            except StoreTimeout:
                continue


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loop_that_stood_still_is_not_a_slow_redis(redis_url, loop_factory):
    """The reply lies in the socket when the loop wakes up: the call must get it, however late the loop is."""

    async def stand_still():
        async with connected(redis_url, timeout_ms=50) as store:
            asking = asyncio.create_task(store.call("ECHO", "in time"))
            await asyncio.sleep(0)  # asked
            await asyncio.sleep(0)  # written
            assert store.counts.flushes == 1
            time.sleep(0.3)  # noqa: ASYNC251 - standing still is the point
            assert await asking == b"in time"

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(stand_still())


@pytest.mark.parametrize("ask", ["call", "run"])
async def test_a_caller_that_was_closed_leaves_no_unread_error(proxy, ask):
    """What is sent or abandoned never ends in 'exception was never retrieved' when its connection goes."""
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with connected(proxy.url, timeout_ms=50) as store:
        proxy.black_hole = True
        store.send("PING")
        script = SCRIPTS["read_caps"]
        abandoned = store.call("PING") if ask == "call" else store.run(script, [b"a", b"b", b"c"], ["x"])
        abandoned.send(None)
        abandoned.close()
    del abandoned
    assert complaints == []


@pytest.mark.parametrize("ask", ["call", "run"])
async def test_a_call_that_failed_leaves_nothing_for_the_garbage_collector(proxy, ask):
    """While Redis hangs thousands of calls a second may fail; collecting them would hold everybody up."""
    script = SCRIPTS["read_caps"]
    gc.collect()
    gc.disable()
    try:
        async with connected(proxy.url, timeout_ms=20) as store:
            proxy.black_hole = True
            for _ in range(5):
                asked = store.call("PING") if ask == "call" else store.run(script, [b"a", b"b", b"c"], ["x"])
                try:  # pytest would keep the error
                    await asked
                except StoreTimeout:
                    del asked
        assert not [one for one in gc.get_objects() if isinstance(one, StoreTimeout)]
    finally:
        gc.enable()
