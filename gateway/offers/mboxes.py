"""Offer activities behind mboxes: an mbox becomes a decision request, a proposition becomes options (gw:O1, gw:O2).

Every mbox is a decision of its own, with the mbox parameters as context data of the schema CONTEXT:
`@{_xdm.context.additionalParameters}.tier = "gold"`.
"""

import html
from collections.abc import Callable, Mapping, Sequence

import msgspec

from gateway.offers.arbitration import Duplicates
from gateway.offers.content import HTML, JSON, TEXT, flatten
from gateway.offers.decide import Proposition
from gateway.offers.instances import JsonObject
from gateway.offers.inventory import FallbackOffer, PersonalizedOffer
from gateway.offers.model import Ask, DecisionRequest, Identity

CONTEXT = "_xdm.context.additionalParameters;version=1"


def ask_for_mbox(
    activity_id: str, identities: Sequence[Identity], parameters: Mapping[str, object], *, is_prefetch: bool
) -> DecisionRequest:
    """Give the decision request of an mbox. `identities` has the visitor's, the one to look up first in front.

    A prefetch is a dry run: it counts when the display notification arrives (gw:O2).
    """
    identity_map: dict[str, list[JsonObject]] = {}
    for identity in identities:
        identity_map.setdefault(identity.namespace, []).append({"xdm:id": identity.id})
    return DecisionRequest(
        asks=(Ask(activity_id, None, 1, ""),),
        lookups=tuple(identities),
        identity_map=identity_map,
        context=({"@type": CONTEXT, "xdm:data": dict(parameters)},),
        context_pointers=("",),
        duplicates=Duplicates(),
        is_dry=is_prefetch,
    )


def write_options(
    proposition: Proposition, make_token: Callable[[PersonalizedOffer], str] | None = None
) -> list[JsonObject]:
    """Give the options of an mbox, best first, as plain JSON of the delivery API.

    HTML is of type `html`, as is text, escaped; everything else is of type `json`: parsed content of JSON components,
    else the component's members (an image link has `xdm:deliveryURL` and `xdm:linkURL`). An offer that shows nothing
    here is an option without content. For a prefetch `make_token` gives the event token to count a display with; the
    fallback has none, it is never counted.
    """
    offers: Sequence[FallbackOffer] = proposition.options or (proposition.activity.fallback,)
    written = []
    for offer in offers:
        option = _show(offer, proposition.activity.placement.at_id)
        option["responseTokens"] = {
            "offer.id": offer.at_id,
            "activity.id": proposition.activity.at_id,
            "activity.decisioningMethod": "offer",
        }
        if make_token is not None and isinstance(offer, PersonalizedOffer):
            option["eventToken"] = make_token(offer)
        written.append(option)
    return written


def _show(offer: FallbackOffer, placement_id: str) -> JsonObject:
    components = offer.representations.get(placement_id, ())
    if not components:
        return {}
    members = flatten(components[0])
    content = members.get("xdm:content")
    show = SHOWN.get(members.get("@type", ""), _show_members) if isinstance(content, str) else _show_members
    return show(content or "", members)


def _show_html(content: str, _members: JsonObject) -> JsonObject:
    return {"type": "html", "content": content}


def _show_text(content: str, _members: JsonObject) -> JsonObject:
    return {"type": "html", "content": html.escape(content)}


def _show_json(content: str, members: JsonObject) -> JsonObject:
    try:
        return {"type": "json", "content": msgspec.json.decode(content)}
    except (msgspec.DecodeError, RecursionError):  # an author's slip: the page gets what is stored
        return _show_members(content, members)


def _show_members(_content: str, members: JsonObject) -> JsonObject:
    return {"type": "json", "content": members}


SHOWN: dict[str, Callable[[str, JsonObject], JsonObject]] = {HTML: _show_html, TEXT: _show_text, JSON: _show_json}
"""How a component's content is shown, by its type."""
