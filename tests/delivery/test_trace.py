"""Traces (spec on-device-decisioning §12)."""

import copy
from typing import Any

import pytest

from gateway.delivery.trace import describe_visitor
from tests.delivery.decisions import FACTS, NOW_MS, decide_body, make_artifact

META = {"activity.type": "landing", "experience.id": 2, "offer.id": 30, "audience.ids": [5, 5, 6]}
NO = {"==": [{"var": "mbox.k"}, "no"]}
ARTIFACT = make_artifact(
    {
        "globalMbox": "global",
        "mboxes": {
            "hero": [
                {"key": "1", "when": NO, "options": [], "meta": META | {"audience.ids": [7]}},
                {"key": "1", "options": [{"type": "html", "content": "x", "eventToken": "t"}], "meta": META},
            ],
            "other": [
                {"key": "2", "options": [{"eventToken": "u"}], "meta": {"activity.type": "ab", "audience.ids": []}}
            ],
            "never": [{"key": "3", "when": NO, "options": [], "meta": {"audience.ids": [8]}}],
            "bound": [{"key": "4", "properties": ["p"], "options": []}],
            "global": [
                {"key": "5", "options": []},
                {"key": "6", "options": []},
                {"key": "7", "when": NO, "options": []},
            ],
        },
        "views": {"home": [{"key": "8", "options": []}, {"key": "9", "options": []}]},
    }
)


def traces(body: dict[str, Any], part: str = "execute") -> list[Any]:
    """Give the trace of each mbox element of one part."""
    decided = decide_body(ARTIFACT, body, trace=FACTS)
    return [element["trace"] for element in decided.response[part]["mboxes"]]


def ask(*names: str, part: str = "execute") -> dict[str, Any]:
    return {part: {"mboxes": [{"index": at, "name": name} for at, name in enumerate(names)]}}


def test_a_trace_has_exactly_the_members_of_the_specification() -> None:
    body = ask("hero") | {"context": {"channel": "web", "address": {"url": "http://shop.example:8080/p"}}}
    (trace,) = traces(body)
    context = trace["evaluatedCampaignTargets"][0].pop("context")
    assert trace == {
        "clientCode": "demo",
        "artifact": FACTS.artifact,
        "profile": {"visitorId": FACTS.visitor_id},
        "request": {
            "sessionId": "s1",
            "pageURL": "http://shop.example:8080/p",
            "host": "shop.example",
            "mbox": {"index": 0, "name": "hero", "type": "execute"},
        },
        "campaigns": [
            {
                "id": 1,
                "campaignType": "landing",
                "branchId": 2,
                "offers": [30],
                "environment": "production",
                "notifications": [
                    {
                        "id": "id1",
                        "impressionId": "id2",
                        "timestamp": NOW_MS,
                        "type": "display",
                        "mbox": {"name": "hero"},
                        "tokens": ["t"],
                    }
                ],
            }
        ],
        "evaluatedCampaignTargets": [
            {
                "campaignId": 1,
                "campaignType": "landing",
                "matchedSegmentIds": [5, 6],
                "unmatchedSegmentIds": [7],
                "matchedRuleConditions": [True],
                "unmatchedRuleConditions": [NO],
            }
        ],
    }
    assert set(context) == {
        "current_timestamp",
        "current_time",
        "current_day",
        "user",
        "page",
        "referring",
        "geo",
        "mbox",
        "allocation",
    }


def test_a_prefetched_item_has_no_notifications_in_its_trace() -> None:
    (trace,) = traces(ask("hero", part="prefetch"), "prefetch")
    assert "notifications" not in trace["campaigns"][0]
    assert trace["request"]["mbox"]["type"] == "prefetch"


def test_an_activity_without_an_offer_or_a_token_has_empty_lists() -> None:
    (trace,) = traces(ask("global"))[:1]
    assert (trace["campaigns"][0]["offers"], trace["campaigns"][0]["notifications"]) == ([], [])


def test_the_element_without_a_match_is_traced_and_an_unbound_rule_is_not_evaluated() -> None:
    """on-device §12, §10.2."""
    never, bound = traces(ask("never", "bound"))
    assert never["campaigns"] == []
    assert [target["campaignId"] for target in never["evaluatedCampaignTargets"]] == [3]
    assert bound["evaluatedCampaignTargets"] == never["evaluatedCampaignTargets"]


def test_later_items_show_what_was_evaluated_for_earlier_ones_of_their_mode_only() -> None:
    body = ask("hero", "never", "other") | ask("other", part="prefetch")
    first, second, third = traces(body)
    ids = [[target["campaignId"] for target in trace["evaluatedCampaignTargets"]] for trace in (first, second, third)]
    assert ids == [[1], [1, 3], [1, 3, 2]]
    assert [[campaign["id"] for campaign in trace["campaigns"]] for trace in (first, second, third)] == [
        [1],
        [1],
        [1, 2],
    ]
    (prefetched,) = traces(body, "prefetch")
    assert [target["campaignId"] for target in prefetched["evaluatedCampaignTargets"]] == [2]


