"""What a condition may see (spec on-device-decisioning §7)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.context import Moment, Scope
from gateway.delivery.model import Context, RequestDetails

SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/13.1.1 Safari/605.1.15"
)


def make_scope(context: dict[str, Any] | None = None, now_ms: int = 0) -> Scope:
    return Scope(msgspec.convert(context or {}, Context), "demo", "visitor", now_ms)


def make_item(**members: Any) -> RequestDetails:
    return msgspec.convert(members, RequestDetails)


def test_the_timing_of_the_specification() -> None:
    """on-device §16."""
    scope = make_scope(now_ms=1_585_180_800_000)
    assert (scope.current_timestamp, scope.current_time, scope.current_day) == (1585180800000, "0000", 4)


@given(st.integers(0, 253_370_764_799_999))
def test_a_moment_is_the_calendars(now_ms: int) -> None:
    """on-device §7: UTC, 1 = Monday."""
    moment = Moment(now_ms)
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=now_ms)
    assert (moment.time, moment.day) == (instant.strftime("%H%M"), instant.isoweekday())


def test_everything_at_once() -> None:
    """on-device §7: every path; unknown geo values are absent, known ones unchanged."""
    context = {
        "userAgent": SAFARI,
        "address": {"url": "https://www.shop.example.co.uk/A?q=1#f", "referringUrl": "https://news.example.com/B"},
        "geo": {"countryCode": "us", "stateCode": "Ca", "city": "San José", "latitude": 1.5, "longitude": 0},
    }
    scope = make_scope(context, now_ms=1_585_180_800_000)
    scope.enter(make_item(parameters={"a.b": "X"}))
    scope.activity_id = 1
    whole = scope.whole()
    assert list(whole) == [
        "current_timestamp",
        "current_time",
        "current_day",
        "user",
        "page",
        "referring",
        "geo",
        "mbox",
        "allocation",
    ]
    assert whole["user"] == {"browserType": "safari", "browserVersion": 13, "platform": "mac", "locale": "en"}
    assert whole["geo"] == {"country": "us", "region": "Ca", "city": "San José", "latitude": 1.5, "longitude": 0}
    assert whole["mbox"] == {"a": {"b": "X", "b_lc": "x"}}
    assert (whole["page"]["domain"], whole["page"]["path_lc"], whole["referring"]["subdomain"]) == (
        "example.co.uk",
        "/a",
        "news",
    )
    assert 0 <= whole["allocation"] < 100


def test_without_anything_the_parts_are_empty() -> None:
    whole = make_scope().whole()
    assert whole["geo"] == {}
    assert whole["mbox"] == {}
    assert set(whole["page"].values()) == set(whole["referring"].values()) == {""}
    assert whole["user"] == {"browserType": "unknown", "browserVersion": -1, "platform": "unknown", "locale": "en"}


def test_client_hints_go_before_the_user_agent() -> None:
    """on-device §7.2 step 2: an empty full version is none, an empty platform is one."""
    hints = {"browserUAWithFullVersion": "", "browserUAWithMajorVersion": '"Microsoft Edge";v="101"', "platform": ""}
    user = make_scope({"userAgent": SAFARI, "clientHints": hints}).user
    assert user == {"browserType": "edge", "browserVersion": 101, "platform": "", "locale": "en"}


PAGE = {"url": "https://a.example/page", "referringUrl": "https://a.example/from"}
OWN = {"url": "https://b.example/own", "referringUrl": "https://b.example/own-from"}


@pytest.mark.parametrize(
    ("address", "page", "referring"),
    [
        (OWN, "/own", "/own-from"),
        ({"url": OWN["url"]}, "/own", ""),
        ({"referringUrl": OWN["referringUrl"]}, "", "/own-from"),
        ({}, "", ""),
        (None, "/page", "/from"),
    ],
    ids=["both", "url only", "referrer only", "empty", "none"],
)
def test_an_items_address_replaces_page_and_referring_for_that_item_only(
    address: Any, page: str, referring: str
) -> None:
    """on-device §10.1, BUG line: `referring` comes from the item's referringUrl."""
    scope = make_scope({"address": PAGE})
    for _ in range(2):
        scope.enter(make_item(address=address))
        assert (scope.page["path"], scope.referring["path"]) == (page, referring)
        scope.enter(make_item())
        assert (scope.page["path"], scope.referring["path"]) == ("/page", "/from")


scalars = st.text(max_size=4) | st.integers(-5, 5) | st.booleans() | st.none()
parameters = st.dictionaries(
    st.sampled_from(["a", "a_lc", "a.b", "a.b.c", "b", "B", ".x", "x.", "a..b", "a_lc_lc"]), scalars, max_size=5
)


@given(
    st.lists(parameters | st.none(), min_size=1, max_size=4),
    st.sampled_from(["a", "a_lc", "b", "B_lc", ".x", "x.", "a..b", "a_lc_lc", "x"]),
)
def test_one_parameter_is_the_same_with_and_without_expanding_all(items: list[Any], name: str) -> None:
    """The short way to one parameter and the whole object give the same, from item to item."""
    short, whole = make_scope(), make_scope()
    for given_parameters in items:
        item = make_item(parameters=given_parameters)
        short.enter(item)
        whole.enter(item)
        assert short.parameter(name, "absent") == whole.mbox.get(name, "absent")


@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_the_allocation_follows_the_rule(first: int, second: int) -> None:
    """on-device §8: asked again it is the same, whatever was asked in between."""
    scope = make_scope()
    scope.activity_id = first
    before = scope.allocation
    scope.activity_id = second
    assert 0 <= scope.allocation < 100
    scope.activity_id = first
    assert scope.allocation == before


def test_a_copy_of_everything_is_not_changed_by_what_follows() -> None:
    scope = make_scope({"address": PAGE})
    scope.enter(make_item(parameters={"a": "1"}, address=OWN))
    whole = scope.whole()
    kept = msgspec.json.encode(whole)
    scope.enter(make_item(parameters={"a": "2"}))
    scope.activity_id = 9
    scope.whole()
    assert msgspec.json.encode(whole) == kept
