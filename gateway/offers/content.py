"""What an offer shows in a placement, as members of a response (dec:R4, dec:R5, X10)."""

from msgspec import Struct

from gateway.offers.instances import JsonObject
from gateway.offers.inventory import FallbackOffer

_COMPONENT = "https://ns.adobe.com/experience/offer-management/content-component-"
TEXT, HTML, JSON, IMAGE_LINK = (f"{_COMPONENT}{kind}" for kind in ("text", "html", "json", "imagelink"))
_STORED = (
    "@type",
    "dc:format",
    "dc:language",
    "repo:id",
    "repo:name",
    "repo:resolveURL",
    "xdm:linkURL",
    "xdm:copyline",
)


class Sources(Struct, frozen=True):
    """From which members of a component its content and its address are taken, the first that has a value."""

    content: tuple[str, ...] = ("xdm:content",)
    address: tuple[str, ...] = ("xdm:deliveryURL", "repo:resolveURL")


SOURCES = {TEXT: Sources(("xdm:content", "xdm:copyline")), IMAGE_LINK: Sources(("xdm:content", "xdm:linkURL"))}
"""By component type; every other type has `Sources()`."""


def flatten(component: JsonObject) -> JsonObject:
    """Give the members a component adds to an option: those stored, and the normalised content and address."""
    sources = SOURCES.get(component.get("@type", ""), Sources())
    members = {name: component.get(name) for name in _STORED}
    members["xdm:deliveryURL"] = _first(component, sources.address)
    members["xdm:content"] = _first(component, sources.content)
    return {name: value for name, value in members.items() if value is not None}


def show_content(offer: FallbackOffer, placement_id: str) -> JsonObject:
    """Give what the offer shows in a placement; nothing without a representation or components."""
    components = offer.representations.get(placement_id, ())
    if not components:
        return {}
    members = flatten(components[0])
    if len(components) > 1:
        members["xdm:components"] = list(components)
    return members


def _first(component: JsonObject, names: tuple[str, ...]) -> object:
    return next((component[name] for name in names if component.get(name) is not None), None)
