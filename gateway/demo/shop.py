"""What the stand-in's activities show: decided by the name of the place and the visitor's bare id alone."""

from base64 import b64encode
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Any
from zlib import crc32

from msgspec import Struct

PAGE = "target-global-mbox"
REMOTE_VIEWS = ("checkout",)

_PRODUCTS = [
    {"sku": "MUG-01", "name": "Stoneware mug", "price": 14.9},
    {"sku": "LMP-07", "name": "Desk lamp", "price": 59.0},
    {"sku": "BLK-12", "name": "Wool blanket", "price": 89.5},
]
_LIST = "".join(f'<li data-sku="{product["sku"]}">{product["name"]}</li>' for product in _PRODUCTS)

# mbox → variant → option type and content
_MBOXES: dict[str, dict[str, tuple[str, Any]]] = {
    "recommendations": {
        "a": ("html", f'<ul class="recommendations">{_LIST}</ul>'),
        "b": ("json", {"source": "target", "variant": "b", "products": _PRODUCTS}),
    },
    "cart-upsell": {
        "a": ("json", {"source": "target", "variant": "a", "sku": "MUG-01", "discount": 0}),
        "b": ("json", {"source": "target", "variant": "b", "sku": "BLK-12", "discount": 10}),
    },
}
_CLICKABLE = {"cart-upsell": "#upsell", PAGE: "#promotion", "checkout": "#pay"}


class Offer(Struct, frozen=True):
    """One option as it is shown; `event_token` stands for it in notifications."""

    type: str
    content: Any
    event_token: str
    response_tokens: dict[str, str]


class Experience(Struct, frozen=True):
    """All that one place shows a visitor; `click` is the selector of its click metric, if it has one."""

    place: str
    variant: str
    activity: int
    offers: tuple[Offer, ...]
    state: str
    click: str = ""

    def click_token(self) -> str:
        """Give the event token of the click metric."""
        return make_token("click", self.place, self.variant)


def choose_variant(place: str, visitor: str) -> str:
    """Choose variant `a` or `b`, the same one whenever this visitor comes to this place."""
    return "ab"[blake2b(f"{place}.{visitor}".encode(), digest_size=1).digest()[0] & 1]


def make_token(*parts: str) -> str:
    """Make the token that stands for `parts`: base64 text that tells nothing, the same every time."""
    return b64encode(sha256("\0".join(parts).encode()).digest()).decode()


@lru_cache(maxsize=4096)
def show_mbox(name: str, variant: str) -> Experience:
    """Give what an mbox shows: the shop's own content, nothing for names that begin with `empty`, else plain JSON."""
    if name.startswith("empty"):
        return _build(name, variant, [])
    plain = ("json", {"mbox": name, "source": "target", "variant": variant})
    return _build(name, variant, [_MBOXES.get(name, {}).get(variant, plain)])


@lru_cache(maxsize=2)
def show_page(variant: str) -> Experience:
    """Give what the page load shows: a banner and two visual changes."""
    banner = f'<div id="promotion" data-variant="{variant}">Free returns for 30 days</div>'
    changes = [_change("setHtml", "#headline", "Made to last"), _change("setStyle", "#basket", {"color": "#0a5c36"})]
    return _build(PAGE, variant, [("html", banner), ("actions", changes)])


@lru_cache(maxsize=4096)
def show_view(name: str, variant: str) -> Experience:
    """Give what a view shows: one visual change, or nothing for names that begin with `empty`."""
    if name.startswith("empty"):
        return _build(name, variant, [])
    note = f'<p class="note" data-variant="{variant}">Secure payment, posted today</p>'
    return _build(name, variant, [("actions", [_change("insertAfter", f"#{name} > h1", note)])])


def _change(kind: str, selector: str, content: Any) -> dict[str, Any]:
    return {"type": kind, "selector": selector, "cssSelector": selector, "content": content}


def _build(place: str, variant: str, contents: list[tuple[str, Any]]) -> Experience:
    activity = 100_000 + crc32(place.encode()) % 900_000
    tokens = {
        "activity.id": str(activity),
        "activity.name": f"Shop: {place}",
        "experience.id": str("ab".index(variant)),
        "experience.name": f"Experience {variant.upper()}",
        "activity.decisioningMethod": "server-side",
    }
    offers = tuple(
        Offer(kind, content, make_token("display", place, variant, str(position)), tokens)
        for position, (kind, content) in enumerate(contents)
    )
    return Experience(place, variant, activity, offers, make_token("state", place, variant), _CLICKABLE.get(place, ""))
