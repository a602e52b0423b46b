"""Depth of JSON, found without a decoder and in little time."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.nesting import is_deeper, measure_depth

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('[]{}"\\a,:'), max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.sampled_from('[{"'), max_size=3), inner),
    max_leaves=40,
)


@given(VALUES, st.integers(0, 8))
def test_both_ways_to_measure_agree(value: object, most: int) -> None:
    raw = json.dumps(value).encode()
    assert is_deeper(raw, most) == (measure_depth(value) > most)


@given(st.binary(max_size=60) | st.text(st.sampled_from('[]{}"\\a'), max_size=60).map(str.encode), st.integers(0, 5))
def test_what_is_not_json_never_raises(raw: bytes, most: int) -> None:
    assert isinstance(is_deeper(raw, most), bool)
