"""Bodies from outside: what is JSON, how large it may be, when two values are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Problem
from gateway.offers.documents import MAX_BODY_BYTES, MAX_DEPTH, copy, depth_of, equal, point, read_json, size_of

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{]",
        b"nul",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"NaN",
        b"Infinity",
        b"1e999",
        b'"\\ud800"',
        b'"\\udc00x"',
        b'{"\\ud83d": 1}',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'\xef\xbb\xbf{"a": 1}',
        b'"\\x"',
        b"1" * 5_000,
        b"9223372036854775808",
        b'{"a": [-9223372036854775808]}',
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """repo:K2; lone surrogates and integers beyond 64 bits are none that can be kept either."""
    with pytest.raises(Problem) as caught:
        read_json(body)
    assert (caught.value.status, caught.value.code) == (400, "malformed-json")


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65])
def test_deep_nesting_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        read_json(body)
    assert caught.value.status in (400, 413)


def test_nesting_up_to_the_limit_is_taken() -> None:
    assert depth_of(read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)) == MAX_DEPTH


def test_a_body_has_at_most_a_mebibyte() -> None:
    """repo:K10."""
    assert read_json(b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"')
    with pytest.raises(Problem) as caught:
        read_json(b'"' + b"x" * (MAX_BODY_BYTES - 1) + b'"')
    assert (caught.value.status, caught.value.code) == (413, "too-large")


def test_a_zero_character_and_characters_beyond_the_first_plane_are_text() -> None:
    assert read_json(b'{"\\u0000": "a\\u0000b \\ud83d\\ude00"}') == {"\0": "a\0b \U0001f600"}


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ([1], [True], False),
        ([1, 2], [2, 1], False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ("1", 1, False),
        ([], {}, False),
    ],
)
def test_equality_is_that_of_json(left: object, right: object, same: bool) -> None:
    """repo:W4."""
    assert equal(left, right) is same
    assert equal(right, left) is same


def test_sizes_are_counted_no_further_than_asked() -> None:
    assert depth_of(1) == 0
    assert depth_of([[], {"a": [1]}]) == 3
    assert size_of({"ab": ["c", 1, None], "d": "ef"}, 100) == (6, 6)
    assert size_of([1] * 1_000, 10).nodes == 11


@given(VALUES)
def test_a_value_equals_its_copy(value: object) -> None:
    assert equal(value, copy(value))


@given(VALUES, VALUES)
def test_equality_is_symmetric(left: object, right: object) -> None:
    assert equal(left, right) is equal(right, left)


def test_pointers_escape_tildes_and_slashes() -> None:
    assert point("_instance", "a/b~c", 0, "") == "/_instance/a~1b~0c/0/"
