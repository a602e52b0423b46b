"""Long computations beside the event loop: few, one after the other, and none waited for beyond its deadline."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from gateway.errors import Problem

_MOST_WAITING = 32

Result = TypeVar("Result")


class Aside:
    """One thread for what would hold the event loop too long."""

    def __init__(self) -> None:
        """Start nothing before there is something to do."""
        self._pool = ThreadPoolExecutor(1, "long-decision")
        self._places = threading.Semaphore(_MOST_WAITING)

    async def run(self, work: Callable[[], Result], deadline: float) -> Result:
        """Give the result of `work`. Raises Problem 503 when too much is waiting, or at `deadline`."""
        if not self._places.acquire(blocking=False):
            raise overloaded()
        future = self._submit(work)
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise overloaded() from error

    async def finish(self, work: Callable[[], Result], deadline: float) -> Result:
        """Give the result of `work` in any case; what has not begun by `deadline` is done on the event loop."""
        if not self._places.acquire(blocking=False):
            return work()
        future = self._submit(work)
        result = asyncio.wrap_future(future)
        await asyncio.wait([result], timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        return work() if future.cancel() else await result

    def _submit(self, work: Callable[[], Result]) -> "Future[Result]":
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: self._places.release())
        return future

    def close(self) -> None:
        """Take on nothing more; what waits is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def overloaded() -> Problem:
    """Give the answer to what would take too long."""
    message = "There is too much to decide just now; try again"
    return Problem(503, "overloaded", message, headers={"Retry-After": "1"})
