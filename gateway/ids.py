"""Random ids."""

import os
from collections.abc import Callable

_AT_ONCE = 256
_VERSION_4 = bytes([0x40 | byte & 0x0F for byte in range(256)])
_VARIANT = bytes([0x80 | byte & 0x3F for byte in range(256)])


def _draw() -> list[str]:
    """Draw random bytes for many ids at once: a system call for each would cost more than a decision's rules."""
    drawn = bytearray(os.urandom(16 * _AT_ONCE))
    drawn[6::16] = drawn[6::16].translate(_VERSION_4)  # RFC 9562 §5.4
    drawn[8::16] = drawn[8::16].translate(_VARIANT)
    digits = drawn.hex()
    return [digits[at : at + 32] for at in range(0, len(digits), 32)]


_ids: list[str] = []


def new_id() -> str:
    """Give a random UUID (version 4) as 32 hexadecimal digits without dashes (get-offers §5)."""
    while True:
        try:
            return _ids.pop()
        except IndexError:  # another thread may take what this one draws
            _ids.extend(_draw())


def new_uuid() -> str:
    """Give a random UUID (version 4) in its usual form."""
    digits = new_id()
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
        rest = new_id()
        return f"{time >> 16:08x}-{time & 0xFFFF:04x}-7{count:03x}-{rest[16:20]}-{rest[20:]}"


def new_digits() -> str:
    """Give 16 random hexadecimal digits: what an @id ends in (spec repository E1)."""
    return new_id()[:12] + new_id()[:4]


def _start_afresh() -> None:
    """Forget the ids that were drawn: a forked process must not hand out its parent's."""
    _ids.clear()


os.register_at_fork(after_in_child=_start_afresh)
