"""How long one query of the index may take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import Problem

PATIENCE_S = 2.0
FOREVER = float("inf")


class Patience:
    """The time one query has; what others will use too (a new column, a new sort order) is not counted."""

    def __init__(self) -> None:
        self._until = FOREVER

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Run a query in its time."""
        self._until = time.monotonic() + PATIENCE_S
        try:
            yield
        finally:
            self._until = FOREVER

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock: what is done here is done to its end."""
        left = self._until - time.monotonic()
        self._until = FOREVER
        try:
            yield
        finally:
            self._until = time.monotonic() + left

    def is_over(self) -> bool:
        """Say whether the time is up."""
        return time.monotonic() > self._until

    def check(self) -> None:
        """Raise Problem 400 when the time is up."""
        if self.is_over():
            raise too_slow()


def too_slow() -> Problem:
    """Make the answer to a query that takes too long (F9)."""
    return Problem(400, "invalid-filter", f"this query took more than {PATIENCE_S:g} s: make its filters simpler")


def breathe() -> None:
    """Rest so briefly that only a thread which waits for Python notices: between any two ms of Python's own work."""
    time.sleep(0.0001)
