"""RFC 3339 date-times as the repository reads and writes them (spec offer-entities N3, repository L13, F5)."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

_DATE_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH = date(1970, 1, 1).toordinal()
_EPOCH_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)
_CYCLE_YEARS = 400
_CYCLE_DAYS = 146_097
_SECOND = 1_000_000
_DAY_SECONDS = 86_400
LONGEST = 64
"""Characters of the longest text that is still read as a date-time."""


def read_instant(text: str) -> int | None:
    """Give microseconds since 1970 of an RFC 3339 date-time with time and offset; None for anything else.

    Digits beyond the microsecond are dropped; years 0000 to 9999; a leap second only at the end of a UTC day.
    """
    match = _DATE_TIME.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hour, offset_minute = match[7] or "", match[8], int(match[9] or 0), int(match[10] or 0)
    days = _days(year, month, day)
    if days is None or max(hour, offset_hour) > 23 or max(minute, offset_minute) > 59 or second > 60:
        return None
    east = (offset_hour * 3600 + offset_minute * 60) * (-1 if sign == "-" else 1)
    seconds = days * _DAY_SECONDS + hour * 3600 + minute * 60 + second - east
    if second == 60 and seconds % _DAY_SECONDS:
        return None
    return seconds * _SECOND + int(fraction[:6].ljust(6, "0"))


def _days(year: int, month: int, day: int) -> int | None:
    """Count days since 1970; the year 0, which `date` does not know, is that of 400 less a whole cycle."""
    try:
        shift = _CYCLE_YEARS if year == 0 else 0
        return date(year + shift, month, day).toordinal() - _EPOCH - (_CYCLE_DAYS if shift else 0)
    except ValueError:
        return None


def write_instant(now_ms: int) -> str:
    """Give RFC 3339 in UTC with three fraction digits and `Z` (spec repository §6.1) of milliseconds since 1970."""
    seconds, ms = divmod(now_ms, 1000)
    return f"{_write_second(seconds)}.{ms:03}Z"


@lru_cache(maxsize=8)
def _write_second(seconds: int) -> str:
    return (_EPOCH_INSTANT + timedelta(seconds=seconds)).isoformat()[: len("2024-05-15T10:30:00")]
