"""Allocation: on-device-decisioning 8 and the vectors of 16."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.allocation import allocate, bucketing_id, hash_text

VISITORS = 200_000


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("", 0),
        ("a", 1867108634),
        ("ab", 374890698),
        ("abc", 1118836419),
        ("acmeclient.1111.702ff4d0-83b1-4e2e-a0a6-22cbe460eb15.experience", -919077116),
        ("client.1.éè.0", 484685415),
        ("client.1.😀.0", -1153262593),
        ("client.1.漢字.0", -765026754),
    ],
)
def test_the_hash_is_over_utf_16_units_and_signed(text, signed):
    assert hash_text(text) == signed


@pytest.mark.parametrize(
    ("client", "activity_id", "visitor_id", "allocation"),
    [
        ("acmeclient", 1111, "702ff4d0-83b1-4e2e-a0a6-22cbe460eb15", 89.36),
        ("targettesting", 125880, "4c038b35f1b1453d80a3e7da8208c617", 0.48),
        ("demo", 1, "é", 1.33),
        ("demo", 1, "😀", 72.95),
        ("demo", "1", "😀", 72.95),
        ("someClientId", 125873, bucketing_id(None, "a.b.c", None), 8.97),
        ("someClientId", 125873, "a", 8.97),
        ("someClientId", 125873, bucketing_id(None, ".28_0", "x"), 2.55),
        ("someClientId", 125873, "x", 2.55),
    ],
)
def test_the_vectors_of_the_engine(client, activity_id, visitor_id, allocation):
    assert allocate(client, activity_id, visitor_id) == allocation


@pytest.mark.parametrize(
    ("ecid", "tnt_id", "third_party_id", "visitor_id"),
    [
        ("e", "t.35_0", "p", "e"),
        ("", "t.35_0", "p", "t"),
        (None, "t", "p", "t"),
        (None, "", "p", "p"),
        (None, ".35_0", None, ""),
        (None, None, None, ""),
    ],
)
def test_the_first_id_that_is_not_empty_counts(ecid, tnt_id, third_party_id, visitor_id):
    assert bucketing_id(ecid, tnt_id, third_party_id) == visitor_id


@pytest.mark.parametrize("bounds", [[50, 100], [10, 30, 100]], ids=["50/50", "10/20/70"])
def test_shares_of_many_visitors_are_those_of_the_split(bounds):
    counts = dict.fromkeys(bounds, 0)
    for visitor in range(VISITORS):
        place = allocate("demo", 125873, f"{visitor:032x}")
        counts[next(bound for bound in bounds if place < bound)] += 1
    expected = {bound: (bound - below) / 100 for below, bound in zip([0, *bounds], bounds, strict=False)}
    for bound, share in expected.items():
        assert abs(counts[bound] / VISITORS - share) < 0.005


@given(st.text(), st.integers(), st.text(st.characters()))
def test_an_allocation_is_a_hundredth_from_0_to_99_99_and_stays(client, activity_id, visitor_id):
    place = allocate(client, activity_id, visitor_id)
    assert 0 <= place <= 99.99
    assert place == round(place * 100) / 100
    assert place == allocate(client, activity_id, visitor_id)


def test_half_a_surrogate_pair_is_hashed_like_any_unit():
    assert allocate("demo", 1, "\ud83d") != allocate("demo", 1, "\ude00")
