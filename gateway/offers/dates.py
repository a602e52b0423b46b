"""RFC 3339 date-times as the repository reads and writes them (spec offer-entities N3, repository L13, F5)."""


def read_instant(text: str) -> int | None:
    """Give microseconds since 1970 of an RFC 3339 date-time with time and offset; None for anything else.

    Digits beyond the microsecond are dropped; years 0000 to 9999; a leap second only at the end of a UTC day.
    """
    raise NotImplementedError


def write_instant(now_ms: int) -> str:
    """Give RFC 3339 in UTC with three fraction digits and `Z` (spec repository §6.1) of milliseconds since 1970."""
    raise NotImplementedError
