"""What `X-Gateway-Degraded` says (gw:F5): reasons, and the names of what is missing, safe and bounded."""

import re
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.session import Visitor
from gateway.walk.walk import Walk, describe_losses

NAMES = st.lists(st.text(min_size=1, max_size=300), max_size=30)
ITEM = re.compile(r'[a-z-]+(;missing="[!#-\[\]-~ ]+")?')


def make_walk() -> Walk:
    return Walk(services=None, inbound=None, request_id="r", visitor=Visitor({}, "s"))  # type: ignore[arg-type]


def test_a_reason_without_items_stands_alone() -> None:
    walk = make_walk()
    walk.lost.append("session-store")
    walk.lose("upstream-timeout", ["cart-upsell", "a b", "cart-upsell", "é\r\n\"'"])
    assert describe_losses(walk) == ('session-store, upstream-timeout;missing="cart-upsell a%20b %C3%A9%0D%0A%22%27"')
    assert walk.is_partial


def test_one_reason_is_said_once() -> None:
    walk = make_walk()
    walk.lose("upstream", ["a"])
    walk.lose("upstream", ["b"])
    assert (walk.lost, describe_losses(walk)) == (["upstream"], 'upstream;missing="a b"')


@given(NAMES, NAMES)
def test_whatever_the_names_the_header_is_short_and_names_come_back(first: list[str], second: list[str]) -> None:
    """RFC 9651 §3.3.3: a string is printable ASCII without quotes and backslashes in it."""
    walk = make_walk()
    walk.lose("upstream", first)
    walk.lose("secondary", second)
    said = describe_losses(walk)
    assert len(said) < 1200
    upstream, secondary = said.split(", ")
    for part, names in ((upstream, first), (secondary, second)):
        assert ITEM.fullmatch(part)
        named = part.split('"')[1].split() if "=" in part else []
        shown = [unquote(name) for name in named if not name.startswith("+")]
        more = int(named[-1]) if named and named[-1].startswith("+") else 0
        distinct = list(dict.fromkeys(names))
        known = [name.encode("utf-8", "replace").decode() for name in distinct]
        assert shown == known[: len(shown)]
        assert len(shown) + more == len(distinct)
