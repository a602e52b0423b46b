"""Answers to come."""

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for
from typing import Any


def follow(asked: "Future[Any]", finish: Callable[[Any], Any]) -> "Future[Any]":
    """Give a future of what `finish` makes of the result of `asked`; cancelling it cancels `asked`."""
    done: Future[Any] = Future()

    def settle(_: object) -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            result = finish(asked.result())
        except CancelledError as error:
            done.set_exception(error)
        except Exception as error:  # noqa: BLE001 - handed on to whoever waits
            done.set_exception(error)
        else:
            done.set_result(result)

    asked.add_done_callback(settle)
    done.add_done_callback(lambda _: asked.cancel() if done.cancelled() else None)
    return done


class AsyncResult:
    """What a call with a `callback` gives at once, as `multiprocessing.pool` has it."""

    def __init__(self, done: "Future[Any]", tell: Callable[["Future[Any]"], None]) -> None:
        """See to it that `tell` is called with what comes."""
        self._done = done
        done.add_done_callback(tell)

    def get(self, timeout: float | None = None) -> Any:
        """Wait for the answer; raises what went wrong, or TimeoutError after `timeout` seconds."""
        return self._done.result(timeout)

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the answer is there, or for `timeout` seconds."""
        wait_for([self._done], timeout)

    def ready(self) -> bool:
        """Whether the answer is there."""
        return self._done.done()

    def successful(self) -> bool:
        """Whether the answer is one; raises ValueError before it is there."""
        if not self._done.done():
            raise ValueError("the answer is not there yet")
        return not self._done.cancelled() and self._done.exception() is None
