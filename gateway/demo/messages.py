"""What a delivery call must look like before the stand-in answers it (spec/delivery-api.md §2, §5, §6, §16)."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.errors import RequestError

MOST_MBOXES = 50
_INT32 = 2_147_483_647
_SESSION = re.compile(r"[^\s?/{}]{1,128}")

Id = Annotated[str, Meta(max_length=128)]
# An integer may arrive with a zero fraction (§5), so whole numbers are read as floats.
Index = Annotated[float, Meta(multiple_of=1, ge=-_INT32, le=_INT32)]
# Milliseconds, so nothing before 1973: a time in seconds is a common mistake and a bad timestamp.
Timestamp = Annotated[float, Meta(multiple_of=1, ge=100_000_000_000, le=100_000_000_000_000)]
Token = Annotated[str, Meta(min_length=1)]


class RefusedError(RequestError):
    """Target's answer to a call it does not take: a status and a message."""

    def __init__(self, message: str, status: int = 400) -> None:
        """Keep the `message` for the error object and the HTTP `status`."""
        super().__init__(message)
        self.status = status


class _Message(Struct, rename="camel", omit_defaults=True):
    """An object of a delivery call; members that do not matter here are passed over."""


class VisitorId(_Message):
    """`id`: who the visitor is (§6.2)."""

    tnt_id: Id | None = None
    third_party_id: Id | None = None
    marketing_cloud_visitor_id: Id | None = None
    customer_ids: Annotated[list[dict[str, str]], Meta(max_length=50)] | None = None

    def bare(self) -> str:
        """Give the visitor's id for choosing content: ECID, else `tntId` without its suffix, else the customer's."""
        device = (self.tnt_id or "").partition(".")[0]
        return self.marketing_cloud_visitor_id or device or self.third_party_id or ""


class PageLoad(_Message):
    """`pageLoad`: asked for by being there."""


class Mbox(_Message):
    """One mbox asked for (§6.4)."""

    index: Index
    name: Annotated[str, Meta(pattern=r"\S", max_length=250)]


class View(_Message):
    """One view asked for; without a name, all of them."""

    name: Annotated[str, Meta(max_length=128)] | None = None
    key: Annotated[str, Meta(max_length=512)] | None = None


class Execute(_Message):
    """`execute`: shown at once."""

    page_load: PageLoad | None = None
    mboxes: list[Mbox] | None = None


class Prefetch(Execute):
    """`prefetch`: shown later, with a notification."""

    views: list[View] | None = None


class Notification(_Message):
    """What was displayed or clicked (§6.6)."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    type: Literal["display", "click"]
    timestamp: Timestamp
    tokens: list[Token] | None = None
    mbox: dict[str, Any] | None = None
    view: dict[str, Any] | None = None


class Trace(_Message):
    """`trace`: asked for with a token."""

    authorization_token: Token


class Property(_Message):
    """`property`: one at_property (§10)."""

    token: Annotated[str, Meta(pattern=r"\S")]


class Context(_Message):
    """`context`: of it the stand-in needs the channel and the beacon mark."""

    channel: Literal["web", "mobile"]
    beacon: bool | None = None


class Analytics(_Message):
    """`experienceCloud.analytics` (§13)."""

    logging: Literal["server_side", "client_side"] | None = None


class ExperienceCloud(_Message):
    """`experienceCloud`."""

    analytics: Analytics | None = None


class Telemetry(_Message):
    """`telemetry`: measurements of earlier calls (§14)."""

    entries: list[dict[str, Any]] | None = None


class DeliveryRequest(_Message):
    """The body of one delivery call (§6.1)."""

    context: Context
    request_id: Id | None = None
    id: VisitorId | None = None
    property: Property | None = None
    execute: Execute | None = None
    prefetch: Prefetch | None = None
    notifications: list[Notification] | None = None
    trace: Trace | None = None
    telemetry: Telemetry | None = None
    experience_cloud: ExperienceCloud | None = None

    def mbox_names(self) -> set[str]:
        """Give the names of every mbox asked for."""
        return {mbox.name for part in (self.execute, self.prefetch) if part for mbox in part.mboxes or ()}


_DECODER = msgspec.json.Decoder(DeliveryRequest)


def read_request(body: bytes) -> DeliveryRequest:
    """Read and check a whole body; raises RefusedError with Target's wording where that is known."""
    try:
        request = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError(f"Invalid request: {error}") from error
    for part in (request.execute, request.prefetch):
        if part and len(part.mboxes or ()) > MOST_MBOXES:
            raise RefusedError(f"Invalid request: size must be between 0 and {MOST_MBOXES}")
    for notification in request.notifications or ():
        if notification.mbox is not None and notification.view is not None:
            raise RefusedError("Invalid request: a notification has either an mbox or a view")
    return request


def read_session(query: Mapping[str, str]) -> str:
    """Give the `sessionId`; raises RefusedError unless it is 1 to 128 characters, none of: blank ? / { } (§2)."""
    session = query.get("sessionId", "")
    if not _SESSION.fullmatch(session) or not session.isprintable():
        raise RefusedError("Invalid request: sessionId must be 1 to 128 printable characters, none of: blank ? / { }")
    return session
