"""The cookies of a visitor: get-offers 4 and 6."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.cookies import (
    Cookie,
    MboxCookie,
    cluster_of,
    cluster_of_edge_host,
    find_cookie,
    read_mbox_cookie,
    restore_device_id,
    shield_device_id,
    write_mbox_cookie,
)

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "mbox_cookies.toml").read_text())["cookie"]
NOW_MS = 1570320000000


@pytest.mark.parametrize("case", CASES, ids=[case["rule"] for case in CASES])
def test_entries_that_have_not_expired_are_read(case):
    """Rules of get-offers 4.2."""
    expected = MboxCookie(case.get("session", ""), case.get("device", ""))
    assert read_mbox_cookie(case["value"], case["now"]) == expected


def test_a_value_too_long_or_of_too_many_entries_counts_as_empty():
    entry = "session#a#9999999999"
    assert read_mbox_cookie("|".join([entry] * 100), 0).session_id == "a"
    assert read_mbox_cookie("|".join([entry] * 101), 0) == MboxCookie()
    assert read_mbox_cookie(f"PC#{'b' * 8300}#9999999999|{entry}", 0) == MboxCookie()


def test_the_cookie_of_the_specification_is_written():
    """The example of get-offers 4.3."""
    value = "session#sessionId#1570321860|PC#tntId#1633564800"
    assert write_mbox_cookie("sessionId", "tntId", NOW_MS) == Cookie("mbox", value, 63244800)


@pytest.mark.parametrize(
    ("tnt_id", "now_ms", "max_age"),
    [("t", NOW_MS + 1, 63244801), ("", NOW_MS, 1860), ("", NOW_MS + 1, 1861), ("t", NOW_MS + 999, 63244801)],
)
def test_max_age_is_rounded_up_twice(tnt_id, now_ms, max_age):
    assert write_mbox_cookie("s", tnt_id, now_ms).max_age == max_age


def test_without_a_tnt_id_there_is_no_device_entry():
    assert write_mbox_cookie("s", "", NOW_MS).value == "session#s#1570321860"


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("aZ09-_.!~*'()", "aZ09-_.!~*'()"),
        ("a|b#c/d e+", "a%7Cb%23c%2Fd%20e%2B"),
        ("é😀", "%C3%A9%F0%9F%98%80"),
        ("%41", "%2541"),
        (';,="\\', "%3B%2C%3D%22%5C"),
        ("\ud800", "%3F"),
    ],
)
def test_values_are_encoded_as_encode_uri_component_does(text, encoded):
    assert write_mbox_cookie(text, "", NOW_MS).value == f"session#{encoded}#1570321860"


@given(st.text(max_size=100), st.text(max_size=100), st.integers(0, 10**13))
def test_what_is_written_is_read_again(session_id, tnt_id, now_ms):
    value = write_mbox_cookie(session_id, tnt_id, now_ms).value
    assert read_mbox_cookie(value, now_ms / 1000) == MboxCookie(session_id, tnt_id)


pieces = st.lists(
    st.sampled_from(["session", "PC", "#", "|", "%", "%41", "%ff", "9999999999", "é", "\ud800", "=", ";"])
)


@given(st.text(st.characters()) | pieces.map("".join), st.floats())
def test_reading_never_raises(value, now_s):
    cookie = read_mbox_cookie(value, now_s)
    assert isinstance(cookie.session_id, str)
    assert find_cookie(value, "session") in value


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("mbox=a", "a"),
        ("a=b; mbox=c#d|e; x=y", "c#d|e"),
        ("a=b;mbox=c", "c"),
        ("mbox=a; mbox=b", "a"),
        ("mboxEdgeCluster=35; xmbox=1", ""),
        ("mbox", ""),
        ("mbox; mbox=b", "b"),
        ("mbox=", ""),
        (" mbox = a=b ", "a=b"),
        ('mbox="a"', '"a"'),
        ("x=mbox=a", ""),
        ("", ""),
        (";;;=;", ""),
    ],
)
def test_the_first_cookie_of_a_name_is_found(header, value):
    assert find_cookie(header, "mbox") == value


@pytest.mark.parametrize(
    ("device_id", "cluster"),
    [
        ("a.21_27", "21"),
        ("a.21_", "21"),
        ("a.b.21_27", ""),
        ("a.21", ""),
        ("a._27", ""),
        ("a.21_27_3", ""),
        ("", ""),
        ("a.1234_0", ""),
        ("a.x1_0", ""),
        ("a.٣_0", ""),
        (".35_0", "35"),
        ("a.35-0", ""),
        ("a.35_0\n", "35"),
    ],
)
def test_a_device_id_names_its_cluster(device_id, cluster):
    """Rules of get-offers 6, with three digits at most."""
    assert cluster_of(device_id) == cluster


@pytest.mark.parametrize(
    ("host", "cluster"),
    [
        ("mboxedge35.tt.omtrdc.net", "35"),
        ("mboxedge.tt.omtrdc.net", ""),
        ("client.tt.omtrdc.net", ""),
        ("", ""),
        ("mboxedge1234.tt.omtrdc.net", ""),
        ("mboxedge35.omtrdc.net", ""),
        ("mboxedge35.a.tt.omtrdc.net", ""),
        ("xmboxedge35.tt.omtrdc.net", ""),
        ("mboxedge35.tt..net", ""),
        ("mboxedge35x.tt.omtrdc.net", ""),
    ],
)
def test_an_edge_host_names_its_cluster(host, cluster):
    assert cluster_of_edge_host(host) == cluster


@pytest.mark.parametrize(
    ("tnt_id", "shielded"),
    [
        ("abc.35_0", "abc.35-0"),
        ("abc.123_456", "abc.123-456"),
        ("abc", "abc"),
        ("", ""),
        ("abc.1234_0", "abc.1234_0"),
        ("a.b.35_0", "a.b.35_0"),
        ("abc.35_", "abc.35_"),
        ("abc.35_0x", "abc.35_0x"),
        ("a_1.35_0", "a_1.35-0"),
    ],
)
def test_a_hint_is_written_so_that_no_client_follows_it(tnt_id, shielded):
    assert shield_device_id(tnt_id) == shielded
    assert cluster_of(shielded) == "" or shielded == tnt_id
    assert restore_device_id(shielded) == tnt_id


@given(st.uuids().map(lambda uuid: uuid.hex), st.integers(0, 999), st.integers(0, 999))
def test_restoring_undoes_shielding(bare, cluster, suffix):
    tnt_id = f"{bare}.{cluster}_{suffix}"
    assert restore_device_id(shield_device_id(tnt_id)) == tnt_id
    assert cluster_of(tnt_id) == str(cluster)
    assert cluster_of(shield_device_id(tnt_id)) == ""
    assert [one.partition(".")[0] for one in (tnt_id, shield_device_id(tnt_id))] == [bare, bare]


@given(st.text("a.-_35", max_size=12))
def test_shielding_changes_one_character_of_a_well_formed_id_only(tnt_id):
    shielded = shield_device_id(tnt_id)
    if shielded != tnt_id:
        assert restore_device_id(shielded) == tnt_id
        assert [pair for pair in zip(tnt_id, shielded, strict=True) if pair[0] != pair[1]] == [("_", "-")]
    assert shield_device_id(shielded) == shielded
