"""Address to place, over Adobe's look-up service (spec on-device §6.3): bounded in time, remembered by address."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
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

    def __init__(self, settings: Artifact, report: Callable[[str, str], None]) -> None:
        """Open a client session of its own, so that slow look-ups never take connections from decisions."""
        self._settings = settings
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=settings.geo_timeout_ms / 1000),
            connector=aiohttp.TCPConnector(limit=16),
        )
        self._known: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()
        self._asking: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._report = report
        self._is_failing = False
        self.failed = 0
        self.on_found: Callable[[dict[str, Any]], None] | None = None

    async def look_up(self, address: str) -> dict[str, Any]:
        """Give the answer for `address` (or `CALLER`): members named like the geo headers, {} when unknown."""
        now = asyncio.get_running_loop().time()
        known = self._known.get(address)
        if known is not None and known[0] > now:
            return known[1]
        asking = self._asking.get(address)
        if asking is None:
            asking = self._asking[address] = asyncio.ensure_future(self._learn(address, now))
            asking.add_done_callback(lambda _: self._asking.pop(address, None))
        return await asyncio.shield(asking)  # one caller's deadline does not end the look-up for the others

    async def _learn(self, address: str, now: float) -> dict[str, Any]:
        try:
            found = await self._ask(address)
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError, ValueError, UpstreamGarbled) as error:
            self.failed += 1
            if not self._is_failing:  # one event a fact: it goes on failing until a look-up succeeds
                self._report("geo.failed", f"{type(error).__name__}: places are not known for now")
            self._is_failing = True
            return {}
        self._is_failing = False
        if self.on_found is not None:
            self.on_found(found)
        self._known[address] = (now + _LIFE_S, found)
        self._known.move_to_end(address)
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
        for asking in list(self._asking.values()):
            asking.cancel()
        await self._session.close()
