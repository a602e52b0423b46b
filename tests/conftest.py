"""Fixtures every room may use: a real Redis server, a store connected to it, and its keys."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from gateway.store.connection import Store
from gateway.store.embedded import EmbeddedServer
from gateway.store.keys import Keys
from tests.store.servers import connected, installed_servers

# Where a test sets up no logs of its own, tracebacks are plain: drawn ones show every local, and take seconds.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ],
)

_SERVERS = installed_servers()


@pytest.fixture(scope="session", params=list(_SERVERS))
def redis_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a real server; tests that ask for it run once for each kind of server there is."""
    with EmbeddedServer(tmp_path_factory.mktemp(request.param), _SERVERS[request.param]) as server:
        yield server.url


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    """Connect a store to an empty Redis, and leave it empty."""
    async with connected(redis_url) as store:
        await store.call("FLUSHALL")
        yield store
        await store.call("FLUSHALL")


@pytest.fixture
def keys() -> Keys:
    """Make key names with a secret of the tests."""
    return Keys(b"a secret of the tests")


@pytest.fixture(scope="session")
def bundled_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of the bundled server: for tests in which the kind of server makes no difference."""
    with EmbeddedServer(tmp_path_factory.mktemp("bundled"), "") as server:
        yield server.url


@pytest.fixture
async def clean_url(bundled_url: str) -> str:
    """Give the URL of the bundled server, emptied."""
    async with connected(bundled_url) as store:
        await store.call("FLUSHALL")
    return bundled_url
