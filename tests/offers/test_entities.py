"""Valid and invalid instances of every built-in type (entities §2 to §10), as data."""

import json
from typing import Any

import pytest
from jsonpointer import resolve_pointer

from gateway.offers.repository import create, settle
from tests.offers.stage import EXAMPLES, REGISTRY, WORLD, body, cases, draft, edit, faults_of, inside, name_faults

SCHEMAS = {case["id"]: case["schema"] for case in cases("examples.toml")}
VALID = cases("valid.toml")
INVALID = cases("invalid.toml")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_valid_in_their_order_of_construction(name: str) -> None:
    """repo:K1; entities §11: a fixture in this order never hits a reference error."""
    assert faults_of(create(REGISTRY, draft(SCHEMAS[name]), body(EXAMPLES[name]))) == []


@pytest.mark.parametrize("case", VALID, ids=[case["id"] for case in VALID])
def test_a_valid_instance_is_stored_as_sent(case: dict[str, Any]) -> None:
    """repo:K1; what is not listed survives unchanged, defaults are there."""
    sent = edit(EXAMPLES[case["on"]], case)
    proposal = create(REGISTRY, draft(SCHEMAS[case["on"]]), body(sent))
    assert faults_of(proposal) == []
    shown = inside(settle(REGISTRY, proposal, WORLD))
    assert shown.items() >= sent.items()
    for pointer, text in case.get("shows", {}).items():
        assert json.dumps(resolve_pointer(shown, pointer)) == json.dumps(json.loads(text))


@pytest.mark.parametrize("case", INVALID, ids=[case["id"] for case in INVALID])
def test_an_invalid_instance_is_refused_with_every_fault(case: dict[str, Any]) -> None:
    """repo:K6, K7, K8; a code and a pointer for each."""
    sent = edit(EXAMPLES[case["on"]], case)
    faults = faults_of(create(REGISTRY, draft(SCHEMAS[case["on"]]), body(sent)))
    assert name_faults(faults) == sorted(case["expect"])
    assert all(fault.detail for fault in faults)


def test_a_rule_error_says_where_it_is() -> None:
    """ent:X3, ER1: position from 0, line and column from 1, an excerpt with a caret."""
    instance = {**EXAMPLES["rule"], "xdm:condition": {**EXAMPLES["rule"]["xdm:condition"], "xdm:value": "a =\n  "}}
    (fault,) = faults_of(create(REGISTRY, draft("eligibility-rule"), body(instance)))
    place = fault.place
    assert place is not None
    assert (place["position"], place["line"], place["column"]) == (6, 2, 3)
    assert "^" in str(place["excerpt"])


def test_a_rule_may_be_15360_bytes_long_and_no_longer() -> None:
    """ent:X4, ER1: bytes of UTF-8 count."""
    for text, codes in ((f'a = "{"é" * 7_677}"', []), (f'a = "{"é" * 7_678}"', ["pql-too-large"])):
        condition = {"xdm:type": "PQL", "xdm:format": "pql/text", "xdm:value": text}
        sent = {"xdm:name": "n", "xdm:condition": condition}
        faults = faults_of(create(REGISTRY, draft("eligibility-rule"), body(sent)))
        assert [fault.code for fault in faults] == codes


def test_of_a_very_large_instance_the_schema_names_its_first_fault() -> None:
    """repo:K6 lists all of them up to 5,000 values; the other checks go on beyond."""
    sent = {"xdm:name": "n", "xdm:tags": [7] * 4_000, "xdm:foo": 1}
    assert len(faults_of(create(REGISTRY, draft("fallback-offer"), body(sent)))) == 1_000
    faults = name_faults(faults_of(create(REGISTRY, draft("fallback-offer"), body({**sent, "xdm:tags": [7] * 6_000}))))
    assert faults == ["additional-property /_instance/xdm:foo", "type /_instance/xdm:tags/0"]
