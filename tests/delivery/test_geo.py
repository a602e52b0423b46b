"""When a place is looked up and what is learnt (spec on-device-decisioning §6.2, §6.3)."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.geo import CALLER, find_address, is_address, merge_geo
from gateway.delivery.model import Context, Geo

VALID = ["1.2.3.4", " 1.2.3.4 ", "::1", "2001:db8::1", "fe80::1%eth0", "\t203.0.113.9\n"]
INVALID = [
    "",
    " ",
    "300.1.1.1",
    "1.2.3",
    "1.2.3.4.5",
    "localhost",
    "1.2.3.4:80",
    "[::1]",
    "1.2.3.4, 5.6.7.8",
    "%eth0",
    "unknown",
    "0x7f.1",
]


def make_context(**geo: Any) -> Context:
    return msgspec.convert({"geo": geo}, Context)


@pytest.mark.parametrize("text", VALID)
def test_an_address_is_ipv4_or_ipv6_with_blanks_and_a_zone_allowed(text: str) -> None:
    """delivery-api §6.7."""
    assert is_address(text)
    assert find_address(make_context(ipAddress=text)) == text.strip()


@pytest.mark.parametrize("text", INVALID)
def test_anything_else_is_not_looked_up(text: str) -> None:
    assert not is_address(text)
    assert find_address(make_context(ipAddress=text)) is None


@pytest.mark.parametrize(
    "known", [{"latitude": 0}, {"longitude": 1.5}, {"countryCode": "CH"}, {"stateCode": "ZH"}, {"city": ""}], ids=str
)
def test_nothing_is_looked_up_when_anything_is_known(known: dict[str, Any]) -> None:
    """on-device §6.2."""
    assert find_address(make_context(ipAddress="1.2.3.4", **known)) is None


def test_null_members_and_a_zip_are_no_place() -> None:
    assert find_address(make_context(ipAddress="1.2.3.4", latitude=None, city=None, zip="8000")) == "1.2.3.4"


def test_the_marker_asks_for_the_callers_own_place() -> None:
    assert find_address(make_context(ipAddress="unknownIpAddress")) == CALLER == "unknownIpAddress"
    assert find_address(msgspec.convert({}, Context)) is None
    assert find_address(make_context()) is None


def test_an_answer_is_merged_with_its_conversions() -> None:
    """on-device §6.3: values are texts or numbers, coordinates become numbers, present values are overwritten."""
    found = {
        "x-forwarded-for": "5.6.7.8",
        "x-geo-latitude": "47.37",
        "x-geo-longitude": 8,
        "x-geo-country-code": "CH",
        "x-geo-region-code": "ZH",
        "x-geo-city": "ZURICH",
        "x-other": 1,
    }
    geo = merge_geo(make_context(ipAddress="1.2.3.4", zip="8000"), found).geo
    assert geo == Geo(
        ip_address="5.6.7.8",
        latitude=47.37,
        longitude=8.0,
        country_code="CH",
        state_code="ZH",
        city="ZURICH",
        zip="8000",
    )


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"x-geo-city": None},
        {"x-geo-latitude": "north"},
        {"x-geo-latitude": ""},
        {"x-geo-latitude": True},
        {"x-geo-city": []},
        {"x-geo-city": {"a": 1}},
    ],
    ids=str,
)
def test_what_is_missing_or_not_of_its_kind_changes_nothing(found: dict[str, Any]) -> None:
    context = make_context(ipAddress="1.2.3.4")
    assert merge_geo(context, found) == context


@pytest.mark.parametrize(
    "value", ["nan", "NaN", "inf", "-Infinity", "1e999", 10**400, "9" * 5000], ids=lambda value: str(value)[:12]
)
def test_a_coordinate_beyond_all_numbers_says_nothing(value: Any) -> None:
    """A look-up never fails a decision (§6.3), and JSON has no name for these."""
    context = make_context(ipAddress="1.2.3.4")
    assert merge_geo(context, {"x-geo-latitude": value}) == context


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
)
NAMES = [
    "x-forwarded-for",
    "x-geo-latitude",
    "x-geo-longitude",
    "x-geo-country-code",
    "x-geo-region-code",
    "x-geo-city",
]


@given(st.dictionaries(st.sampled_from(NAMES), anything))
def test_no_answer_raises_and_the_callers_context_is_not_changed(found: dict[str, Any]) -> None:
    context = make_context(ipAddress="1.2.3.4")
    merged = merge_geo(context, found)
    assert context == make_context(ipAddress="1.2.3.4")
    assert merged.geo is not None
    for value in (merged.geo.latitude, merged.geo.longitude):
        assert value is None or isinstance(value, float)
