"""Laws of writes that hold whatever is sent (repository §7, §9)."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonpointer import escape

from gateway.errors import Problem
from gateway.offers.documents import copy, equal, read_json
from gateway.offers.instances import Change
from gateway.offers.receipts import make_receipt, show
from gateway.offers.repository import Neighbours, Proposal, create, patch, replace, settle
from tests.offers.stage import CONTAINER, EXAMPLES, REGISTRY, WORLD, body, cases, draft, inside, make, put, target

NAMES = [
    "@id",
    "xdm:name",
    "xdm:status",
    "xdm:tags",
    "xdm:representations",
    "xdm:placement",
    "xdm:components",
    "@type",
    "dc:format",
    "dc:language",
    "xdm:rank",
    "xdm:priority",
    "xdm:selectionConstraint",
    "xdm:startDate",
    "xdm:endDate",
    "xdm:eligibilityRule",
    "xdm:cappingConstraint",
    "xdm:globalCap",
    "xdm:condition",
    "xdm:value",
    "xdm:format",
    "xdm:type",
    "ids",
    "xdm:ids",
    "xdm:filterType",
    "xdm:fallback",
    "xdm:filter",
    "a",
]
WORDS = [
    "draft",
    "approved",
    "archived",
    "live",
    "offers",
    "allTags",
    "PQL",
    "pql/text",
    "text/html",
    "en",
    "2024-05-01T00:00:00Z",
    "2024-13-01",
    "urn:x",
    "xcore:tag:5d1f2b7c90aa4e01",
    "xcore:fallback-offer:9e21d0b4a6c85f37",
    "xcore:offer-placement:1f0c9a7be2d44310",
    "a=1",
    "(((",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
KEYS = st.sampled_from(NAMES) | st.text(max_size=4)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=6)
BODIES = VALUES | st.fixed_dictionaries({"_instance": OBJECTS | VALUES, "_links": OBJECTS | VALUES})
TYPES = st.sampled_from([row.name for row in REGISTRY.types()])
POINTERS = st.lists(
    st.sampled_from(["_instance", "_links", "self", "-", "0", "01", "", *NAMES]) | st.text(max_size=3), max_size=4
).map(lambda steps: "".join(f"/{escape(step)}" for step in steps))
INSIDE = POINTERS.map(lambda pointer: f"/_instance{pointer}")
STEPS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": INSIDE | POINTERS},
    optional={"value": VALUES, "from": INSIDE | POINTERS},
)
START = [{"op": "add", "path": f"/_instance/{name}", "value": []} for name in ("a", "b", "xdm:tags")]
HINTS = st.builds(
    lambda op, name, source, value: {
        "op": op,
        "path": f"/_instance/{name}",
        "from": f"/_instance/{source}",
        "value": value,
    },
    st.sampled_from(["add", "add", "replace", "copy", "move", "remove"]),
    st.sampled_from(["a", "b", "a/b", "a/0", "a/-", "xdm:tags/-", "xdm:status"]),
    st.sampled_from(["a", "b", "xdm:name", "xdm:rank"]),
    VALUES,
)
PATCHES = st.lists(STEPS | HINTS, max_size=5) | st.lists(HINTS, max_size=3).map(lambda steps: [*START, *steps]) | VALUES
SCHEMAS = {case["id"]: case["schema"] for case in cases("examples.toml")}
SUBJECTS = st.sampled_from(
    [
        make("personalized-offer", EXAMPLES["offer"]),
        make("fallback-offer", EXAMPLES["fallback"]),
        make("offer-activity", EXAMPLES["activity"]),
        make("offer-filter", EXAMPLES["filter"]),
        make("tag", EXAMPLES["tag"]),
        make("personalized-offer", {"xdm:name": "n"}),
    ]
)


def judge(propose: Any) -> Change | None:
    """Give the change a write makes, None for one that is refused as a problem should be."""
    try:
        proposal: Proposal = propose()
        return settle(REGISTRY, proposal, Neighbours(by_id=WORLD.by_id, sequence=1))
    except Problem as problem:
        check_refusal(problem)
        return None


def check_refusal(problem: Problem) -> None:
    assert 400 <= problem.status < 500
    assert all(each.detail and (not each.pointer or each.pointer.startswith("/")) for each in problem.violations)
    assert list(problem.violations) == sorted(problem.violations, key=lambda each: each.pointer)


def check_sound(change: Change | None) -> None:
    """See that what is stored can be shown, receipted and sent back without being refused or changed."""
    if change is None:
        return
    assert msgspec.json.decode(change.document)["repo:etag"] == change.revision
    assert make_receipt(change.document)["repo:etag"] == change.revision
    again = settle(REGISTRY, replace(REGISTRY, target(change), json.loads(show(change.document, CONTAINER))), WORLD)
    assert again.revision == change.revision + 1
    assert equal(inside(again), inside(change))
    assert (again.references, again.unique) == (change.references, change.unique)


@given(st.sampled_from(sorted(EXAMPLES)), OBJECTS, OBJECTS)
def test_an_example_with_anything_added_is_created_or_refused(name: str, more: Any, links: Any) -> None:
    """repo:K1, P2: what is created can be sent back."""
    linked = {relation: {"href": "/x", "more": value} for relation, value in links.items()}
    sent = body({**EXAMPLES[name], **more}, linked)
    check_sound(judge(lambda: create(REGISTRY, draft(SCHEMAS[name]), sent)))


@given(TYPES, BODIES)
def test_any_body_is_created_or_refused(name: str, sent: Any) -> None:
    """repo:K2, K6: nothing but a problem comes out, and the body is left as it was."""
    before = copy(sent)
    check_sound(judge(lambda: create(REGISTRY, draft(name), sent)))
    assert equal(sent, before)


@given(SUBJECTS, OBJECTS)
def test_an_example_with_anything_added_is_replaced_or_refused(change: Change, more: Any) -> None:
    """repo:P3, W2: the @id never changes."""
    new = judge(lambda: put(change, {**inside(change), **more}))
    check_sound(new)
    assert new is None or new.at_id == change.at_id == inside(new)["@id"]


@given(SUBJECTS, PATCHES)
def test_any_patch_is_applied_or_refused(change: Change, operations: Any) -> None:
    """repo:P6, P7, P8: nothing but a problem comes out; the @id never changes."""
    new = judge(lambda: patch(REGISTRY, target(change), operations))
    check_sound(new)
    assert new is None or new.at_id == inside(new)["@id"]


@given(SUBJECTS, OBJECTS)
def test_a_patch_that_replaces_the_instance_is_a_put(change: Change, instance: Any) -> None:
    """repo:P7: the result is validated exactly like a PUT body."""
    sent = {name: value for name, value in instance.items() if name != "@id"}
    step = {"op": "replace", "path": "/_instance", "value": sent}
    by_patch = judge(lambda: patch(REGISTRY, target(change), [step]))
    by_put = judge(lambda: put(change, sent))
    assert (by_patch is None) is (by_put is None)
    assert by_patch is None or by_put is None or by_patch.document == by_put.document


@given(SUBJECTS, st.text(), VALUES)
def test_what_was_added_passes_its_test_and_goes_again(change: Change, name: str, value: Any) -> None:
    """repo:P6, W4: add, test, remove leave everything as it was but the revision."""
    path = f"/_instance/hint~1{escape(name)}"
    steps = [{"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value}]
    steps.append({"op": "remove", "path": path})
    new = judge(lambda: patch(REGISTRY, target(change), steps))
    assert new is not None
    assert inside(new) == inside(change)
    assert new.revision == change.revision + 1


@given(st.binary(max_size=40) | VALUES.map(msgspec.json.encode))
def test_any_bytes_are_read_or_refused(sent: bytes) -> None:
    """repo:K2, K10."""
    try:
        value = read_json(sent)
    except Problem as problem:
        check_refusal(problem)
    else:
        assert equal(read_json(msgspec.json.encode(value)), value)


@settings(max_examples=30)
@given(st.permutations(["xdm:name", "xdm:status", "xdm:tags", "xdm:representations"]))
def test_the_order_of_members_does_not_matter(names: list[str]) -> None:
    """repo:W4."""
    change = make("personalized-offer", EXAMPLES["offer"])
    shuffled = {name: inside(change)[name] for name in [*names, *inside(change)]}
    assert equal(inside(settle(REGISTRY, put(change, body(shuffled)["_instance"]), WORLD)), inside(change))
