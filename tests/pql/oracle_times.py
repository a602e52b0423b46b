"""The calendar of the tree walker, counted in microseconds since the year 1 (spec pql §8)."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.pql import nodes
from gateway.pql.times import Span

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
TICK = timedelta(microseconds=1)
LENGTHS = {"millisecond": 1_000, "second": 10**6, "minute": 60 * 10**6, "hour": 3_600 * 10**6}
LENGTHS |= {"day": 86_400 * 10**6, "week": 7 * 86_400 * 10**6}
YEARS = {"year": 1, "decade": 10, "century": 100, "millennium": 1_000}
SUNDAY = LENGTHS["day"]
"""The year 1 began on a Monday: the first week of the calendar began a day before it."""


def ticks(moment: datetime) -> int:
    return (moment - FIRST) // TICK


def number(moment: datetime, unit: str) -> int:
    """Count the calendar units up to a moment: two moments in one unit have the same number."""
    if unit in YEARS:
        return moment.year // YEARS[unit]
    if unit == "month":
        return moment.year * 12 + moment.month - 1
    return (ticks(moment) + (SUNDAY if unit == "week" else 0)) // LENGTHS[unit]


def start(count: int, unit: str) -> datetime:
    """Give the beginning of the unit with a number."""
    if unit in LENGTHS:
        passed = count * LENGTHS[unit] - (SUNDAY if unit == "week" else 0)
        return FIRST + passed * TICK if 0 <= passed <= ticks(LAST) else FIRST if passed < 0 else LAST
    year, month = (count * YEARS[unit], 0) if unit in YEARS else divmod(count, 12)
    if year < 1:
        return FIRST
    return LAST if year > 9999 else datetime(year, month + 1, 1, tzinfo=UTC)


def neighbour(moment: datetime, unit: str, offset: int) -> Span:
    """Give the unit a moment lies in, or one so many further."""
    count = number(moment, unit) + offset
    return Span(start(count, unit), start(count + 1, unit))


def day(year: int, month: int, day_of_month: int) -> Span:
    begin = datetime(year, month, day_of_month, tzinfo=UTC)
    return Span(begin, begin + timedelta(days=1) if begin < LAST - timedelta(days=1) else LAST)


def moved(moment: datetime, count: int, unit: str) -> datetime | None:
    """Add so many units; None beyond the calendar."""
    if unit in LENGTHS:
        passed = ticks(moment) + count * LENGTHS[unit]
        return FIRST + passed * TICK if 0 <= passed <= ticks(LAST) else None
    months = count * (12 * YEARS[unit] if unit in YEARS else 1)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        return None
    most = monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, most))


def begin(point: Any) -> datetime:
    return point.begin if isinstance(point, Span) else point


def before_end(moment: datetime, point: Any) -> bool:
    """Say whether a moment is not yet past a point; the last moment of the calendar ends with it."""
    if not isinstance(point, Span):
        return moment <= point
    return moment < point.end or point.end == LAST


def holds_within(moment: datetime, when: Any, point: Any) -> bool:
    sign = -1 if when.direction == "before" else 1
    bound = moved(begin(point), sign * when.count, when.unit)
    nearer = moment <= begin(point) if sign < 0 else moment >= begin(point)
    if when.operator in {"=", "!="}:
        same = bound is not None and number(moment, when.unit) == number(bound, when.unit)
        return same is (when.operator == "=")
    if bound is None:
        return nearer and when.operator[0] == "<"
    gap = sign * (ticks(moment) - ticks(bound))
    return {"<": nearer and gap < 0, "<=": nearer and gap <= 0, ">": gap > 0, ">=": gap >= 0}[when.operator]


def holds_relative(moment: datetime, when: Any, point: Any) -> bool:
    if when.direction == "after":
        return not before_end(moment, point)
    return (moment < begin(point)) is (when.direction == "before")


def holds_between(moment: datetime, _when: Any, first: Any, last: Any) -> bool:
    return begin(first) <= moment and before_end(moment, last)


def holds_on(moment: datetime, _when: Any, point: Any) -> bool:
    return begin(point) <= moment and before_end(moment, point)


HOLDS: dict[type, Any] = {
    nodes.Within: holds_within,
    nodes.Relative: holds_relative,
    nodes.Between: holds_between,
    nodes.On: holds_on,
}
"""Whether a moment is where the words after `occurs` say, by what kind of words they are."""
