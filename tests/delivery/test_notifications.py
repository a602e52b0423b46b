"""The background call that tells Target what was displayed (spec on-device §13, get-offers §15 point 4)."""

import copy
from typing import Any

import msgspec
import pytest

from gateway.delivery.geo import merge_geo
from gateway.delivery.model import Context
from gateway.delivery.notifications import make_notification_body

TOLD = [{"id": "n1", "type": "display", "timestamp": 1, "mbox": {"name": "hero"}, "tokens": ["t"]}]
IDENTITY = {"tntId": "a.35_0"}


def make_body(body: dict[str, Any], found: dict[str, Any] | None = None, told: Any = TOLD) -> dict[str, Any]:
    context = msgspec.convert(body["context"], Context)
    return make_notification_body(body, IDENTITY, merge_geo(context, found) if found else context, told)


def test_ids_circumstances_and_notifications_and_nothing_else() -> None:
    """get-offers §15 point 4: the same ids, property and SDID as the decided request."""
    carried = {
        "impressionId": "i1",
        "environmentId": 5,
        "property": {"token": "p"},
        "experienceCloud": {"analytics": {"supplementalDataId": "s" * 33}},
    }
    context = {"channel": "web", "address": {"url": "https://a.example/"}, "new": {"x": 1}}
    left = {
        "requestId": "r1",
        "id": {"tntId": "other"},
        "execute": {"mboxes": []},
        "prefetch": {},
        "telemetry": {},
        "notifications": [1],
    }
    assert (
        make_body({"context": context} | carried | left)
        == {"context": context, "id": IDENTITY, "notifications": TOLD} | carried
    )


def test_without_notifications_there_is_no_such_member() -> None:
    assert "notifications" not in make_body({"context": {"channel": "web"}}, told=[])


def test_a_beacon_is_none_in_the_background() -> None:
    """get-offers §13: the answer is read."""
    assert make_body({"context": {"channel": "web", "beacon": True}})["context"] == {"channel": "web"}


def test_what_was_looked_up_goes_along_with_the_callers_own_geo() -> None:
    """on-device §6.3: the prepared geo is part of the notification request."""
    geo = {"ipAddress": "203.0.113.9", "zip": "8000", "new": 1}
    sent = make_body({"context": {"channel": "web", "geo": geo}}, {"x-geo-city": "ZURICH", "x-geo-latitude": "47.5"})
    assert sent["context"]["geo"] == geo | {"city": "ZURICH", "latitude": 47.5}


@pytest.mark.parametrize(
    "geo", [{"ipAddress": "not an address", "city": "BERN"}, {"ipAddress": "300.1.1.1", "city": "BERN"}]
)
def test_an_address_that_is_none_is_left_out(geo: dict[str, Any]) -> None:
    """on-device §6.2: removed from the working copy, which the notification request takes (§6.3)."""
    assert make_body({"context": {"channel": "web", "geo": geo}})["context"]["geo"] == {"city": "BERN"}


def test_the_callers_body_is_not_changed() -> None:
    body = {
        "context": {"channel": "web", "beacon": True, "geo": {"ipAddress": "203.0.113.9"}},
        "property": {"token": "p"},
    }
    before = copy.deepcopy(body)
    make_body(body, {"x-geo-city": "ZURICH"})
    assert body == before


def test_a_null_geo_is_none() -> None:
    assert make_body({"context": {"channel": "web", "geo": None}})["context"].get("geo") is None
