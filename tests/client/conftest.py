"""A stand-in Target for clients, and clients that ask it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.client import TargetClient
from gateway.demo.target import StandIn
from gateway.store.embedded import EmbeddedServer
from tests.client.options import Target, make_options
from tests.stage import ORGANIZATION


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of the bundled server: what a client sees does not depend on the kind of server."""
    with EmbeddedServer(tmp_path_factory.mktemp("valkey"), "") as server:
        yield server.url


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    """Run a stand-in Target."""
    stand_in = StandIn(["demo"], {ORGANIZATION: "demo"})
    yield Target(stand_in, await stand_in.start())
    await stand_in.stop()


@pytest.fixture
async def open_client(target: Target) -> AsyncIterator[Callable[..., TargetClient]]:
    """Give a function that opens a client of the stand-in; all are closed afterwards."""
    async with AsyncExitStack() as stack:

        def open_one(**changes: Any) -> TargetClient:
            client = TargetClient.create(make_options(target.port) | changes)
            stack.push_async_exit(client)
            return client

        yield open_one
