"""The one record handlers use: opens everything in order, closes it in the opposite order."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway import __version__
from gateway.access.entitlement import Entitlement
from gateway.config import Settings, read_schemas
from gateway.delivery.cookies import cluster_of
from gateway.delivery.model import JsonObject
from gateway.delivery.telemetry import attach_entries
from gateway.errors import ConfigError, StoreError
from gateway.ids import new_id
from gateway.offers.registry import Registry
from gateway.store.connection import Store
from gateway.store.embedded import EmbeddedServer
from gateway.store.entities import Entities
from gateway.store.keys import Keys
from gateway.store.listing.index import Index
from gateway.store.notifications import NotificationStream
from gateway.store.profiles import Forget, Profiles, keep_no_counters
from gateway.store.repository import open_repository
from gateway.store.safety import inspect
from gateway.store.sessions import Sessions
from gateway.telemetry import AccessLog, Metrics, get_log
from gateway.tenants import Tenant
from gateway.upstream.artifact_feed import ArtifactFeed
from gateway.upstream.download import open_session
from gateway.upstream.fanout import Fanout
from gateway.upstream.geo import GeoLookup
from gateway.upstream.jwks import KeySet
from gateway.upstream.outbox import Message, Outbox
from gateway.upstream.target import Call, make_headers, make_url

_SECRET_BYTES = 32
_LOOK_S = 0.5
_TELEMETRY_S = 60


class Services(Struct):
    """Everything a handler may need."""

    settings: Settings
    tenants: dict[str, Tenant]
    geo: GeoLookup
    store: Store
    sessions: Sessions
    fanout: Fanout
    outbox: Outbox
    metrics: Metrics
    access_log: AccessLog
    entitlement: Entitlement
    registry: Registry
    entities: Entities
    index: Index
    profiles: Profiles
    forget: Forget = keep_no_counters
    draining: bool = False
    under_way: int = 0
    public_address: str = ""

    def is_ready(self) -> bool:
        """Whether requests can be answered: not draining, and every on-device client has its artifact (gw:Q1)."""
        waiting = (t for t in self.tenants.values() if t.client.method == "on-device" and t.feed.artifact is None)
        return not self.draining and next(waiting, None) is None


@asynccontextmanager
async def open_services(settings: Settings, environ: Mapping[str, str] = os.environ) -> AsyncIterator[Services]:
    """Give the open services; raises ConfigError or StoreError when they cannot be opened.

    A Redis that cannot be reached and an artifact that cannot be loaded are no errors: both are tried again.
    """
    async with AsyncExitStack() as stack:
        url, secret, server = _find_redis(settings, environ, stack)
        redis = settings.redis
        store = await Store.connect(
            url,
            timeout_ms=redis.timeout_ms,
            connect_timeout_ms=redis.connect_timeout_ms,
            max_waiting=redis.max_waiting,
        )
        stack.push_async_callback(store.close)
        entities = await stack.enter_async_context(_open_repository(settings, environ, url))
        fanout = await stack.enter_async_context(Fanout(settings.upstream.target))
        metrics = Metrics()
        if server is not None:
            stack.push_async_callback(_end, asyncio.create_task(_keep_alive(server, metrics), name="store.keep-alive"))
        geo = GeoLookup(settings.artifact, _reporter("", metrics))
        stack.push_async_callback(geo.close)
        tenants = await _open_tenants(settings, metrics, geo, stack)
        registry = Registry(read_schemas(settings.repository.schemas))
        index = Index(entities, registry)
        stack.callback(index.close)
        services = Services(
            settings=settings,
            tenants=tenants,
            geo=geo,
            store=store,
            sessions=Sessions(store, Keys(secret)),
            fanout=fanout,
            outbox=_open_outbox(settings, store, fanout, tenants, stack),
            metrics=metrics,
            access_log=AccessLog(sys.stderr.buffer if settings.log.access else None),
            entitlement=await _open_entitlement(settings, environ, metrics, stack),
            registry=registry,
            entities=entities,
            index=index,
            profiles=await _open_profiles(settings, environ, url, Keys(secret), stack),
        )
        stack.callback(services.access_log.flush)
        _watch(services)
        await _warn_of_unsafe_store(store)
        yield services


def _find_redis(
    settings: Settings, environ: Mapping[str, str], stack: AsyncExitStack
) -> tuple[str, bytes, EmbeddedServer | None]:
    redis = settings.redis
    url = environ.get(redis.url_env, "")
    secret = environ.get(redis.key_secret_env, "").encode()
    if url:
        if not secret:
            raise ConfigError(
                f"{redis.url_env} names a Redis, but {redis.key_secret_env} is empty: set it to a long random text, "
                "the same for every gateway of this Redis"
            )
        return url, secret, None
    data_dir = Path(redis.data_dir)
    server = EmbeddedServer(data_dir, redis.server, fsync=settings.repository.durability == "fsync")
    try:
        url = server.start()
    except OSError as error:
        raise ConfigError(f"cannot keep data in redis.data-dir = {redis.data_dir}: {error.strerror}") from error
    stack.callback(server.stop)
    get_log().info("store.started", kind="private server", data_dir=str(data_dir))
    return url, secret or _keep_secret(data_dir / "key-secret"), server


def _open_repository(settings: Settings, environ: Mapping[str, str], url: str) -> AbstractAsyncContextManager[Entities]:
    """Open the repository on its own Redis where one is named, else on that of sessions."""
    own = environ.get(settings.repository.url_env, "")
    return open_repository(own or url, settings.redis, settings.repository)


async def _open_profiles(
    settings: Settings, environ: Mapping[str, str], url: str, keys: Keys, stack: AsyncExitStack
) -> Profiles:
    """Open profiles on their own Redis where one is named, else on that of sessions.

    They have a connection of their own, so that no large profile keeps a visitor's session waiting.
    """
    store = await Store.connect(
        environ.get(settings.profiles.url_env, "") or url,
        timeout_ms=settings.profiles.timeout_ms,
        connect_timeout_ms=settings.redis.connect_timeout_ms,
        max_waiting=settings.redis.max_waiting,
    )
    stack.push_async_callback(store.close)
    return Profiles(store, keys, settings.profiles)


async def _keep_alive(server: EmbeddedServer, metrics: Metrics) -> None:
    """Start the private server again whenever it has ended by itself."""
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            if server.revive():
                metrics.count_event("store.revived")
                get_log().error("store.revived")
        except StoreError as error:
            get_log().error("store.not_revived", detail=str(error))


def _keep_secret(path: Path) -> bytes:
    """Give the secret of a private server's folder, made at first start."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    secret = secrets.token_hex(_SECRET_BYTES).encode()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
    return secret


