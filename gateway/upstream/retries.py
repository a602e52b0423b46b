"""Which failed calls to Target are made again, when, and how many of them at most (spec get-offers §11; gw:F6). Pure.

Made again is what may go better the next time: no connection, a connection that ended before or within the answer,
and the statuses 408, 429 and 5xx. A call with notifications is made again only where nothing of it had left, for
Target may have counted them. Answers that make no sense, other refusals and calls out of time are not.
"""

from collections.abc import Mapping

import msgspec

from gateway.errors import (
    CircuitOpen,
    UpstreamBrokeOff,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreached,
)

MOST = 2
PAUSE_S = 0.02
_SAVED_AT_MOST = 10
_COST = 100
_PASSING_STATUSES = (408, 429)


class RetryBudget:
    """So many retries for each hundred calls: every call saves up for them, each retry spends.

    Since the start there are never more than `percent` hundredths of the calls; what is saved up is bounded, so that
    a long good time does not pay for a storm.
    """

    __slots__ = ("_percent", "_saved")

    def __init__(self, percent: int) -> None:
        """Begin with nothing saved."""
        self._percent = percent
        self._saved = 0

    def note_call(self) -> None:
        """Save up for one call that is made for the first time."""
        if self._saved < _SAVED_AT_MOST * _COST:
            self._saved += self._percent

    def take(self) -> bool:
        """Whether one retry may be made; if so, it is spent."""
        if self._saved < _COST:
            return False
        self._saved -= _COST
        return True


def pause_s(attempts: int, chance: float) -> float:
    """Give the pause before the next attempt, in seconds: doubled each time, half to one and a half of it by `chance`.

    `attempts` is how many were made, 1 or more; `chance` is 0 to 1.
    """
    return float(PAUSE_S * 2 ** (attempts - 1) * (0.5 + chance))


def is_passing(error: UpstreamError) -> bool:
    """Whether the same call may go better a moment later."""
    if isinstance(error, UpstreamRefused):
        return error.upstream_status >= 500 or error.upstream_status in _PASSING_STATUSES
    return type(error) in (UpstreamError, UpstreamUnreached, UpstreamBrokeOff)


def is_safe(error: UpstreamError, body: bytes) -> bool:
    """Whether making the call again cannot count a notification twice."""
    return isinstance(error, UpstreamUnreached) or not tells(body)


def tells(body: bytes) -> bool:
    """Whether the body of a call carries notifications; one that cannot be read is taken to."""
    try:
        members = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return True
    return not isinstance(members, Mapping) or bool(members.get("notifications"))


def judge(error: UpstreamError, lasted_s: float, fair_s: float) -> bool | None:
    """Whether `error` speaks against the edge that was called; None where it says nothing of it.

    A call that ran out of time does when it had been given `fair_s`: a caller with a very short deadline must not be
    able to close an edge to everybody else.
    """
    if isinstance(error, UpstreamOverloaded | CircuitOpen):
        return None
    if isinstance(error, UpstreamTimeout):
        return True if lasted_s >= fair_s else None
    return is_passing(error) or not isinstance(error, UpstreamRefused)
