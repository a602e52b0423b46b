"""Laws of the calendar (spec pql §8)."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.pql import nodes
from gateway.pql.times import EARLIEST, LATEST, NEVER, TICK, UNITS, Unit, instant_of, period, shift, span_of, within
from tests.pql import oracle_times

instants = st.datetimes(datetime(1500, 1, 1), datetime(2900, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
units = st.sampled_from(list(UNITS.values()))
counts = st.integers(0, 200)


@given(instants, units)
def test_a_unit_contains_its_instant_and_touches_its_neighbours(instant: datetime, name: object) -> None:
    span = span_of(instant, name)
    assert span.begin <= instant < span.end
    assert span_of(span.begin - TICK, name).end == span.begin
    assert period("next", name, instant).begin == span.end
    assert period("last", name, instant).end == span.begin


@given(instants)
def test_weeks_begin_on_sunday_and_have_seven_days(instant: datetime) -> None:
    span = span_of(instant, UNITS["week"])
    assert span.begin.strftime("%A %H:%M:%S.%f") == "Sunday 00:00:00.000000"
    assert span.end - span.begin == timedelta(days=7)


@given(instants, st.integers(-500, 500))
def test_months_keep_the_day_or_become_the_last_one(instant: datetime, months: int) -> None:
    moved = shift(instant, months, UNITS["month"])
    assert (moved.year * 12 + moved.month) - (instant.year * 12 + instant.month) == months
    assert moved.day == min(instant.day, monthrange(moved.year, moved.month)[1])
    assert moved.time() == instant.time()


@given(instants, st.integers(-50, 50), st.sampled_from(["year", "decade", "century", "millennium"]))
def test_longer_units_are_so_many_months(instant: datetime, count: int, name: str) -> None:
    months = {"year": 12, "decade": 120, "century": 1200, "millennium": 12000}[name]
    assert shift(instant, count, UNITS[name]) == shift(instant, count * months, UNITS["month"])


@given(instants, counts, units)
def test_before_splits_the_past_at_one_bound(instant: datetime, count: int, unit: object) -> None:
    """What is at most, and what is more than, an interval ago: every instant up to now is one or the other."""
    assume(shift(instant, -count, unit) > EARLIEST)
    recent = within("<=", instant, count, unit, backwards=True)
    old = within(">", instant, count, unit, backwards=True)
    assert recent[1] == instant
    assert old[0] == EARLIEST
    assert old[1] + TICK == recent[0]
    assert within("<", instant, count, unit, backwards=True)[0] == recent[0] + TICK
    assert within(">=", instant, count, unit, backwards=True)[1] == old[1] + TICK


@given(instants, counts, units)
def test_after_mirrors_before(instant: datetime, count: int, unit: object) -> None:
    assume(shift(instant, count, unit) < LATEST)
    soon = within("<=", instant, count, unit, backwards=False)
    far = within(">", instant, count, unit, backwards=False)
    assert (soon[0], far[1]) == (instant, LATEST)
    assert far[0] - TICK == soon[1]


@given(instants, st.sampled_from([10**9, 10**18]), st.sampled_from(["week", "month", "year", "millennium"]))
def test_beyond_the_calendar_all_is_nearer_and_nothing_further(instant: datetime, count: int, name: str) -> None:
    unit = UNITS[name]
    assert (shift(instant, -count, unit), shift(instant, count, unit)) == (EARLIEST, LATEST)
    assert within("<", instant, count, unit, backwards=True) == (EARLIEST, instant)
    assert within("<=", instant, count, unit, backwards=False) == (instant, LATEST)
    assert {within(symbol, instant, count, unit, backwards=True) for symbol in (">", ">=", "=", "!=")} == {NEVER}


@given(instants)
def test_a_timestamp_reads_back(instant: datetime) -> None:
    assert instant_of(instant.isoformat()) == instant
    assert instant_of(instant.isoformat().replace("+00:00", "Z")) == instant
    assert instant_of(instant.replace(tzinfo=None).isoformat()) == instant
    assert instant_of(instant.date().isoformat()) == span_of(instant, UNITS["day"]).begin


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2024-05-31", -1, "2024-04-30"),
        ("2024-02-29", -12, "2023-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2023-01-31", 1, "2023-02-28"),
        ("2023-12-31", 2, "2024-02-29"),
        ("2024-03-31", -13, "2023-02-28"),
        ("1900-01-31", 1, "1900-02-28"),
        ("2000-01-31", 1, "2000-02-29"),
    ],
)
def test_leap_days_and_month_ends(start: str, months: int, end: str) -> None:
    """Spec pql:TI3."""
    assert shift(instant_of(start), months, UNITS["month"]).date() == date.fromisoformat(end)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2024", "2024-05", "20240515", "2024-W20-3", "2024-136", "2024-02-30", " 2024-05-15", "2024-05-15 "),
        *("2024-05-15T25:00:00Z", "2024-05-15T10:30Z", "2024-05-15T10", "1715769000", "0001-01-01T00:00:00+01:00"),
        *("x" * 100, "٢٠٢٤-05-15"),
    ],
)
def test_anything_else_is_no_timestamp(text: str) -> None:
    """Spec pql:TI1."""
    assert instant_of(text) is None


near = st.tuples(instants, st.integers(-50, 50), units).map(lambda given: (given[0], shift(*given)))


@given(near, counts, units, st.sampled_from(["<", "<=", ">", ">=", "=", "!="]), st.sampled_from(["before", "after"]))
def test_intervals_agree_with_a_calendar_that_counts(
    pair: tuple[datetime, datetime], count: int, unit: Unit, operator: str, direction: str
) -> None:
    """Spec pql:TI4."""
    moment, point = pair
    first, last = within(operator, point, count, unit, backwards=direction == "before")
    when = nodes.Within(operator, count, unit.name, direction, nodes.Moment("now"))
    assert (first <= moment <= last) is (oracle_times.holds_within(moment, when, point) is (operator != "!="))


@given(near, units, st.sampled_from(["this", "last", "next"]))
def test_units_agree_with_a_calendar_that_counts(pair: tuple[datetime, datetime], unit: Unit, which: str) -> None:
    """Spec pql:TI3."""
    offset = {"last": -1, "this": 0, "next": 1}[which]
    assert period(which, unit, pair[0]) == oracle_times.neighbour(pair[0], unit.name, offset)
