"""The options of `get_offers`, `send_notifications` and `get_attributes`, checked one by one (get-offers §2)."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.delivery.cookies import MboxCookie, read_mbox_cookie
from gateway.delivery.model import DeliveryRequest, JsonObject
from gateway.delivery.session import LONGEST_ID, is_session_id
from gateway.delivery.stitching import LONGEST_CONSUMER
from gateway.delivery.validation import Leniency, blame, check_request
from gateway.errors import InvalidBody

MOST_NAMES = 50
CustomerIds = dict[str, Any] | Annotated[list[JsonObject], Meta(max_length=50)]


class OffersOptions(Struct, frozen=True, kw_only=True):
    """What a caller may say around a request; None is absent, and so is what has another name."""

    request: JsonObject | None = None
    target_cookie: str | None = None
    target_location_hint: str | None = None
    visitor_cookie: str | None = None
    visitor_state: JsonObject | None = None
    consumer_id: Annotated[str, Meta(max_length=LONGEST_CONSUMER)] | None = None
    customer_ids: CustomerIds | None = None
    session_id: str | None = None
    decisioning_method: Literal["on-device", "server-side", "hybrid"] | None = None
    trace: JsonObject | None = None


class AttributesOptions(Struct, frozen=True):
    """The mbox names of `get_attributes`."""

    mbox_names: Annotated[list[Annotated[str, Meta(min_length=1, max_length=250)]], Meta(max_length=MOST_NAMES)]


def read_options(given: JsonObject) -> OffersOptions:
    """Give the checked options; raises InvalidBody with the path of the option at fault (`$.consumer_id`)."""
    if not any(value is not None for value in given.values()):
        raise InvalidBody("options map required")
    try:
        options = msgspec.convert(given, OffersOptions)
    except msgspec.ValidationError as error:
        raise blame(error, "$") from error
    if options.session_id and not is_session_id(options.session_id):
        raise InvalidBody(
            "Invalid request: session_id must be 1 to 128 printable characters, none of blank ? / { }",
            path="$.session_id",
        )
    if options.consumer_id and not options.consumer_id.isprintable():
        raise InvalidBody("Invalid request: consumer_id must be printable characters", path="$.consumer_id")
    return options


def read_mbox_names(given: JsonObject) -> list[str]:
    """Give the names to ask for; raises InvalidBody."""
    try:
        return msgspec.convert(given, AttributesOptions).mbox_names
    except msgspec.ValidationError as error:
        raise blame(error, "$") from error


def read_cookie(options: OffersOptions, now_s: float) -> MboxCookie:
    """Give session and device of the `mbox` cookie; what could not be an id is left out (§5)."""
    cookie = read_mbox_cookie(options.target_cookie or "", now_s)
    device_id = cookie.device_id
    is_device = len(device_id) <= LONGEST_ID and device_id.isprintable()
    return MboxCookie(cookie.session_id if is_session_id(cookie.session_id) else "", device_id if is_device else "")


def check_enriched(body: JsonObject) -> DeliveryRequest:
    """Give the typed request of a completed body; raises InvalidBody with a path below `$.request`."""
    try:
        return check_request(body, Leniency())
    except InvalidBody as error:
        raise InvalidBody(error.message, path=f"$.request{error.path.removeprefix('$')}") from error
