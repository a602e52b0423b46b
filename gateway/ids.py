"""Random ids."""

import os
from collections.abc import Iterator

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
