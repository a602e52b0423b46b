"""Date-times (ent:N3; spec repository L13, F5): what is one, and which instant it is."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.offers.dates import read_instant, write_instant

OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01",
        "2024-05-01T00:00:00",
        "2024-05-01 00:00:00Z",
        "2024-05-01T00:00Z",
        "2024-05-01T24:00:00Z",
        "2024-05-01T23:60:00Z",
        "2024-05-01T23:59:61Z",
        "2024-05-01T12:00:60Z",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-05-00T00:00:00Z",
        "24-05-01T00:00:00Z",
        "12024-05-01T00:00:00Z",
        "2024-5-1T00:00:00Z",
        "2024-05-01T00:00:00+24:00",
        "2024-05-01T00:00:00+02:60",
        "2024-05-01T00:00:00+0200",
        "2024-05-01T00:00:00+02",
        "2024-05-01T00:00:00.Z",
        "2024-05-01T00:00:00,5Z",
        "2024-05-01T00:00:00Z ",
        " 2024-05-01T00:00:00Z",
        "2024-05-01T00:00:00Z\n",
        "٢٠٢٤-05-01T00:00:00Z",
        "2024-05-01T00:00:00." + "1" * 1_000 + "Z",
        "",
        "now",
    ],
)
def test_what_is_no_date_time_with_an_offset_is_refused(text: str) -> None:
    """ent:N3."""
    assert read_instant(text) is None


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("2024-06-13T11:21:23.356Z", "2024-06-13T13:21:23.356+02:00"),
        ("2019-02-23T16:30:00Z", "2019-02-23T17:30:00+01:00"),
        ("2024-06-13T11:21:23z", "2024-06-13t11:21:23-00:00"),
        ("2024-06-13T11:21:23.5Z", "2024-06-13T11:21:23.500000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T15:59:60-08:00", "2017-01-01T00:00:00Z"),
        ("0000-12-31T23:59:59Z", "0001-01-01T00:59:59+01:00"),
        ("0000-02-29T00:00:00Z", "0000-02-28T23:00:00-01:00"),
    ],
)
def test_one_instant_in_two_spellings_is_the_same(left: str, right: str) -> None:
    """ent:N3: compared as instants."""
    assert read_instant(left) is not None
    assert read_instant(left) == read_instant(right)


@given(st.datetimes(timezones=OFFSETS))
def test_an_instant_is_that_of_the_standard_library(instant: datetime) -> None:
    text = instant.isoformat()
    delta = instant.replace(tzinfo=UTC) - EPOCH - (instant.utcoffset() or timedelta())
    assert read_instant(text) == delta // timedelta(microseconds=1)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_what_is_written_reads_back(now_ms: int) -> None:
    text = write_instant(now_ms)
    assert len(text) == len("2024-05-02T08:15:30.120Z")
    assert text.endswith("Z")
    assert read_instant(text) == now_ms * 1_000


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert read_instant(text) is None or isinstance(read_instant(text), int)
