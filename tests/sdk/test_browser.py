"""A real browser as at.js uses it: cross-origin calls with credentials, cookies, a beacon (delivery-api §4)."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.stage import DELIVERY, Stage
from tests.store.servers import wait_until

_PAGE = Path(__file__).parent / "page.html"
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
_FLAGS = [
    "--headless=new",
    "--no-sandbox",  # its sandbox does not work for root, and it opens no page but ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
SEEN_S = 30

pytestmark = pytest.mark.skipif(not _CHROMIUM, reason="there is no chromium on the PATH")


@asynccontextmanager
async def serve_page(seen: asyncio.Future[Any]) -> AsyncIterator[str]:
    """Serve the page from an origin of its own; what it has seen completes `seen`."""

    async def show(request: web.Request) -> web.FileResponse:
        return web.FileResponse(_PAGE)

    async def take(request: web.Request) -> web.Response:
        seen.set_result(json.loads(await request.read()))
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/", show), web.post("/seen", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def browse(address: str, profile: Path) -> AsyncIterator[None]:
    """Keep a browser open at `address`."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        _CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", address, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the group is the browser's own: it runs as many processes
        await process.wait()


async def test_a_browser_reads_our_answers_keeps_our_cookie_and_sends_beacons(stage: Stage, tmp_path: Path) -> None:
    seen: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    async with serve_page(seen) as origin, browse(f"{origin}/?delivery={stage.running.public}{DELIVERY}", tmp_path):
        found = await asyncio.wait_for(seen, SEEN_S)
        assert "error" not in found, found
        await wait_until(lambda: any(told["id"] == "b1" for told in stage.stand_in.notifications))

    tnt_id = found["first"]["body"]["id"]["tntId"]
    assert found["first"]["status"] == 200
    assert [len(mbox["options"]) for mbox in found["first"]["body"]["execute"]["mboxes"]] == [1, 1]
    assert tnt_id in found["cookie"]  # at.js reads it with document.cookie (gw:S8)
    for call in ("second", "preflighted"):
        assert found[call]["body"]["id"]["tntId"] == tnt_id
        assert found[call]["requestId"]
    assert found["refused"]["status"] == found["refused"]["body"]["status"] == 400
    assert found["beacon"] is True

    beacon = next(call for call in stage.stand_in.requests if call.body.get("notifications", [{}])[0].get("id") == "b1")
    assert beacon.body["id"]["tntId"].partition(".")[0] == tnt_id.partition(".")[0]
    asked = [call.body for call in stage.stand_in.requests if "execute" in call.body]
    assert ["Chrome" in body["context"]["userAgent"] for body in asked] == [True, True, True]  # delivery-api §3.2
