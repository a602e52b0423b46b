"""Rules to consequences (spec on-device-decisioning §10, §11, §13), as data in tests/cases/decisions."""

import copy
import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery.decide import Case, decide
from gateway.delivery.plan import list_items
from gateway.errors import ArtifactUnsupported
from tests.delivery.decisions import (
    FACTS,
    NOW_MS,
    decide_body,
    decide_mbox,
    dress,
    load_cases,
    make_artifact,
    read_request,
)

FILES = {name: load_cases(name) for name in ("results", "deduplication", "tokens")}
ROWS = [
    pytest.param(file["artifact"], case, id=f"{name}: {title}")
    for name, file in FILES.items()
    for title, case in file["cases"].items()
]
CONDITIONS = load_cases("conditions")


@pytest.mark.parametrize(("short", "case"), ROWS)
def test_a_decision_is_exactly_as_specified(short: dict[str, Any], case: dict[str, Any]) -> None:
    """on-device §10-§13 and §16: members that are not expected must be absent."""
    decided = decide_body(make_artifact(short), case["request"])
    if "response" in case:
        assert decided.response == dress(case["response"])
    assert [[told["mbox"]["name"], told["tokens"]] for told in decided.notifications] == case["displayed"]


@pytest.mark.parametrize("case", CONDITIONS["cases"].values(), ids=CONDITIONS["cases"])
def test_a_condition_sees_what_is_specified(case: dict[str, Any]) -> None:
    """on-device §7, §8, §9.3 and §10.1, through a whole decision."""
    decided = decide_body(make_artifact(CONDITIONS["artifact"]), case["request"], client=case.get("client", "demo"))
    found = [element for part in decided.response.values() for element in part["mboxes"]]
    shown = {str(element["index"]): element.get("options", [{}])[0].get("content") for element in found}
    assert shown == case["contents"]


def test_a_notification_has_exactly_the_specified_members() -> None:
    """on-device §13: T is the time the decision started, the same for all."""
    decided = decide_body(make_artifact(FILES["deduplication"]["artifact"]), {"execute": {"pageLoad": {}}})
    assert decided.notifications == [
        {
            "id": "id1",
            "impressionId": "id2",
            "timestamp": NOW_MS,
            "type": "display",
            "mbox": {"name": "global"},
            "tokens": ["a"],
        },
        {
            "id": "id3",
            "impressionId": "id4",
            "timestamp": NOW_MS,
            "type": "display",
            "mbox": {"name": "global"},
            "tokens": ["c"],
        },
    ]


def test_one_token_of_two_mboxes_is_told_for_each() -> None:
    """on-device §13: tokens are told apart by (consequence name, token)."""
    option = {"type": "html", "content": "x", "eventToken": "same"}
    twice = option | {"content": "y"}
    artifact = make_artifact(
        {"mboxes": {"a": [{"key": "1", "options": [option, twice]}], "b": [{"key": "2", "options": [option]}]}}
    )
    decided = decide_body(artifact, {"execute": {"mboxes": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}})
    assert [(told["mbox"]["name"], told["tokens"]) for told in decided.notifications] == [
        ("a", ["same"]),
        ("b", ["same"]),
    ]


def test_only_new_tokens_are_told() -> None:
    first, second = ({"type": "html", "content": "x", "eventToken": token} for token in ("old", "new"))
    rules = [
        {"key": "1", "when": {"==": [{"var": "mbox.n"}, 1]}, "options": [first]},
        {"key": "2", "options": [first, second]},
    ]
    mboxes = [{"name": "a", "parameters": {"n": 1}}, {"name": "a"}, {"name": "a"}]
    decided = decide_body(make_artifact({"mboxes": {"a": rules}}), {"execute": {"mboxes": mboxes}})
    assert [told["tokens"] for told in decided.notifications] == [["old"], ["new"]]


@pytest.mark.parametrize("part", ["execute", "prefetch"])
def test_the_items_of_a_page_load_see_its_own_address_and_parameters(part: str) -> None:
    when = {"and": [{"==": [{"var": "page.path"}, "/p"]}, {"==": [{"var": "mbox.k"}, "v"]}]}
    artifact = make_artifact(
        {
            "mboxes": {
                "target-global-mbox": [
                    {"key": "1", "when": when, "options": [{"type": "html", "content": "${mbox.name} ${k}"}]}
                ]
            }
        }
    )
    page = {"address": {"url": "https://a.example/p"}, "parameters": {"k": "v"}}
    found = decide_body(artifact, {part: {"pageLoad": page}}).response[part]["pageLoad"]
    assert [option["content"] for option in found["options"]] == ["target-global-mbox v"]
    assert decide_body(artifact, {part: {"pageLoad": {}}}).response[part]["pageLoad"] == {"options": []}


