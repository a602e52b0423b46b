"""One checked request as the walk takes it, whoever sent it: the HTTP endpoints or a caller in the same process."""

import msgspec
from msgspec import Struct

from gateway.delivery.model import DeliveryRequest, JsonObject
from gateway.delivery.plan import Policy
from gateway.tenants import Tenant

_decode = msgspec.json.Decoder().decode


class Inbound(Struct, kw_only=True):
    """One checked request.

    `deadline` and `inner_deadline`, by which what others do for the answer must be in, are times of the event loop's
    clock in seconds; `started` is one of the performance counter. `identity` is the caller's `id` member. `raw` is the
    body as received, None where it had to be repaired. `consumer` is who asks of the page ("": the default), `policy`
    is how this call is to be decided where that is not how its client is.
    """

    tenant: Tenant
    session_id: str
    request: DeliveryRequest
    identity: JsonObject | None
    raw: bytes | None
    started: float
    deadline: float
    inner_deadline: float
    sets_cookies: bool
    device_id: str = ""
    location_hint: str = ""
    version: str = ""
    consumer: str = ""
    decoded: JsonObject | None = None
    policy: Policy | None = None

    def read_body(self) -> JsonObject:
        """Give the decoded body, which most local decisions have no need of."""
        if self.decoded is None:
            self.decoded = _decode(self.raw or b"{}")
        return self.decoded

    @property
    def body(self) -> JsonObject:
        """The decoded body."""
        return self.read_body()

    @property
    def is_ping(self) -> bool:
        """Whether nothing is asked and nothing is told (gw:S11)."""
        request = self.request
        return (
            request.execute is None
            and request.prefetch is None
            and not request.notifications
            and (request.telemetry is None or not request.telemetry.entries)
        )
