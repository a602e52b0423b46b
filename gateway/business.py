"""What signed-in endpoints and offer decisions use beside the rest: the repository, its callers, profiles, caps.

Servers have it. A process that decides deliveries for itself alone has none of it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway.access.entitlement import Entitlement
from gateway.config import Settings
from gateway.configuration import read_schemas
from gateway.decisioning.opening import Decisioning, Stores, open_decisioning
from gateway.errors import StoreError
from gateway.gauges import watch_counting, watch_stores
from gateway.offers.instances import Space
from gateway.offers.registry import Registry
from gateway.store.answers import AnswerStore
from gateway.store.connection import Store
from gateway.store.counting import Counting, open_counting
from gateway.store.displays import Displays
from gateway.store.entities import Entities
from gateway.store.keys import Keys
from gateway.store.listing.index import Index
from gateway.store.profiles import Profiles
from gateway.store.repository import open_repository
from gateway.telemetry import Metrics, get_log
from gateway.upstream.download import open_session
from gateway.upstream.jwks import KeySet

_LOOKS = 3
"""A profile takes two looks at most (an alias, then its home)."""


class Business(Struct, frozen=True, kw_only=True):
    """The repository as its callers use it, and decisions made with what is in it."""

    entitlement: Entitlement
    registry: Registry
    entities: Entities
    index: Index
    profiles: Profiles
    counting: Counting
    decisions: Decisioning
    checking: asyncio.Semaphore
    """Whoever checks a long body: a second thread at it would only take turns with the first."""


class Redis(Struct, frozen=True, kw_only=True):
    """The Redis of sessions, on which everything is that no other one is named for; its URL and the key secret."""

    store: Store
    url: str
    secret: bytes
    is_private: bool


class Shell(Struct, frozen=True, kw_only=True):
    """What is there already: configuration, environment, numbers, and whom to tell."""

    settings: Settings
    environ: Mapping[str, str]
    metrics: Metrics
    report: Callable[[str, str], Any]


@asynccontextmanager
async def open_business(shell: Shell, redis: Redis) -> AsyncIterator[Business]:
    """Give it open; raises ConfigError. A Redis that cannot be reached is no error: it is tried again."""
    settings, keys = shell.settings, Keys(redis.secret)
    own = shell.environ.get(settings.repository.url_env, "")
    async with AsyncExitStack() as stack:
        entities = await stack.enter_async_context(
            open_repository(own or redis.url, settings.redis, settings.repository)
        )
        kept = settings.repository
        registry = Registry(read_schemas(kept.schemas), unique_offer_names=kept.unique_offer_names)
        index = Index(entities, registry, kept.containers_indexed)
        stack.callback(index.close)
        preparing = asyncio.create_task(_prepare(index, settings), name="repository.prepare")
        stack.push_async_callback(end_task, preparing)
        profiles = await _open_profiles(shell, redis, stack)
        counting = await _open_counting(shell, redis, stack)
        stores = Stores(
            entities=entities,
            profiles=profiles,
            caps=counting.caps,
            events=counting.events,
            answers=AnswerStore(redis.store, keys),
            displays=Displays(redis.store, keys),
            secret=redis.secret,
            ample_s=_LOOKS * settings.profiles.timeout_ms / 1000,
        )
        business = Business(
            entitlement=await _open_entitlement(shell, stack),
            registry=registry,
            entities=entities,
            index=index,
            checking=asyncio.Semaphore(),
            profiles=profiles,
            counting=counting,
            decisions=await stack.enter_async_context(open_decisioning(stores, settings.offers, shell.metrics)),
        )
        watch_stores(shell.metrics, {"repository": entities, "profiles": profiles})
        watch_counting(shell.metrics, counting)
        yield business


async def follow_mboxes(business: Business, organizations: Sequence[str]) -> None:
    """Keep loaded what mboxes of offer activities need, for these clients; until cancelled (gw:O1)."""
    mboxes = business.decisions.mboxes
    spaces = [Space(organization, mboxes.sandbox) for organization in dict.fromkeys(organizations)]
    await mboxes.follow(spaces, business.entities)


async def _prepare(index: Index, settings: Settings) -> None:
    """Read the containers that lists will most likely ask for; whoever asks earlier waits for that."""
    spaces = [Space(name, sandbox) for name, one in settings.access.organization.items() for sandbox in one.sandboxes]
    try:
        await index.prepare(spaces, min(settings.repository.indexed_at_start, settings.repository.containers_indexed))
    except StoreError as error:
        get_log().warning("repository.not_prepared", detail=error.message)


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    await asyncio.wait([task])


async def _open_profiles(shell: Shell, redis: Redis, stack: AsyncExitStack) -> Profiles:
    """Open profiles on their own Redis where one is named, else on that of sessions.

    They have a connection of their own, so that no large profile keeps a visitor's session waiting.
    """
    settings, limits = shell.settings.profiles, shell.settings.redis
    store = await Store.connect(
        shell.environ.get(settings.url_env, "") or redis.url,
        timeout_ms=settings.timeout_ms,
        connect_timeout_ms=limits.connect_timeout_ms,
        max_waiting=limits.max_waiting,
    )
    stack.push_async_callback(store.close)
    return Profiles(store, Keys(redis.secret), settings)


async def _open_counting(shell: Shell, redis: Redis, stack: AsyncExitStack) -> Counting:
    """Open caps and decision events; a private server's record of its epoch is beside its data."""
    settings = shell.settings
    own = shell.environ.get(settings.caps.url_env, "")
    record = str(Path(settings.redis.data_dir) / "caps-epoch") if redis.is_private and not own else ""
    return await stack.enter_async_context(open_counting(settings, own or redis.url, redis.secret, record))


async def _open_entitlement(shell: Shell, stack: AsyncExitStack) -> Entitlement:
    keys, settings = None, shell.settings
    if settings.access.jwt.jwks:
        session = await stack.enter_async_context(open_session())
        keys = KeySet(settings.access.jwt, session, shell.report, time.monotonic)
    entitlement = Entitlement(settings, shell.environ, keys)
    if ignored := entitlement.ignored:
        get_log().warning("access.ignored", count=ignored)
    return entitlement
