"""A caller's options made into the JSON options that an engine or a gateway takes (get-offers §2, §9)."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.client.conversion import to_json
from gateway.client.options import ClientOptions
from gateway.client.visitor import Visitor
from gateway.delivery.enrichment import check_offers_request
from gateway.delivery.model import JsonObject
from gateway.delivery.offers_request import OffersOptions, read_options
from gateway.delivery.stitching import put_sdid
from gateway.delivery.visitor_state import keep_sdid
from gateway.errors import InvalidBody


class Defaults:
    """What a client adds to calls that do not say it; `hint` is the edge that its latest answer named (§2)."""

    def __init__(self, options: ClientOptions) -> None:
        """Begin with the client's options."""
        self.options = options
        self.hint = options.target_location_hint or ""


class Prepared(Struct, frozen=True):
    """Checked options, the visitor to ask for the state afterwards, and what the logger is to know."""

    given: JsonObject
    visitor: Visitor | None
    messages: list[str]


def prepare(options: Any, defaults: Defaults, *, notifies: bool = False) -> Prepared:
    """Give the options to send; raises InvalidBody for what can be seen to be wrong at once (§3)."""
    if not isinstance(options, Mapping) or not options:
        raise InvalidBody("Options are required")
    names = OffersOptions.__struct_fields__
    given: JsonObject = {name: to_json(options[name]) for name in names if options.get(name) is not None}
    request = given.get("request")
    if not (isinstance(request, dict) and request):
        raise InvalidBody("Request object of type DeliveryRequest is required")
    visitor = options.get("visitor")
    if not isinstance(visitor, Visitor | None):
        raise InvalidBody("visitor must be a gateway.client.Visitor")
    messages = _fill_in(request, defaults.options)
    if visitor is not None:
        _ask_visitor(given, visitor)
    if defaults.hint:
        given.setdefault("target_location_hint", defaults.hint)
    if defaults.options.gateway_url and defaults.options.decisioning_method and not notifies:
        given.setdefault("decisioning_method", defaults.options.decisioning_method)
    read_options(given)
    if not notifies:
        check_offers_request(given["request"])
    return Prepared(given, visitor, messages)


def _fill_in(request: JsonObject, options: ClientOptions) -> list[str]:
    if options.environment_id is not None:
        request.setdefault("environmentId", options.environment_id)
    token = options.property_token
    own = request.get("property")
    if not token or (own is not None and not isinstance(own, dict)):
        return []
    if not (own or {}).get("token"):
        request["property"] = {"token": token}
        return []
    return ["the request's property token is used, not the client's"] if own and own["token"] != token else []


def _ask_visitor(given: JsonObject, visitor: Visitor) -> None:
    """Take what the visitor knows; the SDID at once, so that calls made at the same time share it (§8)."""
    if visitor.visitor_cookie:
        given.setdefault("visitor_cookie", visitor.visitor_cookie)
    if "customer_ids" in given:
        visitor.set_customer_ids(given["customer_ids"])
    elif visitor.customer_ids is not None:
        given["customer_ids"] = visitor.customer_ids
    request = given["request"]
    cloud = request.get("experienceCloud")
    analytics = cloud.get("analytics") if isinstance(cloud, dict) else None
    if not (isinstance(cloud, dict | None) and isinstance(analytics, dict | None)):
        return  # refused later, by name
    if not keep_sdid((analytics or {}).get("supplementalDataId")):
        given["request"] = put_sdid(request, visitor.get_supplemental_data_id(given.get("consumer_id") or ""))
