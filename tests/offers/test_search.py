"""How text and queries are taken apart (repo:T1-T7, X10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.offers.search import Term, holds, matches, normalise, read_terms, score, split_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Gold Card", ["gold", "card"]),
        ("Café CAFE\u0301", ["cafe", "cafe"]),
        ("Straße ﬁne ½", ["strasse", "fine", "1", "2"]),
        ("snake_case a-b", ["snake", "case", "a", "b"]),
        ("हिन्दी", ["हनद"]),
        ("١٢ 一", ["١٢", "一"]),
        ("İ", ["i"]),
        ("😀", []),
    ],
)
def test_tokens_are_runs_of_letters_and_digits_of_the_normalised_text(text, tokens):
    """repo:T1, T2."""
    assert split_tokens(normalise(text)) == tokens


@pytest.mark.parametrize(
    ("q", "terms"),
    [
        ("Gold  card", [Term(("gold",)), Term(("card",))]),
        ("a+b-c=d&e|f>g<h!i", [Term((each,)) for each in "abcdefghi"]),
        ('(a){b}[c]^"d~e*f?g:h/i', [Term((each,)) for each in "abcdefghi"]),
        ("a.b don't", [Term(("a", "b")), Term(("don", "t"))]),
        ("a\\-b", [Term(("a", "b"), "a-b")]),
        ("\\a\\b", [Term(("ab",))]),
        ("a\\ b", [Term(("a", "b"), "a b")]),
        ("a\\", [Term(("a",))]),
        ("\\\\", [Term((), "\\")]),
        ("\\+ b", [Term((), "+"), Term(("b",))]),
        ('"a b"', [Term(("a", "b"), "a b")]),
        (' "A  b" ', [Term(("a", "b"), "a  b")]),
        ('"a \\"b\\" \\\\ \\c"', [Term(("a", "b", "c"), 'a "b" \\ \\c')]),
        ('"a" "b"', [Term(("a",)), Term(("b",))]),
        ('"a\\"', [Term(("a",), 'a"')]),
        ('"', []),
        ("\u0301", []),
        (". , ;", []),
    ],
)
def test_terms(q, terms):
    """repo:T4, T5, T6, T7, X10."""
    assert read_terms(q) == tuple(terms)


@pytest.mark.parametrize(
    ("value", "exact", "held"),
    [
        ("card-gold bundle", "card-gold", True),
        ("card-golden", "card-gold", False),
        ("discard-gold", "card-gold", False),
        ("cards card", "card", True),
        ("c++", "c+", True),
        ("a+", "+", True),
        ("50% off", "% o", False),
        ("50% off", "% off", True),
        ("", "a", False),
    ],
)
def test_an_exact_text_does_not_begin_or_end_inside_a_token(value, exact, held):
    """repo:T5."""
    assert holds(value, exact) is held


@given(st.text(max_size=30))
def test_a_value_is_found_by_itself_in_quotes(text):
    """repo:T6."""
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    terms = read_terms(quoted)
    assert all(matches(term, normalise(text)) for term in terms)
    assert bool(terms) == bool(normalise(text))


def test_the_score_is_the_share_of_terms_that_match_a_value():
    """repo:§12: `_score`."""
    assert score(read_terms("gold a.b nothing none"), ["golden", "a b gold"]) == 0.5
