"""Split, ask, read, join: every item comes back to its place (gw:F5; spec get-offers §15 point 5)."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery.answer import NOTHING, find_missing, join, make_remote_body, number_mboxes, place_of, read_remote
from gateway.delivery.artifact import load_artifact
from gateway.delivery.plan import Policy, list_items, split
from gateway.errors import UpstreamGarbled
from tests.delivery.decisions import read_request

NAMES = ["a", "b", "c", "d"]
indexes = st.none() | st.integers(-2, 3) | st.sampled_from([1.0, 2.0, 2147483647, -2147483648])
mboxes = st.lists(
    st.tuples(st.sampled_from(NAMES), indexes).map(
        lambda pair: {"name": pair[0]} | ({} if pair[1] is None else {"index": pair[1]})
    ),
    max_size=6,
)
views = st.lists(st.sampled_from([{}, {"name": "a"}, {"name": "b", "key": "k"}, {"name": "d"}]), max_size=3)
parts = st.fixed_dictionaries({}, optional={"mboxes": mboxes, "pageLoad": st.just({}), "new": st.just(1)})
prefetches = st.fixed_dictionaries({}, optional={"mboxes": mboxes, "views": views, "pageLoad": st.just({})})
bodies = st.fixed_dictionaries({}, optional={"execute": parts, "prefetch": prefetches})
subsets = st.lists(st.sampled_from([*NAMES, "target-global-mbox"]), unique=True)
lists = st.tuples(subsets, subsets, subsets, subsets)
artifacts = lists.map(
    lambda names: load_artifact(
        {"version": "1.0.0", "rules": {}}
        | dict(zip(("localMboxes", "remoteMboxes", "localViews", "remoteViews"), names, strict=True))
    )
)
policies = st.sampled_from([Policy(), Policy(), Policy(all_or_nothing=True), Policy("server-side")])


def mark(part: str, raw: dict[str, Any]) -> list[dict[str, Any]]:
    """Make an option that says which item it belongs to."""
    return [{"content": f"{part} {raw.get('name')} {raw.get('index')}"}]


def answer_like_target(sent: dict[str, Any]) -> dict[str, Any]:
    """Answer every item of a body, saying which one it is for."""
    reply: dict[str, Any] = {"status": 200}
    for part in ("execute", "prefetch"):
        asked = sent.get(part)
        if asked is not None:
            reply[part] = {
                kind: [{**one, "options": mark(part, one)} for one in asked[kind]]
                for kind in ("mboxes", "views")
                if kind in asked
            }
            if "pageLoad" in asked:
                reply[part]["pageLoad"] = {"options": mark(part, {"name": "page"})}
    return reply


@settings(max_examples=200, deadline=None)
@given(bodies, artifacts, policies)
def test_each_remote_item_gets_its_own_answer_and_its_callers_index_back(
    body: Any, artifact: Any, policy: Policy
) -> None:
    """gw:F1, F5; indexes may be missing, equal or written as fractions."""
    request, whole = read_request(body)
    items = list_items(request, whole)
    plan = split(request, items, artifact, policy)
    before = copy.deepcopy(whole)
    sent = make_remote_body(whole, plan.remote, plan.local)
    assert whole == before, "the caller's body is not changed"
    remote = read_remote(json.loads(json.dumps(answer_like_target(sent))), plan.remote)
    for item in plan.remote:
        if item.kind == "views":
            continue
        (element,) = remote.results[place_of(item)]
        if item.kind == "mboxes":
            assert element["name"] == item.name
            assert element.get("index") == item.index, "the caller's own number, or none where the caller gave none"
            assert element["options"][0]["content"].startswith(f"{item.part} {item.name} ")
        else:
            assert element == {"options": [{"content": f"{item.part} page None"}]}
    contents = [
        e["options"][0]["content"] for i in plan.remote if i.kind == "mboxes" for e in remote.results[place_of(i)]
    ]
    assert len(contents) == len(set(contents)), "no answer serves two items"
    assert find_missing(plan.remote, remote.results) == []


@settings(max_examples=150, deadline=None)
@given(bodies, artifacts, policies)
def test_target_is_asked_for_the_remote_items_and_nothing_else(body: Any, artifact: Any, policy: Policy) -> None:
    """gw:F1: with mboxes under unique whole numbers; all else the caller said goes along."""
    request, whole = read_request(body | {"new": {"x": 1}})
    plan = split(request, list_items(request, whole), artifact, policy)
    sent = make_remote_body(whole, plan.remote, plan.local)
    assert (sent["context"], sent["new"]) == (whole["context"], whole["new"])
    for part in ("execute", "prefetch"):
        asked = sent.get(part) or {}
        ours = [item for item in plan.remote if item.part == part]
        numbers = [one["index"] for one in asked.get("mboxes", ())]
        assert [one["name"] for one in asked.get("mboxes", ())] == [item.name for item in ours if item.kind == "mboxes"]
        assert len(numbers) == len(set(numbers))
        assert [one.get("name", "") for one in asked.get("views", ())] == [
            item.name for item in ours if item.kind == "views"
        ]
        assert ("pageLoad" in asked) == any(item.kind == "pageLoad" for item in ours)


garbage = (
    st.none()
    | st.booleans()
    | st.integers(-3, 5)
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.lists(st.none(), max_size=2)
    | st.just({})
)
elements = (
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from([*NAMES, "x"]) | garbage,
            "index": garbage,
            "options": st.just([{"content": "garbage"}]),
        },
    )
    | garbage
)


def spoil(draw: Any, reply: dict[str, Any]) -> dict[str, Any]:
    """Drop, repeat, re-order and replace elements of a reply."""
    for part in ("execute", "prefetch"):
        if isinstance(reply.get(part), dict):
            for kind in ("mboxes", "views"):
                listed = reply[part].get(kind, [])
                kept = [one for one in listed for _ in range(draw(st.integers(0, 2)))]
                reply[part][kind] = (
                    draw(st.permutations(kept + draw(st.lists(elements, max_size=2)))) if draw(st.booleans()) else kept
                )
            if draw(st.integers(0, 4)) == 0:
                reply[part][draw(st.sampled_from(["mboxes", "views", "pageLoad"]))] = draw(garbage)
        if draw(st.integers(0, 5)) == 0:
            reply[part] = draw(garbage)
    return reply


@settings(max_examples=200, deadline=None)
@given(bodies, artifacts, policies, st.data())
def test_every_requested_item_is_in_the_answer_whatever_target_replies(
    body: Any, artifact: Any, policy: Policy, data: Any
) -> None:
    """gw:F5: in request order, in its own part, under its own number; nobody gets what is another's."""
    request, whole = read_request(body)
    items = list_items(request, whole)
    plan = split(request, items, artifact, policy)
    reply = spoil(data.draw, answer_like_target(make_remote_body(whole, plan.remote, plan.local)))
    try:
        remote = read_remote(reply, plan.remote)
    except UpstreamGarbled:  # a list or an object is something else: then nothing of it is believed
        remote = NOTHING
    results = dict(remote.results) | {place_of(item): [{"name": item.name, "local": True}] for item in plan.local}
    answered = join(request, items, results)
    assert set(answered) == {part for part in ("execute", "prefetch") if part in body}
    for part, got in answered.items():
        kinds = ("mboxes", "views", "pageLoad")
        assert [kind for kind in kinds if kind in got] == [kind for kind in kinds if kind in body[part]]
        groups = [
            results.get(place_of(item), [DEFAULT]) for item in items if item.part == part and item.kind == "mboxes"
        ]
        assert all(groups), "every requested mbox is answered at least once"
        expected = [element for group in groups for element in group]
        assert len(got.get("mboxes", ())) == len(expected), "and nothing that was not asked for"
        assert all(want in (DEFAULT, has) for has, want in zip(got.get("mboxes", ()), expected, strict=True)), (
            "in request order"
        )
        assert isinstance(got.get("pageLoad", {}), dict)
    check_owners(plan.remote, remote.results)


