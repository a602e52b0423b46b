"""Media types (spec repository §3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Problem
from gateway.web.negotiation import (
    ENVELOPES,
    HAL,
    JSON,
    PATCHES,
    RECEIPT,
    RESULTS_SCHEMA,
    MediaType,
    Native,
    choose,
    make_native,
    parse_types,
    read_content_type,
)

TAG = "https://ns.adobe.com/experience/offer-management/tag"
OFFER = "https://ns.adobe.com/experience/offer-management/personalized-offer"
OF_TAG = make_native(HAL, f"{TAG};version=0.1")
OF_RECEIPT = make_native(RECEIPT)

READ = [
    (f'{HAL}; schema="{TAG};version=0.1"', (f"{TAG};version=0.1",)),
    (f"{HAL}; schema='{TAG};version=0.1'", (f"{TAG};version=0.1",)),
    (f"{HAL};schema={TAG}", (TAG,)),
    (f"{HAL};schema={TAG};version=1", (TAG,)),
    (f'{HAL}; version=1; schema="{TAG}"', (TAG,)),
    (f'{HAL.upper()}; SCHEMA="{TAG}"', (TAG,)),
    (f'  {HAL} ;  schema = "{TAG}"  ', (TAG,)),
    (f'{HAL}; schema="{TAG} {OFFER};version=0.2"', (TAG, f"{OFFER};version=0.2")),
    (f'{HAL}; schema="{TAG};version=0.1', (f"{TAG};version=0.1",)),
    (f'{HAL}; charset=UTF-8; schema="{TAG}"', (TAG,)),
    (f'{HAL}; charset="utf-8"', ()),
    ("application/json", ()),
    (f'application/schema-instance+json; schema="{TAG}"', (TAG,)),
]


@pytest.mark.parametrize(("header", "schemas"), READ)
def test_the_schema_of_a_body_is_read_however_it_is_quoted(header: str, schemas: tuple[str, ...]) -> None:
    """repo:M1, repo:M2, repo:M8, repo:M9, repo:M11, repo:M12."""
    assert read_content_type(header, ENVELOPES).schemas == schemas


@pytest.mark.parametrize(
    "header", [None, "", "text/plain", "application/hal+json", f"{HAL}; charset=latin1", "application", ";", "a/b c/d"]
)
def test_another_body_is_unsupported(header: str | None) -> None:
    """repo:M16."""
    with pytest.raises(Problem) as caught:
        read_content_type(header, ENVELOPES)
    assert (caught.value.status, caught.value.code) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    "header", ["application/vnd.adobe.platform.xcore.patch.hal+json", "application/json-patch+json", "application/json"]
)
def test_a_patch_has_three_names(header: str) -> None:
    """repo:M3, repo:M10."""
    assert read_content_type(header, PATCHES).name == header


CHOSEN: list[tuple[str, Native, str]] = [
    ("", OF_TAG, OF_TAG.full),
    ("*/*", OF_TAG, OF_TAG.full),
    ("*", OF_TAG, OF_TAG.full),
    ("*, application/vnd.other", OF_TAG, OF_TAG.full),
    (f"*, {HAL}", OF_RECEIPT, RECEIPT),
    ("application/*", OF_TAG, OF_TAG.full),
    (HAL, OF_TAG, OF_TAG.full),
    (f'{HAL}; schema="{TAG}"', OF_TAG, OF_TAG.full),
    (f'{HAL}; schema="{TAG};version=9.9"', OF_TAG, OF_TAG.full),
    (f"{HAL}; schema='{TAG}'; q=0.2", OF_TAG, OF_TAG.full),
    (f"{HAL};q=0.2, application/json", OF_TAG, JSON),
    ("application/json", OF_TAG, JSON),
    ("Application/JSON", OF_RECEIPT, JSON),
    ("application/json;charset=utf-8", OF_TAG, JSON),
    ("text/html, */*;q=0.1", OF_TAG, OF_TAG.full),
    ("application/json;q=0.5, */*", OF_TAG, OF_TAG.full),
    (f'{HAL}; schema="{OFFER}", */*', OF_TAG, OF_TAG.full),
    (f'{HAL}; schema="{OFFER}", application/json', OF_TAG, JSON),
    (f'{HAL}; schema="{TAG};version=0.1, */*;q=0.1', OF_TAG, OF_TAG.full),
    (f"{HAL};q=0, */*", OF_TAG, JSON),
    (f'{HAL}; schema="{RESULTS_SCHEMA}"', make_native(HAL, RESULTS_SCHEMA), f'{HAL}; schema="{RESULTS_SCHEMA}"'),
    (f'{HAL}; schema="{OFFER}"', Native(HAL, HAL, any_schema=True), HAL),
]


@pytest.mark.parametrize(("accept", "native", "chosen"), CHOSEN)
def test_the_best_form_is_chosen(accept: str, native: Native, chosen: str) -> None:
    """repo:M4, repo:M5, repo:M6, repo:M7, repo:M13, repo:M14, repo:H7."""
    assert choose([accept] if accept else [], native) == chosen


@pytest.mark.parametrize(
    "accept", ["text/html", f'{HAL}; schema="{OFFER}"', "*/*;q=0", f"{HAL};q=0, application/json;q=0", ";;", "image/*"]
)
def test_nothing_acceptable_is_406(accept: str) -> None:
    """repo:M14."""
    with pytest.raises(Problem) as caught:
        choose([accept], OF_TAG)
    assert (caught.value.status, caught.value.code) == (406, "not-acceptable")


def test_several_accept_headers_are_one_list() -> None:
    """repo:M14."""
    assert choose(["text/html", "application/json"], OF_TAG) == JSON


@given(st.text(alphabet="ab/*;,=\"' \\q01.", max_size=40))
def test_no_header_breaks_the_reading(text: str) -> None:
    for found in parse_types(text):
        assert isinstance(found, MediaType)
        assert 0 <= found.quality <= 1
