"""Supplemental data ids (SDID): one for all Target calls and the one Analytics hit of a page (get-offers §8).

A page's calls name different consumers and share an id; a consumer that comes again begins the next page.
"""

import re

from msgspec import Struct

DEFAULT_CONSUMER = "target-global-mbox"
LONGEST_CONSUMER = 256
_SDID = re.compile(r"[0-9A-Fa-f]{16}-[0-9A-Fa-f]{16}", re.ASCII)


class SdidState(Struct, frozen=True):
    """The id of the page at hand and the one before it, and who has used each; "" where there is none yet."""

    current: str = ""
    current_consumed: frozenset[str] = frozenset()
    last: str = ""
    last_consumed: frozenset[str] = frozenset()


NO_SDID = SdidState()


def take_sdid(state: SdidState, consumer: str, fresh: str) -> tuple[str, SdidState]:
    """Give the id for a call of `consumer` and the state after it; `fresh` is used where a new id is needed."""
    if not state.current:
        state = SdidState(fresh, frozenset(), state.last, state.last_consumed)
    if state.last and consumer not in state.last_consumed:
        return state.last, SdidState(
            state.current, state.current_consumed, state.last, state.last_consumed | {consumer}
        )
    if consumer not in state.current_consumed:
        return state.current, SdidState(
            state.current, state.current_consumed | {consumer}, state.last, state.last_consumed
        )
    return fresh, SdidState(fresh, frozenset({consumer}), state.current, state.current_consumed)


def make_sdid(random_digits: str) -> str:
    """Give an id made of 32 hexadecimal digits."""
    digits = random_digits.upper()
    return f"{digits[:16]}-{digits[16:32]}"


def is_sdid(value: object) -> bool:
    """Whether `value` is a well-formed id."""
    return isinstance(value, str) and _SDID.fullmatch(value) is not None
