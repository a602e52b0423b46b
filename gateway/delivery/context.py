"""What a condition may see (spec on-device-decisioning §7): one scope per request, each part made when first read.

A scope is moved from item to item and from rule to rule; conditions are evaluated at once, so that nothing keeps a
view of it but `whole()`, which copies.
"""

from collections.abc import Callable
from typing import Any

from gateway.delivery.address import url_attributes
from gateway.delivery.allocation import allocate
from gateway.delivery.browser import read_browser
from gateway.delivery.model import Context, RequestDetails
from gateway.delivery.parameters import UNSURE, expand_parameters, find_parameter

MINUTE_MS = 60_000
DAY_MS = 86_400_000

_GEO = (
    ("country", "country_code"),
    ("region", "state_code"),
    ("city", "city"),
    ("latitude", "latitude"),
    ("longitude", "longitude"),
)


class Moment:
    """The instant of a decision, as conditions see it: UTC."""

    __slots__ = ("day", "time", "timestamp")

    def __init__(self, now_ms: int) -> None:
        """Split `now_ms` (ms since the epoch) into the day of the week (1 = Monday) and `HHmm`."""
        minutes = now_ms // MINUTE_MS % 1440
        self.timestamp = now_ms
        self.time = f"{minutes // 60:02d}{minutes % 60:02d}"
        self.day = (now_ms // DAY_MS + 3) % 7 + 1  # the epoch was a Thursday, day 4


class Scope:
    """The decision context of one request; `enter` moves it to an item, `activity_id` to a rule."""

    __slots__ = (
        "_address",
        "_allocations",
        "_client",
        "_context",
        "_mbox",
        "_moment",
        "_now_ms",
        "_page",
        "_parameters",
        "_referring",
        "_user",
        "_visitor",
        "activity_id",
        "geo",
    )

    def __init__(self, context: Context, client: str, bucketing: str, now_ms: int) -> None:
        """Keep what the parts are made of; `bucketing` is the id that allocation is computed from (§8)."""
        self._context = context
        self._client = client
        self._visitor = bucketing
        self._now_ms = now_ms
        self._moment: Moment | None = None
        self._allocations: dict[int, float] = {}
        self._user: dict[str, Any] | None = None
        self._page: dict[str, Any] | None = None
        self._referring: dict[str, Any] | None = None
        self._mbox: dict[str, Any] | None = None
        self._address = context.address
        self._parameters: dict[str, Any] | None = None
        self.geo: dict[str, Any] = _read_geo(context)
        self.activity_id: int = 0

    def enter(self, item: RequestDetails) -> None:
        """Move to `item`: its parameters, and its address where it has one of its own (§10.1)."""
        address = item.address or self._context.address
        if address is not self._address:
            self._address = address
            self._page = self._referring = None
        if item.parameters is not self._parameters or self._mbox is None:
            self._parameters = item.parameters
            self._mbox = None

    @property
    def current_timestamp(self) -> int:
        """The instant in ms since the epoch."""
        return self._now_ms

    @property
    def moment(self) -> Moment:
        """The instant, split for conditions."""
        if self._moment is None:
            self._moment = Moment(self._now_ms)
        return self._moment

    @property
    def current_time(self) -> str:
        """`HHmm`, UTC."""
        return self.moment.time

    @property
    def current_day(self) -> int:
        """1 = Monday … 7 = Sunday, UTC."""
        return self.moment.day

    @property
    def user(self) -> dict[str, Any]:
        """Browser, platform and locale (§7.2)."""
        if self._user is None:
            self._user = _read_user(self._context)
        return self._user

    @property
    def page(self) -> dict[str, Any]:
        """The parts of the page's URL (§7.1)."""
        if self._page is None:
            self._page = url_attributes(self._address.url if self._address else None)
        return self._page

    @property
    def referring(self) -> dict[str, Any]:
        """The parts of the referring URL; an item's own address brings its own one (§10.1)."""
        if self._referring is None:
            self._referring = url_attributes(self._address.referring_url if self._address else None)
        return self._referring

    @property
    def mbox(self) -> dict[str, Any]:
        """The item's parameters, expanded (§7.3)."""
        if self._mbox is None:
            self._mbox = expand_parameters(self._parameters)
        return self._mbox

    def parameter(self, name: str, default: object) -> Any:
        """Give one member of `mbox` without expanding all parameters, where that is possible."""
        if self._mbox is None:
            if not self._parameters:
                return default
            found = find_parameter(self._parameters, name, default)
            if found is not UNSURE:
                return found
        return self.mbox.get(name, default)

    @property
    def allocation(self) -> float:
        """The visitor's place in the current activity, 0 to 99.99 (§8)."""
        known = self._allocations.get(self.activity_id)
        if known is None:
            known = self._allocations[self.activity_id] = allocate(self._client, self.activity_id, self._visitor)
        return known

    def whole(self) -> dict[str, Any]:
        """Everything as one object: what `var` with an empty path gives, and what a trace shows (§12)."""
        return {name: read(self) for name, read in _PARTS.items()}


_PARTS: dict[str, Callable[[Scope], Any]] = {
    "current_timestamp": lambda scope: scope.current_timestamp,
    "current_time": lambda scope: scope.current_time,
    "current_day": lambda scope: scope.current_day,
    "user": lambda scope: scope.user,
    "page": lambda scope: scope.page,
    "referring": lambda scope: scope.referring,
    "geo": lambda scope: scope.geo,
    "mbox": lambda scope: scope.mbox,
    "allocation": lambda scope: scope.allocation,
}


def _read_geo(context: Context) -> dict[str, Any]:
    geo = context.geo
    if geo is None:
        return {}
    found = {name: getattr(geo, member) for name, member in _GEO}
    return {name: value for name, value in found.items() if value is not None}


def _read_user(context: Context) -> dict[str, Any]:
    hints = context.client_hints
    platform = hints.platform if hints else None
    brands = (hints.full_brands or hints.brands) if hints else None
    browser = read_browser(context.user_agent or "", platform, brands)
    return {
        "browserType": browser.name,
        "browserVersion": browser.version,
        "platform": browser.platform,
        "locale": "en",
    }
