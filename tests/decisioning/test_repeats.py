"""Answers kept for those who ask the same again (dec:CA13, X5)."""

import asyncio

import pytest

from gateway.decisioning.repeats import Repeat, Repeats, make_digest
from gateway.errors import Problem
from gateway.store.answers import AnswerStore
from gateway.store.connection import Store
from gateway.store.keys import Keys


def repeat(text: bytes) -> Repeat:
    return Repeat(make_digest(text), asyncio.get_running_loop().time() + 10)


async def give(body: bytes) -> bytes:
    await asyncio.sleep(0)
    return body


def test_parts_cannot_run_into_each_other():
    assert make_digest(b"ab", b"c") != make_digest(b"a", b"bc")


async def test_memory_is_bounded_and_what_had_to_go_is_counted(store: Store, keys: Keys):
    repeats = Repeats(AnswerStore(store, keys), most_bytes=100)
    for number in range(10):
        await repeats.answer(repeat(b"%d" % number), lambda: give(b"x" * 40))
    assert repeats.forgotten == 8
    for number in (9, 0):  # the first is in memory, the other one in Redis still
        assert await repeats.answer(repeat(b"%d" % number), lambda: give(b"new")) == b"x" * 40


async def test_who_waits_takes_over_from_a_caller_who_went_away(store: Store, keys: Keys):
    repeats, never = Repeats(AnswerStore(store, keys), most_bytes=100), asyncio.Event()

    async def hang() -> bytes:
        await never.wait()
        return b"never"

    first = asyncio.create_task(repeats.answer(repeat(b"a"), hang))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(repeats.answer(repeat(b"a"), lambda: give(b"mine")))
    await asyncio.sleep(0.01)
    first.cancel()
    assert await second == b"mine"


async def test_a_failure_fails_those_who_wait_and_is_not_kept(store: Store, keys: Keys):
    repeats = Repeats(AnswerStore(store, keys), most_bytes=100)

    async def fail() -> bytes:
        await asyncio.sleep(0)
        raise Problem(503, "overloaded", "Too much")

    found = await asyncio.gather(*(repeats.answer(repeat(b"a"), fail) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [Problem] * 3
    assert await repeats.answer(repeat(b"a"), lambda: give(b"well")) == b"well"


async def test_without_redis_this_worker_knows_its_own_answers(keys: Keys):
    away = await Store.connect("unix:///nowhere.sock", timeout_ms=100, connect_timeout_ms=100, max_waiting=10)
    try:
        repeats = Repeats(AnswerStore(away, keys), most_bytes=100)
        for _ in range(2):
            assert await repeats.answer(repeat(b"a"), lambda: give(b"first")) == b"first"
    finally:
        await away.close()


async def test_no_key_tells_what_was_asked(store: Store, keys: Keys):
    """gw:S6."""
    await Repeats(AnswerStore(store, keys), 100).answer(repeat(b"canary"), lambda: give(b"x"))
    await store.call("PING")
    (key,) = await store.call("KEYS", "*")
    assert b"canary" not in key
    assert make_digest(b"canary").hex().encode() not in key
    assert 0 < await store.call("PTTL", key) <= 60_000


async def test_a_repeat_with_less_time_than_the_first_gives_up_in_time(store: Store, keys: Keys):
    """The first may have been given a minute; its repeat has its own deadline, and harms nobody by giving up."""
    loop, begun, end = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    repeats, digest = Repeats(AnswerStore(store, keys), 1_000_000), make_digest(b"one call")

    async def make() -> bytes:
        begun.set()
        await end.wait()
        return b"answer"

    first = asyncio.create_task(repeats.answer(Repeat(digest, loop.time() + 60), make))
    await begun.wait()
    with pytest.raises(Problem, match="too much") as refused:
        await repeats.answer(Repeat(digest, loop.time() + 0.05), make)
    assert refused.value.status == 503
    end.set()
    assert await first == b"answer"
    assert await repeats.answer(Repeat(digest, loop.time() + 60), make) == b"answer"
