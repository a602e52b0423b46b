"""The objects of a delivery request, by the names that Adobe's SDK for Python has given them.

Members are in snake_case; what is sent and answered is the JSON of the Delivery API (spec delivery-api §6).
"""

from typing import Any

from msgspec import Struct, field


class Model(Struct, kw_only=True, rename="camel"):
    """An object of the Delivery API; a member that is None is absent."""

    @property
    def attribute_map(self) -> dict[str, str]:
        """The JSON name of each member, as generated API clients have it."""
        return dict(zip(self.__struct_fields__, self.__struct_encode_fields__, strict=True))

    @property
    def openapi_types(self) -> dict[str, str]:
        """The members, as generated API clients have them."""
        return dict.fromkeys(self.__struct_fields__, "object")

    def to_dict(self) -> dict[str, Any]:
        """Give every member by its name here, None where it is absent."""
        return {name: _to_plain(getattr(self, name)) for name in self.__struct_fields__}


def _to_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_plain(inner) for inner in value]
    return value.to_dict() if isinstance(value, Model) else value


class Address(Model, kw_only=True, rename="camel"):
    """Where the visitor is."""

    url: str | None = None
    referring_url: str | None = None


class Order(Model, kw_only=True, rename="camel"):
    """What was bought."""

    id: str | None = None
    total: int | float | None = None
    purchased_product_ids: list[str] | None = None
    time: Any = None
    experience_local_id: int | None = None
    duplicate: bool | None = None
    outlier: bool | None = None


class Product(Model, kw_only=True, rename="camel"):
    """What is looked at."""

    id: str | None = None
    category_id: str | None = None


class RequestDetails(Model, kw_only=True, rename="camel"):
    """What every item may say about itself; on its own a page load."""

    address: Address | None = None
    parameters: dict[str, Any] | None = None
    profile_parameters: dict[str, Any] | None = None
    order: Order | None = None
    product: Product | None = None


class MboxRequest(RequestDetails, kw_only=True, rename="camel"):
    """One mbox to decide."""

    name: str | None = None
    index: int | float | None = None


class ViewRequest(RequestDetails, kw_only=True, rename="camel"):
    """One view to prefetch; without a name all of them."""

    name: str | None = None
    key: str | None = None


class ExecuteRequest(Model, kw_only=True, rename="camel"):
    """What to decide and count now."""

    page_load: RequestDetails | None = None
    mboxes: list[MboxRequest] | None = None


class PrefetchRequest(Model, kw_only=True, rename="camel"):
    """What to decide now and count when it is displayed."""

    views: list[ViewRequest] | None = None
    page_load: RequestDetails | None = None
    mboxes: list[MboxRequest] | None = None


class CustomerId(Model, kw_only=True, rename="camel"):
    """A customer's own id in one of their systems."""

    id: str | None = None
    integration_code: str | None = None
    authenticated_state: str | None = None


class VisitorId(Model, kw_only=True, rename="camel"):
    """Who the visitor is."""

    tnt_id: str | None = None
    third_party_id: str | None = None
    marketing_cloud_visitor_id: str | None = None
    customer_ids: list[CustomerId] | None = None


class Geo(Model, kw_only=True, rename="camel"):
    """Where the visitor is on earth."""

    ip_address: str | None = None
    latitude: int | float | None = None
    longitude: int | float | None = None
    country_code: str | None = None
    state_code: str | None = None
    city: str | None = None
    zip: str | None = None


class ClientHints(Model, kw_only=True, rename="camel"):
    """What the browser says of itself beside the user agent."""

    mobile: bool | None = None
    model: str | None = None
    platform: str | None = None
    platform_version: str | None = None
    browser_ua_with_major_version: str | None = field(default=None, name="browserUAWithMajorVersion")
    browser_ua_with_full_version: str | None = field(default=None, name="browserUAWithFullVersion")
    architecture: str | None = None
    bitness: str | None = None


class MobilePlatform(Model, kw_only=True, rename="camel"):
    """The device of the mobile channel."""

    device_name: str | None = None
    device_type: str | None = None
    platform_type: str | None = None
    version: str | None = None


class Application(Model, kw_only=True, rename="camel"):
    """The app of the mobile channel."""

    id: str | None = None
    name: str | None = None
    version: str | None = None


class Screen(Model, kw_only=True, rename="camel"):
    """The visitor's screen."""

    width: int | float | None = None
    height: int | float | None = None
    color_depth: int | float | None = None
    pixel_ratio: int | float | None = None
    orientation: str | None = None


