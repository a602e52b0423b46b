"""A real Redis Cluster of three primaries, started for a test and ended after it."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from msgspec import Struct

from gateway.store.connection import Store
from gateway.store.embedded import find_server
from tests.store.servers import connected

SLOTS = 16_384
_HIGHEST_PORT = 55_000  # a node's second port is 10,000 above its first


class Node(Struct):
    """One server of a cluster."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"


@contextmanager
def run_nodes(folder: Path, count: int, server: str = "", *options: str) -> Iterator[list[Node]]:
    """Give TCP servers, by default ready to be made a cluster of."""
    with ExitStack() as stack:
        nodes = []
        for number in range(count):
            home = folder / f"node-{number}"
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            port = free_port()
            command = [find_server(server), "--port", str(port), "--dir", str(home), "--save", ""]
            command += ["--bind", "127.0.0.1", "--maxmemory-policy", "noeviction", *options]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(end, process)
            nodes.append(Node(port, process))
        yield nodes


@contextmanager
def run_cluster(folder: Path, server: str = "") -> Iterator[list[Node]]:
    """Give three primaries that have agreed on who has which slot."""
    with run_nodes(folder, 3, server, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000") as nodes:
        with ThreadPoolExecutor(1) as thread:  # the caller may be in a loop of its own
            thread.submit(lambda: asyncio.run(join(nodes))).result()
        yield nodes


async def join(nodes: list[Node]) -> None:
    """Make one cluster of them and wait until all say so."""
    bounds = [SLOTS * number // len(nodes) for number in range(len(nodes) + 1)]
    for node, first, after in zip(nodes, bounds[:-1], bounds[1:], strict=True):
        async with answering(node) as store:
            await store.call("CLUSTER", "ADDSLOTSRANGE", first, after - 1)
            await store.call("CLUSTER", "SET-CONFIG-EPOCH", nodes.index(node) + 1)
    async with answering(nodes[0]) as store:
        for node in nodes[1:]:
            await store.call("CLUSTER", "MEET", "127.0.0.1", node.port)
    for node in nodes:
        async with answering(node) as store, asyncio.timeout(20):
            while not await has_joined(store, len(nodes)):  # noqa: ASYNC110 - another process has no asyncio.Event
                await asyncio.sleep(0.02)


async def has_joined(store: Store, count: int) -> bool:
    """Whether a node knows who has every slot."""
    is_ok = b"cluster_state:ok" in await store.call("CLUSTER", "INFO")
    return is_ok and len(await store.call("CLUSTER", "SLOTS")) == count


def answering(node: Node):
    """Connect to a node that may just be starting."""
    wait_for_port(node)
    return connected(node.url)


def wait_for_port(node: Node) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", node.port)) == 0:
                return
        time.sleep(0.01)
    raise AssertionError(f"no server on port {node.port}")


def free_port() -> int:
    """Give a port nobody listens on whose second port exists."""
    while True:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < _HIGHEST_PORT:
            return port


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a server, also one that was stopped."""
    process.kill()
    process.wait()