ODD: dict[str, Any] = {
    "options are a number": {"options": 5},
    "options are true": {"options": True},
    "options are a text": {"options": "all"},
    "options are an object": {"options": {"0": {"type": "html"}}},
    "metrics are a number": {"options": [], "metrics": 5},
    "event token is a list": {"options": [{"type": "html", "content": "x", "eventToken": ["t"]}]},
    "event token is an object": {"options": [{"type": "html", "content": "x", "eventToken": {"t": 1}}]},
    "event token is a number": {"options": [{"type": "html", "content": "x", "eventToken": 5}]},
    "metric token is a list": {"options": [], "metrics": [{"type": "click", "eventToken": ["t"]}]},
    "options are not objects": {"options": [1, "two", None, [3]]},
    "metrics are not objects": {"options": [], "metrics": [1, None]},
    "actions are not objects": {
        "options": [{"type": "actions", "content": [1, None, {"content": 7}, {"content": "${a}"}]}]
    },
    "content of html is an object": {"options": [{"type": "html", "content": {"a": "${b}"}}]},
    "name is a number": {"name": 7, "options": [{"type": "html", "content": "x", "eventToken": "t"}]},
}


HOSTILE = {
    title: {"consequence": consequence, "meta": {"audience.ids": [1, 2]}} for title, consequence in ODD.items()
} | {
    f"audiences are {audiences!r}": {"options": [], "meta": {"audience.ids": audiences}}
    for audiences in (5, "5", [[1]], [{"id": 1}], {"a": 1})
}


@pytest.mark.parametrize("rule", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("traced", [False, True], ids=["untraced", "traced"])
def test_an_odd_rule_is_refused_when_loaded_or_breaks_no_decision(rule: dict[str, Any], traced: bool) -> None:
    """Everything from outside is hostile: what loads must decide, and what does not load says so."""
    short = {
        "mboxes": {"target-global-mbox": [rule | {"key": "1"}], "b": [rule | {"key": "2"}]},
        "views": {"v": [rule | {"key": "3"}]},
    }
    try:
        artifact = make_artifact(short)
    except ArtifactUnsupported:
        return
    asked = [{"name": "target-global-mbox"}, {"name": "b"}]
    body = {"execute": {"mboxes": asked, "pageLoad": {}}, "prefetch": {"mboxes": asked, "views": [{}], "pageLoad": {}}}
    decided = decide_body(artifact, body, trace=FACTS if traced else None)
    assert set(decided.response["execute"]) == {"mboxes", "pageLoad"}
    msgspec.json.encode(decided.response)


names = st.sampled_from(["a", "b", "c", "target-global-mbox"])
conditions = st.sampled_from(
    [
        True,
        False,
        {">": [50, {"var": "allocation"}]},
        {"==": [{"var": "geo.city"}, "ZURICH"]},
        {"==": [{"var": "mbox.k"}, "v"]},
    ]
)
options = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["html", "json", "actions"])},
        optional={
            "content": st.sampled_from(
                ["x ${mbox.k} ${activity.id}", {"a": [1]}, [{"content": "${k}", "type": "setHtml"}]]
            ),
            "eventToken": st.sampled_from(["t1", "t2", "t3"]),
        },
    )
    | st.just({"eventToken": "blank"}),
    max_size=3,
)
metrics = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(["click", "display"]), "eventToken": st.sampled_from(["m1", "m2"])}),
    max_size=3,
)
rules = st.lists(
    st.fixed_dictionaries(
        {"key": st.sampled_from(["1", "2", "3"]), "when": conditions, "options": options}, optional={"metrics": metrics}
    ),
    max_size=4,
)
artifacts = st.fixed_dictionaries(
    {
        "mboxes": st.dictionaries(names, rules, max_size=3),
        "views": st.dictionaries(names, rules, max_size=3),
        "responseTokens": st.just(["activity.id", "geo.city"]),
    }
)
contexts = st.sampled_from(
    [{"channel": "web"}, {"channel": "web", "geo": {"city": "ZURICH"}}, {"channel": "web", "geo": {"city": "BERN"}}]
)
details = st.fixed_dictionaries(
    {}, optional={"parameters": st.just({"k": "v"}), "address": st.just({"url": "https://a.example/"})}
)
mboxes = st.lists(
    st.tuples(details, names, st.integers(0, 3)).map(lambda t: t[0] | {"name": t[1], "index": t[2]}), max_size=4
)
views = st.lists(
    st.tuples(details, st.none() | names).map(lambda t: t[0] | ({"name": t[1]} if t[1] else {})), max_size=3
)
bodies = st.fixed_dictionaries(
    {
        "context": contexts,
        "execute": st.fixed_dictionaries({}, optional={"mboxes": mboxes, "pageLoad": details}),
        "prefetch": st.fixed_dictionaries({}, optional={"mboxes": mboxes, "views": views, "pageLoad": details}),
    }
)
visitors = st.sampled_from(["one", "two", "three", "four"])


@settings(max_examples=80, deadline=None)
@given(artifacts, bodies, visitors, st.booleans())
def test_a_known_visitor_is_decided_the_same_every_time(short: Any, body: Any, visitor: str, traced: bool) -> None:
    trace = FACTS if traced else None
    first = decide_body(make_artifact(short), body, bucketing_id=visitor, trace=trace)
    assert decide_body(make_artifact(short), body, bucketing_id=visitor, trace=trace) == first