DEFAULT = {"default": True}


def check_owners(remote: Any, results: Any) -> None:
    """Check that what Target said for one item is never another's, and that no answer serves two items."""
    for item in remote:
        for element in results.get(place_of(item), ()):
            for option in element.get("options") or ():
                owner = (
                    f"{item.part} {'page' if item.kind == 'pageLoad' else item.name if item.kind == 'mboxes' else ''}"
                )
                assert option["content"] == "garbage" or option["content"].startswith(owner)
            if item.kind == "mboxes":
                assert element.get("name", item.name) == item.name
                assert element.get("index") == item.index
    contents = [
        {option["content"] for element in results.get(place_of(item), ()) for option in element.get("options") or ()}
        - {"garbage"}
        for item in remote
        if item.kind == "mboxes"
    ]
    assert sum(map(len, contents)) == len(set().union(*contents)) if contents else True


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        garbage | elements,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["execute", "prefetch", "mboxes", "views", "pageLoad", "metrics", "id", "edgeHost", "index", "name"]
                ),
                inner,
                max_size=4,
            )
        ),
    ),
    bodies,
)
def test_a_reply_is_read_or_found_garbled(reply: Any, body: Any) -> None:
    request, whole = read_request(body)
    items = list_items(request, whole)
    try:
        remote = read_remote(reply if isinstance(reply, dict) else {"execute": reply, "prefetch": reply}, items)
    except UpstreamGarbled:
        return
    assert isinstance(remote.prefetch_metrics, list)
    join(request, items, remote.results)


