"""JSON Patch on instances (repository §9.2), as data, and its limits."""

import json
from typing import Any

import pytest
from jsonpointer import resolve_pointer

from gateway.errors import Problem
from gateway.offers.instances import Change
from gateway.offers.repository import patch
from tests.offers.stage import (
    EXAMPLES,
    REGISTRY,
    WORLD,
    cases,
    draft,
    edit,
    faults_of,
    inside,
    make,
    patched,
    target,
)

CASES = cases("patches.toml")
SCHEMAS = {case["id"]: case["schema"] for case in cases("examples.toml")}


def base(case: dict[str, Any]) -> Change:
    digits = {case["id"]: case["digits"] for case in cases("examples.toml")}[case["on"]]
    return make(SCHEMAS[case["on"]], edit(EXAMPLES[case["on"]], case), digits)


def answer(case: dict[str, Any]) -> str:
    """Give the answer to a patch as the cases write it, "" for one that is taken."""
    try:
        faults = faults_of(patch(REGISTRY, target(base(case)), json.loads(case["patch"])))
        status = 422 if faults else 0
    except Problem as problem:
        faults, status = list(problem.violations), problem.status
        if not faults:
            return f"{status} {problem.code}"
    written = [f"{f.code} {f.pointer}" + ("" if f.operation is None else f" {f.operation}") for f in faults]
    return f"{status} {', '.join(written)}" if faults else ""


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_patch_is_applied_or_refused_as_the_rules_say(case: dict[str, Any]) -> None:
    """repo:P6, P7, P8, P9, P10; entities §5.3: the recipes work."""
    assert answer(case) == case.get("expect", "")
    if "expect" in case:
        return
    change = patched(base(case), json.loads(case["patch"]))
    assert change.revision == 2
    for pointer, text in case.get("shows", {}).items():
        assert resolve_pointer(inside(change), pointer) == json.loads(text)
    for pointer in case.get("gone", []):
        assert resolve_pointer(inside(change), pointer, None) is None


def refused(operations: object, on: str = "tag") -> Problem:
    with pytest.raises(Problem) as caught:
        patch(REGISTRY, target(make(SCHEMAS[on], EXAMPLES[on])), operations)
    return caught.value


def test_a_patch_has_at_most_a_thousand_operations() -> None:
    step = {"op": "test", "path": "/_instance/xdm:name", "value": "winter footwear"}
    assert patched(make("tag", EXAMPLES["tag"]), [step] * 1_000).revision == 2
    assert (refused([step] * 1_001).status, refused([step] * 1_001).code) == (413, "too-large")


def test_copies_cannot_double_a_document_without_end() -> None:
    steps: list[dict[str, Any]] = [{"op": "add", "path": "/_instance/a", "value": ["x" * 1_000]}]
    steps += [{"op": "copy", "from": "/_instance/a", "path": "/_instance/a/-"}] * 40
    assert refused(steps).status == 413


def test_a_large_part_may_be_moved_as_often_as_one_likes() -> None:
    there = {"op": "move", "from": "/_instance/a", "path": "/_instance/b"}
    back = {"op": "move", "from": "/_instance/b", "path": "/_instance/a"}
    steps = [{"op": "add", "path": "/_instance/a", "value": [0] * 10_000}, *[there, back] * 400]
    assert len(inside(patched(make("tag", EXAMPLES["tag"]), steps))["a"]) == 10_000


def test_a_patched_instance_is_no_larger_than_a_body() -> None:
    steps = [{"op": "add", "path": "/_instance/a", "value": "x" * 600_000}]
    steps += [{"op": "copy", "from": "/_instance/a", "path": "/_instance/b"}]  # type: ignore[dict-item]
    assert refused(steps).status == 413


def test_a_patch_cannot_nest_deeper_than_the_limit() -> None:
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    step = {"op": "add", "path": "/_instance/a", "value": deep}
    assert patched(make("tag", EXAMPLES["tag"]), [step]).revision == 2
    below = {"op": "add", "path": "/_instance/a" + "/0" * 39 + "/-", "value": deep}
    assert refused([step, below]).status == 413
    inner = {"op": "copy", "from": "/_instance/a", "path": "/_instance/a" + "/0" * 39 + "/-"}
    assert refused([step, inner]).status == 413


def test_the_operations_are_left_as_they_were() -> None:
    """A write that is repeated because others were faster applies the same operations again."""
    steps = [
        {"op": "add", "path": "/_instance/a", "value": []},
        {"op": "add", "path": "/_instance/a/-", "value": {}},
        {"op": "add", "path": "/_instance/a/0/b", "value": 1},
    ]
    before = json.dumps(steps)
    first = patched(make("tag", EXAMPLES["tag"]), steps)
    assert json.dumps(steps) == before
    assert patched(make("tag", EXAMPLES["tag"]), steps).document == first.document


def test_a_patch_leaves_what_is_stored_as_it_was() -> None:
    """repo:P7: all or nothing, on a copy."""
    change = make("offer-filter", EXAMPLES["filter"])
    on = target(change)
    patch(REGISTRY, on, [{"op": "add", "path": "/_instance/ids/-", "value": "x"}])
    assert on.current.document == change.document
    assert draft("tag").container == on.container
    assert WORLD.by_id


@pytest.mark.parametrize("name", ["add", "replace", "remove", "test"])
def test_an_index_of_thousands_of_digits_is_no_place(name: str) -> None:
    """repo:P8, X7: Python itself does not read such numbers."""
    grown = patched(make("tag", EXAMPLES["tag"]), [{"op": "add", "path": "/_instance/a", "value": [1]}])
    step = {"op": name, "path": "/_instance/a/" + "9" * 5_000, "value": 1}
    with pytest.raises(Problem) as caught:
        patch(REGISTRY, target(grown), [step])
    assert caught.value.code in ("patch-target-missing", "patch-test-failed")
