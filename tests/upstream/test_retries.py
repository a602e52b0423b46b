"""Which calls are made again (spec get-offers §11; gw:F6): at most two, jittered, and never more than a tenth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    CircuitOpen,
    UpstreamBrokeOff,
    UpstreamError,
    UpstreamGarbled,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreached,
)
from gateway.upstream.retries import PAUSE_S, RetryBudget, is_passing, is_safe, judge, pause_s, tells

TOLD = b'{"notifications":[{"id":"n"}]}'
# error, whether it is made again, the same with notifications, what it says of the edge (True: against it)
FAILURES = [
    (UpstreamUnreached("no connection"), True, True, True),
    (UpstreamError("closed without an answer"), True, False, True),
    (UpstreamBrokeOff("cut"), True, False, True),
    (UpstreamGarbled("not JSON"), False, False, True),
    (UpstreamTimeout("too late"), False, False, True),
    (UpstreamOverloaded("our own limit"), False, False, None),
    (CircuitOpen("not made"), False, False, None),
    (UpstreamRefused(302), False, False, False),
    (UpstreamRefused(400), False, False, False),
    (UpstreamRefused(404), False, False, False),
    (UpstreamRefused(408), True, False, True),
    (UpstreamRefused(413), False, False, False),
    (UpstreamRefused(420), False, False, False),
    (UpstreamRefused(429), True, False, True),
    (UpstreamRefused(500), True, False, True),
    (UpstreamRefused(503), True, False, True),
]


@pytest.mark.parametrize(("error", "again", "told_again", "against"), FAILURES, ids=lambda value: str(value)[:30])
def test_what_is_made_again_and_what_speaks_against_the_edge(
    error: UpstreamError, again: bool, told_again: bool, against: bool | None
) -> None:
    assert (is_passing(error) and is_safe(error, b"{}")) is again
    assert (is_passing(error) and is_safe(error, TOLD)) is told_again
    assert judge(error, 1.0, 0.5) is against


def test_a_caller_in_a_hurry_does_not_speak_against_the_edge() -> None:
    assert judge(UpstreamTimeout("too late"), 0.4, 0.5) is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{}", False),
        (b'{"notifications":[]}', False),
        (b'{"notifications":null}', False),
        (b'{"execute":{"mboxes":[{"name":"notifications","parameters":{"notifications":"1"}}]}}', False),
        (TOLD, True),
        (b'{"\\u006eotifications":[{"id":"n"}]}', True),
        (b"[]", True),
        (b"", True),
        (b"{", True),
    ],
)
def test_notifications_are_seen_however_they_are_written(body: bytes, told: bool) -> None:
    """Spec get-offers §11: they may have been counted; when in doubt the call is not made again."""
    assert tells(body) is told


@given(st.integers(0, 10), st.lists(st.booleans(), max_size=2000))
def test_never_more_than_the_share_of_the_calls(percent: int, wishes: list[bool]) -> None:
    """`True` makes a call, `False` wants a retry: at every moment since the start the share holds."""
    budget, calls, retries = RetryBudget(percent), 0, 0
    for is_call in wishes:
        if is_call:
            calls += 1
            budget.note_call()
        else:
            retries += budget.take()
        assert 100 * retries <= percent * calls


@given(st.integers(0, 100_000))
def test_what_is_saved_up_is_bounded(calls: int) -> None:
    budget = RetryBudget(10)
    for _ in range(min(calls, 1000)):
        budget.note_call()
    assert sum(budget.take() for _ in range(1000)) <= 10


@given(st.integers(1, 5), st.floats(0.0, 1.0))
def test_the_pause_doubles_and_is_spread(attempts: int, chance: float) -> None:
    middle = PAUSE_S * 2 ** (attempts - 1)
    assert middle / 2 <= pause_s(attempts, chance) <= middle * 1.5
