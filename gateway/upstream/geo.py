"""Address to place, over Adobe's look-up service (spec on-device §6.3): bounded in time, remembered by address."""

import asyncio
from collections import OrderedDict
from typing import Any

import aiohttp
import msgspec

from gateway.config import Artifact
from gateway.delivery.geo import CALLER
from gateway.delivery.nesting import is_deeper
from gateway.errors import UpstreamGarbled
from gateway.upstream.download import read_bounded

_MOST_BYTES = 16_384
_DEEPEST = 20
_REMEMBERED = 10_000
_LIFE_S = 3600.0


class GeoLookup:
    """Looks addresses up; a failed look-up gives an empty place, is counted, and is asked again next time."""

    def __init__(self, settings: Artifact) -> None:
        """Open a client session of its own, so that slow look-ups never take connections from decisions."""
        self._settings = settings
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=settings.geo_timeout_ms / 1000),
            connector=aiohttp.TCPConnector(limit=16),
        )
        self._known: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()
        self.failed = 0

    async def look_up(self, address: str) -> dict[str, Any]:
        """Give the answer for `address` (or `CALLER`): members named like the geo headers, {} when unknown."""
        now = asyncio.get_running_loop().time()
        known = self._known.get(address)
        if known is not None and known[0] > now:
            return known[1]
        try:
            found = await self._ask(address)
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError, ValueError, UpstreamGarbled):
            self.failed += 1
            return {}
        self._known[address] = (now + _LIFE_S, found)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def _ask(self, address: str) -> dict[str, Any]:
        headers = {} if address == CALLER else {"X-Forwarded-For": address}
        async with self._session.get(self._settings.geo_url, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                raise UpstreamGarbled(f"the geo service answered with status {response.status}")
            raw = await read_bounded(response, _MOST_BYTES, 20)
            found = None if is_deeper(raw, _DEEPEST) else msgspec.json.decode(raw)
            if not isinstance(found, dict):
                raise UpstreamGarbled("the geo service answered with something else than an object")
            return found

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()
