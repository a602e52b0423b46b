"""Long computations beside the event loop: what must be finished is, however many wait (dec §12)."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from gateway.decisioning.pace import Aside
from gateway.errors import Problem


@pytest.fixture
async def blocked() -> AsyncIterator[Aside]:
    """Give an Aside whose thread is busy."""
    aside, begun, end = Aside(), threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        end.wait()

    busy = asyncio.create_task(aside.run(block, asyncio.get_running_loop().time() + 60))
    await asyncio.to_thread(begun.wait)
    yield aside
    end.set()
    await busy
    aside.close()


async def test_what_has_to_be_finished_is_done_at_its_deadline_behind_a_busy_thread(blocked: Aside):
    """A response whose options were counted leaves with 200."""
    assert await blocked.finish(lambda: "written", asyncio.get_running_loop().time() + 0.02) == "written"


async def test_what_has_to_be_finished_is_done_where_no_place_is_left(blocked: Aside):
    """The others are refused; nobody is refused what was counted."""
    later = asyncio.get_running_loop().time() + 60
    waiting = [asyncio.create_task(blocked.run(lambda: None, later)) for _ in range(31)]
    await asyncio.sleep(0)
    with pytest.raises(Problem):
        await blocked.run(lambda: None, later)
    assert await blocked.finish(lambda: "written", later) == "written"
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def test_what_is_free_is_done_beside_the_event_loop():
    """Long traces do not hold others up."""
    aside = Aside()
    name = await aside.finish(lambda: threading.current_thread().name, asyncio.get_running_loop().time() + 60)
    assert name.startswith("long-decision")
    aside.close()