class Window(Model, kw_only=True, rename="camel"):
    """The visitor's browser window."""

    width: int | float | None = None
    height: int | float | None = None


class Browser(Model, kw_only=True, rename="camel"):
    """The page's host and the browser's language."""

    host: str | None = None
    language: str | None = None
    web_gl_renderer: str | None = field(default=None, name="webGLRenderer")


class Context(Model, kw_only=True, rename="camel"):
    """The circumstances of a request."""

    channel: str | None = None
    mobile_platform: MobilePlatform | None = None
    application: Application | None = None
    screen: Screen | None = None
    window: Window | None = None
    browser: Browser | None = None
    address: Address | None = None
    geo: Geo | None = None
    time_offset_in_minutes: int | float | None = None
    user_agent: str | None = None
    client_hints: ClientHints | None = None
    beacon: bool | None = None


class ModelProperty(Model, kw_only=True, rename="camel"):
    """The property a decision is limited to."""

    token: str | None = None


class AnalyticsRequest(Model, kw_only=True, rename="camel"):
    """How the hit reaches Analytics."""

    supplemental_data_id: str | None = None
    logging: str | None = None
    tracking_server: str | None = None
    tracking_server_secure: str | None = None


class AudienceManager(Model, kw_only=True, rename="camel"):
    """The visitor's Audience Manager segments."""

    location_hint: int | float | None = None
    blob: str | None = None


class ExperienceCloud(Model, kw_only=True, rename="camel"):
    """What other Experience Cloud products need to know."""

    audience_manager: AudienceManager | None = None
    analytics: AnalyticsRequest | None = None


class NotificationMbox(Model, kw_only=True, rename="camel"):
    """The mbox a notification speaks of."""

    name: str | None = None
    state: str | None = None


class NotificationView(Model, kw_only=True, rename="camel"):
    """The view a notification speaks of."""

    name: str | None = None
    key: str | None = None
    state: str | None = None


class NotificationPageLoad(Model, kw_only=True, rename="camel"):
    """The page load a notification speaks of."""

    state: str | None = None


class Notification(RequestDetails, kw_only=True, rename="camel"):
    """Content was displayed or clicked."""

    id: str | None = None
    impression_id: str | None = None
    type: str | None = None
    timestamp: int | float | None = None
    tokens: list[str] | None = None
    mbox: NotificationMbox | None = None
    view: NotificationView | None = None
    page_load: NotificationPageLoad | None = None


class Trace(Model, kw_only=True, rename="camel"):
    """The wish to be told why."""

    authorization_token: str | None = None
    usage: dict[str, Any] | None = None


class TelemetryFeatures(Model, kw_only=True, rename="camel"):
    """What a measured call made use of."""

    decisioning_method: str | None = None


class TelemetryEntry(Model, kw_only=True, rename="camel"):
    """How long one call took."""

    request_id: str | None = None
    timestamp: int | float | None = None
    execution: int | float | None = None
    features: TelemetryFeatures | None = None


class Telemetry(Model, kw_only=True, rename="camel"):
    """Timings of earlier calls."""

    entries: list[TelemetryEntry] | None = None


class QAModePreviewIndex(Model, kw_only=True, rename="camel"):
    """One experience to be shown in QA mode."""

    activity_index: int | None = None
    experience_index: int | None = None


class QAMode(Model, kw_only=True, rename="camel"):
    """The wish to see activities that are not live."""

    token: str | None = None
    listed_activities_only: bool | None = None
    evaluate_as_true_audience_ids: list[int] | None = None
    evaluate_as_false_audience_ids: list[int] | None = None
    preview_indexes: list[QAModePreviewIndex] | None = None


class Preview(Model, kw_only=True, rename="camel"):
    """A preview link's token."""

    token: str | None = None


class DeliveryRequest(Model, kw_only=True, rename="camel"):
    """One delivery request; only `context` is required."""

    context: Context | None = None
    request_id: str | None = None
    impression_id: str | None = None
    id: VisitorId | None = None
    environment_id: int | float | None = None
    _property: ModelProperty | None = field(default=None, name="property")
    trace: Trace | None = None
    experience_cloud: ExperienceCloud | None = None
    execute: ExecuteRequest | None = None
    prefetch: PrefetchRequest | None = None
    telemetry: Telemetry | None = None
    notifications: list[Notification] | None = None
    qa_mode: QAMode | None = None
    preview: Preview | None = None
