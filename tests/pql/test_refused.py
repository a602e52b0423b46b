"""Rules that must be refused when they are stored, and what the error says and where it points (spec pql 13, 14)."""

from typing import Any

import pytest

from gateway import pql
from gateway.errors import RuleSyntaxError, RuleTooLarge, RuleTypeError
from gateway.pql.limits import MAX_DEPTH, MAX_SOURCE_BYTES, MAX_TOKENS
from tests.pql.cases import cases
from tests.pql.trees import shape

CASES = [pytest.param(case, id=case["id"]) for case in cases("pql-refused.toml")]


@pytest.mark.parametrize("case", CASES)
def test_a_refused_rule_says_what_and_where(case: dict[str, Any]) -> None:
    with pytest.raises(RuleSyntaxError) as caught:
        pql.compile(case["rule"])
    error = caught.value
    assert (error.code, error.position) == (case["code"], case["at"])
    assert case["says"] in error.message
    assert error.status == 422


@pytest.mark.parametrize("case", CASES)
def test_line_column_and_caret_agree_with_the_position(case: dict[str, Any]) -> None:
    with pytest.raises(RuleSyntaxError) as caught:
        pql.compile(case["rule"])
    error, lines = caught.value, case["rule"].split("\n")
    assert sum(len(line) + 1 for line in lines[: error.line - 1]) + error.column - 1 == error.position
    shown, caret = error.excerpt.split("\n")
    assert caret == " " * (error.column - 1) + "^"
    assert shown == "".join(c if c.isprintable() else " " for c in lines[error.line - 1])


def test_a_long_line_is_cut_around_the_place() -> None:
    with pytest.raises(RuleSyntaxError) as caught:
        pql.compile("a = 1 and " * 100 + "b == == 2" + " and c = 3" * 100)
    shown, caret = caught.value.excerpt.split("\n")
    assert len(shown) <= 90
    assert shown[len(caret) - 1 :].startswith("== 2")


WRAPPED = {
    "parentheses": ("(", "true", ")"),
    "not": ("not ", "true", ""),
    "signs": ("-", "1", ""),
    "lists": ("[", "1", "]"),
    "filters": ("a[", "true", "]"),
    "calls": ("a.filter(", "true", ")"),
    "lets": ("let a = 1 in ", "true", ""),
    "queries": ("exists e from x where ", "true", ""),
    "clauses": ("exists e from x where true", "", ", e from x where true"),
    "calls in a row": ("a", "", ".head()"),
}


@pytest.mark.parametrize("form", WRAPPED)
def test_thirty_levels_are_taken_and_more_are_refused(form: str) -> None:
    """Spec pql:ST2."""
    before, core, after = WRAPPED[form]
    many = after if form in {"clauses", "calls in a row"} else None

    def nested(levels: int) -> str:
        if many is None:
            return before * levels + core + after * levels
        return before + many * (levels - (form == "clauses"))

    rule = pql.compile(nested(MAX_DEPTH))
    assert shape(pql.compile(str(rule)).tree) == shape(rule.tree)
    for levels in (MAX_DEPTH + 1, 400):
        with pytest.raises(RuleTooLarge):
            pql.compile(nested(levels))


def test_the_source_may_have_15_kilobytes_of_utf_8() -> None:
    """Spec pql:ST2."""
    fits = '"' + "ä" * ((MAX_SOURCE_BYTES - 2) // 2) + '"'
    assert pql.compile(fits).text == fits
    with pytest.raises(RuleTooLarge):
        pql.compile(fits[:-1] + 'ä"')


def test_a_long_rule_of_ordinary_clauses_is_taken() -> None:
    clauses = " or ".join(f'loyalty.tier = "gold{i:03}"' for i in range(250))
    ids = '["' + '", "'.join(f"segment{i:05}" for i in range(750)) + '"]'
    for rule in (clauses, f"loyalty.tier in {ids}"):
        assert pql.compile(rule).text == rule


@pytest.mark.parametrize("rule", ["1" + " + 1" * MAX_TOKENS, "a" + ".b" * MAX_TOKENS, "[" + "1," * MAX_TOKENS + "1]"])
def test_too_many_parts_are_refused(rule: str) -> None:
    with pytest.raises(RuleTooLarge):
        pql.compile(rule)


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("a" * 256, True),
        ("a" * 257, False),
        ("a{1000}", True),
        ("\\\\pL", False),
        ("\\\\PL", False),
        ("a\\\\z", False),
        ("\\\\Qa\\\\E", False),
        ("[[:alpha:]]", False),
        ("a(?i)b", False),
        ("a{2}{3}", False),
        ("(?=a)b", False),
        ("(a)\\\\1", False),
        ("(?i)a", True),
        ("(?is:a)(?-i:b)", True),
        ("(?P<name>[(?i])", True),
        ("(?i)[\\u0000-\\uffff]", True),
        ("[^a]{500}", False),
        ("((a{99}){99}){99}", False),
    ],
)
def test_a_pattern_is_bounded(pattern: str, fits: bool) -> None:
    """Repository F9."""
    rule = f'x.matches("{pattern}")'
    if fits:
        pql.compile(rule)
    else:
        with pytest.raises(RuleTypeError):
            pql.compile(rule)


@pytest.mark.parametrize("part", ["x", "%", "_", "x%", "ä_", "%_%"])
def test_a_like_pattern_is_bounded(part: str) -> None:
    longest = (part * 256)[:256]
    pql.compile(f'a like "{longest}"')
    with pytest.raises(RuleTypeError, match="256"):
        pql.compile(f'a like "{longest}x"')


def test_the_patterns_of_a_rule_are_bounded_together() -> None:
    pql.compile(" or ".join(f'a.matches("^x{i}$")' for i in range(19)))
    for patterns in ([f"x{i}" for i in range(150)], [f"[^a]{{99}}{i}" for i in range(10)]):
        with pytest.raises(RuleTooLarge, match="patterns"):
            pql.compile(" or ".join(f'a.matches("{pattern}")' for pattern in patterns))


def test_half_a_surrogate_pair_is_no_rule() -> None:
    with pytest.raises(RuleSyntaxError, match="surrogate"):
        pql.compile("a = '\ud800'")
