"""The visitor's state, written and read back (spec get-offers §7.4, §8)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.stitching import SdidState, take_sdid
from gateway.delivery.visitor_state import VisitorState, keep_sdid, read_visitor_state, write_visitor_state
from gateway.errors import InvalidBody

ONE, TWO = "0123456789ABCDEF-0123456789ABCDEF", "FEDCBA9876543210-FEDCBA9876543210"


def test_before_an_sdid_was_asked_for_the_state_is_empty() -> None:
    """§7.4."""
    assert write_visitor_state("O", VisitorState()) == {"O@AdobeOrg": {}}
    assert write_visitor_state("O@AdobeOrg", VisitorState({"crm": "a"})) == {
        "O@AdobeOrg": {"customerIDs": {"crm": "a"}}
    }


def test_the_state_names_who_used_which_sdid() -> None:
    """§7.4: the last one only after the first rotation."""
    _, state = take_sdid(SdidState(), "a", ONE)
    first = {
        "supplementalDataIDCurrent": ONE,
        "supplementalDataIDCurrentConsumed": {"payload:a": True},
        "supplementalDataIDLastConsumed": {},
    }
    assert write_visitor_state("O", VisitorState(sdid=state)) == {"O@AdobeOrg": {"sdid": first}}
    _, state = take_sdid(state, "a", TWO)
    assert write_visitor_state("O", VisitorState(sdid=state))["O@AdobeOrg"]["sdid"] == {
        "supplementalDataIDCurrent": TWO,
        "supplementalDataIDCurrentConsumed": {"payload:a": True},
        "supplementalDataIDLast": ONE,
        "supplementalDataIDLastConsumed": {"payload:a": True},
    }


@given(st.text("abc", max_size=20))
def test_a_state_that_travelled_goes_on_where_it_was(consumers: str) -> None:
    """§8, gateway persistence: write and read back between any two calls changes nothing."""
    state = travelled = SdidState()
    for number, consumer in enumerate(consumers):
        fresh = f"{number:016X}-{number:016X}"
        written = write_visitor_state("O", VisitorState(sdid=travelled))
        found = read_visitor_state(written, "O", "$").sdid
        one, state = take_sdid(state, consumer, fresh)
        other, travelled = take_sdid(found, consumer, fresh)
        assert one == other
        assert state == travelled


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ({"O@AdobeOrg": 5}, "$.visitor_state.O@AdobeOrg"),
        ({"O@AdobeOrg": {"sdid": []}}, "$.visitor_state.O@AdobeOrg.sdid"),
        (
            {"O@AdobeOrg": {"sdid": {"supplementalDataIDCurrent": ONE, "supplementalDataIDCurrentConsumed": 1}}},
            "$.visitor_state.O@AdobeOrg.sdid.supplementalDataIDCurrentConsumed",
        ),
        (
            {"O@AdobeOrg": {"sdid": {"supplementalDataIDLastConsumed": {"x" * 300: True}}}},
            "$.visitor_state.O@AdobeOrg.sdid.supplementalDataIDLastConsumed",
        ),
        (
            {"O@AdobeOrg": {"sdid": {"supplementalDataIDLastConsumed": {str(at): True for at in range(1001)}}}},
            "$.visitor_state.O@AdobeOrg.sdid.supplementalDataIDLastConsumed",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_state_that_is_none_is_refused_by_name(state: Any, path: str) -> None:
    with pytest.raises(InvalidBody) as error:
        read_visitor_state(state, "O", "$.visitor_state")
    assert error.value.path == path


@pytest.mark.parametrize("sdid", ["", "x", None, 5, ["a"]])
def test_an_sdid_that_is_none_counts_as_absent_with_those_who_used_it(sdid: Any) -> None:
    state = {"supplementalDataIDCurrent": sdid, "supplementalDataIDCurrentConsumed": {"payload:a": True}}
    assert read_visitor_state({"O@AdobeOrg": {"sdid": state}}, "O", "$").sdid == SdidState()


def test_another_organizations_state_is_none_of_ours() -> None:
    assert read_visitor_state({"P@AdobeOrg": 5}, "O", "$") == VisitorState()


@pytest.mark.parametrize("other", ["", None, 1, [], {}, "a" * 33, ONE[:-1], ONE.replace("-", "_")])
def test_only_a_well_formed_sdid_is_kept(other: Any) -> None:
    assert keep_sdid(ONE) == ONE
    assert keep_sdid(other) == ""
