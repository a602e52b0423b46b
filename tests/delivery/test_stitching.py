"""The SDID machine and its place in a body (spec get-offers §8)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.stitching import SdidState, make_sdid, put_sdid, read_sdid, take_sdid
from gateway.ids import new_id

SDID = "0123456789ABCDEF-FEDCBA9876543210"


def trace(consumers):
    """Give the SDIDs that consumers get one after another, named S1, S2 … in the order of their first use."""
    names: dict[str, str] = {}
    state = SdidState()
    for number, consumer in enumerate(consumers):
        sdid, state = take_sdid(state, consumer, f"fresh{number}")
        yield names.setdefault(sdid, f"S{len(names) + 1}")


def test_the_trace_of_the_specification():
    assert list(trace("ababaccba")) == ["S1", "S1", "S2", "S2", "S3", "S2", "S3", "S3", "S4"]


@given(st.lists(st.sampled_from("abcd"), max_size=40))
def test_no_consumer_gets_an_sdid_twice(consumers):
    given = list(zip(consumers, trace(consumers), strict=True))
    assert len(set(given)) == len(given)


@given(st.sets(st.text(min_size=1), max_size=20))
def test_different_consumers_of_a_new_visitor_share_one_sdid(consumers):
    assert set(trace(sorted(consumers))) <= {"S1"}


@given(st.lists(st.sampled_from("abc"), max_size=20), st.sampled_from("abc"))
def test_a_state_knows_only_its_last_two_sdids(consumers, consumer):
    state = SdidState()
    for number, one in enumerate(consumers):
        before = state
        sdid, state = take_sdid(state, one, f"S{number}")
        assert sdid in (before.last, before.current, f"S{number}")
        assert one in (state.current_consumed if sdid == state.current else state.last_consumed)


def test_a_new_sdid_is_well_formed():
    made = {make_sdid(new_id) for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch("[0-9A-F]{16}-[0-9A-F]{16}", sdid) for sdid in made)


@pytest.mark.parametrize(
    "cloud",
    [
        None,
        {},
        {"analytics": None},
        {"analytics": {}},
        {"analytics": {"supplementalDataId": None}},
        {"analytics": {"supplementalDataId": ""}},
        {"analytics": {"supplementalDataId": SDID[:-1]}},
        {"analytics": {"supplementalDataId": SDID + "0"}},
        {"analytics": {"supplementalDataId": SDID.replace("-", "_")}},
        {"analytics": {"supplementalDataId": SDID.replace("F", "G")}},
        {"analytics": {"supplementalDataId": SDID + "\n"}},
        {"analytics": {"supplementalDataId": "\u0660" * 16 + "-" + "\u0660" * 16}},
    ],
)
def test_what_is_not_well_formed_is_no_sdid(cloud):
    body = {"context": {}} | ({} if cloud is None else {"experienceCloud": cloud})
    assert read_sdid(body) == ""
    assert read_sdid(put_sdid(body, SDID)) == SDID


def test_a_well_formed_sdid_is_read_in_either_case():
    assert read_sdid(put_sdid({}, SDID.lower())) == SDID.lower()


def test_an_sdid_is_put_beside_what_is_there_and_nothing_is_changed_in_place():
    body = {"a": 1, "experienceCloud": {"b": 2, "analytics": {"logging": "client_side"}}}
    assert put_sdid(body, SDID) == {
        "a": 1,
        "experienceCloud": {"b": 2, "analytics": {"logging": "client_side", "supplementalDataId": SDID}},
    }
    assert body == {"a": 1, "experienceCloud": {"b": 2, "analytics": {"logging": "client_side"}}}
