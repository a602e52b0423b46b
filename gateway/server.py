"""Listeners, signals, drain: from open services to a clean exit (gw:Q1, Q5)."""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from msgspec import Struct

from gateway.config import Settings
from gateway.configuration import split_address
from gateway.errors import ConfigError
from gateway.services import Services, open_services
from gateway.telemetry import get_log
from gateway.web.routes import make_admin_app, make_public_server

_KEEPALIVE_S = 75
_BACKLOG = 1024
_GC_THRESHOLDS = (50_000, 20, 20)  # requests leave little garbage in cycles; looking for it took a tenth of the time


class Running(Struct, frozen=True):
    """A gateway that listens: the addresses it is bound to, as `http://host:port`."""

    services: Services
    public: str
    admin: str


@asynccontextmanager
async def run_gateway(settings: Settings, environ: Mapping[str, str] = os.environ) -> AsyncIterator[Running]:
    """Give a listening gateway; on leaving, it finishes what is under way and closes everything."""
    async with open_services(settings, environ) as services:
        drain_s = settings.web.drain_ms / 1000
        public = web.ServerRunner(make_public_server(services, keepalive_s=_KEEPALIVE_S), shutdown_timeout=drain_s)
        admin = web.AppRunner(make_admin_app(services), access_log=None, shutdown_timeout=1.0)
        try:
            public_address = services.public_address = await _listen(public, settings.web.listen)
            admin_address = await _listen(admin, settings.web.admin_listen)
            get_log().info("server.started", public=public_address, admin=admin_address)
            yield Running(services, public_address, admin_address)
        finally:
            services.draining = True
            await public.cleanup()
            await admin.cleanup()
            get_log().info("server.stopped")


async def _listen(runner: web.BaseRunner, address: str) -> str:
    host, port = split_address(address)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=_BACKLOG)
    try:
        await site.start()
    except OSError as error:
        raise ConfigError(f"cannot listen on {address}: {error.strerror}; is another gateway running?") from error
    bound, number = runner.addresses[0][:2]
    return f"http://[{bound}]:{number}" if ":" in bound else f"http://{bound}:{number}"


async def serve(
    settings: Settings,
    started: Callable[[Running], None] | None = None,
    prepare: Callable[[Running], Awaitable[None]] | None = None,
) -> None:
    """Run until SIGTERM or SIGINT, then drain; SIGHUP looks at every artifact at once.

    `prepare` is awaited once everything is open, then `started` is told.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with run_gateway(settings) as running:
        refreshing: set[asyncio.Task[bool]] = set()

        def refresh() -> None:
            for tenant in running.services.tenants.values():
                refreshing.add(task := asyncio.create_task(tenant.feed.refresh()))
                task.add_done_callback(refreshing.discard)

        with contextlib.suppress(AttributeError):  # a platform without SIGHUP
            loop.add_signal_handler(signal.SIGHUP, refresh)
        if prepare is not None:
            await prepare(running)
        if started is not None:
            started(running)
        # What is loaded by now stays: the garbage collector need not look at it again and again.
        await asyncio.to_thread(gc.collect)
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        await stop.wait()
        running.services.draining = True
        get_log().info("server.draining", under_way=running.services.under_way)
        await asyncio.sleep(settings.web.grace_ms / 1000)
