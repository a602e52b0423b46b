"""The shop's artifact has the form of spec/on-device-decisioning.md §4 and shows each kind of rule."""

import msgspec
import pytest

from gateway.delivery.artifact import read_artifact as load
from gateway.demo.assets import read_artifact

RAW = read_artifact()
ARTIFACT = msgspec.json.decode(RAW)
MBOXES = ARTIFACT["rules"]["mboxes"]
VIEWS = ARTIFACT["rules"]["views"]
PLACES = [(kind, name) for kind, places in (("mboxes", MBOXES), ("views", VIEWS)) for name in places]
META = {
    "activity.id": int,
    "activity.name": str,
    "activity.type": str,
    "experience.id": int,
    "experience.name": str,
    "location.id": int,
    "location.name": str,
    "location.type": str,
    "audience.ids": list,
    "option.id": int,
}


def test_the_head_says_version_1_client_demo_and_geo():
    assert (ARTIFACT["version"], ARTIFACT["globalMbox"]) == ("1.0.0", "target-global-mbox")
    assert ARTIFACT["geoTargetingEnabled"] is True
    assert (ARTIFACT["meta"]["clientCode"], ARTIFACT["meta"]["environment"]) == ("demo", "production")


def test_what_is_listed_as_local_has_rules_and_the_other_way_round():
    assert ARTIFACT["localMboxes"] == list(MBOXES)
    assert ARTIFACT["localViews"] == list(VIEWS)
    assert set(ARTIFACT["remoteMboxes"]) & set(MBOXES) == {"mixed-promo"}
    assert ARTIFACT["remoteMboxes"][:2] == ["recommendations", "cart-upsell"]
    assert ARTIFACT["remoteViews"] == ["checkout"]


@pytest.mark.parametrize(("kind", "name"), PLACES)
def test_every_rule_has_what_the_schema_asks_for(kind, name):
    for rule in ARTIFACT["rules"][kind][name]:
        assert rule["ruleKey"].partition("-")[0] == str(rule["activityId"])
        assert rule["meta"]["activity.id"] == rule["activityId"]
        assert {key: type(rule["meta"].get(key)) for key in META} == META
        assert rule["condition"] is True or len(rule["condition"]) == 1
        assert rule["meta"]["location.name"] == name == rule["consequence"]["name"]
        for option in rule["consequence"]["options"]:
            assert option["eventToken"]
            assert set(option) in ({"eventToken"}, {"type", "content", "eventToken"})
        for metric in rule["consequence"]["metrics"]:
            assert set(metric) == {"type", "selector", "eventToken"}


def test_an_event_token_stands_for_one_option_only():
    options = [
        option["eventToken"]
        for kind, name in PLACES
        for rule in ARTIFACT["rules"][kind][name]
        for option in rule["consequence"]["options"]
    ]
    assert len(options) == len(set(options))


@pytest.mark.parametrize("name", ["homepage-hero", "new-checkout", "benchmark-hero", "target-global-mbox"])
def test_a_split_covers_every_visitor_once(name):
    """§4: ranges on allocation, the first from 0, each following from where the last ended, up to 100."""
    ranges = [rule["condition"]["and"] for rule in MBOXES[name] if "allocation" in str(rule["condition"])]
    ends = [[next(iter(bound.values()))[0] for bound in pair] for pair in ranges]
    assert [end[0] for end in ends] == [0, *(end[1] for end in ends[:-1])]
    assert ends[-1][1] == 100
    assert [next(iter(pair[0])) for pair in ranges] == ["<=", *["<"] * (len(ranges) - 1)]


def test_the_benchmark_mbox_has_six_rules_and_ends_with_the_split():
    rules = MBOXES["benchmark-hero"]
    read = [str(rule["condition"]) for rule in rules]
    kinds = ["mbox.tier", "page.path", "user.browserType", "current_timestamp", "allocation", "allocation"]
    assert [kind in text for kind, text in zip(kinds, read, strict=True)] == [True] * 6


def test_the_property_bound_activity_is_bound():
    assert [rule["propertyTokens"] for rule in MBOXES["member-teaser"]] == [["7f3c1e52-9a40-4d0b-8b1e-5c2d6f0a9e11"]]


def test_the_gateway_loads_it_without_a_fault():
    artifact = load(RAW)
    assert {name: len(rules) for name, rules in artifact.mboxes.items()} == {n: len(r) for n, r in MBOXES.items()}
    assert not artifact.faults
