"""The Experience Cloud visitor's cookie and customer ids (spec get-offers §7)."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.experience_cloud import Amcv, join_customer_ids, name_organization, read_amcv

FOLDER = Path(__file__).parent.parent / "cases" / "get_offers"
NOW_S = 1_567_700_000.0


def load(name: str, key: str) -> list[dict[str, Any]]:
    return list(tomllib.loads((FOLDER / f"{name}.toml").read_text())[key])


@pytest.mark.parametrize("case", load("amcv", "cookie"), ids=lambda case: case["rule"])
def test_the_cookie_is_read(case: dict[str, Any]) -> None:
    found = read_amcv(case["value"], NOW_S)
    assert found == Amcv(case.get("ecid", ""), case.get("region", 0), case.get("blob", ""))


@given(st.text(alphabet=st.sampled_from("MCIDA|-0123%s N"), max_size=200))
def test_no_cookie_makes_reading_fail(value: str) -> None:
    found = read_amcv(value, NOW_S)
    assert found.region >= 0


def test_a_cookie_of_a_million_pieces_counts_as_none() -> None:
    assert read_amcv("MCMID|1|" * 1_000_000, NOW_S) == Amcv()
    assert read_amcv("MCMID|1|" * 150 + "MCMID|1", NOW_S) == Amcv()


@pytest.mark.parametrize("case", load("customer_ids", "given"), ids=lambda case: case["rule"])
def test_customer_ids_are_joined(case: dict[str, Any]) -> None:
    assert join_customer_ids(case["ids"], case.get("own", [])) == case["final"]


@pytest.mark.parametrize("given_", ["0123@AdobeOrg", "0123"])
def test_an_organization_is_named_with_its_suffix(given_: str) -> None:
    """§1."""
    assert name_organization(given_) == "0123@AdobeOrg"