def test_an_activity_evaluated_again_adds_to_its_entry_and_keeps_its_first_context() -> None:
    mboxes = [{"name": "hero", "parameters": {"k": "first"}}, {"name": "hero", "parameters": {"k": "no"}}]
    _, second = traces({"execute": {"mboxes": mboxes}})
    (target,) = second["evaluatedCampaignTargets"]
    assert target["context"]["mbox"]["k"] == "first"
    assert target["unmatchedRuleConditions"] == [NO]
    assert target["matchedRuleConditions"] == [True, NO]
    assert (target["matchedSegmentIds"], target["unmatchedSegmentIds"]) == ([5, 6, 7], [7])
    assert len(second["campaigns"]) == 1


def test_each_element_is_a_snapshot_of_its_own() -> None:
    """on-device §12, BUG line: no list is shared between the elements."""
    names = ["hero", "never", "hero", "global", "never", "other"]
    decided = decide_body(ARTIFACT, ask(*names) | {"prefetch": {"views": [{}, {"name": "home"}]}}, trace=FACTS)
    elements = decided.response["execute"]["mboxes"] + decided.response["prefetch"]["views"]
    shared = [
        id(entry[name])
        for e in elements
        for kind in ("campaigns", "evaluatedCampaignTargets")
        for entry in e["trace"][kind]
        for name in entry
        if isinstance(entry[name], list)
    ]
    assert len(shared) == len(set(shared))
    kept = copy.deepcopy(elements[0]["trace"])
    elements[1]["trace"]["evaluatedCampaignTargets"][0]["matchedRuleConditions"].append("changed")
    assert elements[0]["trace"] == kept


def test_the_prefix_of_a_request_is_traced_as_if_it_were_alone() -> None:
    whole = traces(ask("hero", "never", "global", "other"))
    assert traces(ask("hero", "never"))[:2] == whole[:2]


def test_a_page_load_bears_the_trace_of_its_last_satisfied_rule_as_an_mbox() -> None:
    """on-device §10.5, §12: a rule evaluated after it is not in it."""
    found = decide_body(ARTIFACT, {"execute": {"pageLoad": {"parameters": {"a": "b"}}}}, trace=FACTS).response[
        "execute"
    ]["pageLoad"]
    assert set(found) == {"options", "trace"}
    assert found["trace"]["request"]["mbox"] == {"name": "global", "type": "execute", "parameters": {"a": "b"}}
    assert [campaign["id"] for campaign in found["trace"]["campaigns"]] == [5, 6]
    assert [target["campaignId"] for target in found["trace"]["evaluatedCampaignTargets"]] == [5, 6]


def test_a_page_load_without_a_match_has_no_trace() -> None:
    empty = make_artifact({"mboxes": {"target-global-mbox": [{"key": "1", "when": False, "options": []}]}})
    assert decide_body(empty, {"execute": {"pageLoad": {}}}, trace=FACTS).response["execute"]["pageLoad"] == {
        "options": []
    }


def test_a_view_keeps_the_trace_of_its_first_rule_and_is_named_view() -> None:
    """on-device §10.4."""
    (view,) = decide_body(ARTIFACT, {"prefetch": {"views": [{"name": "home", "key": "k"}]}}, trace=FACTS).response[
        "prefetch"
    ]["views"]
    assert view["trace"]["request"]["view"] == {"name": "home", "key": "k", "type": "prefetch"}
    assert "mbox" not in view["trace"]["request"]
    assert [campaign["id"] for campaign in view["trace"]["campaigns"]] == [8]


def test_without_a_session_id_none_is_shown() -> None:
    facts = type(FACTS)(FACTS.client, FACTS.artifact, FACTS.visitor_id, "", FACTS.environment)
    decided = decide_body(ARTIFACT, ask("hero"), trace=facts)
    assert "sessionId" not in decided.response["execute"]["mboxes"][0]["trace"]["request"]


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        ({}, {}),
        ({"tntId": "a"}, {"tntId": "a"}),
        ({"tntId": "a.35_0"}, {"tntId": "a", "profileLocation": "35_0"}),
        ({"tntId": "a.b.c"}, {"tntId": "a", "profileLocation": "b.c"}),
        ({"tntId": "a."}, {"tntId": "a"}),
        ({"tntId": None, "thirdPartyId": "x", "customerIds": []}, {"thirdPartyId": "x", "customerIds": []}),
    ],
    ids=str,
)
def test_a_device_id_is_shown_apart_from_its_profile_location(identity: dict[str, Any], shown: dict[str, Any]) -> None:
    assert describe_visitor(identity) == shown
