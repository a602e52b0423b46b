"""Who the visitor of a request is, asked of Redis only when the answer depends on it (gw:S2-S5)."""

import asyncio
from collections.abc import Awaitable

from gateway.delivery.session import Visitor, adopt_device, mint_device_id, read_visitor
from gateway.delivery.stitching import DEFAULT_CONSUMER, make_sdid, read_sdid
from gateway.errors import StoreError
from gateway.ids import new_id
from gateway.store.sessions import Stitch, StoredSession
from gateway.walk.inbound import Inbound
from gateway.walk.walk import Walk


def name_visitor(inbound: Inbound) -> Visitor:
    """Give the visitor as the request names them (gw:S3)."""
    return read_visitor(inbound.identity, inbound.session_id, inbound.device_id, inbound.location_hint)


def note_visitor(walk: Walk) -> None:
    """Note in the session's record, without waiting, which device the caller brought."""
    if device_id := walk.visitor.tnt_id:
        walk.services.sessions.refresh(walk.inbound.tenant.code, walk.inbound.session_id, device_id)


def must_ask_session(walk: Walk) -> bool:
    """Whether the answer depends on the session record (gw:S4).

    It does where nobody knows the visitor, or which edge to ask, or where a call is to be stitched to others.
    """
    if not walk.visitor.is_known or (walk.inbound.consumer and _needs_sdid(walk)):
        return True
    edges = "{cluster}" in walk.services.settings.upstream.target.edge_url
    return walk.plan.ask_target and edges and not walk.visitor.cluster


def _needs_sdid(walk: Walk) -> bool:
    """Whether an SDID is wanting: for Target, or for what Target is told of a stitched call that is decided here."""
    wanting = not walk.sdid and (walk.plan.ask_target or bool(walk.inbound.consumer))
    return wanting and not read_sdid(walk.inbound.body)


async def ask_session(walk: Walk) -> None:
    """Complete the visitor with every id that is to be the same in all parts of the request.

    A visitor nobody knows gets the session's device id; of concurrent first calls all get the same one. A call to
    Target that has no SDID gets the one its consumer is to use. When Redis does not answer, `lost` names the session
    store and new ids are made (gw:S5); the SDID of a call to Target is then made where calls are joined.
    """
    visitor, inbound = walk.visitor, walk.inbound
    candidate = "" if visitor.is_known else mint_device_id(new_id(), visitor.location_hint)
    stitch = Stitch(inbound.consumer or DEFAULT_CONSUMER, make_sdid(new_id)) if _needs_sdid(walk) else None
    opening = walk.services.sessions.open(inbound.tenant.code, inbound.session_id, candidate, stitch)
    try:
        stored = await (_by_deadline(walk, opening) if _may_outlast(walk) else opening)
    except (StoreError, TimeoutError):
        walk.lost.append("session-store")
        stored = StoredSession(candidate, "", stitch.fresh if stitch and not walk.plan.ask_target else "")
    walk.visitor = adopt_device(visitor, stored.device_id, stored.location_hint)
    walk.sdid = stored.sdid or walk.sdid


def _may_outlast(walk: Walk) -> bool:
    """Whether Redis is given more time than the request has; mostly it is not, and a timer of its own is saved."""
    left_s = walk.inbound.deadline - asyncio.get_running_loop().time()
    return walk.services.settings.redis.timeout_ms / 1000 > left_s


async def _by_deadline(walk: Walk, opening: Awaitable[StoredSession]) -> StoredSession:
    async with asyncio.timeout_at(walk.inbound.deadline):
        return await opening
