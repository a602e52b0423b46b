"""A whole gateway on real sockets for a test: a stand-in Target behind it, a real Redis beside it, HTTP before it."""

import json
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import Struct

from gateway.configuration import check_settings, overlay_environment
from gateway.demo.target import StandIn
from gateway.server import Running, run_gateway

DELIVERY = "/rest/v1/delivery"
ORGANIZATION = "DEMO@AdobeOrg"


class Answer(Struct):
    """What came back: the body is decoded when it is JSON."""

    status: int
    headers: Any
    raw: bytes

    @property
    def body(self) -> Any:
        """The decoded body."""
        return json.loads(self.raw)


class Stage(Struct):
    """A running gateway and its surroundings."""

    running: Running
    stand_in: StandIn
    http: aiohttp.ClientSession

    async def post(self, body: Any, headers: dict[str, str] | None = None, **query: str) -> Answer:
        """Post a delivery request (an object, or raw bytes); the query defaults to client `demo` and session `s1`."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        asked = {"client": "demo", "sessionId": "s1"} | query
        return await self.ask("POST", DELIVERY, data=raw, headers=headers or {}, params=asked)

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """Make any request to the public listener."""
        async with self.http.request(method, self.running.public + path, **options) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def admin(self, path: str) -> Answer:
        """Get a page of the admin listener."""
        async with self.http.get(self.running.admin + path) as response:
            return Answer(response.status, response.headers.copy(), await response.read())


@asynccontextmanager
async def run_stage(
    redis_url: str, changes: dict[str, Any] | None = None, secrets: dict[str, str] | None = None
) -> AsyncIterator[Stage]:
    """Give a stage from config/test.toml; `changes` are keys as `{"GATEWAY_WEB__KEEP_CLIENTS": "false"}`.

    `secrets` are what keys that end in `-env` name.
    """
    stand_in = StandIn(["demo"], {ORGANIZATION: "demo"})
    port = await stand_in.start()
    origin = f"http://127.0.0.1:{port}"
    table = tomllib.loads((Path(__file__).parent.parent / "config" / "test.toml").read_text())
    given = {
        "GATEWAY_UPSTREAM__TARGET__URL": origin,
        "GATEWAY_ARTIFACT__GEO_URL": f"{origin}/v1/geo",
        "GATEWAY_CLIENT__DEMO__ARTIFACT_LOCATION": f"{origin}/artifact/demo/production/v1/rules.json",
    }
    settings = check_settings(overlay_environment(table, given | (changes or {})), "the tests")
    environ = {"REDIS_URL": redis_url, "GATEWAY_KEY_SECRET": "a secret of the tests"} | (secrets or {})
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        try:
            async with run_gateway(settings, environ) as running:
                yield Stage(running, stand_in, http)
        finally:
            await stand_in.stop()
