"""Random ids."""

import os
from collections.abc import Callable, Iterator

_AT_ONCE = 256
_VARIANTS = "89ab"


def _draw() -> Iterator[str]:
    """Draw random bytes for many ids at once: a system call for each would cost more than a decision's rules."""
    while True:
        digits = os.urandom(16 * _AT_ONCE).hex()
        for at in range(0, len(digits), 32):
            variant = _VARIANTS[int(digits[at + 16], 16) & 3]
            yield f"{digits[at : at + 12]}4{digits[at + 13 : at + 16]}{variant}{digits[at + 17 : at + 32]}"


_ids = _draw()


def new_id() -> str:
    """Give a random UUID (version 4) as 32 hexadecimal digits without dashes (get-offers §5)."""
    return next(_ids)


def new_uuid() -> str:
    """Give a random UUID (version 4) in its usual form."""
    digits = next(_ids)
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class OrderedIds:
    """Makes UUIDs that sort by the time they were made (version 7, RFC 9562), also within a millisecond."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        """Take a clock of milliseconds since 1970; one that goes back does not change the order."""
        self._clock_ms = clock_ms
        self._last = 0

    def make(self) -> str:
        """Give a new one: 60 bits of time and count, the rest random."""
        self._last = max(self._last + 1, self._clock_ms() << 12)
        time, count = divmod(self._last, 1 << 12)
        rest = next(_ids)
        return f"{time >> 16:08x}-{time & 0xFFFF:04x}-7{count:03x}-{rest[16:20]}-{rest[20:]}"


def new_digits() -> str:
    """Give 16 random hexadecimal digits: what an @id ends in (spec repository E1)."""
    return next(_ids)[:12] + next(_ids)[:4]
