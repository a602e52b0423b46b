"""Matching many values by one search gives what matching each of them gives (repo:F8, F9)."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.pql.patterns import PatternError, compile_lines, compile_pattern, compile_whole

PIECES = [
    "a",
    "b",
    "B",
    ".",
    "*",
    "+",
    "?",
    "|",
    "(",
    ")",
    "(?:",
    "[^a]",
    "[ab]",
    "\\s",
    "\\W",
    "\\n",
    "é",
    "{2}",
    "\\x1f",
]
PIECES += ["\\[^", "[^\\n]", "[\\s\\S]", "\\D", "0", "(?s:.)"]
PATTERNS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
VALUES = st.lists(st.text("abAB 0é\x1f\x00_", max_size=5), max_size=6)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, VALUES, st.booleans())
def test_lines_match_as_the_values_do(pattern, values, case_sensitive):
    try:
        compile_pattern(pattern)
        whole = compile_whole(pattern, case_sensitive=case_sensitive)
    except PatternError:
        assume(False)
    lines = compile_lines(pattern, case_sensitive=case_sensitive)
    assert lines is not None
    block = "\n".join(f"{number}\x1f{value}" for number, value in enumerate(values)).encode()
    expected = [number for number, value in enumerate(values) if whole.fullmatch(value.encode())]
    assert [int(match[1]) for match in lines.finditer(block)] == expected


def test_what_looks_at_the_edges_of_its_text_is_matched_value_by_value():
    for pattern in ("^a", "a$", "\\Aa", "a\\b", "(?i)a", "(?m:a)"):
        assert compile_lines(pattern) is None
