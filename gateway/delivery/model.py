"""The wire model of a delivery request: what we read of it, with the limits of spec delivery-api §6 and §16.

Only members we read or check are named; everything else travels on untouched in the decoded body that is kept beside
the Struct (§5). Every member is optional because `null` means absent. Whole numbers are typed as floats that are
multiples of one, because JSON senders write `1.0` for 1 (§5).
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

JsonObject = dict[str, Any]

Text50 = Annotated[str, Meta(max_length=50)]
Text128 = Annotated[str, Meta(max_length=128)]
Text250 = Annotated[str, Meta(max_length=250)]
Text4096 = Annotated[str, Meta(max_length=4096)]
Whole = Annotated[float, Meta(multiple_of=1)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Parameters = Annotated[dict[Name, Annotated[str, Meta(max_length=5000)] | float | bool | None], Meta(max_length=100)]
ProfileParameters = Annotated[
    dict[Name, Annotated[str, Meta(max_length=256)] | float | bool | None], Meta(max_length=50)
]


class Wire(Struct, frozen=True, kw_only=True, rename="camel", gc=False, omit_defaults=True):
    """An object of the wire: camelCase names, unknown members ignored, absent ones left out when it is written."""


class Address(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """Where the visitor is: `context.address` or an item's own."""

    url: Text4096 | None = None
    referring_url: Text4096 | None = None


