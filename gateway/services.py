"""The one record handlers use: opens everything in order, closes it in the opposite order."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway import __version__
from gateway.access.entitlement import Entitlement
from gateway.business import Business, Redis, Shell, end_task, follow_mboxes, open_business
from gateway.config import Settings
from gateway.decisioning.opening import Decisioning
from gateway.delivery.cookies import cluster_of
from gateway.delivery.model import JsonObject
from gateway.delivery.telemetry import attach_entries
from gateway.errors import ConfigError, StoreError
from gateway.gauges import watch_store
from gateway.ids import new_id
from gateway.offers.instances import Space
from gateway.offers.registry import Registry
from gateway.store.connection import Store
from gateway.store.embedded import EmbeddedServer
from gateway.store.entities import Entities
from gateway.store.keys import Keys
from gateway.store.listing.index import Index
from gateway.store.local import LocalSessions, LocalStream, SessionRecords
from gateway.store.notifications import NotificationStream
from gateway.store.profiles import Profiles
from gateway.store.safety import inspect
from gateway.store.sessions import Sessions
from gateway.telemetry import AccessLog, Metrics, get_log
from gateway.tenants import Tenant
from gateway.upstream.artifact_feed import ArtifactFeed
from gateway.upstream.download import open_session
from gateway.upstream.fanout import Fanout
from gateway.upstream.geo import GeoLookup
from gateway.upstream.joiner import GROUP_SIZES, Joiner
from gateway.upstream.outbox import Message, Outbox, Stream
from gateway.upstream.target import Call, make_address, make_headers

_SECRET_BYTES = 32
_LOOK_S = 0.5
_TELEMETRY_S = 60


class Services(Struct):
    """Everything a handler may need; `store` and `business` are None in a process that decides for itself alone."""

    settings: Settings
    tenants: dict[str, Tenant]
    geo: GeoLookup
    store: Store | None
    sessions: SessionRecords
    fanout: Fanout
    joiner: Joiner
    outbox: Outbox
    metrics: Metrics
    access_log: AccessLog
    business: Business | None = None
    draining: bool = False
    under_way: int = 0
    public_address: str = ""

    @property
    def entitlement(self) -> Entitlement:
        """Who may call signed-in endpoints."""
        return self._open_business.entitlement

    @property
    def registry(self) -> Registry:
        """The types of business objects."""
        return self._open_business.registry

    @property
    def entities(self) -> Entities:
        """The repository."""
        return self._open_business.entities

    @property
    def index(self) -> Index:
        """Lists and searches of the repository."""
        return self._open_business.index

    @property
    def profiles(self) -> Profiles:
        """What is known of people."""
        return self._open_business.profiles

    async def forget(self, space: Space, canonical_ids: Sequence[str]) -> None:
        """Delete the cap counters of an erased person (prof:U4)."""
        for canonical_id in canonical_ids:
            await self._open_business.counting.caps.forget_profile(space, canonical_id)

    @property
    def decisions(self) -> Decisioning:
        """Offer decisions."""
        return self._open_business.decisions

    @property
    def checking(self) -> asyncio.Semaphore:
        """What is held while a long body is checked."""
        return self._open_business.checking

    @property
    def _open_business(self) -> Business:
        if self.business is None:
            raise ConfigError("This process has no repository: it was opened to decide for itself alone")
        return self.business

    def is_ready(self) -> bool:
        """Whether requests can be answered: not draining, and every on-device client has its artifact (gw:Q1)."""
        waiting = (t for t in self.tenants.values() if t.client.method == "on-device" and t.feed.artifact is None)
        return not self.draining and next(waiting, None) is None


class Embedding(Struct, frozen=True):
    """What is different inside somebody else's process: no Redis unless one is named, and no waiting for artifacts.

    `report(event, detail)` is told what a server would log; `artifact` is one that is at hand (on-device §2), else it
    is looked for once `opened` is set.
    """

    report: Callable[[str, str], None]
    opened: asyncio.Event
    artifact: bytes | None = None


class Records(Struct, frozen=True):
    """Where sessions and notifications are kept; `redis` is None where it is in this process."""

    redis: Redis | None
    sessions: SessionRecords
    stream: Stream


@asynccontextmanager
async def open_services(
    settings: Settings, environ: Mapping[str, str] = os.environ, embedding: Embedding | None = None
) -> AsyncIterator[Services]:
    """Give the open services; raises ConfigError or StoreError when they cannot be opened.

    A Redis that cannot be reached and an artifact that cannot be loaded are no errors: both are tried again.
    """
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        if embedding is not None and not environ.get(settings.redis.url_env):
            records = Records(None, LocalSessions(), LocalStream(settings.outbox.max_length))
        else:
            records = await _open_records(settings, environ, metrics, stack)
        fanout = await stack.enter_async_context(Fanout(settings.upstream.target))
        joiner = Joiner(fanout, settings.merge, settings.upstream.target, new_id)
        stack.push_async_callback(joiner.close)
        geo = GeoLookup(settings.artifact, embedding.report if embedding else _reporter("", metrics))
        stack.push_async_callback(geo.close)
        tenants = await _open_tenants(settings, metrics, geo, stack, embedding)
        services = Services(
            settings=settings,
            tenants=tenants,
            geo=geo,
            store=records.redis.store if records.redis else None,
            sessions=records.sessions,
            fanout=fanout,
            joiner=joiner,
            outbox=_open_outbox(settings, records.stream, fanout, tenants, stack),
            metrics=metrics,
            access_log=AccessLog(sys.stderr.buffer if settings.log.access else None, metrics),
        )
        stack.callback(services.access_log.flush)
        _watch(services)
        if records.redis is not None:
            await _warn_of_unsafe_store(records.redis.store)
        if records.redis is not None and embedding is None:
            shell = Shell(settings=settings, environ=environ, metrics=metrics, report=_reporter("", metrics))
            services.business = await stack.enter_async_context(open_business(shell, records.redis))
            organizations = [tenant.client.organization_id for tenant in tenants.values()]
            following = follow_mboxes(services.business, organizations)
            stack.push_async_callback(end_task, asyncio.create_task(following, name="offers.follow"))
        yield services


async def _open_records(
    settings: Settings, environ: Mapping[str, str], metrics: Metrics, stack: AsyncExitStack
) -> Records:
    url, secret, server = _find_redis(settings, environ, stack)
    redis = settings.redis
    store = await Store.connect(
        url,
        timeout_ms=redis.timeout_ms,
        connect_timeout_ms=redis.connect_timeout_ms,
        max_waiting=redis.max_waiting,
        name="sessions",
    )
    stack.push_async_callback(store.close)
    if server is not None:
        stack.push_async_callback(end_task, asyncio.create_task(_keep_alive(server, metrics), name="store.keep-alive"))
    stream = NotificationStream(store, new_id(), settings.outbox.max_length)
    return Records(
        Redis(store=store, url=url, secret=secret, is_private=server is not None), Sessions(store, Keys(secret)), stream
    )


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
    settings: Settings, metrics: Metrics, geo: GeoLookup, stack: AsyncExitStack, embedding: Embedding | None
) -> dict[str, Tenant]:
    session = await stack.enter_async_context(open_session())
    tenants: dict[str, Tenant] = {}
    for code, client in settings.client.items():
        report = embedding.report if embedding else _reporter(code, metrics)
        feed = ArtifactFeed(code, client, settings.artifact, session, report)
        tenants[code] = Tenant(code, client, feed, geo, new_id)
    used = [tenant.feed for tenant in tenants.values() if tenant.client.method != "server-side"]
    for feed in used:
        stack.push_async_callback(feed.close)
    if embedding is None:
        await asyncio.gather(*(feed.start() for feed in used))
    for feed in used:
        poll = feed.run() if embedding is None else _follow(feed, embedding)
        stack.push_async_callback(end_task, asyncio.create_task(poll, name="artifact.poll"))
    return tenants


async def _follow(feed: ArtifactFeed, embedding: Embedding) -> None:
    """Begin with the artifact that is at hand, else with the first look, and poll."""
    await embedding.opened.wait()
    await (feed.start() if embedding.artifact is None else feed.adopt(embedding.artifact))
    await feed.run()


def _open_outbox(
    settings: Settings, stream: Stream, fanout: Fanout, tenants: Mapping[str, Tenant], stack: AsyncExitStack
) -> Outbox:
    def address(message: Message, deadline: float) -> Call | None:
        if message.client not in tenants:  # it was configured when the entry was made
            return None
        organization = tenants[message.client].client.organization_id
        identity = message.body.get("id") or {}
        cluster = cluster_of(str(identity.get("tntId", "")))
        query = {"imsOrgId": organization, "sessionId": message.session_id}
        where = make_address(settings.upstream.target, message.client, cluster, query)
        sent = message.body if message.body.get("notifications") else _without_notifications(message.body)
        told = attach_entries(sent, tenants[message.client].telemetry.take())
        body = msgspec.json.encode(told | {"requestId": new_id()})
        return Call(where, body, make_headers(new_id(), __version__), deadline)

    outbox = Outbox(settings.outbox, stream, fanout, address, time.time)
    if settings.outbox.enabled:
        task = asyncio.create_task(outbox.run(), name="outbox.send")
        stack.push_async_callback(end_task, task)
        telemetry = asyncio.create_task(_tell_telemetry(tenants, outbox), name="telemetry.send")
        stack.push_async_callback(end_task, telemetry)
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


def _reporter(code: str, metrics: Metrics) -> Any:
    def report(event: str, detail: str) -> None:
        metrics.count_event(event)
        log = get_log()
        (log.info if event == "artifact.swapped" else log.warning)(event, client=code, detail=detail)

    return report


def _watch(services: Services) -> None:
    fanout, joiner = services.fanout, services.joiner
    services.metrics.watch(
        lambda: {
            "upstream_under_way": float(fanout.under_way),
            "merge_waiting": float(joiner.callers),
            "upstream_open_circuits": float(fanout.edges.open_circuits),
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
            "upstream_calls": fanout.calls,
            "merge_joined": joiner.counts.joined,
            "merge_repeated": joiner.counts.repeated,
            "merge_split": joiner.counts.split,
            "merge_parted": joiner.counts.parted,
            "merge_refused": joiner.counts.refused,
            "upstream_repeated": fanout.repeated,
            "geo_failed": services.geo.failed,
            "outbox_put": services.outbox.counts.put,
            "outbox_sent": services.outbox.counts.sent,
            "outbox_failed": services.outbox.counts.failed,
            "outbox_dropped": services.outbox.counts.dropped,
        },
        kind="counter",
    )
    services.metrics.watch_sizes("merge_group_size", GROUP_SIZES, lambda: (joiner.counts.sizes, joiner.counts.callers))
    if services.store is not None:
        watch_store(services.metrics, services.store)


async def _warn_of_unsafe_store(store: Store) -> None:
    try:
        for warning in await inspect(store):
            get_log().warning("store.found_unsafe", detail=warning)
    except StoreError as error:
        get_log().warning("store.not_inspected", detail=str(error))
