"""What holds for every rule and all data."""

import math
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from gateway import pql
from gateway.errors import RuleSyntaxError, RuleTypeError
from gateway.pql.parser import Parser
from gateway.pql.printer import print_node
from gateway.pql.source import Source
from tests.pql import oracle
from tests.pql.trees import inputs, shape, whole

many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def parsed(text: str) -> tuple[Any, bool]:
    """Parse, and say whether a query was rewritten on the way."""
    parser = Parser(Source(text))
    return parser.parse(), bool(parser.recovered)


def compiled(tree: Any) -> pql.Expression | None:
    """Compile a generated tree, or give nothing when its literals cannot mean anything."""
    try:
        return pql.compile(print_node(tree))
    except RuleTypeError:
        return None


def same(left: Any, right: Any) -> bool:
    """Compare values of two evaluators: as Python does, but true is not 1, and sums may differ in the last digit."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) or isinstance(right, float):
        return isinstance(right, int | float) and math.isclose(left, right, rel_tol=1e-12)
    return type(left) is type(right) and left == right


@many
@given(whole)
def test_what_is_printed_parses_to_the_same_tree(tree: Any) -> None:
    again, rewritten = parsed(print_node(tree))
    assume(not rewritten)
    assert shape(again) == shape(tree)


@many
@given(whole)
def test_the_canonical_form_is_canonical(tree: Any) -> None:
    once = print_node(parsed(print_node(tree))[0])
    assert print_node(parsed(once)[0]) == once


@many
@given(whole, inputs)
def test_evaluation_never_raises_and_every_fault_is_foreseen(tree: Any, data: dict[str, Any]) -> None:
    rule = compiled(tree)
    assume(rule is not None)
    verdict = rule.test(pql.Facts(**data))
    assert verdict.fault is None or (verdict.fault.code == "rule-error" and not verdict.holds)


@many
@given(whole, inputs)
def test_compiled_rules_and_the_tree_walker_agree(tree: Any, data: dict[str, Any]) -> None:
    rule = compiled(tree)
    assume(rule is not None)
    outcome = rule.evaluate(pql.Facts(**data))
    try:
        expected = oracle.evaluate(rule.tree, data)
    except oracle.WrongError:
        event("both refuse")
        assert outcome.fault is not None
        return
    assert outcome.fault is None
    assert same(outcome.value, expected)


@many
@given(whole, inputs, inputs)
def test_a_rule_reads_only_the_roots_it_names(tree: Any, data: dict[str, Any], other: dict[str, Any]) -> None:
    rule = compiled(tree)
    assume(rule is not None)
    mixed = {name: (data if root in rule.roots else other)[name] for name, root in ROOTS.items()}
    first, second = rule.evaluate(pql.Facts(**data)), rule.evaluate(pql.Facts(**mixed, now=data["now"]))
    assert repr(first) == repr(second)


ROOTS = {"profile": "profile", "events": "xEvent", "context": "context", "offer": "offer"}


@many
@given(whole, inputs)
def test_evaluation_changes_nothing_and_repeats_itself(tree: Any, data: dict[str, Any]) -> None:
    """Spec pql:V1."""
    rule = compiled(tree)
    assume(rule is not None)
    before, facts = repr(data), pql.Facts(**data)
    assert repr(rule.evaluate(facts)) == repr(rule.evaluate(facts))
    assert repr(data) == before


@many
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "(",
                ")",
                "[",
                "]",
                ",",
                ".",
                "^",
                "=",
                "<",
                "and",
                "or",
                "not",
                "in",
                "select",
                "e",
                "from",
                "where",
                "occurs",
                "5",
                '"',
                "@{",
                "}",
                "$1",
                "now",
                "sum",
                "over",
                "let",
                "=>",
                "-",
            ]
        ),
        max_size=25,
    ).map(" ".join)
)
def test_any_text_compiles_or_is_refused_with_its_place(text: str) -> None:
    try:
        pql.compile(text)
    except RuleSyntaxError as error:
        refusal = error
    else:
        return
    assert 0 <= refusal.position <= len(text)
    assert refusal.line >= 1
    assert refusal.column >= 1
    assert refusal.excerpt.endswith("^")
