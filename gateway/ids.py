"""Random ids."""

import os

_AT_ONCE = 256
_VARIANTS = "89ab"


def _draw() -> list[str]:
    """Draw random bytes for many ids at once: a system call for each would cost more than a decision's rules."""
    digits = os.urandom(16 * _AT_ONCE).hex()
    return [
        f"{digits[at : at + 12]}4{digits[at + 13 : at + 16]}{_VARIANTS[int(digits[at + 16], 16) & 3]}"
        f"{digits[at + 17 : at + 32]}"
        for at in range(0, len(digits), 32)
    ]


_ids: list[str] = []


def new_id() -> str:
    """Give a random UUID (version 4) as 32 hexadecimal digits without dashes (get-offers §5)."""
    while True:
        try:
            return _ids.pop()
        except IndexError:  # another thread may take what this one draws
            _ids.extend(_draw())


def _start_afresh() -> None:
    """Forget the ids that were drawn: a forked process must not hand out its parent's."""
    _ids.clear()


os.register_at_fork(after_in_child=_start_afresh)
