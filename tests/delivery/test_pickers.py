"""Pickers give what the closures of the rules give, one after the other."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.delivery import pickers
from gateway.delivery.conditions import UnknownOperator, compile_condition
from gateway.delivery.pickers import MOST_RULES, OFTEN, Pickers, make_picker
from tests.delivery.test_conditions import Request, nested, requests, rules

RANGES = [
    {"and": [{"<=": [0, {"var": "allocation"}]}, {">=": [12, {"var": "allocation"}]}]},
    {"and": [{"<": [12, {"var": "allocation"}]}, {">=": [100, {"var": "allocation"}]}]},
]


class Rule:
    """A rule with what a picker reads of it."""

    def __init__(self, condition: Any, properties: list[str] | None = None, number: int = 1) -> None:
        self.condition = condition
        self.properties = None if properties is None else frozenset(properties)
        self.activity_id = number
        self.test = compile_condition(condition)


def pick_slowly(listed: list[Rule], scope: Any, token: str) -> int:
    """Give what a picker must give."""
    for place, rule in enumerate(listed):
        if rule.properties is None or token in rule.properties:
            scope.activity_id = rule.activity_id
            if rule.test(scope):
                return place
    return -1


limits = st.none() | st.lists(st.sampled_from(["p1", "p2"]), max_size=2)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(rules, limits), max_size=5), requests, st.sampled_from(["", "p1"]))
@example([(rule, None) for rule in RANGES], {}, "")
@example([({"and": [{"==": [{"var": "mbox.a"}, 1]}, {"!=": [{"var": "mbox.a"}, 2]}]}, None)], {"mbox": {"a": 1}}, "")
@example([({"or": [{"in": ["b", {"var": "mbox.a"}]}, {"<": [1, {"var": "mbox.a"}, 9]}]}, None)], {"mbox": {"a": 5}}, "")
@example([({"and": [[]]}, None), ({"==": [{"var": "mbox"}, "x"]}, None)], {}, "")
def test_a_picker_finds_the_rule_the_closures_find(
    made: list[tuple[Any, list[str] | None]], members: dict[str, Any], token: str
) -> None:
    """on-device §10.2: the first satisfied rule, property tokens heeded."""
    listed = [Rule(condition, properties, number) for number, (condition, properties) in enumerate(made)]
    picker = make_picker(listed)
    assert picker is not None
    fast, slow = Request(activity_id=0, **members), Request(activity_id=0, **members)
    assert picker(fast, token) == pick_slowly(listed, slow, token)
    assert fast.activity_id == slow.activity_id


def test_texts_of_the_artifact_never_become_code() -> None:
    """Whatever a path or a constant says, it is bound by name."""
    hostile = '"])); import os  # {v} \\'
    listed = [
        Rule({"==": [{"var": ["mbox." + hostile, hostile]}, hostile]}, [hostile]),
        Rule({"in": [hostile, {"var": "page." + hostile}]}),
        Rule({"==": [{"var": hostile}, hostile]}),
    ]
    picker = make_picker(listed)
    assert picker is not None
    assert picker(Request(), hostile) == 0
    assert picker(Request(), "") == -1
    assert picker(Request(page={hostile: "x" + hostile}), "") == 1


def test_each_activity_has_an_allocation_of_its_own() -> None:
    class Allocating(Request):
        activity_id = 0
        allocation = property(lambda self: {1: 90.0, 2: 10.0}[self.activity_id])

    picker = make_picker([Rule(RANGES[0], number=1), Rule(RANGES[0], number=2)])
    assert picker is not None
    assert picker(Allocating(), "") == 1


def test_a_picker_is_made_when_an_mbox_has_been_asked_for_often() -> None:
    found = Pickers()
    listed = [Rule(True)]
    assert [found.find("hero", listed) for _ in range(OFTEN - 1)] == [None] * (OFTEN - 1)
    made = found.find("hero", listed)
    assert made is not None
    assert found.find("hero", listed) is made
    assert found.find("other", listed) is None


def test_very_many_rules_stay_closures_and_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found, listed = Pickers(), [Rule(True)] * (MOST_RULES + 1)
    assert [found.find("hero", listed) for _ in range(OFTEN + 1)] == [None] * (OFTEN + 1)
    monkeypatch.setattr(pickers, "make_picker", None)
    assert found.find("hero", listed) is None


def test_a_large_or_unknown_condition_is_called_as_the_closure_it_is() -> None:
    deep = Rule(nested(60))
    unknown = Rule(True)
    unknown.condition = {"nope": [1]}
    unknown.test = lambda _: False
    with pytest.raises(UnknownOperator):
        compile_condition(unknown.condition)
    picker = make_picker([unknown, deep])
    assert picker is not None
    assert picker(Request(), "") == (1 if deep.test(Request()) else -1)
