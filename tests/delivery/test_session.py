"""Who the visitor is (gw:S2, S3, S10; spec get-offers §15 point 1; on-device §6.1)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.session import (
    adopt_device,
    merge_answered_id,
    mint_device_id,
    read_answered,
    read_visitor,
    shield_id,
)

CUSTOMER = [{"id": "c1", "integrationCode": "crm", "authenticatedState": "authenticated"}]


@pytest.mark.parametrize(
    ("identity", "known"),
    [
        (None, False),
        ({}, False),
        ({"tntId": ""}, False),
        ({"tntId": None, "thirdPartyId": ""}, False),
        ({"customerIds": CUSTOMER}, False),
        ({"tntId": "a"}, True),
        ({"marketingCloudVisitorId": "m"}, True),
        ({"thirdPartyId": "t"}, True),
        ({"thirdPartyId": "t", "customerIds": CUSTOMER}, True),
    ],
    ids=str,
)
def test_a_customer_id_alone_makes_nobody_known(identity: Any, known: bool) -> None:
    """on-device §6.1 GATEWAY: such a visitor gets a tntId too."""
    assert read_visitor(identity, "s1").is_known is known


def test_a_new_visitor_gets_a_device_id_with_the_suffix_of_a_known_edge() -> None:
    """on-device §6.1."""
    assert mint_device_id("new", "") == "new"
    assert mint_device_id("new", "35") == "new.35_0"
    assert adopt_device(read_visitor({"customerIds": CUSTOMER}, "s1"), "new.35_0", "").id == {
        "customerIds": CUSTOMER,
        "tntId": "new.35_0",
    }


@pytest.mark.parametrize(
    ("body", "cookie", "stored", "expected"),
    [
        ("body.1_0", "cookie.2_0", "stored.3_0", "body.1_0"),
        ("", "cookie.2_0", "stored.3_0", "cookie.2_0"),
        ("", "", "stored.3_0", "stored.3_0"),
        ("", "", "", ""),
        ("body.1-0", "", "", "body.1_0"),
        ("", "cookie.2-0", "", "cookie.2_0"),
    ],
)
def test_the_body_wins_over_the_cookie_over_the_record_and_suffixes_are_restored(
    body: str, cookie: str, stored: str, expected: str
) -> None:
    """gw:S3, S10."""
    visitor = adopt_device(read_visitor({"tntId": body}, "s1", cookie), stored, "")
    assert visitor.tnt_id == expected


@pytest.mark.parametrize(
    ("identity", "hint", "cluster"),
    [
        ({"tntId": "a.35_0"}, "", "35"),
        ({"tntId": "a.35_0"}, "28", "35"),
        ({"tntId": "a"}, "28", "28"),
        ({}, "28", "28"),
        ({}, "", ""),
        ({"tntId": "a.evil.example_0"}, "", ""),
    ],
)
def test_the_edge_is_the_device_ids_own_else_the_hint(identity: Any, hint: str, cluster: str) -> None:
    assert read_visitor(identity, "s1", location_hint=hint).cluster == cluster


@pytest.mark.parametrize(
    ("identity", "bucketing"),
    [
        ({"tntId": "a.b.c"}, "a"),
        ({"tntId": ".28_0", "thirdPartyId": "x"}, "x"),
        ({"tntId": "a", "marketingCloudVisitorId": "m"}, "m"),
        ({"customerIds": CUSTOMER}, ""),
    ],
)
def test_visitors_are_bucketed_as_specified(identity: Any, bucketing: str) -> None:
    """on-device §8, §16."""
    assert read_visitor(identity, "s1").bucketing == bucketing


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        (None, {"tntId": "a", "thirdPartyId": "t"}),
        ("garbage", {"tntId": "a", "thirdPartyId": "t"}),
        ([], {"tntId": "a", "thirdPartyId": "t"}),
        ({"tntId": "a.35_0"}, {"tntId": "a.35_0", "thirdPartyId": "t"}),
        ({"tntId": None, "thirdPartyId": None}, {"tntId": "a", "thirdPartyId": "t"}),
        ({"tntId": 5}, {"tntId": "a", "thirdPartyId": "t"}),
        ({"tntId": "x" * 129}, {"tntId": "a", "thirdPartyId": "t"}),
        (
            {"tntId": "", "marketingCloudVisitorId": "m"},
            {"tntId": "a", "thirdPartyId": "t", "marketingCloudVisitorId": "m"},
        ),
    ],
    ids=str,
)
def test_the_ids_of_the_answer_are_ours_and_what_target_added_or_moved(answered: Any, expected: Any) -> None:
    """gw:S2."""
    assert merge_answered_id(read_visitor({"tntId": "a", "thirdPartyId": "t"}, "s1"), answered) == expected


@pytest.mark.parametrize(
    ("identity", "edge_host", "expected"),
    [
        ({"tntId": "a.35_0"}, "mboxedge28.tt.omtrdc.net", ("a.35_0", "35")),
        ({"tntId": "a"}, "mboxedge28.tt.omtrdc.net", ("a", "28")),
        ({"tntId": "a"}, "evil.example", ("a", "")),
        (None, None, ("", "")),
        ([], {}, ("", "")),
        ({"tntId": ["a"]}, 7, ("", "")),
    ],
    ids=str,
)
def test_what_an_answer_says_of_device_and_edge(identity: Any, edge_host: Any, expected: Any) -> None:
    assert read_answered(identity, edge_host) == expected


def test_clients_that_are_kept_see_no_edge_and_others_see_all() -> None:
    """gw:S10."""
    identity = {"tntId": "a.35_0", "thirdPartyId": "t"}
    assert shield_id(identity, keep_clients=True) == {"tntId": "a.35-0", "thirdPartyId": "t"}
    assert shield_id(identity, keep_clients=False) == identity
    assert shield_id({}, keep_clients=True) == {}


@given(
    st.text(alphabet="abc0123456789", min_size=1, max_size=20),
    st.from_regex(r"[0-9]{1,3}_[0-9]{1,2}", fullmatch=True) | st.just(""),
)
def test_what_is_shielded_on_the_way_out_is_restored_on_the_way_in(bare: str, suffix: str) -> None:
    device = f"{bare}.{suffix}" if suffix else bare
    shown = shield_id({"tntId": device}, keep_clients=True)
    assert read_visitor(shown, "s1").tnt_id == device


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.just("tntId"), inner, max_size=3)
    ),
)


@given(json_values, json_values)
def test_no_answer_breaks_the_ids(answered: Any, edge_host: Any) -> None:
    merged = merge_answered_id(read_visitor({"tntId": "a"}, "s1"), answered)
    assert isinstance(merged["tntId"], str)
    assert merged["tntId"]
    device, cluster = read_answered(answered, edge_host)
    assert cluster == "" or cluster.isdigit()
    assert isinstance(device, str)