class Order(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """What was bought."""

    id: Text250 | None = None
    total: Annotated[float, Meta(ge=0)] | None = None
    purchased_product_ids: list[Annotated[str, Meta(max_length=50)] | None] | None = None
    time: Text128 | None = None
    experience_local_id: Annotated[float, Meta(multiple_of=1, ge=0, le=2147483647)] | None = None
    duplicate: bool | None = None
    outlier: bool | None = None


class Product(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """What is looked at."""

    id: Annotated[str, Meta(max_length=128)] | None = None
    category_id: Annotated[str, Meta(max_length=128)] | None = None


class RequestDetails(Wire, frozen=True, kw_only=True, rename="camel"):
    """What every item of a request may say about itself; on its own it is a page load (§6.4)."""

    address: Address | None = None
    parameters: Parameters | None = None
    profile_parameters: ProfileParameters | None = None
    order: Order | None = None
    product: Product | None = None


class MboxRequest(RequestDetails, frozen=True, kw_only=True, rename="camel"):
    """One mbox to decide."""

    name: Annotated[str, Meta(min_length=1, max_length=250)]
    index: Annotated[float, Meta(multiple_of=1, ge=-2147483648, le=2147483647)] | None = None


class ViewRequest(RequestDetails, frozen=True, kw_only=True, rename="camel"):
    """One view to prefetch; without a name it asks for all views."""

    name: Text128 | None = None
    key: Annotated[str, Meta(max_length=512)] | None = None


class ExecuteRequest(Wire, frozen=True, kw_only=True, rename="camel"):
    """What to decide and count now."""

    page_load: RequestDetails | None = None
    mboxes: Annotated[list[MboxRequest], Meta(max_length=50)] | None = None


class PrefetchRequest(Wire, frozen=True, kw_only=True, rename="camel"):
    """What to decide now and count when it is displayed."""

    page_load: RequestDetails | None = None
    mboxes: Annotated[list[MboxRequest], Meta(max_length=50)] | None = None
    views: Annotated[list[ViewRequest], Meta(max_length=200)] | None = None


class CustomerId(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """A customer's own id in one of their systems; all three members are required (§6.2)."""

    id: Text128
    integration_code: Text50
    authenticated_state: Literal["unknown", "authenticated", "logged_out"]


class VisitorId(Wire, frozen=True, kw_only=True, rename="camel"):
    """Who the visitor is, as far as the caller knows."""

    tnt_id: Text128 | None = None
    third_party_id: Text128 | None = None
    marketing_cloud_visitor_id: Text128 | None = None
    customer_ids: Annotated[list[CustomerId], Meta(max_length=50)] | None = None


class Geo(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """Where the visitor is on earth (§6.7).

    Country and state are not held to two and three characters: Adobe's engine decides with whatever names a caller
    uses, and Target checks what is forwarded to it.
    """

    ip_address: Text128 | None = None
    latitude: float | None = None
    longitude: float | None = None
    country_code: Text50 | None = None
    state_code: Text50 | None = None
    city: Text50 | None = None
    zip: Annotated[str, Meta(max_length=12)] | None = None


class ClientHints(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """What the browser says of itself beside the user agent (§6.8)."""

    mobile: bool | None = None
    model: str | None = None
    platform: str | None = None
    platform_version: str | None = None
    brands: str | None = field(default=None, name="browserUAWithMajorVersion")
    full_brands: str | None = field(default=None, name="browserUAWithFullVersion")
    architecture: str | None = None
    bitness: str | None = None


class MobilePlatform(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """The device of a mobile channel."""

    device_name: str | None = None
    device_type: Literal["phone", "tablet"]
    platform_type: Literal["android", "ios"]
    version: Text128 | None = None


class Application(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """The app of a mobile channel."""

    id: Text250 | None = None
    name: Text250 | None = None
    version: Text128 | None = None


class Screen(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """The visitor's screen."""

    width: float | None = None
    height: float | None = None
    color_depth: float | None = None
    pixel_ratio: float | None = None
    orientation: Literal["portrait", "landscape"] | None = None


class Window(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """The visitor's browser window."""

    width: float | None = None
    height: float | None = None


class BrowserHost(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """The page's host and the browser's language."""

    host: str | None = None
    language: str | None = None
    web_gl_renderer: str | None = field(default=None, name="webGLRenderer")


class Context(Wire, frozen=True, kw_only=True, rename="camel"):
    """The circumstances of the request (§6.5). `channel` is repaired or refused by the endpoint, not here."""

    channel: str | None = None
    mobile_platform: MobilePlatform | None = None
    application: Application | None = None
    screen: Screen | None = None
    window: Window | None = None
    browser: BrowserHost | None = None
    address: Address | None = None
    geo: Geo | None = None
    time_offset_in_minutes: float | None = None
    user_agent: str | None = None
    client_hints: ClientHints | None = None
    beacon: bool | None = None


class Property(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """The at_property the decision is limited to (§10)."""

    token: Annotated[str, Meta(min_length=1)]


class Analytics(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """How the hit reaches Analytics (§13)."""

    logging: Literal["server_side", "client_side"] | None = None
    supplemental_data_id: Annotated[str, Meta(min_length=33, max_length=33)] | None = None
    tracking_server: str | None = None
    tracking_server_secure: str | None = None


class AudienceManager(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """The visitor's Audience Manager segments."""

    location_hint: Annotated[float, Meta(multiple_of=1, ge=1)] | None = None
    blob: Annotated[str, Meta(max_length=1024)] | None = None


class ExperienceCloud(Wire, frozen=True, kw_only=True, rename="camel"):
    """What other Experience Cloud products need to know (§6.9)."""

    analytics: Analytics | None = None
    audience_manager: AudienceManager | None = None


class NotificationMbox(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """The mbox a notification speaks of."""

    name: Annotated[str, Meta(min_length=1, max_length=250)]
    state: str | None = None


class NotificationView(Wire, frozen=True, kw_only=True, rename="camel", gc=False):
    """The view a notification speaks of."""

    name: Text128 | None = None
    key: Annotated[str, Meta(max_length=512)] | None = None
    state: str | None = None


class Notification(RequestDetails, frozen=True, kw_only=True, rename="camel"):
    """Content was displayed or clicked (§6.6)."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    type: Literal["display", "click"]
    timestamp: Annotated[float, Meta(multiple_of=1, ge=0)]
    impression_id: Text128 | None = None
    tokens: list[str] | None = None
    mbox: NotificationMbox | None = None
    view: NotificationView | None = None


class Trace(Wire, frozen=True, kw_only=True, rename="camel"):
    """The wish to be told why."""

    authorization_token: str | None = None
    usage: dict[str, Any] | None = None


class Telemetry(Wire, frozen=True, kw_only=True, rename="camel"):
    """Timings of earlier calls, passed on to Target."""

    entries: list[JsonObject] | None = None


class DeliveryRequest(Wire, frozen=True, kw_only=True, rename="camel"):
    """One delivery request (§6.1)."""

    context: Context
    request_id: Text128 | None = None
    impression_id: Text128 | None = None
    id: VisitorId | None = None
    environment_id: Whole | None = None
    property: Property | None = None
    trace: Trace | None = None
    experience_cloud: ExperienceCloud | None = None
    execute: ExecuteRequest | None = None
    prefetch: PrefetchRequest | None = None
    telemetry: Telemetry | None = None
    notifications: Annotated[list[Notification], Meta(max_length=500)] | None = None
    qa_mode: JsonObject | None = None
    preview: JsonObject | None = None
