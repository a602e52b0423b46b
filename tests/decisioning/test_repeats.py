"""Repeated calls: whoever waits for the first waits no longer than its own time allows (dec:X5, gw:F3)."""

import asyncio

import pytest

from gateway.decisioning.repeats import Repeat, Repeats, make_digest
from gateway.errors import Problem
from gateway.store.answers import AnswerStore
from gateway.store.connection import Store
from gateway.store.keys import Keys


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