async def _open_tenants(
    settings: Settings, metrics: Metrics, geo: GeoLookup, stack: AsyncExitStack
) -> dict[str, Tenant]:
    session = await stack.enter_async_context(open_session())
    tenants: dict[str, Tenant] = {}
    for code, client in settings.client.items():
        feed = ArtifactFeed(code, client, settings.artifact, session, _reporter(code, metrics))
        tenants[code] = Tenant(code, client, feed, geo, new_id)
    used = [tenant.feed for tenant in tenants.values() if tenant.client.method != "server-side"]
    for feed in used:
        stack.push_async_callback(feed.close)
    await asyncio.gather(*(feed.start() for feed in used))
    for feed in used:
        stack.push_async_callback(_end, asyncio.create_task(feed.run(), name="artifact.poll"))
    return tenants


async def _open_entitlement(
    settings: Settings, environ: Mapping[str, str], metrics: Metrics, stack: AsyncExitStack
) -> Entitlement:
    keys = None
    if settings.access.jwt.jwks:
        session = await stack.enter_async_context(open_session())
        keys = KeySet(settings.access.jwt, session, _reporter("", metrics), time.monotonic)
    entitlement = Entitlement(settings, environ, keys)
    if ignored := entitlement.ignored:
        get_log().warning("access.ignored", count=ignored)
    return entitlement


