from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest

from gateway.demo.target import StandIn


class Caller:
    """A client of one stand-in: `deliver` and `control` give the status and the decoded body."""

    def __init__(self, http: aiohttp.ClientSession, port: int) -> None:
        self.http = http
        self.url = f"http://127.0.0.1:{port}"

    async def deliver(self, body: Any = None, query: str = "client=demo&sessionId=s1") -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else msgspec.json.encode({"context": {"channel": "web"}, **(body or {})})
        return await self._send("POST", f"/rest/v1/delivery?{query}", raw)

    async def control(self, method: str, body: Any = None) -> tuple[int, Any]:
        return await self._send(method, "/control", None if body is None else msgspec.json.encode(body))

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, str]:
        async with self.http.get(self.url + path, headers=headers) as response:
            return response.status, await response.read(), response.headers.get("ETag", "")

    async def _send(self, method: str, path: str, raw: bytes | None) -> tuple[int, Any]:
        async with self.http.request(method, self.url + path, data=raw, allow_redirects=False) as response:
            answer = await response.read()
            return response.status, msgspec.json.decode(answer) if answer else None


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    target = StandIn(["demo", "other"])
    yield target
    await target.stop()


@pytest.fixture
async def caller(stand_in: StandIn) -> AsyncIterator[Caller]:
    port = await stand_in.start()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        yield Caller(http, port)
