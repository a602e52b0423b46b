"""A circuit breaker: an edge that fails too often is mostly left alone until it answers again (gw:F6). Pure.

Closed, every call is made and its outcome counted. With at least `FEWEST` outcomes in the window and so many of each
hundred failures it opens: then one call in ten is made to see whether the edge is back, and one a second where calls
are rare; the others fail at once. `CLOSES_AFTER` good answers in a row close it. Times are seconds of any clock that
only grows.
"""

WINDOW_S = 5.0
FEWEST = 20
PROBE_EVERY = 10
PROBE_S = 1.0
CLOSES_AFTER = 3


class Breaker:
    """What is known of one edge: outcomes of the current and the previous half of the window."""

    __slots__ = ("_before", "_good_in_a_row", "_half_ends", "_now", "_percent", "_probed", "_turned_away", "is_open")

    def __init__(self, now: float, percent: int) -> None:
        """Begin closed, with nothing counted; it opens at `percent` failures of a hundred, with 0 never."""
        self._percent = percent
        self.is_open = False
        self._half_ends = now + WINDOW_S / 2
        self._now = [0, 0]  # outcomes, failures among them
        self._before = [0, 0]
        self._good_in_a_row = 0
        self._turned_away = 0
        self._probed = now

    def lets_through(self, now: float) -> bool:
        """Whether a call may be made now; where it says no, the call must fail at once."""
        if not self.is_open:
            return True
        if self._turned_away + 1 < PROBE_EVERY and now - self._probed < PROBE_S:
            self._turned_away += 1
            return False
        self._turned_away = 0
        self._probed = now
        return True

    def note(self, now: float, *, failed: bool) -> bool:
        """Count the outcome of a call; gives whether that opened or closed the circuit."""
        if now >= self._half_ends:
            self._turn(now)
        self._now[0] += 1
        if not failed:
            self._good_in_a_row += 1
            if self.is_open and self._good_in_a_row >= CLOSES_AFTER:
                self._close(now)
                return True
            return False
        self._now[1] += 1
        self._good_in_a_row = 0
        if self.is_open or not self._percent or not self._fails_too_often():
            return False
        self.is_open = True
        self._turned_away = 0
        self._probed = now
        return True

    def is_quiet(self, now: float) -> bool:
        """Whether forgetting it would lose nothing: closed, and no outcome within the window."""
        return not self.is_open and now >= self._half_ends + WINDOW_S / 2

    def _fails_too_often(self) -> bool:
        outcomes = self._now[0] + self._before[0]
        return outcomes >= FEWEST and 100 * (self._now[1] + self._before[1]) >= self._percent * outcomes

    def _close(self, now: float) -> None:
        """Begin anew: what was counted before says nothing of the edge now."""
        self.is_open = False
        self._now, self._before = [0, 0], [0, 0]
        self._half_ends = now + WINDOW_S / 2

    def _turn(self, now: float) -> None:
        late = now >= self._half_ends + WINDOW_S / 2
        self._before = [0, 0] if late else self._now
        self._now = [0, 0]
        self._half_ends = now + WINDOW_S / 2
