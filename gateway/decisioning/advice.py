"""What this worker has lately learnt of global counters: it saves asking for offers whose cap is used up (dec:CA11)."""

from collections.abc import Callable, Mapping

from gateway.offers.capping import Selection
from gateway.offers.counters import Counter
from gateway.offers.instances import Space

_LIFE_S = 1.0
_MOST_CONTAINERS = 256
_MOST_COUNTERS = 50_000


class Advice:
    """Counts met by refusals, at least so many; forgotten every second, so that a reset is soon noticed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Forget by `clock`, in seconds."""
        self._clock = clock
        self._forget_s = 0.0
        self._counts: dict[tuple[Space, str], dict[Counter, int]] = {}

    def of(self, space: Space, container: str) -> Mapping[Counter, int]:
        """Give what is known of a container's counters."""
        now = self._clock()
        if now >= self._forget_s:
            self._counts, self._forget_s = {}, now + _LIFE_S
        return self._counts.get((space, container), {}) if self._counts else {}

    def learn(self, space: Space, container: str, selection: Selection, room: Mapping[Counter, int]) -> None:
        """Take what a verdict on a selection said of global counters that have no room left."""
        caps = {claim.counter: claim.cap for claim in (*selection.claims, *selection.probes)}
        met = {
            counter: cap - left
            for counter, left in room.items()
            if left < 1 and counter.scope == "global" and (cap := caps.get(counter)) is not None
        }
        if not met or len(self._counts) >= _MOST_CONTAINERS:
            return
        known = self._counts.setdefault((space, container), {})
        if len(known) < _MOST_COUNTERS:
            known.update(met)