@settings(max_examples=80, deadline=None)
@given(artifacts, st.lists(st.tuples(bodies, visitors), min_size=2, max_size=4), st.booleans())
def test_a_decision_changes_neither_the_artifact_nor_an_earlier_answer(short: Any, asked: Any, traced: bool) -> None:
    """Results share the artifact's objects; deciding for another visitor elsewhere must leave both as they were."""
    artifact = make_artifact(short)
    before = copy.deepcopy(
        [artifact.payload, [[(r.execute, r.prefetch, r.meta) for r in rs] for rs in artifact.mboxes.values()]]
    )
    answers: list[Any] = []
    for body, visitor in asked:
        sent = copy.deepcopy(body)
        decided = decide_body(artifact, sent, bucketing_id=visitor, trace=FACTS if traced else None)
        assert sent == body, "the caller's own body is not changed"
        answers.append((decided, copy.deepcopy(decided)))
    assert all(decided == kept for decided, kept in answers)
    assert [
        artifact.payload,
        [[(r.execute, r.prefetch, r.meta) for r in rs] for rs in artifact.mboxes.values()],
    ] == before


@settings(max_examples=80, deadline=None)
@given(artifacts, bodies, visitors)
def test_a_trace_changes_nothing_else(short: Any, body: Any, visitor: str) -> None:
    """The untraced walk has a shorter way through the rules of an mbox; it decides the same."""
    artifact = make_artifact(short)
    plain = decide_body(artifact, body, bucketing_id=visitor)
    traced = decide_body(artifact, body, bucketing_id=visitor, trace=FACTS)

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: strip(inner) for name, inner in value.items() if name != "trace"}
        return [strip(inner) for inner in value] if isinstance(value, list) else value

    assert strip(traced.response) == plain.response
    assert traced.notifications == plain.notifications


@settings(max_examples=80, deadline=None)
@given(artifacts, bodies, visitors)
def test_every_token_is_told_at_most_once_and_only_for_execute(short: Any, body: Any, visitor: str) -> None:
    """on-device §13."""
    artifact = make_artifact(short)
    told = decide_body(artifact, body, bucketing_id=visitor).notifications
    pairs = [(one["mbox"]["name"], token) for one in told for token in one["tokens"]]
    assert len(pairs) == len(set(pairs))
    assert all(one["tokens"] for one in told)
    assert len({one["id"] for one in told} | {one["impressionId"] for one in told}) == 2 * len(told)
    assert (
        decide_body(
            artifact, {"context": body["context"], "prefetch": body["prefetch"]}, bucketing_id=visitor
        ).notifications
        == []
    )


@settings(max_examples=80, deadline=None)
@given(artifacts, bodies, visitors)
def test_execute_shows_no_event_token_and_only_clicks(short: Any, body: Any, visitor: str) -> None:
    """on-device §11: and prefetched mboxes and page loads have no metrics."""
    response = decide_body(make_artifact(short), body, bucketing_id=visitor).response
    for element in [*response["execute"].get("mboxes", ()), response["execute"].get("pageLoad", {})]:
        assert not any("eventToken" in option for option in element.get("options", ()))
        assert not any("type" not in option and "content" not in option for option in element.get("options", ()))
        assert all(metric["type"] == "click" for metric in element.get("metrics", ()))
        assert element.get("metrics") != []
    for element in [*response["prefetch"].get("mboxes", ()), response["prefetch"].get("pageLoad", {})]:
        assert "metrics" not in element
    every = [e for p in response.values() for k in p.values() for e in (k if isinstance(k, list) else [k])]
    assert all(
        o["responseTokens"]["activity.decisioningMethod"] == "on-device" for e in every for o in e.get("options", ())
    )


def test_every_item_has_a_result_and_a_stranger_is_allocated_once_a_request() -> None:
    """on-device §8: without ids one random id decides all rules of a request."""
    half = [
        {"key": "1", "when": {">=": [50, {"var": "allocation"}]}, "options": [{"type": "html", "content": "low"}]},
        {"key": "1", "options": [{"type": "html", "content": "high"}]},
    ]
    artifact = make_artifact({"mboxes": {"a": half, "b": half}})
    for visitor in ("x", "y", "z", "w"):
        decided = decide_body(artifact, {"execute": {"mboxes": [{"name": n} for n in "abab"]}}, bucketing_id=visitor)
        assert len({element["options"][0]["content"] for element in decided.response["execute"]["mboxes"]}) == 1


def test_an_item_for_which_nothing_is_known_costs_no_ids() -> None:
    """Ids come in from outside and are only drawn for notifications."""
    request, body = read_request({"prefetch": {"mboxes": [{"name": "hero"}]}})
    drawn = itertools.count()
    decide(
        make_artifact(FILES["results"]["artifact"]),
        Case("demo", request.context, "v", 0, lambda: str(next(drawn))),
        list_items(request, body),
    )
    assert next(drawn) == 0


def test_the_index_is_the_callers_number_as_a_whole_one() -> None:
    """delivery-api §5: senders write 1.0 for 1."""
    (found,) = decide_mbox(make_artifact(FILES["results"]["artifact"]), "blank", index=4.0)
    assert found["index"] == 4
    assert isinstance(found["index"], int)
