"""Instants, days and calendar units, all in UTC (spec pql §8).

An instant is an aware `datetime` in UTC. A span is what `today`, `date(…)` and `this month` are: its beginning and its
end, the end not included. Results beyond the years 1 to 9999 are held at `EARLIEST` and `LATEST`.
"""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import ValidationError, convert

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
LONGEST_TIMESTAMP = 64
READ_TIME_COST = 30
"""Steps to read a timestamp that was not read lately."""

Interval = tuple[datetime, datetime]
"""First and last instant that count, both included."""

NEVER: Interval = (LATEST, EARLIEST)


class Span(NamedTuple):
    """A stretch of time whose end does not belong to it."""

    begin: datetime
    end: datetime


class Unit(NamedTuple):
    """A calendar unit: of fixed length, or of so many months."""

    name: str
    plural: str
    length: timedelta = timedelta()
    months: int = 0


_TABLE = (
    Unit("millisecond", "milliseconds", length=timedelta(milliseconds=1)),
    Unit("second", "seconds", length=timedelta(seconds=1)),
    Unit("minute", "minutes", length=timedelta(minutes=1)),
    Unit("hour", "hours", length=timedelta(hours=1)),
    Unit("day", "days", length=DAY),
    Unit("week", "weeks", length=timedelta(weeks=1)),
    Unit("month", "months", months=1),
    Unit("year", "years", months=12),
    Unit("decade", "decades", months=120),
    Unit("century", "centuries", months=1_200),
    Unit("millennium", "millennia", months=12_000),
)
UNITS = {name: unit for unit in _TABLE for name in (unit.name, unit.plural)}
"""Units by every word that names one."""


def instant_of(value: Any) -> datetime | None:
    """Give the point in time of a value, the beginning of a span, or None for what is no time (pql:TI1, TI2)."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, Span):
        return value.begin
    if isinstance(value, str) and len(value) <= LONGEST_TIMESTAMP:
        return read_timestamp(value)
    return None


@lru_cache(maxsize=4096)
def read_timestamp(text: str) -> datetime | None:
    """Read an RFC 3339 date-time, one without offset (UTC) or a date (midnight UTC); None for anything else.

    A leap second counts as the second before it; digits beyond the microsecond are cut off.
    """
    size = len(text)
    if size == 10:
        text += "T00:00:00Z"
    elif size > 26 and text[19] == "." and text[26].isdigit():
        text = text[:26] + text[26:].lstrip("0123456789")
    try:
        instant = convert(text, datetime)
        if instant.tzinfo is UTC:
            return instant
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValidationError, OverflowError):
        return read_timestamp(f"{text[:17]}59{text[19:]}") if text[17:19] == "60" else None


def day_of(instant: datetime, days: int = 0) -> Span:
    """Give the whole day of an instant, or of so many days later."""
    return span_of(shift(instant, days, UNITS["day"]), UNITS["day"])


def date_span(year: int, month: int, day: int) -> Span:
    """Give one day. Raises ValueError for an impossible date."""
    begin = datetime(year, month, day, tzinfo=UTC)
    return Span(begin, shift(begin, 1, UNITS["day"]))


def shift(instant: datetime, count: int, unit: Unit) -> datetime:
    """Add so many units; a day beyond the end of a month becomes its last day (pql:TI3)."""
    try:
        return add(instant, count, unit)
    except OverflowError:
        return LATEST if count > 0 else EARLIEST


def add(instant: datetime, count: int, unit: Unit) -> datetime:
    """Add so many units. Raises OverflowError beyond the calendar."""
    return shift_months(instant, count * unit.months) if unit.months else instant + count * unit.length


def shift_months(instant: datetime, months: int) -> datetime:
    """Add months, years and longer units. Raises OverflowError beyond the calendar."""
    year, month = divmod(instant.year * 12 + instant.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    return instant.replace(year=year, month=month + 1, day=min(instant.day, monthrange(year, month + 1)[1]))


def span_of(instant: datetime, unit: Unit) -> Span:
    """Give the calendar unit an instant lies in; weeks begin on Sunday (pql:TI3)."""
    if unit.months >= 12:
        years = unit.months // 12
        first = instant.year // years * years
        return Span(first_day(first), first_day(first + years))
    midnight = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit.months:
        begin = midnight.replace(day=1)
    elif unit.name == "week":
        begin = shift(midnight, -(instant.isoweekday() % 7), UNITS["day"])
    else:
        begin = instant - (instant - midnight) % unit.length
    return Span(begin, shift(begin, 1, unit))


def first_day(year: int) -> datetime:
    """Give the beginning of a year."""
    if year < 1:
        return EARLIEST
    return LATEST if year > 9999 else datetime(year, 1, 1, tzinfo=UTC)


def period(which: str, unit: Unit, now: datetime) -> Span:
    """Give this, the last or the next calendar unit."""
    current = span_of(now, unit)
    if which == "this":
        return current
    return span_of(shift(current.begin, -1, unit), unit) if which == "last" else span_of(current.end, unit)


def within(operator: str, begin: datetime, count: int, unit: Unit, *, backwards: bool) -> Interval:
    """Give the instants that lie so far before or after a point (pql:TI4); `!=` gives those of `=`."""
    nearer = (EARLIEST, begin) if backwards else (begin, LATEST)
    try:
        bound = add(begin, -count if backwards else count, unit)
    except OverflowError:
        return nearer if operator[0] == "<" else NEVER
    if operator in {"=", "!="}:
        return inside(span_of(bound, unit))
    if operator in {"<=", ">="}:
        side = (bound, LATEST) if backwards is (operator == "<=") else (EARLIEST, bound)
    else:
        side = relative("after" if backwards is (operator == "<") else "before", bound)
    return (max(side[0], nearer[0]), min(side[1], nearer[1])) if operator[0] == "<" else side


def relative(direction: str, point: datetime | Span) -> Interval:
    """Give the instants before, after or from a time (pql:TI5)."""
    begin = point.begin if isinstance(point, Span) else point
    if direction == "before":
        return NEVER if begin == EARLIEST else (EARLIEST, begin - TICK)
    if direction == "from":
        return begin, LATEST
    last = last_of(point)
    return NEVER if last == LATEST else (last + TICK, LATEST)


def inside(point: datetime | Span) -> Interval:
    """Give the instants of a span, or the one instant."""
    return (point.begin, last_of(point)) if isinstance(point, Span) else (point, point)


def last_of(point: datetime | Span) -> datetime:
    """Give the last instant of a time."""
    return point.end - TICK if isinstance(point, Span) and point.end < LATEST else instant_or_end(point)


def instant_or_end(point: datetime | Span) -> datetime:
    """Give an instant itself, and the end of a span."""
    return point.end if isinstance(point, Span) else point