ASKED = {"execute": {"mboxes": [{"index": 1, "name": "a"}, {"index": 2, "name": "a"}]}}
READ: dict[str, tuple[list[Any], list[list[Any]]]] = {
    "by index": ([{"index": 2, "name": "a", "o": 2}, {"index": 1, "name": "a", "o": 1}], [[1], [2]]),
    "several elements for one item stay together": (
        [{"index": 1, "name": "a", "o": 1}, {"index": 2, "name": "a", "o": 2}, {"index": 1, "name": "a", "o": 3}],
        [[1, 3], [2]],
    ),
    "an element without a name": ([{"index": 1, "o": 1}], [[1], []]),
    "an element with another name": ([{"index": 1, "name": "b", "o": 1}], [[], []]),
    "an element without a number": ([{"name": "a", "o": 1}], [[], []]),
    "a number nobody asked for": ([{"index": 3, "name": "a", "o": 1}], [[], []]),
    "a number as a fraction of nothing": ([{"index": 1.0, "name": "a", "o": 1}], [[1], []]),
    "a number between two": ([{"index": 1.5, "name": "a", "o": 1}], [[], []]),
    "a number that is true": ([{"index": True, "name": "a", "o": 1}], [[], []]),
    "a number as text": ([{"index": "1", "name": "a", "o": 1}], [[], []]),
    "no objects": ([None, 1, "a", []], [[], []]),
}


@pytest.mark.parametrize(("replied", "expected"), READ.values(), ids=READ)
def test_what_fits_no_item_is_left_out(replied: list[Any], expected: list[list[Any]]) -> None:
    request, whole = read_request(ASKED)
    items = list_items(request, whole)
    remote = read_remote(
        {"execute": {"mboxes": replied}, "prefetch": {"mboxes": [{"index": 1, "name": "a", "o": "other part"}]}}, items
    )
    assert [[element["o"] for element in remote.results.get(place_of(item), [])] for item in items] == expected
    assert list(find_missing(items, remote.results)) == [
        item for item, found in zip(items, expected, strict=True) if not found
    ]


def test_default_content_names_the_item_and_has_no_options() -> None:
    """gw:F5."""
    body = {
        "execute": {"mboxes": [{"name": "a"}, {"name": "b", "index": 0}], "pageLoad": {}},
        "prefetch": {"views": [{"name": "v"}], "mboxes": []},
    }
    request, whole = read_request(body)
    answered = join(request, list_items(request, whole), NOTHING.results)
    assert answered == {
        "execute": {"mboxes": [{"name": "a"}, {"name": "b", "index": 0}], "pageLoad": {"options": []}},
        "prefetch": {"mboxes": [], "views": []},
    }


def test_a_nameless_view_takes_what_no_named_one_asked_for() -> None:
    request, whole = read_request({"prefetch": {"views": [{"name": "a"}, {}]}})
    items = list_items(request, whole)
    remote = read_remote({"prefetch": {"views": [{"name": "b"}, {"name": "a"}, {"name": "c"}, {"name": 5}]}}, items)
    assert [[view["name"] for view in remote.results[place_of(item)]] for item in items] == [["a"], ["b", "c", 5]]


def test_members_of_the_answer_as_a_whole_are_passed_on() -> None:
    """get-offers §15 point 5."""
    reply = {
        "edgeHost": "h",
        "notifications": [{"id": "n"}],
        "telemetryServerToken": "t",
        "status": 200,
        "client": "x",
        "new": 1,
        "id": {"tntId": "a"},
        "prefetch": {"metrics": [{"type": "click"}]},
    }
    remote = read_remote(reply, [])
    assert remote.members == {"edgeHost": "h", "notifications": [{"id": "n"}], "telemetryServerToken": "t"}
    assert (remote.prefetch_metrics, remote.id) == ([{"type": "click"}], {"tntId": "a"})


@given(mboxes)
def test_numbers_are_unique_and_the_callers_own_where_those_are(asked: list[dict[str, Any]]) -> None:
    request, whole = read_request({"execute": {"mboxes": asked}})
    numbers = number_mboxes(list_items(request, whole))
    own = [one.get("index") for one in asked]
    assert len(numbers) == len(set(numbers)) == len(asked)
    if None not in own and len(set(own)) == len(own):
        assert numbers == own
