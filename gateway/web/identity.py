"""Who the visitor of a request is, asked of Redis only when the answer depends on it (gw:S2-S5)."""

from gateway.delivery.session import Visitor, adopt_device, mint_device_id, read_visitor
from gateway.errors import StoreError
from gateway.ids import new_id
from gateway.services import Services
from gateway.store.sessions import StoredSession
from gateway.web.inbound import Inbound


def name_visitor(services: Services, inbound: Inbound) -> Visitor:
    """Give the visitor as the request names them, and note in the session what the caller said (gw:S3)."""
    visitor = read_visitor(inbound.body.get("id"), inbound.session_id, inbound.device_id, inbound.location_hint)
    if visitor.tnt_id:
        services.sessions.refresh(inbound.tenant.code, inbound.session_id, visitor.tnt_id)
    return visitor


def must_ask_session(services: Services, visitor: Visitor, *, asks_target: bool) -> bool:
    """Whether the answer depends on the session record: nobody knows the visitor, or which edge to ask (gw:S4)."""
    if not visitor.is_known:
        return True
    return asks_target and not visitor.cluster and "{cluster}" in services.settings.upstream.target.edge_url


async def ask_session(services: Services, inbound: Inbound, visitor: Visitor, lost: list[str]) -> Visitor:
    """Give the visitor with every id that is to be the same in all parts of the request.

    A visitor nobody knows gets the session's device id; of concurrent first calls all get the same one. When Redis
    does not answer, `lost` names the session store and a new id is made (gw:S5).
    """
    candidate = "" if visitor.is_known else mint_device_id(new_id(), visitor.location_hint)
    try:
        stored = await services.sessions.open(inbound.tenant.code, inbound.session_id, candidate)
    except StoreError:
        lost.append("session-store")
        stored = StoredSession(candidate, "")
    return adopt_device(visitor, stored.device_id, stored.location_hint)
