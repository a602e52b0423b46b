"""How often an account may call: one bucket of tokens each, filled at a steady rate."""

from collections.abc import Callable

_MOST_BUCKETS = 10_000


class Rates:
    """Lets an account make `per_s` requests a second, and as many at once; 0 lets everything through."""

    def __init__(self, per_s: int, clock: Callable[[], float]) -> None:
        """Count by `clock`, in seconds; it never goes back."""
        self._per_s = per_s
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, and when that was counted

    def take(self, account: str) -> float:
        """Take one request; gives 0, or the seconds to wait when there is none left."""
        if not self._per_s:
            return 0.0
        now = self._clock()
        left, counted = self._buckets.pop(account, (float(self._per_s), now))
        left = min(float(self._per_s), left + (now - counted) * self._per_s)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_s
        self._buckets[account] = (left if wait else left - 1, now)
        if len(self._buckets) > _MOST_BUCKETS:  # the one that has not called for longest
            del self._buckets[next(iter(self._buckets))]
        return wait
