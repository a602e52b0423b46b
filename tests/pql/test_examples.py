"""The worked examples of the specification are data."""

import json
from typing import Any

import pytest

from gateway import pql
from tests.pql.cases import cases, facts

CASES = [pytest.param(case, id=str(case["id"])) for case in cases("pql.toml")]


@pytest.mark.parametrize("case", CASES)
def test_an_expression_has_the_value_written_down(case: dict[str, Any]) -> None:
    outcome = pql.compile(case["rule"]).evaluate(facts(case["fixture"]))
    assert outcome.fault is None
    if "count" in case:
        assert isinstance(outcome.value, list)
        assert len(outcome.value) == case["count"]
    else:
        expected = json.loads(case["value"])
        assert outcome.value == expected
        assert isinstance(outcome.value, bool) is isinstance(expected, bool)


@pytest.mark.parametrize("case", CASES)
def test_a_rule_reads_the_value_as_written_down(case: dict[str, Any]) -> None:
    """Spec pql 6.6: what is no boolean, list, object or null is a rule error, and not true."""
    verdict = pql.compile(case["rule"]).test(facts(case["fixture"]))
    assert verdict.holds is (case["holds"] is True)
    assert (verdict.fault is not None) is (case["holds"] == "error")
