"""A stage for every test, and Adobe's SDKs: each test that asks for `program` runs once with each of them."""

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.store.connection import Store
from gateway.store.embedded import EmbeddedServer
from tests.sdk.install import NotInstallableError, Program, install_node_sdk, install_python_sdk
from tests.stage import Stage, run_stage

_INSTALLERS = {"node": install_node_sdk, "python": install_python_sdk}


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of the bundled server: what a client sees does not depend on the kind of server."""
    with EmbeddedServer(tmp_path_factory.mktemp("valkey"), "") as server:
        yield server.url


@pytest.fixture
async def stage(redis_url: str, store: Store) -> AsyncIterator[Stage]:
    """Run a gateway with a stand-in Target on an empty Redis."""
    async with run_stage(redis_url) as stage:
        yield stage


@pytest.fixture(scope="session", params=list(_INSTALLERS))
def program(request: pytest.FixtureRequest) -> Program:
    """Give the program of one SDK, or skip where the SDK cannot be had."""
    try:
        return _INSTALLERS[request.param]()
    except NotInstallableError as error:
        pytest.skip(f"Adobe's SDK for {request.param} cannot be installed here: {error}")
