"""Conditions: JSON logic by the rules of on-device-decisioning 9."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.delivery.conditions import ConditionTooLarge, Limits, UnknownOperator, compile_condition
from tests.delivery import json_logic

CASES = json.loads((Path(__file__).parents[1] / "cases" / "json_logic.json").read_text())
NUMBERS = {"current_timestamp": 1585180800000, "current_time": "0930", "current_day": 4, "allocation": 12.5}
OBJECTS = ("user", "page", "referring", "geo", "mbox")


class Request:
    """A scope whose members are given."""

    def __init__(self, **members):
        self._members = {**NUMBERS, **{name: {} for name in OBJECTS}, **members}

    def __getattr__(self, name):
        return self._members[name]

    def parameter(self, name, default):
        return self._members["mbox"].get(name, default)

    def whole(self):
        return self._members


def holds(condition, **members):
    return compile_condition(condition)(Request(**members))


ROWS = [
    pytest.param(rule, data, expected, id=f"{section}: {json.dumps(rule)} on {json.dumps(data)}")
    for section, cases in CASES.items()
    for rule, data, expected in cases
]


def expectations(rule, expected):
    """Give conditions with what they must give, so that `rule` evaluates to `expected`."""
    match expected:
        case {"holds": truth}:
            return [(rule, truth)]
        case {"nan": True}:
            return [({"!==": [rule, rule]}, True), ({"===": [{"cat": [rule]}, "NaN"]}, True), (rule, False)]
        case {"undefined": True}:
            return [({"===": [rule, {"and": []}]}, True), ({"===": [rule, None]}, False), (rule, False)]
        case {"fault": True}:
            return [(rule, False), ({"!": [rule]}, False), ({"or": [rule, True]}, False)]
        case {"text": text}:
            return [({"===": [{"cat": [rule]}, text]}, True)]
    return [({"===": [rule, expected]}, True), (rule, bool(expected))]


def test_the_cases_are_many():
    assert sum(map(len, CASES.values())) >= 150


@pytest.mark.parametrize(("rule", "data", "expected"), ROWS)
def test_each_operator_gives_what_javascript_gives(rule, data, expected):
    """Rules of odd 9.2-9.5."""
    for condition, truth in expectations(rule, expected):
        assert holds(condition, **data) is truth


@pytest.mark.parametrize(("rule", "data", "expected"), ROWS)
def test_the_oracle_agrees_with_the_cases(rule, data, expected):
    for condition, truth in expectations(rule, expected):
        assert judged(condition, Request(**data).whole()) is truth


def judged(condition, data):
    try:
        return json_logic.plain_truth(json_logic.walk(condition, data))
    except json_logic.Fault:
        return False


texts = st.sampled_from(
    ["", " ", "0", "1", "5", "05", "5x", "-1.5", "1e3", "0x1F", "abc", "b", "a,b", "true", "é", "😀", "\uffee"]
)
scalars = st.none() | st.booleans() | st.integers(-20, 120) | st.sampled_from([0.5, -0.0, 99.99, 1e21, 1e-7]) | texts
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "1", ""]), inner, max_size=3)
    ),
    max_leaves=6,
)
SHORT_PATHS = ["", ".", "a", "b", "a.b", "0", "1", "a.0", "current", "accumulator", "nowhere", "user"]
LONG_PATHS = ["mbox", "mbox.a", "mbox.b", "mbox.a.b", "mbox.a.1", "page.url_lc", "geo.city", "current_day.a"]
paths = st.sampled_from([*SHORT_PATHS, *LONG_PATHS, "allocation", "current_time", "current_day"])
constants = scalars | st.lists(scalars, max_size=3) | st.just({"a": 1, "b": {"+": [1, 2]}})
variables = paths.map(lambda path: {"var": path}) | st.tuples(paths, scalars).map(lambda pair: {"var": list(pair)})


def operations(inner):
    eager = ["==", "!=", "===", "!==", "<", "<=", ">", ">=", "!", "!!", "in", "cat", "substr", "+", "-", "*", "/", "%"]
    rest = ["min", "max", "merge", "missing", "log", "and", "or", "if", "?:", "var"]
    loops = ["filter", "map", "reduce", "all", "none", "some", "missing_some"]
    named = st.sampled_from(eager + rest)
    compared = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in"])
    return st.one_of(
        st.tuples(named, st.lists(inner, max_size=4)),
        st.tuples(named, inner),
        st.tuples(compared, st.permutations([0, 1]).flatmap(lambda order: pair(order, inner))),
        st.tuples(st.sampled_from(loops), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.sampled_from(loops), st.tuples(st.lists(inner, max_size=3), inner, inner).map(list)),
    ).map(lambda operation: {operation[0]: operation[1]})


def pair(order, inner):
    return st.tuples(constants, inner).map(lambda two: [two[i] for i in order])


rules = st.recursive(constants | variables, operations, max_leaves=12)
objects = st.dictionaries(st.sampled_from(["a", "b", "url_lc", "city"]), values, max_size=3)
requests = st.fixed_dictionaries({"mbox": objects, "page": objects, "geo": objects})


@settings(max_examples=500, deadline=None)
@given(rules, requests)
@example({"and": [{"<=": [0, {"var": "allocation"}]}, {">=": [50, {"var": "allocation"}]}]}, {})
def test_a_compiled_condition_equals_a_tree_walk(rule, members):
    data = Request(**members).whole()
    assert holds(rule, **members) is judged(rule, data)
    written = {"cat": ["<", rule, ">"]}
    try:
        text = json_logic.walk(written, data)
    except json_logic.Fault:
        assert not holds(written, **members)
    else:
        assert holds({"===": [written, text]}, **members)


@given(st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "in"]), values, values)
def test_a_constant_on_either_side_changes_nothing(name, left, right):
    """The fast shapes give what the general operators give."""
    expected = judged({name: [{"var": "mbox.a"}, {"var": "mbox.b"}]}, Request(mbox={"a": left, "b": right}).whole())
    for side in (left, right):
        if isinstance(side, list | dict):
            return
    assert holds({name: [left, {"var": "mbox.b"}]}, mbox={"b": right}) is expected
    assert holds({name: [{"var": "mbox.a"}, right]}, mbox={"a": left}) is expected


@given(st.sampled_from(["<", "<="]), scalars, values, scalars)
def test_the_form_with_three_arguments_is_two_comparisons(name, low, value, high):
    middle = {"var": "mbox.a"}
    both = {"and": [{name: [low, middle]}, {name: [middle, high]}]}
    assert holds({name: [low, middle, high]}, mbox={"a": value}) is holds(both, mbox={"a": value})


@pytest.mark.parametrize("rule", [{"nope": []}, {"or": [True, {"nope": 1}]}, [{"a.b": 1}], {"if": [False, {"": 0}]}])
def test_an_unknown_operator_is_told_when_compiling(rule):
    """Rules of odd 9.3: the rule is not satisfied; whoever loads the artifact reports it."""
    with pytest.raises(UnknownOperator) as caught:
        compile_condition(rule)
    assert caught.value.name in {"nope", "a.b", ""}


def test_what_looks_like_an_operator_inside_a_literal_is_data():
    """Rules of odd 9.1: an object with two members is a literal."""
    assert holds({"a": {"nope": 1}, "b": 2})


def nested(levels, innermost=True):
    rule = innermost
    for _ in range(levels):
        rule = {"!": [rule]}
    return rule


def lists(levels):
    rule = []
    for _ in range(levels):
        rule = [rule]
    return rule


@pytest.mark.parametrize(
    "rule",
    [
        nested(64),
        nested(100_000),
        lists(100_000),
        {"a": lists(70), "b": 1},
        {"and": [True] * 10_000},
        {"in": [1, list(range(10_000))]},
        {"and": [{"or": [True] * 100}] * 100},
    ],
    ids=["deep", "very deep", "deep list", "deep literal", "wide", "long constant", "many"],
)
def test_a_condition_too_deep_or_too_large_is_refused(rule):
    with pytest.raises(ConditionTooLarge):
        compile_condition(rule)


def test_a_condition_at_the_limits_is_taken():
    assert holds(nested(62))
    assert holds({"and": [True] * 9_999})
    assert compile_condition(nested(200), Limits(depth=300))(Request())
    with pytest.raises(ConditionTooLarge):
        compile_condition({"and": [True, True]}, Limits(nodes=2))


HUNDRED = list(range(100))
DOUBLED = [{"var": "accumulator"}, {"var": "accumulator"}]
GROWING = {
    "text": {"reduce": [HUNDRED, {"cat": DOUBLED}, "x"]},
    "list": {"reduce": [HUNDRED, {"merge": DOUBLED}, [1]]},
    "text of a shared list": {"cat": [{"reduce": [HUNDRED, DOUBLED, "x"]}]},
    "compared shared list": {"==": [{"reduce": [HUNDRED, DOUBLED, "x"]}, "x"]},
    "measured shared list": {"reduce": [HUNDRED, {"if": [{"==": [{"var": "accumulator"}, 1]}, 1, DOUBLED]}, "x"]},
    "deep list": {"cat": [{"reduce": [HUNDRED, [{"var": "accumulator"}], "x"]}]},
    "loops in loops": {"map": [HUNDRED, {"map": [HUNDRED, {"map": [HUNDRED, 1]}]}]},
    "loops with large bodies": {"map": [HUNDRED, {"map": [HUNDRED, {"cat": ["abc"] * 500}]}]},
    "names": {"map": [HUNDRED, {"map": [HUNDRED, {"missing": HUNDRED}]}]},
    "scanned texts": {"map": [HUNDRED, {"map": [HUNDRED, {"in": ["x", "y" * 100_000]}]}]},
    "searched paths": {"map": [HUNDRED, {"map": [HUNDRED, {"var": [{"log": "y." * 50_000}, []]}]}]},
    "long text": {"cat": ["y" * 60_000, "y" * 60_000]},
    "long list": {"merge": [{"var": "mbox.long"}, {"var": "mbox.long"}]},
    "text of a long list": {"==": [{"var": "mbox.long"}, "x"]},
}


@pytest.mark.parametrize("rule", GROWING.values(), ids=GROWING)
def test_an_evaluation_that_grows_or_runs_too_far_is_not_satisfied(rule):
    members = {"mbox": {"long": [0] * 60_000}}
    for condition in (rule, {"!": [rule]}, {"or": [rule, True]}):
        assert not holds(condition, **members)


def test_each_evaluation_starts_with_all_its_fuel():
    condition = compile_condition({"all": [{"var": "mbox.l"}, True]}, Limits(steps=150))
    request = Request(mbox={"l": HUNDRED})
    assert [condition(request) for _ in range(5)] == [True] * 5
    assert not condition(Request(mbox={"l": HUNDRED * 2}))


@pytest.mark.parametrize("name", ["+", "-", "*", "/", "%", "<", "==", "===", "in", "cat", "min", "max", "substr"])
@pytest.mark.parametrize("huge", [10**400, -(10**400), "9" * 10_000, "0x" + "f" * 10_000, 1e308])
def test_numbers_beyond_the_range_of_a_double_break_nothing(name, huge):
    """Their texts and results are those of an infinite number, as in JavaScript."""
    rule = {"cat": ["<", {name: [{"var": "mbox.huge"}, 3]}, {name: [3, {"var": "mbox.huge"}]}]}
    assert holds(rule, mbox={"huge": huge})


def test_a_whole_number_beyond_the_range_is_infinite():
    assert holds({"===": [{"cat": [{"var": "mbox.huge"}]}, "Infinity"]}, mbox={"huge": 10**400})
    assert holds({">": [{"var": "mbox.huge"}, {"/": [1, 0.1]}]}, mbox={"huge": 10**400})
    assert not holds({"==": [math.nan, math.nan]})


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    st.sampled_from(["==", "<", "in", "cat", "substr", "+", "-", "/", "%", "min", "merge", "var", "missing", "all"]),
)
def test_a_condition_never_raises_whatever_the_data(data, name):
    rule = {name: [{"var": "mbox.a"}, {"var": ["mbox.a.0", {"var": "mbox.a"}]}, {"var": "mbox.b"}]}
    assert holds({"or": [rule, {"map": [[1], rule]}]}, mbox={"a": data, "b": data}) in {True, False}


@pytest.mark.parametrize("name", ["!", "!!"])
def test_arguments_that_are_not_looked_at_are_evaluated_all_the_same(name):
    """On-device 9.1: only the lazy operators leave arguments out; `*` without any is a fault."""
    assert not holds({name: [name == "!!", {"*": []}]})
    assert holds({name: [name == "!!", 1]})
