"""Sort keys and positions: keys compare as values do, every position can be given back (repo:L8, L10-L13, X5)."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Problem
from gateway.offers.ordering import MISSING, make_key, make_number_key, read_start, write_start

TEXTS = st.one_of(
    st.text(max_size=8),
    st.text("\\,-sn1e.+true", max_size=8),
    st.sampled_from(
        ["true", "false", "12", "-0", "1e5", ".5", "2020-01-01T00:00:00Z", "2020-01-01t00:00:00+01:00", "\\-", "\\s"]
    ),
)
NUMBERS = st.one_of(st.integers(), st.integers(-20, 20), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.just([]), st.just({"a": 1}))
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001 # the bounds are naive
    lambda moment: moment.isoformat()
)


def rank(value):
    """repo:L8, in Python's own terms."""
    if isinstance(value, bool):
        return (1, value)
    if isinstance(value, int | float):
        return (2, Fraction(repr(value)))
    return (3, value) if isinstance(value, str) else (0,)


@given(VALUES, VALUES)
def test_keys_compare_as_the_values_do(left, right):
    """repo:L8: missing < booleans < numbers < strings by code point; equal values have one key."""
    assert (make_key(left) < make_key(right)) == (rank(left) < rank(right))
    assert (make_key(left) == make_key(right)) == (rank(left) == rank(right))


@given(MOMENTS, MOMENTS)
def test_dates_compare_as_instants(left, right):
    """repo:L8."""
    moments = datetime.fromisoformat(left), datetime.fromisoformat(right)
    keys = make_key(left, "date-time"), make_key(right, "date-time")
    assert (keys[0] < keys[1]) == (moments[0] < moments[1])
    assert make_key("2019-02-23T16:30:00Z", "date-time") == make_key("2019-02-23T17:30:00+01:00", "date-time")
    assert MISSING < make_key(False) < make_key(-1e300) < make_key(1e300) < keys[0] < make_key("")


def test_numbers_are_exact_however_written():
    """repo:F5: the literal is read as decimal."""
    same = ["10", "10.0", "1e1", "+10", "010", "10.", "0.1E2", "100e-1"]
    assert len({make_number_key(text) for text in same}) == 1
    assert len({make_number_key(text) for text in ["0", "-0", "0.0", ".0", "0e99", "-0e-99999999999999999999"]}) == 1
    rising = [
        "-1e99999999999999999999",
        "-10",
        "-1.2",
        "-1.19",
        "-1",
        "-1e-9",
        "0",
        "1e-99999999999999",
        "0.1",
        "0.10000000000000000001",
    ]
    rising += ["1", str(2**53), f"{2**53}.5", str(2**53 + 1), "1e400", "1" + "0" * 401, "1e99999999999999999999"]
    keys = [make_number_key(text) for text in rising]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert not any(map(make_number_key, ["", ".", "-", "1e", "0x1", "1_0", "\u0661", "NaN", "Infinity", "1 "]))


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_every_position_is_given_back_exactly(values):
    """repo:X5, L12: missing, mixed, lookalikes, commas and backslashes, alone and in tuples."""
    kinds = [""] * len(values)
    assert read_start(write_start(values, kinds), kinds) == tuple(make_key(value) for value in values)


@given(st.lists(st.one_of(st.none(), TEXTS), min_size=1, max_size=3), st.one_of(st.none(), MOMENTS))
def test_positions_over_declared_properties_are_given_back_exactly(texts, moment):
    """repo:L13, X5."""
    values, kinds = [*texts, moment], [*["string"] * len(texts), "date-time"]
    expected = tuple(make_key(value, kind) for value, kind in zip(values, kinds, strict=True))
    assert read_start(write_start(values, kinds), kinds) == expected


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([None], "\\-"),
        (["12"], "\\s12"),
        (["true"], "\\strue"),
        (["2024-05-01T00:00:00Z"], "\\s2024-05-01T00:00:00Z"),
        (["\\-"], "\\s\\-"),
        (["\\s5"], "\\s\\s5"),
        (["\\x"], "\\x"),
        (["a,b"], "a,b"),
        (["a,b", 1], "a\\,b,1"),
        (["a\\b", True], "a\\\\b,true"),
        ([None, "\\-"], "\\-,\\s\\\\-"),
        ([["array"], "plain"], "\\-,plain"),
    ],
)
def test_positions_are_written_as_the_rule_says(values, text):
    """repo:X5, L12: with a single sort property no splitting happens at all."""
    assert write_start(values, [""] * len(values)) == text


@pytest.mark.parametrize(
    ("text", "kinds", "values"),
    [
        ("12", ["string"], ["12"]),
        ("12", [""], [12]),
        ("true", ["string"], ["true"]),
        ("true", [""], [True]),
        ("true", ["boolean"], [True]),
        ("1e3", ["number"], [1000]),
        ("a,b", ["string"], ["a,b"]),
        ("a\\,b", ["string"], ["a\\,b"]),
        ("a\\,b,c", ["string", ""], ["a,b", "c"]),
        ("a", ["string", ""], ["a"]),
        ("", [""], [""]),
        (",", ["", ""], ["", ""]),
        ("a\\", ["", ""], ["a\\"]),
        ("\\-", ["number"], [None]),
        ("\\sx", ["number"], ["x"]),
    ],
)
def test_positions_are_read_with_the_type_of_the_property(text, kinds, values):
    """repo:L12, L13."""
    assert read_start(text, kinds) == tuple(map(make_key, values))


def test_moments_are_read_from_both_forms():
    """repo:L13: RFC 3339 and epoch milliseconds."""
    forms = ["2024-05-01T00:00:00Z", "2024-05-01T02:00:00+02:00", "1714521600000"]
    assert {read_start(text, ["date-time"]) for text in forms} == {(make_key(forms[0], "date-time"),)}
    assert read_start("-1", ["date-time"]) == (make_key("1969-12-31T23:59:59.999Z", "date-time"),)


@pytest.mark.parametrize(
    ("text", "kind"), [("x", "number"), ("x", "boolean"), ("x", "date-time"), ("9" * 17, "date-time"), ("", "number")]
)
def test_what_cannot_be_a_position_is_refused(text, kind):
    """repo:L13."""
    with pytest.raises(Problem, match="start must be"):
        read_start(text, [kind])