def _open_outbox(
    settings: Settings, store: Store, fanout: Fanout, tenants: Mapping[str, Tenant], stack: AsyncExitStack
) -> Outbox:
    stream = NotificationStream(store, new_id(), settings.outbox.max_length)

    def address(message: Message, deadline: float) -> Call | None:
        if message.client not in tenants:  # it was configured when the entry was made
            return None
        organization = tenants[message.client].client.organization_id
        identity = message.body.get("id") or {}
        cluster = cluster_of(str(identity.get("tntId", "")))
        query = {"imsOrgId": organization, "sessionId": message.session_id}
        url = make_url(settings.upstream.target, message.client, cluster, query)
        sent = message.body if message.body.get("notifications") else _without_notifications(message.body)
        told = attach_entries(sent, tenants[message.client].telemetry.take())
        body = msgspec.json.encode(told | {"requestId": new_id()})
        return Call(url, body, make_headers(new_id(), __version__), deadline)

    outbox = Outbox(settings.outbox, stream, fanout, address, time.time)
    if settings.outbox.enabled:
        task = asyncio.create_task(outbox.run(), name="outbox.send")
        stack.push_async_callback(_end, task)
        telemetry = asyncio.create_task(_tell_telemetry(tenants, outbox), name="telemetry.send")
        stack.push_async_callback(_end, telemetry)
    return outbox


def _without_notifications(body: JsonObject) -> JsonObject:
    return {name: value for name, value in body.items() if name != "notifications"}


async def _tell_telemetry(tenants: Mapping[str, Tenant], outbox: Outbox) -> None:
    """Give the outbox, once a minute, what no other call has taken along.

    One call for each local decision, as Adobe's SDKs make, would be far too many (get-offers §11).
    """
    while True:
        await asyncio.sleep(_TELEMETRY_S)
        for code, tenant in tenants.items():
            if entries := tenant.telemetry.take():
                outbox.put(code, new_id(), {"context": {"channel": "web"}, "telemetry": {"entries": entries}})


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


def _reporter(code: str, metrics: Metrics) -> Any:
    def report(event: str, detail: str) -> None:
        metrics.count_event(event)
        log = get_log()
        (log.info if event == "artifact.swapped" else log.warning)(event, client=code, detail=detail)

    return report


def _watch(services: Services) -> None:
    store, fanout = services.store, services.fanout
    services.metrics.watch(
        lambda: {
            "store_connected": float(store.connected),
            "repository_connected": float(services.entities.connected),
            "profiles_connected": float(services.profiles.connected),
            "upstream_under_way": float(fanout.under_way),
            "requests_under_way": float(services.under_way),
            "outbox_waiting": float(services.outbox.counts.waiting),
            "artifact_age_seconds": {
                code: tenant.clock() - tenant.feed.swapped_s
                for code, tenant in services.tenants.items()
                if tenant.feed.swapped_s
            },
        },
        kind="gauge",
    )
    services.metrics.watch(
        lambda: {
            "store_sent": store.counts.sent,
            "store_failed": store.counts.failed,
            "store_timed_out": store.counts.timed_out,
            "store_dropped": store.counts.dropped,
            "store_reconnected": store.counts.reconnected,
            "repository_sent": services.entities.counts.sent,
            "repository_failed": services.entities.counts.failed,
            "repository_timed_out": services.entities.counts.timed_out,
            "repository_dropped": services.entities.counts.dropped,
            "repository_reconnected": services.entities.counts.reconnected,
            "profiles_sent": services.profiles.counts.sent,
            "profiles_failed": services.profiles.counts.failed,
            "profiles_timed_out": services.profiles.counts.timed_out,
            "profiles_dropped": services.profiles.counts.dropped,
            "profiles_reconnected": services.profiles.counts.reconnected,
            "upstream_calls": fanout.calls,
            "geo_failed": services.geo.failed,
            "outbox_put": services.outbox.counts.put,
            "outbox_sent": services.outbox.counts.sent,
            "outbox_failed": services.outbox.counts.failed,
            "outbox_dropped": services.outbox.counts.dropped,
        },
        kind="counter",
    )


async def _warn_of_unsafe_store(store: Store) -> None:
    try:
        for warning in await inspect(store):
            get_log().warning("store.found_unsafe", detail=warning)
    except StoreError as error:
        get_log().warning("store.not_inspected", detail=str(error))
