"""A gateway as its own process, as an operator runs it: its log is what it writes to standard error."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import Struct

from gateway.demo.target import StandIn
from tests.stage import DELIVERY, ORGANIZATION, Answer

ROOT = Path(__file__).parent.parent.parent


class Gateway(Struct):
    """A process that listens, and the stand-in Target behind it."""

    process: asyncio.subprocess.Process
    log: Path
    public: str
    admin: str
    stand_in: StandIn
    http: aiohttp.ClientSession

    async def post(self, raw: bytes, headers: dict[str, str] | None = None, **query: str) -> Answer:
        """Post a delivery request; the query defaults to client `demo` and session `s1`."""
        asked = {"client": "demo", "sessionId": "s1"} | query
        async with self.http.post(self.public + DELIVERY, data=raw, headers=headers or {}, params=asked) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def get(self, url: str) -> Answer:
        """Get any address."""
        async with self.http.get(url) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def stop(self) -> int:
        """Send SIGTERM and give the exit status."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        async with asyncio.timeout(20):
            return await self.process.wait()


@asynccontextmanager
async def run_process(redis_url: str, folder: Path, changes: dict[str, str] | None = None) -> AsyncIterator[Gateway]:
    """Give a gateway process with the configuration of the tests and `changes` in its environment."""
    stand_in = StandIn(["demo"], {ORGANIZATION: "demo"})
    origin = f"http://127.0.0.1:{await stand_in.start()}"
    given = {
        "REDIS_URL": redis_url,
        "GATEWAY_KEY_SECRET": "a secret of the tests",
        "GATEWAY_UPSTREAM__TARGET__URL": origin,
        "GATEWAY_ARTIFACT__GEO_URL": f"{origin}/v1/geo",
        "GATEWAY_CLIENT__DEMO__ARTIFACT_LOCATION": f"{origin}/artifact/demo/production/v1/rules.json",
    }
    log = folder / "stderr.log"
    command = [sys.executable, "-m", "gateway", "run", "--config", str(ROOT / "config" / "test.toml")]
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command, stderr=stderr, cwd=ROOT, env=os.environ | given | (changes or {})
        )
    try:
        started = await _read_start(process, log)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            gateway = Gateway(process, log, started["public"], started["admin"], stand_in, http)
            yield gateway
            await gateway.stop()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await stand_in.stop()


async def _read_start(process: asyncio.subprocess.Process, log: Path) -> Any:
    async with asyncio.timeout(20):
        while process.returncode is None:
            for line in _read_lines(log):
                if '"server.started"' in line:
                    return json.loads(line)
            await asyncio.sleep(0.02)
    raise AssertionError(f"the gateway did not start: {_read_lines(log)}")


def _read_lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines()
