"""Caps and decision events, opened: connections of their own, the store looked at, tasks at work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from msgspec import Struct

from gateway.config import Settings
from gateway.errors import ConfigError, StoreError
from gateway.store.cap_keys import CapKeys
from gateway.store.caps import Caps
from gateway.store.cluster import Access, Nodes, open_nodes
from gateway.store.decision_events import DecisionEvents
from gateway.store.epoch import Epoch, Record
from gateway.store.safety import find_policy
from gateway.telemetry import get_log

_LOOK_EVERY_S = 1.0


class Counting(Struct, frozen=True):
    """What counts: caps, and the stream of decision events."""

    caps: Caps
    events: DecisionEvents
    nodes: Nodes
    record: Record


@asynccontextmanager
async def open_counting(
    settings: Settings, url: str, secret: bytes, record: str = "", *, writes: bool = True
) -> AsyncIterator[Counting]:
    """Give open caps and events at a Redis URL; `record` is used where `caps.record` is empty.

    Without `writes` nothing is begun, watched or written in the background: that is for commands.

    Raises ConfigError for a Redis that may evict counters, or has them spread over another number of shards. A Redis
    that cannot be reached is no error: caps are unavailable until it can be.
    """
    caps = settings.caps
    access = Access(url, caps.timeout_ms, settings.redis.connect_timeout_ms, settings.redis.max_waiting)
    nodes = await open_nodes(access, caps.cluster)
    keys, kept = CapKeys(secret, caps.shards), Record(caps.record or record)
    counting = Counting(
        Caps(nodes, keys, Epoch(nodes, kept, caps.shards), caps),
        DecisionEvents(nodes, keys, settings.events),
        nodes,
        kept,
    )
    try:
        if writes:
            await _inspect(nodes, may_evict=caps.allow_eviction)
            await _look(counting.caps.epoch)
            async with _at_work(counting):
                yield counting
        else:
            yield counting
    finally:
        await counting.caps.close()


@asynccontextmanager
async def _at_work(counting: Counting) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(_watch(counting.caps.epoch), name="caps.watch-epoch"),
        asyncio.create_task(counting.events.run(), name="events.write"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await counting.events.end()


async def _inspect(nodes: Nodes, *, may_evict: bool) -> None:
    """Refuse a store that may evict counters (gw:C7)."""
    for store in nodes.primaries():
        try:
            policy = await find_policy(store)
        except StoreError as error:
            get_log().warning("caps.not_inspected", detail=error.message)
            continue
        if policy != "noeviction" and not may_evict:
            raise ConfigError(
                f"This Redis has maxmemory-policy {policy}, which may evict counters and so reset caps: "
                "set noeviction, give caps a Redis of their own (caps.url-env), or set caps.allow-eviction = true"
            )


async def _look(epoch: Epoch) -> None:
    try:
        await epoch.look()
    except StoreError as error:
        get_log().warning("caps.not_inspected", detail=error.message)


async def _watch(epoch: Epoch) -> None:
    """Notice an emptied store within a second, also while nothing is claimed."""
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        with suppress(StoreError, ConfigError):  # claims tell of both
            await epoch.look()
