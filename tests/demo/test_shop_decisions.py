"""What the shop's artifact decides: the table that the demonstration promises (spec/on-device-decisioning.md §10)."""

from datetime import UTC, datetime

import msgspec
import pytest

from gateway.delivery.artifact import read_artifact as load
from gateway.delivery.decide import Case, decide
from gateway.delivery.model import DeliveryRequest
from gateway.delivery.plan import list_items
from gateway.demo.assets import read_artifact

ARTIFACT = load(read_artifact())
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
OLD = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0)"
MEMBERS = "7f3c1e52-9a40-4d0b-8b1e-5c2d6f0a9e11"
FRIDAY_NIGHT = datetime(2026, 2, 6, 21, 30, tzinfo=UTC)
MONDAY = datetime(2026, 2, 2, 9, 0, tzinfo=UTC)
LAST_YEAR = datetime(2025, 6, 1, tzinfo=UTC)
BLACK_FRIDAY = datetime(2025, 11, 28, 12, 0, tzinfo=UTC)


def answer(name, parameters=None, *, context=None, at=MONDAY, visitor="v1", token=""):
    mbox = {"index": 1, "name": name, "parameters": parameters or {}}
    body = {"context": {"channel": "web", **(context or {})}, "execute": {"mboxes": [mbox]}}
    request = msgspec.convert(body, DeliveryRequest)
    now = int(at.timestamp() * 1000)
    case = Case("demo", request.context, visitor, now, lambda: "id", property_token=token)
    return decide(ARTIFACT, case, list_items(request, body)).results[0]


def content(*args, **kwargs):
    options = answer(*args, **kwargs)[0].get("options")
    return options[0]["content"] if options else None


@pytest.mark.parametrize(
    ("expected", "name", "parameters", "more"),
    [
        ("Your gold preview is open", "homepage-hero", {"tier": "Gold"}, {}),
        ("Free shipping in Switzerland", "shipping-banner", {}, {"context": {"geo": {"countryCode": "CH"}}}),
        ("Free shipping in the US", "shipping-banner", {}, {"context": {"geo": {"countryCode": "US"}}}),
        ("We ship worldwide", "shipping-banner", {}, {}),
        ("20 % off until midnight", "night-sale", {}, {"at": FRIDAY_NIGHT}),
        ("next night sale", "night-sale", {}, {"at": MONDAY}),
        ("None", "night-sale", {}, {"at": LAST_YEAR}),
        ("Welcome back, Ada", "welcome", {"user": "Ada"}, {}),
        ('data-mbox="welcome" data-activity="210006"', "welcome", {"user": "Ada"}, {}),
        ("Chrome menu", "browser-note", {}, {"context": {"userAgent": CHROME}}),
        ("None", "browser-note", {}, {"context": {"userAgent": "curl/8.0"}}),
        ("Members save 5 %", "member-teaser", {}, {"token": MEMBERS}),
        ("None", "member-teaser", {}, {}),
        ("HELLO10", "mixed-promo", {"source": "newsletter"}, {}),
        ("None", "mixed-promo", {}, {}),
        ("platinum", "benchmark-hero", {"tier": "platinum"}, {}),
        ("sale", "benchmark-hero", {}, {"context": {"address": {"url": "https://shop.example/sale/mugs"}}}),
        ("plain", "benchmark-hero", {}, {"context": {"userAgent": OLD}}),
        ("black-friday", "benchmark-hero", {}, {"at": BLACK_FRIDAY}),
    ],
)
def test_an_mbox_shows_what_the_audience_asks_for(expected, name, parameters, more):
    assert expected in str(content(name, parameters, **more))


@pytest.mark.parametrize(
    ("name", "first", "share"),
    [("homepage-hero", "dict", 50), ("new-checkout", "True", 30), ("benchmark-hero", "a", 50)],
)
def test_a_split_gives_each_side_its_share_of_visitors(name, first, share):
    def side(shown):
        return type(shown).__name__ if name == "homepage-hero" else str(next(iter(shown.values())))

    shown = [side(content(name, visitor=f"visitor-{number}")) for number in range(2000)]
    assert abs(shown.count(first) / 20 - share) < 5
    assert len(set(shown)) == 2


def test_the_global_mbox_shows_both_activities():
    assert {len(answer("target-global-mbox", visitor=f"v{number}")) for number in range(5)} == {2}
