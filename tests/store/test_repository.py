"""The repository as the gateway opens it: connection, inspection, delete worker."""

import asyncio
import io
import json

import structlog

from gateway.config import Redis, Repository
from gateway.errors import StoreUnreachable
from gateway.store.connection import Store
from gateway.store.embedded import EmbeddedServer
from gateway.store.repository import open_repository
from gateway.telemetry import set_up_logs
from tests.store.objects import SPACE, make_change, make_container, make_operation, new_uuid


def events(log: io.BytesIO) -> list[str]:
    return [json.loads(line)["event"] for line in log.getvalue().splitlines()]


async def test_it_decides_deletes_while_it_is_open(redis_url, store: Store):
    """repo:D12; also those left behind by a gateway that is gone (D11)."""
    async with open_repository(redis_url, Redis(), Repository()) as entities:
        container = await make_container(entities)
        change = make_change(new_uuid(), "xcore:tag:1")
        created = await entities.save(SPACE, container, change)
        operation = make_operation(change.instance_id)
        await entities.ask_delete(SPACE, container, None, operation)
        # It may be decided here, or after the next start.
    async with open_repository(redis_url, Redis(), Repository()) as entities, asyncio.timeout(10):
        seen = []
        async for events in entities.follow(SPACE, container, created.sequence):
            seen += [event.gone for event in events]
            if True in seen:
                break
        assert seen == [False, True], "it is marked, then gone"


async def test_a_redis_that_is_not_safe_enough_is_logged_once_and_read_from(redis_url, store: Store):
    set_up_logs("info", log := io.BytesIO())
    try:
        async with open_repository(redis_url, Redis(), Repository(durability="fsync")) as entities:
            assert await entities.list_containers(SPACE) == []
        async with open_repository(redis_url, Redis(), Repository(durability="memory")):
            pass
    finally:
        structlog.reset_defaults()
    assert events(log) == ["repository.found_unsafe"] * 2


async def test_a_redis_that_is_away_at_start_is_no_error(tmp_path):
    set_up_logs("info", log := io.BytesIO())
    try:
        async with open_repository(f"unix://{tmp_path}/none.sock", Redis(), Repository()) as entities:
            assert not entities.connected
            try:
                await make_container(entities)
            except StoreUnreachable:
                refused = True
    finally:
        structlog.reset_defaults()
    assert refused
    assert events(log) == ["store.unreachable", "repository.not_inspected"]


async def test_the_private_server_can_keep_fsync(tmp_path):
    with EmbeddedServer(tmp_path / "data", fsync=True) as server:
        async with open_repository(server.url, Redis(), Repository(durability="fsync")) as entities:
            assert await make_container(entities)
