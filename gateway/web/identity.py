"""Who the visitor of a request is, asked of Redis only when the answer depends on it (gw:S2-S5)."""

from gateway.delivery.session import Visitor, adopt_device, mint_device_id, read_visitor
from gateway.errors import StoreError
from gateway.ids import new_id
from gateway.services import Services
from gateway.store.sessions import StoredSession
from gateway.web.inbound import Inbound


async def identify(services: Services, inbound: Inbound, lost: list[str], *, asks_target: bool) -> Visitor:
    """Give the visitor with every id that is to be the same in all parts of the request.

    A visitor nobody knows gets the session's device id; of concurrent first calls all get the same one. When Redis
    does not answer, `lost` names the session store and a new id is made (gw:S5).
    """
    visitor = read_visitor(inbound.body.get("id"), inbound.session_id, inbound.device_id)
    visitor = adopt_device(visitor, "", inbound.location_hint)
    code, session_id = inbound.tenant.code, inbound.session_id
    if visitor.tnt_id:
        services.sessions.refresh(code, session_id, visitor.tnt_id)
    if visitor.is_known and not (asks_target and needs_hint(services, visitor)):
        return visitor
    candidate = "" if visitor.is_known else mint_device_id(new_id(), visitor.location_hint)
    try:
        stored = await services.sessions.open(code, session_id, candidate)
    except StoreError:
        lost.append("session-store")
        stored = StoredSession(candidate, "")
    return adopt_device(visitor, stored.device_id, stored.location_hint)


def needs_hint(services: Services, visitor: Visitor) -> bool:
    """Whether the edge to ask is unknown, and edges are configured at all."""
    return not visitor.cluster and "{cluster}" in services.settings.upstream.target.edge_url
