"""What operators and their machines ask: alive, ready, metrics (gw:Q1)."""

import asyncio

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.services import Services
from gateway.web.wire import encode

SERVICES = web.AppKey("services", Services)


async def live(_request: web.Request) -> web.Response:
    """Answer 200 for as long as the event loop turns."""
    return web.json_response({"status": "live"})


async def ready(request: web.Request) -> web.Response:
    """Answer 200 when requests can be answered, else 503; the state of Redis and Target is told, not judged."""
    services = request.app[SERVICES]
    state = {
        "status": "ready" if services.is_ready() else "not ready",
        "draining": services.draining,
        "store_connected": services.store is not None and services.store.connected,
        "artifacts": {code: tenant.feed.artifact is not None for code, tenant in services.tenants.items()},
    }
    return web.Response(status=200 if services.is_ready() else 503, body=encode(state), content_type="application/json")


async def metrics(request: web.Request) -> web.Response:
    """Give every metric in Prometheus' text form, written in a thread because that takes milliseconds."""
    services = request.app[SERVICES]
    found = services.metrics
    services.access_log.count()  # what has been answered since the last time
    text = await asyncio.to_thread(generate_latest, found.registry)
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})
