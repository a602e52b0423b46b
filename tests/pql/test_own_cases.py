"""Cases of our own: literals, keywords, paths, null, comparison, arithmetic, functions, queries, time, context."""

import json
import tomllib
from typing import Any

import pytest

from gateway import pql
from gateway.pql.library import FUNCTIONS
from tests.pql.cases import DATA, FOLDER, NOW, cases, facts

OWN = cases("pql-own.toml")
PROFILES = {
    name: json.loads(text) for name, text in tomllib.loads((FOLDER / "pql-own.toml").read_text())["data"].items()
}


def facts_of(case: dict[str, Any]) -> pql.Facts:
    """Give the facts of a case: a fixture, a shared profile or one of its own."""
    if "data" not in case and "profile" not in case:
        return facts(case.get("fixture", "A"))
    profile = PROFILES[case["data"]] if "data" in case else json.loads(case["profile"])
    events = [] if "profile" in case else DATA["events"]
    return pql.Facts(now=NOW, profile=profile, events=events)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in OWN])
def test_an_expression_has_the_value_written_down(case: dict[str, Any]) -> None:
    outcome = pql.compile(case["rule"]).evaluate(facts_of(case))
    if case.get("fault"):
        assert outcome.fault is not None
        assert outcome.fault.code == "rule-error"
    else:
        assert outcome.fault is None
        expected = json.loads(case["value"])
        assert outcome.value == expected
        assert type(outcome.value) is type(expected)


def test_every_function_has_cases() -> None:
    rules = " ".join(case["rule"].lower() for case in [*OWN, *cases("pql.toml")])
    assert [name for name in FUNCTIONS if f"{name}(" not in rules.replace(" (", "(")] == []
