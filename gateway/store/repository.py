"""The repository, opened: a connection of its own, its durability looked at, its delete worker at work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.config import Redis, Repository
from gateway.errors import StoreError, StoreUnsafe
from gateway.store.connection import Store
from gateway.store.delete_worker import DeleteWorker
from gateway.store.entities import Entities
from gateway.telemetry import get_log


@asynccontextmanager
async def open_repository(url: str, redis: Redis, repository: Repository) -> AsyncIterator[Entities]:
    """Give the repository at a Redis URL; on leaving, what was sent is waited for.

    It has a connection of its own, so that no large document keeps a visitor's session waiting. A Redis that cannot be
    reached or is not safe enough is no error: that is logged, and writes are refused for as long as it is so.
    """
    store = await Store.connect(
        url,
        timeout_ms=repository.timeout_ms,
        connect_timeout_ms=redis.connect_timeout_ms,
        max_waiting=redis.max_waiting,
        name="repository",
    )
    entities = Entities(store, repository)
    worker = asyncio.create_task(DeleteWorker(entities, _report_delete).run(), name="repository.delete")
    try:
        await _inspect(entities, repository)
        yield entities
    finally:
        worker.cancel()
        await asyncio.wait([worker])
        await store.close()


async def _inspect(entities: Entities, repository: Repository) -> None:
    if repository.durability == "memory":
        get_log().warning("repository.found_unsafe", detail=_MEMORY)
    try:
        await entities.check()
    except StoreUnsafe as error:
        get_log().error("repository.found_unsafe", detail=f"{error.message}; until then writes are refused")
    except StoreError as error:
        get_log().warning("repository.not_inspected", detail=error.message)


_MEMORY = 'repository.durability = "memory": what is acknowledged may be lost when Redis ends'


def _report_delete(trouble: str) -> None:
    get_log().error("repository.delete_failed", detail=trouble)
