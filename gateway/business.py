"""The business side of a gateway: who may use it, the repository of business objects, its lists and searches."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec import Struct

from gateway.access.entitlement import Entitlement
from gateway.config import Settings, read_schemas
from gateway.errors import StoreError
from gateway.offers.instances import Space
from gateway.offers.registry import Registry
from gateway.store.entities import Entities
from gateway.store.listing.index import Index
from gateway.store.repository import open_repository
from gateway.telemetry import Metrics, get_log
from gateway.upstream.download import open_session
from gateway.upstream.jwks import KeySet

Report = Callable[[str, str], None]


class Business(Struct):
    """Everything the endpoints of marketers and operators need."""

    entitlement: Entitlement
    registry: Registry
    entities: Entities
    index: Index
    checking: asyncio.Semaphore
    """Whoever checks a long body: a second thread at it would only take turns with the first."""


@asynccontextmanager
async def open_business(
    settings: Settings, environ: Mapping[str, str], redis_url: str, report: Report
) -> AsyncIterator[Business]:
    """Give the open parts, on a Redis of their own where one is named, else on `redis_url`; raises ConfigError."""
    async with AsyncExitStack() as stack:
        url = environ.get(settings.repository.url_env) or redis_url
        entities = await stack.enter_async_context(open_repository(url, settings.redis, settings.repository))
        kept = settings.repository
        registry = Registry(read_schemas(kept.schemas), unique_offer_names=kept.unique_offer_names)
        index = Index(entities, registry, kept.containers_indexed)
        stack.callback(index.close)
        preparing = asyncio.create_task(_prepare(index, settings), name="repository.prepare")
        stack.push_async_callback(_end, preparing)
        entitlement = await _open_entitlement(settings, environ, report, stack)
        yield Business(
            entitlement=entitlement, registry=registry, entities=entities, index=index, checking=asyncio.Semaphore()
        )


async def _prepare(index: Index, settings: Settings) -> None:
    """Read the containers that lists will most likely ask for; whoever asks earlier waits for that."""
    spaces = [Space(name, sandbox) for name, one in settings.access.organization.items() for sandbox in one.sandboxes]
    try:
        await index.prepare(spaces, min(settings.repository.indexed_at_start, settings.repository.containers_indexed))
    except StoreError as error:
        get_log().warning("repository.not_prepared", detail=error.message)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _open_entitlement(
    settings: Settings, environ: Mapping[str, str], report: Report, stack: AsyncExitStack
) -> Entitlement:
    keys = None
    if settings.access.jwt.jwks:
        session = await stack.enter_async_context(open_session())
        keys = KeySet(settings.access.jwt, session, report, time.monotonic)
    entitlement = Entitlement(settings, environ, keys)
    if ignored := entitlement.ignored:
        get_log().warning("access.ignored", count=ignored)
    return entitlement


def watch_business(metrics: Metrics, entities: Entities) -> None:
    """Show how the repository's Redis does."""
    metrics.watch(lambda: {"repository_connected": float(entities.connected)}, kind="gauge")
    metrics.watch(
        lambda: {
            "repository_sent": entities.counts.sent,
            "repository_failed": entities.counts.failed,
            "repository_timed_out": entities.counts.timed_out,
            "repository_dropped": entities.counts.dropped,
            "repository_reconnected": entities.counts.reconnected,
        },
        kind="counter",
    )
