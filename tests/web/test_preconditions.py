"""Conditional requests (spec repository §8)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.errors import Problem
from gateway.web.preconditions import State, check_write, is_unchanged, read_conditions

STATE = State(3, datetime(2024, 5, 6, 10, 0, 0, 250_000, tzinfo=UTC))
BEFORE, THEN, AFTER = (
    "Mon, 06 May 2024 09:59:59 GMT",
    "Mon, 06 May 2024 10:00:00 GMT",
    "Mon, 06 May 2024 10:00:01 GMT",
)

NAMING = ['"3"', "3", '"1", "3"', "1, 3", '"1",3,W/"9"', "*", ' "3" ']
WEAK = ['W/"3"', 'W/3, "1"']
OTHER = ['"1"', "1", '"33"', '"1", W/"2"', "", ",", '"3', "''"]


@pytest.mark.parametrize("tags", NAMING + WEAK)
def test_a_read_of_what_the_caller_has_is_304(tags: str) -> None:
    """repo:Q1, repo:Q8."""
    assert is_unchanged({"If-None-Match": tags}, STATE)


@pytest.mark.parametrize("tags", OTHER)
def test_a_read_of_what_the_caller_lacks_is_full(tags: str) -> None:
    """repo:Q2."""
    assert not is_unchanged({"If-None-Match": tags}, STATE)


def test_a_read_without_conditions_is_full_and_if_modified_since_is_not_honoured() -> None:
    """repo:Q15: a date knows seconds only."""
    assert not is_unchanged({}, STATE)
    assert not is_unchanged({"If-Modified-Since": AFTER}, STATE)


def refusal(headers: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        check_write(headers, STATE)
    return caught.value.status, caught.value.code


@pytest.mark.parametrize("tags", NAMING)
def test_a_write_on_what_the_caller_has_goes_on(tags: str) -> None:
    """repo:Q3."""
    check_write({"If-Match": tags}, STATE)


@pytest.mark.parametrize("tags", OTHER + WEAK)
def test_a_write_on_another_revision_is_409_with_the_current_one(tags: str) -> None:
    """repo:Q4, repo:Q12."""
    assert refusal({"If-Match": tags}) == (409, "etag-mismatch")
    with pytest.raises(Problem) as caught:
        check_write({"If-Match": tags}, STATE)
    assert caught.value.members == {"currentEtag": 3}


def test_a_write_without_conditions_goes_on() -> None:
    """repo:Q5."""
    check_write({}, STATE)


def test_other_conditions_of_a_write_are_412() -> None:
    """repo:Q6."""
    for tags in NAMING + WEAK:
        assert refusal({"If-None-Match": tags}) == (412, "precondition-failed")
    for tags in OTHER:
        check_write({"If-None-Match": tags}, STATE)
    assert refusal({"If-Unmodified-Since": BEFORE}) == (412, "precondition-failed")
    for date in (THEN, AFTER, "yesterday", ""):
        check_write({"If-Unmodified-Since": date}, STATE)
    check_write({"If-Unmodified-Since": BEFORE, "If-Match": "3"}, STATE)


@pytest.mark.parametrize("headers", [{"If-Match": '"1"'}, {"If-Unmodified-Since": BEFORE}])
def test_a_read_on_another_revision_is_412(headers: dict[str, str]) -> None:
    """repo:Q7."""
    with pytest.raises(Problem) as caught:
        is_unchanged(headers, STATE)
    assert (caught.value.status, caught.value.code) == (412, "precondition-failed")
    assert not is_unchanged({"If-Match": '"3"'}, STATE)


def test_the_tag_is_the_revision_in_quotes() -> None:
    """repo:Q15."""
    assert STATE.tag == '"3"'
    assert STATE.last_modified == THEN


def test_several_headers_of_one_name_are_one_list() -> None:
    """RFC 9110 §5.3."""
    headers = CIMultiDict([("if-match", '"1"'), ("If-Match", '"3"'), ("Accept", "x")])
    assert read_conditions(headers) == {"If-Match": '"1", "3"'}
    check_write(read_conditions(headers), STATE)


@given(st.text(alphabet='W/"3, *1', max_size=20))
def test_weak_comparison_holds_whenever_strong_does(tags: str) -> None:
    """RFC 7232 §2.3.2."""
    try:
        check_write({"If-Match": tags}, STATE)
    except Problem:
        return
    assert is_unchanged({"If-None-Match": tags}, STATE)
