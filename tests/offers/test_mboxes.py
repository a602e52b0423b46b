"""Offer activities behind mboxes, and tokens that count displays (gw:O1, gw:O2, dec:X2)."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.offers.content import HTML, IMAGE_LINK, JSON, TEXT
from gateway.offers.counters import Claim, Counter
from gateway.offers.decide import Decision, Surroundings, resolve
from gateway.offers.displays import Display, read_token, select_display, write_token
from gateway.offers.mboxes import ask_for_mbox, write_options
from gateway.offers.model import Identity, stranger
from tests.offers.containers import (
    NOW,
    activity,
    at_id,
    collection,
    compiled,
    fallback,
    finish,
    offer,
    offer_id,
    one_activity,
    placement,
    rule,
)

A = at_id("offer-activity", "A")
VISITOR = [Identity("tntId", "abc.35_0"), Identity("ECID", "1")]


def decided(catalog: Any, *, is_prefetch: bool = False, **parameters: str) -> Decision:
    request = ask_for_mbox(A, VISITOR, parameters, is_prefetch=is_prefetch)
    return finish(Decision(resolve(catalog, request), stranger(request), Surroundings(NOW, lambda: 0.0)))


def options(*components: dict[str, Any]) -> list[dict[str, Any]]:
    (proposition,) = decided(one_activity(offer("X", components=list(components)))).propositions
    return write_options(proposition)


SHOWN: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "html": ([{"@type": HTML, "xdm:content": "<b>hi</b>"}], {"type": "html", "content": "<b>hi</b>"}),
    "text is escaped": ([{"@type": TEXT, "xdm:copyline": "a < b"}], {"type": "html", "content": "a &lt; b"}),
    "json is parsed": ([{"@type": JSON, "xdm:content": '{"a": [1]}'}], {"type": "json", "content": {"a": [1]}}),
    "json that is none": (
        [{"@type": JSON, "xdm:content": "{"}],
        {"type": "json", "content": {"@type": JSON, "xdm:content": "{"}},
    ),
    "image link": (
        [{"@type": IMAGE_LINK, "xdm:linkURL": "https://shop", "repo:resolveURL": "https://img"}],
        {
            "type": "json",
            "content": {
                "@type": IMAGE_LINK,
                "xdm:linkURL": "https://shop",
                "repo:resolveURL": "https://img",
                "xdm:content": "https://shop",
                "xdm:deliveryURL": "https://img",
            },
        },
    ),
    "html elsewhere": (
        [{"@type": HTML, "xdm:deliveryURL": "https://x"}],
        {"type": "json", "content": {"@type": HTML, "xdm:deliveryURL": "https://x"}},
    ),
    "nothing": ([], {}),
}


@pytest.mark.parametrize("case", SHOWN.values(), ids=SHOWN)
def test_an_offer_is_shown_as_an_option(case: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    """gw:O1."""
    components, expected = case
    (option,) = options(*components)
    tokens = option.pop("responseTokens")
    assert option == expected
    assert tokens == {"offer.id": offer_id("X"), "activity.id": A, "activity.decisioningMethod": "offer"}


def test_the_parameters_of_an_mbox_are_context_data() -> None:
    """gw:O1."""
    catalog = compiled(
        offer("X", rule="r"),
        rule("r", '@{_xdm.context.additionalParameters}.tier = "gold"'),
        placement(),
        fallback(),
        collection("F", "X"),
        activity("A", "F"),
    )
    assert [len(decided(catalog, tier=tier).propositions[0].options) for tier in ("gold", "none")] == [1, 0]


def test_a_prefetched_option_has_a_token_and_counts_nothing() -> None:
    """gw:O2."""
    decision = decided(one_activity(offer("X", global_cap=1)), is_prefetch=True)
    assert decision.plan.request.is_dry
    (option,) = write_options(decision.propositions[0], lambda each: f"token of {each.name}")
    assert option["eventToken"] == "token of X"


def test_a_fallback_is_shown_without_a_token() -> None:
    """gw:O2, dec:CA5."""
    (option,) = write_options(decided(one_activity(), is_prefetch=True).propositions[0], lambda _: "token")
    assert "eventToken" not in option
    assert option["responseTokens"]["offer.id"] == at_id("fallback-offer", "default")
    assert option["content"] == "<p>"


def test_the_visitor_is_the_profile() -> None:
    """gw:O1: the identity given first names the profile."""
    assert decided(one_activity()).profile.canonical_id == "tntId|abc.35_0"


SECRET = b"a secret of the tests"
DISPLAY = Display("id-1", "c-1", A, offer_id("X"), "hash", 1715769000000)


def test_a_display_claims_what_its_token_was_made_for() -> None:
    """dec:X2, gw:O2: with the caps of now."""
    catalog = one_activity(offer("X", global_cap=5))
    found = read_token(write_token(DISPLAY, SECRET), SECRET)
    assert found == DISPLAY
    assert select_display(catalog, DISPLAY).claims == (
        Claim(Counter(offer_id("X"), "global"), 1, 5),
        Claim(Counter(offer_id("X"), "profile"), 1, None),
    )
    assert select_display(one_activity(), DISPLAY).is_empty


def test_nobody_else_can_make_a_token() -> None:
    """gw:O2: every changed bit, a foreign secret, and what is no token at all."""
    token = write_token(DISPLAY, SECRET)
    assert read_token(token, b"another secret") is None
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for at in range(len(raw)):
        raw[at] ^= 1
        assert read_token(base64.urlsafe_b64encode(raw).decode(), SECRET) is None
        raw[at] ^= 1
    for other in ("", "é", "a", "=" * 8, "A" * 2000, "not base64!"):
        assert read_token(other, SECRET) is None


@given(st.binary(max_size=60))
def test_bytes_from_outside_are_no_token(raw: bytes) -> None:
    assert read_token(base64.urlsafe_b64encode(raw).decode(), SECRET) is None
