"""A running gateway that answers for the client, over `/v1/get-offers` and its like."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from yarl import URL

from gateway import __version__
from gateway.client.events import Events
from gateway.client.options import ClientOptions
from gateway.config import Target
from gateway.configuration import is_web_address
from gateway.delivery.cookies import read_mbox_cookie
from gateway.delivery.model import JsonObject
from gateway.errors import ConfigError, InvalidBody, UpstreamRefused
from gateway.ids import new_id
from gateway.upstream.fanout import Fanout
from gateway.upstream.target import Call, make_headers, read_address

_READY_S = 0.1
_MARGIN_S = 0.25  # the gateway answers by the deadline; this is the way there and back


class Remote:
    """Hands calls on to a gateway."""

    def __init__(self, fanout: Fanout, options: ClientOptions) -> None:
        """Take the connections to use."""
        query = {"client": options.client, "imsOrgId": options.organization_id}
        if options.version:
            query["version"] = options.version
        self._address = URL(options.gateway_url or "").with_query(query)
        self._fanout = fanout

    async def ask(self, endpoint: str, given: JsonObject, timeout_s: float) -> JsonObject:
        """Give the gateway's envelope; raises InvalidBody with its words where it found the call wrong."""
        timeout_ms = max(int(timeout_s * 1000), 1)
        headers = make_headers(new_id(), __version__) | {"X-Request-Timeout-Ms": str(timeout_ms)}
        address = self._address
        if session_id := _find_session(given):  # for a balancer that hashes sessions to gateways (gw:M7)
            address = address.update_query({"sessionId": session_id})
        call = Call(
            address=read_address(address.with_path(f"{address.path.rstrip('/')}/v1/{endpoint}", keep_query=True)),
            body=msgspec.json.encode(given),
            headers=headers,
            deadline=asyncio.get_running_loop().time() + timeout_s + _MARGIN_S,
        )
        try:
            return await self._fanout.ask(call)
        except UpstreamRefused as error:
            if 400 <= error.upstream_status < 500:
                raise InvalidBody(error.upstream_message or str(error)) from error
            raise


@asynccontextmanager
async def open_remote(options: ClientOptions, events: Events) -> AsyncIterator[Remote]:
    """Give the door to the gateway at `gateway_url`."""
    url = options.gateway_url or ""
    async with Fanout(Target(url=url, edge_url="")) as fanout:
        ready = asyncio.get_running_loop().call_later(_READY_S, events.emit, "client_ready")
        try:
            yield Remote(fanout, options)
        finally:
            ready.cancel()


def _find_session(given: JsonObject) -> str:
    """Give the session that the gateway will find in the call, "" where it will make one."""
    cookie = read_mbox_cookie(given.get("target_cookie") or "", time.time())
    return cookie.session_id or given.get("session_id") or ""


def check_gateway_url(url: str) -> None:
    """Raise ConfigError unless `url` is one of a gateway."""
    if not is_web_address(url):
        raise ConfigError("gateway_url is not a web address like http://127.0.0.1:8080")
