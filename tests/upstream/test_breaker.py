"""The circuit breaker of an edge (gw:F6): opens on error rate, lets at least 10 % probe, closes by itself."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.breaker import CLOSES_AFTER, FEWEST, PROBE_EVERY, PROBE_S, WINDOW_S, Breaker

PERCENT = 50


def opened(now: float = 0.0) -> Breaker:
    """Give a breaker that has just opened."""
    breaker = Breaker(now, PERCENT)
    for _ in range(FEWEST):
        breaker.note(now, failed=True)
    assert breaker.is_open
    return breaker


def test_it_opens_at_the_rate_and_not_before() -> None:
    breaker = Breaker(0.0, PERCENT)
    changes = [breaker.note(0.0, failed=at % 2 == 1) for at in range(FEWEST)]
    assert changes == [False] * (FEWEST - 1) + [True], "half of them failed, and there were enough to say so"
    breaker = Breaker(0.0, PERCENT)
    assert not any(breaker.note(0.0, failed=at % 2 == 0 and at > 0) for at in range(FEWEST + 1))


def test_with_0_it_never_opens() -> None:
    breaker = Breaker(0.0, 0)
    assert not any(breaker.note(0.0, failed=True) for _ in range(10 * FEWEST))


def test_a_few_failures_say_nothing() -> None:
    breaker = Breaker(0.0, PERCENT)
    assert not any(breaker.note(0.0, failed=True) for _ in range(FEWEST - 1))
    assert breaker.lets_through(0.0)


def test_failures_are_forgotten_after_the_window() -> None:
    breaker = Breaker(0.0, PERCENT)
    for at in range(10 * FEWEST):
        breaker.note(at * WINDOW_S / (FEWEST - 2), failed=True)
    assert not breaker.is_open, "never enough of them at once"


def test_one_of_ten_probes() -> None:
    breaker = opened()
    assert [breaker.lets_through(0.0) for _ in range(3 * PROBE_EVERY)] == ([False] * 9 + [True]) * 3


def test_where_calls_are_rare_one_a_second_probes() -> None:
    breaker = opened()
    assert [breaker.lets_through(at * PROBE_S) for at in range(1, 6)] == [True] * 5


def test_good_answers_in_a_row_close_it() -> None:
    breaker = opened()
    outcomes = [*[False] * (CLOSES_AFTER - 1), True, *[False] * CLOSES_AFTER]
    assert [breaker.note(1.0, failed=failed) for failed in outcomes] == [False] * (len(outcomes) - 1) + [True]
    assert not breaker.is_open
    assert not breaker.note(1.0, failed=True), "it begins anew"


def test_it_is_forgotten_only_when_nothing_would_be_lost() -> None:
    assert not opened().is_quiet(1000.0)
    breaker = Breaker(0.0, PERCENT)
    breaker.note(0.0, failed=True)
    assert not breaker.is_quiet(WINDOW_S / 2)
    assert breaker.is_quiet(WINDOW_S)


STEPS = st.lists(st.tuples(st.floats(0.0, 3.0), st.booleans(), st.booleans()), max_size=300)


@given(STEPS)
def test_at_least_a_tenth_gets_through_while_it_is_open(steps: list[tuple[float, bool, bool]]) -> None:
    """Whatever happens and whenever: of ten calls asked for in a row, one is made."""
    breaker, now, away = Breaker(0.0, PERCENT), 0.0, 0
    for later, answered, failed in steps:
        now += later
        if breaker.lets_through(now):
            away = 0
            if answered:
                breaker.note(now, failed=failed)
        else:
            away += 1
            assert breaker.is_open
        assert away < PROBE_EVERY


@given(STEPS, st.floats(0.0, 2.0))
def test_it_always_closes_once_the_edge_is_back(steps: list[tuple[float, bool, bool]], pace: float) -> None:
    breaker, now = Breaker(0.0, PERCENT), 0.0
    for later, _answered, failed in steps:
        now += later
        breaker.note(now, failed=failed)
    asked = 0
    while breaker.is_open:
        now += pace
        asked += 1
        if breaker.lets_through(now):
            breaker.note(now, failed=False)
    assert asked <= CLOSES_AFTER * PROBE_EVERY


@given(st.lists(st.tuples(st.floats(0.0, 0.5), st.booleans()), max_size=300))
def test_it_only_opens_when_the_latest_outcomes_say_so(steps: list[tuple[float, bool]]) -> None:
    """Against a plain list: when it opens, the outcomes of the window hold enough failures."""
    breaker, now, noted = Breaker(0.0, PERCENT), 0.0, []
    for later, failed in steps:
        now += later
        noted.append((now, failed))
        if breaker.note(now, failed=failed):
            if breaker.is_open:
                latest = [failed for at, failed in noted if at > now - WINDOW_S]
                counted = [latest[at:] for at in range(len(latest) - FEWEST + 1)]
                assert any(100 * sum(part) >= PERCENT * len(part) for part in counted)
            noted = []
