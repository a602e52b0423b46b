"""Where the answers of Target's calls meet: what came in time, and a word for what did not (gw:F4, F5; §8)."""

import asyncio
from collections.abc import Sequence

from gateway.delivery.answer import NOTHING, Remote, find_missing, read_remote
from gateway.delivery.legs import combine
from gateway.errors import RequestError, UpstreamError, UpstreamRefused
from gateway.walk.outgoing import Leg, only_tells
from gateway.walk.walk import Walk, names_of


async def meet(walk: Walk, legs: Sequence[Leg]) -> Remote:
    """Give Target's part of the answer, or NOTHING where it failed; secondaries get what time they are given."""
    if len(legs) == 1 and not legs[0].is_secondary:
        return await _read(walk, legs[0])
    first = [await _read(walk, leg) for leg in legs if not leg.is_secondary]
    return combine([*first, *[await _read_secondary(walk, leg) for leg in legs if leg.is_secondary]])


async def _read(walk: Walk, leg: Leg) -> Remote:
    try:
        remote = read_remote(await leg.ticket.reply(), leg.items)
    except UpstreamError as error:
        if isinstance(error, UpstreamRefused):
            walk.services.metrics.count_refusal(error.upstream_status)
        if not leg.is_secondary:
            _refuse_invalid(walk, error)
            if only_tells(walk):
                raise
        if leg.items or walk.inbound.request.notifications:
            walk.lose(error.code, names_of(leg.items))
        else:
            walk.lost.append(error.code)
        return NOTHING
    if missing := find_missing(leg.items, remote.results, views=leg.ticket.lacks_first):
        for reason in leg.ticket.lost:
            walk.lose(reason, names_of(missing))
        if not leg.ticket.lost:
            walk.lose("upstream-incomplete", names_of(missing))
    return remote


async def _read_secondary(walk: Walk, leg: Leg) -> Remote:
    try:
        async with asyncio.timeout(walk.inbound.tenant.client.secondary_wait_ms / 1000):
            return await _read(walk, leg)
    except TimeoutError:
        walk.lose("secondary", names_of(leg.items))
        return NOTHING


def _refuse_invalid(walk: Walk, error: UpstreamError) -> None:
    """Raise RequestError where Target found the request itself invalid."""
    if isinstance(error, UpstreamRefused) and error.upstream_status == 400 and not walk.plan.ours:
        raise RequestError(error.upstream_message[:1000] or "Target refused the request as invalid") from error
