"""What one request has come to so far, on its way through the steps of `delivery.py`."""

from msgspec import Struct, field

from gateway.delivery.artifact import Artifact
from gateway.delivery.plan import NO_NEEDS, Plan
from gateway.delivery.session import Visitor
from gateway.services import Services
from gateway.walk.inbound import Inbound

NO_PLAN = Plan((), (), NO_NEEDS, ask_target=False)


class Walk(Struct, kw_only=True):
    """One request under way; `artifact` is one snapshot for all of it, `lost` names what its answer will lack."""

    services: Services
    inbound: Inbound
    request_id: str
    visitor: Visitor
    artifact: Artifact | None = None
    plan: Plan = NO_PLAN
    lost: list[str] = field(default_factory=list)
