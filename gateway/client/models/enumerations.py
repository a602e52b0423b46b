"""The choices of the Delivery API as constants; each is a plain text."""

from enum import StrEnum


class ChannelType(StrEnum):
    """Where a request comes from."""

    WEB = "web"
    MOBILE = "mobile"


class AuthenticatedState(StrEnum):
    """How sure a customer id is."""

    UNKNOWN = "unknown"
    AUTHENTICATED = "authenticated"
    LOGGED_OUT = "logged_out"


class MetricType(StrEnum):
    """What a notification or metric is about."""

    CLICK = "click"
    DISPLAY = "display"


class LoggingType(StrEnum):
    """Who tells Analytics."""

    CLIENT_SIDE = "client_side"
    SERVER_SIDE = "server_side"


class DecisioningMethod(StrEnum):
    """Who decides."""

    ON_DEVICE = "on-device"
    SERVER_SIDE = "server-side"
    HYBRID = "hybrid"


class DeviceType(StrEnum):
    """The kind of a mobile device."""

    PHONE = "phone"
    TABLET = "tablet"


class MobilePlatformType(StrEnum):
    """The system of a mobile device."""

    ANDROID = "android"
    IOS = "ios"


class ScreenOrientationType(StrEnum):
    """Which side of a screen is up."""

    PORTRAIT = "portrait"
    LANDSCAPE = "landscape"


class OptionType(StrEnum):
    """What the content of an option is."""

    HTML = "html"
    JSON = "json"
    REDIRECT = "redirect"
    DYNAMIC = "dynamic"
    ACTIONS = "actions"
