"""The SDID state machine (spec get-offers §8)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.stitching import SdidState, make_sdid, take_sdid
from gateway.delivery.visitor_state import NO_SDID, keep_sdid


def run(consumers: str) -> list[str]:
    """Give the ids that calls of `consumers` get, one after the other; new ids are S1, S2 and so on."""
    state, taken, numbers = NO_SDID, [], itertools.count(1)
    fresh = f"S{next(numbers)}"
    for consumer in consumers:
        sdid, state = take_sdid(state, consumer, fresh)
        taken.append(sdid)
        if state.current == fresh:
            fresh = f"S{next(numbers)}"
    return taken


def test_the_trace_of_the_specification() -> None:
    """§8: consumers a,b,a,b,a,c,c,b,a."""
    assert run("ababaccba") == ["S1", "S1", "S2", "S2", "S3", "S2", "S3", "S3", "S4"]


@pytest.mark.parametrize(
    ("consumers", "expected"),
    [("abc", ["S1"] * 3), ("aa", ["S1", "S2"]), ("aaa", ["S1", "S2", "S3"]), ("aab", ["S1", "S2", "S1"])],
)
def test_different_consumers_share_an_id_and_the_same_one_begins_the_next(consumers: str, expected: list[str]) -> None:
    assert run(consumers) == expected


@given(st.text("abcd", max_size=60))
def test_no_consumer_gets_an_id_twice(consumers: str) -> None:
    pairs = list(zip(consumers, run(consumers), strict=True))
    assert len(set(pairs)) == len(pairs)


@given(st.text("abcd", max_size=60))
def test_only_the_ids_of_two_pages_are_ever_known(consumers: str) -> None:
    state: SdidState = NO_SDID
    for number, consumer in enumerate(consumers):
        sdid, after = take_sdid(state, consumer, f"S{number}")
        assert sdid in (after.current, after.last)
        assert after.last in (state.last, state.current)
        state = after


def test_an_id_is_two_times_sixteen_capital_digits() -> None:
    sdid = make_sdid(lambda: "0123456789abcdef0123456789abcdef")
    assert sdid == "0123456789ABCDEF-0123456789ABCDEF"
    assert keep_sdid(sdid) == sdid


@pytest.mark.parametrize(
    "other", ["", None, 1, "a" * 33, "0123456789ABCDEF-0123456789ABCDE", "0" * 16 + "-" + "g" * 16]
)
def test_anything_else_is_none(other: object) -> None:
    assert keep_sdid(other) == ""
