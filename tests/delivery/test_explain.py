"""Explanations of decisions: they tell what `decide` does, and show the values it saw."""

import json
from typing import Any

import pytest

from gateway.delivery.artifact import Artifact, load_artifact
from gateway.delivery.context import Scope
from gateway.delivery.decide import Case, decide
from gateway.delivery.explain import describe, explain, write
from gateway.delivery.model import DeliveryRequest
from gateway.delivery.plan import list_items
from tests.delivery.decisions import NOW_MS, VISITOR, make_artifact, read_request
from tests.delivery.test_conformance import CASES, FOLDER, drop_nulls

BODY: dict[str, Any] = {
    "context": {"channel": "web", "address": {"url": "https://www.shop.example/cart?x=1"}},
    "execute": {"mboxes": [{"index": 1, "name": "hero", "parameters": {"tier": "gold", "visits": 3}}]},
}


def open_case(request: DeliveryRequest, token: str = "") -> Case:
    return Case("demo", request.context, VISITOR, NOW_MS, lambda: "id", token)


def open_scope() -> Scope:
    request, body = read_request(BODY)
    scope = Scope(request.context, "targettesting", VISITOR, NOW_MS)
    scope.enter(list_items(request, body)[0].details)
    scope.activity_id = 125880
    return scope


WRITTEN: list[tuple[Any, str]] = [
    (True, "true"),
    ({"==": [{"var": "mbox.tier"}, "gold"]}, 'mbox.tier ["gold"] == "gold"'),
    ({"<=": [0, {"var": "allocation"}, 50]}, "0 <= allocation [0.48] <= 50"),
    ({"in": [{"var": "page.path"}, ["/cart", "/pay"]]}, 'page.path ["/cart"] in ["/cart","/pay"]'),
    ({"var": "geo.city"}, "geo.city [absent]"),
    ({"var": ["geo.city", "nowhere"]}, 'geo.city ["nowhere"]'),
    ({"var": "weather.rain"}, "weather.rain [no such thing]"),
    ({"substr": [{"var": "mbox.tier"}, 0, 2]}, 'substr(mbox.tier ["gold"], 0, 2)'),
    ({"some": [[1, 2], {"==": [{"var": ""}, 2]}]}, "some([1,2], everything == 2)"),
    ({"==": [{"var": "mbox.tier"}, "x" * 200]}, 'mbox.tier ["gold"] == "' + "x" * 78 + "…"),
]


@pytest.mark.parametrize(("condition", "expected"), WRITTEN, ids=lambda value: str(value)[:40])
def test_a_condition_is_written_with_the_values_it_saw(condition: Any, expected: str) -> None:
    assert write(condition, open_scope()) == expected


def test_each_part_of_a_condition_has_its_own_truth_also_when_it_is_not_reached() -> None:
    condition = {
        "and": [{"==": [{"var": "mbox.tier"}, "silver"]}, {"!": {"or": [{"<": [{"var": "mbox.visits"}, 2]}, False]}}]
    }
    lines = [(part.depth, part.holds, part.text.partition(" [")[0]) for part in describe(condition, open_scope())]
    assert lines == [
        (0, False, "and"),
        (1, False, "mbox.tier"),
        (1, True, "not"),
        (2, False, "or"),
        (3, False, "mbox.visits"),
        (3, False, "false"),
    ]


def test_an_unknown_operator_is_shown_as_neither_true_nor_false() -> None:
    (part,) = describe({"starts_with": [{"var": "mbox.tier"}, "g"]}, open_scope())
    assert (part.holds, part.text) == (None, 'starts_with(mbox.tier ["gold"], "g")')


SHORT = {
    "mboxes": {
        "hero": [
            {"key": "1", "when": False},
            {"key": "2", "properties": ["other"]},
            {"key": "3"},
            {"key": "4"},
        ],
        "target-global-mbox": [{"key": "5"}, {"key": "5"}, {"key": "6", "when": False}, {"key": "7"}],
    }
}
VERDICTS = {
    "hero": ["not matched", "other property", "matched", "not asked"],
    "target-global-mbox": ["matched", "not asked", "not matched", "matched"],
}


@pytest.mark.parametrize("name", VERDICTS)
def test_every_rule_of_an_mbox_has_its_verdict(name: str) -> None:
    """on-device §10.2, §10.3."""
    request, body = read_request({"execute": {"mboxes": [{"name": name}]}})
    (found,) = explain(make_artifact(SHORT), open_case(request), list_items(request, body))
    assert [story.verdict for story in found.stories] == VERDICTS[name]


def test_an_mbox_without_rules_has_no_stories() -> None:
    request, body = read_request({"execute": {"mboxes": [{"name": "nobody"}]}})
    (found,) = explain(make_artifact(SHORT), open_case(request), list_items(request, body))
    assert (found.name, list(found.stories)) == ("nobody", [])


def count_matches(artifact: Artifact, case: Case, items: list[Any]) -> list[int]:
    return [sum(story.verdict == "matched" for story in found.stories) for found in explain(artifact, case, items)]


@pytest.mark.parametrize(("suite", "case"), CASES)
def test_an_explanation_tells_of_a_match_exactly_where_there_is_a_decision(suite: Any, case: Any) -> None:
    raw = json.loads((FOLDER / "artifacts" / f"{case.get('artifact') or suite['artifact']}.json").read_bytes())
    artifact = load_artifact(raw)
    request, body = read_request(drop_nulls(case["input"]["request"]))
    items = list_items(request, body)
    opened = open_case(request, request.property.token if request.property else "")
    decided = decide(artifact, opened, items)
    for item, results, matches in zip(items, decided.results, count_matches(artifact, opened, items), strict=True):
        if item.kind == "mboxes":
            assert len([result for result in results if "options" in result]) == matches
        else:
            shown = any(result.get("options") for result in results)
            assert bool(matches) or not shown
