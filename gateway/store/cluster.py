"""Redis Cluster: one pipelined Store for each primary, commands sent to the node that has their slot.

`Single` gives one Redis the same shape. A node that answers MOVED or ASK did not do the command, so it is sent on, at
most a few times; the map of slots is asked for anew in the background, never more often than a few times a second.
"""

import asyncio
import binascii
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from gateway.errors import StoreError, StoreMoved, StoreUnreachable
from gateway.store.connection import Store
from gateway.store.safety import read_info
from gateway.store.scripts import Script
from gateway.telemetry import get_log

SLOTS = 16_384
_MOST_HOPS = 5
_MOST_NODES = 1_000
_LOOK_EVERY_S = 10.0
_PAUSE_S = 0.2

Address = tuple[str, int]
Part = bytes | str | int


class Ran(Struct, frozen=True):
    """A script's reply, the node that ran it, and that node's `counts.reconnected` from before: which connection."""

    reply: Any
    store: Store
    connection: int


class Nodes(Protocol):
    """One Redis or many: whoever has keys asks the node that has their slot."""

    def node_of(self, key: bytes) -> Store:
        """Give the node of a key now; raises StoreUnreachable where none is known."""

    def primaries(self) -> list[Store]:
        """Give every node that keys may be on."""

    async def run(self, script: Script, keys: Sequence[bytes], args: Sequence[Part]) -> Ran:
        """Run a script whose keys are all in one slot; errors as for `Store.run`."""

    def ask_packed(self, script: Script, key: bytes, command: bytes) -> Awaitable[Any]:
        """Run a script by a packed command on the node of a key, for its reply alone."""

    async def run_packed(self, script: Script, key: bytes, command: bytes) -> Ran:
        """Run a script by a packed command that has `key` among its keys; errors as for `Store.run`."""

    async def call(self, name: str, key: bytes, *args: Part) -> Any:
        """Send one command about a key; errors as for `Store.call`."""

    async def close(self) -> None:
        """End all connections."""


class Access(Struct, frozen=True):
    """How a node is connected to: a URL whose host and port are one node's, and limits as for `Store.connect`."""

    url: str
    timeout_ms: int
    connect_timeout_ms: int
    max_waiting: int

    async def connect(self, address: Address | None = None) -> Store:
        """Connect to the URL, or to another node with the same credentials."""
        return await Store.connect(
            self.url if address is None else replace_address(self.url, address),
            timeout_ms=self.timeout_ms,
            connect_timeout_ms=self.connect_timeout_ms,
            max_waiting=self.max_waiting,
        )


async def open_nodes(access: Access, mode: str) -> Nodes:
    """Connect to one Redis or to a cluster: `mode` is "yes", "no" or "detect"; raises ConfigError for a bad URL."""
    store = await access.connect()
    if mode == "detect":
        mode = "yes" if await _is_cluster(store) else "no"
    if mode == "no":
        return Single(store)
    cluster = Cluster(access, store)
    await cluster.open()
    return cluster


async def _is_cluster(store: Store) -> bool:
    try:
        return read_info(bytes(await store.call("INFO", "cluster"))).get("cluster_enabled") == "1"
    except StoreError as error:
        get_log().warning("caps.cluster_not_detected", detail=error.message)
        return False


class Single:
    """One Redis."""

    def __init__(self, store: Store) -> None:
        """Use a connected store; `close` closes it."""
        self._store = store

    def node_of(self, key: bytes) -> Store:  # noqa: ARG002 - there is but one
        """Give the store."""
        return self._store

    def primaries(self) -> list[Store]:
        """Give the store."""
        return [self._store]

    async def run(self, script: Script, keys: Sequence[bytes], args: Sequence[Part]) -> Ran:
        """Run a script."""
        connection = self._store.counts.reconnected
        return Ran(await self._store.run(script, keys, args), self._store, connection)

    def ask_packed(self, script: Script, key: bytes, command: bytes) -> Awaitable[Any]:  # noqa: ARG002 - but one node
        """Run a script by a packed command, for its reply alone."""
        return self._store.run_packed(script, command)

    async def run_packed(self, script: Script, key: bytes, command: bytes) -> Ran:  # noqa: ARG002 - there is but one
        """Run a script by a packed command."""
        connection = self._store.counts.reconnected
        return Ran(await self._store.run_packed(script, command), self._store, connection)

    async def call(self, name: str, key: bytes, *args: Part) -> Any:
        """Send one command."""
        return await self._store.call(name, key, *args)

    async def close(self) -> None:
        """End the connection."""
        await self._store.close()


class Cluster:
    """The primaries of a Redis Cluster, found through any of them."""

    def __init__(self, access: Access, seed: Store) -> None:
        """Begin with a store that is connected to any node; `open` finds the others."""
        self._access = access
        self._seed = seed
        self._stores: dict[Address, Store] = {}
        self._slots: list[Address | None] = [None] * SLOTS
        self._wanted = asyncio.Event()
        self._dialing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Look for all nodes once, and from then on whenever one is missed."""
        await self.refresh()
        self._task = asyncio.create_task(self._keep_fresh(), name="cluster.keep-fresh")

    def node_of(self, key: bytes) -> Store:
        """Give the primary of a key's slot as far as is known."""
        address = self._slots[slot_of(key)]
        store = self._stores.get(address) if address else None
        if store is None or not store.connected:
            self._wanted.set()
        if store is None:
            raise StoreUnreachable("No node of the Redis Cluster is known to have this slot")
        return store

    def primaries(self) -> list[Store]:
        """Give every primary that has a slot."""
        return [self._stores[address] for address in set(self._slots) if address in self._stores]

    async def run(self, script: Script, keys: Sequence[bytes], args: Sequence[Part]) -> Ran:
        """Run a script on the node that has the slot of its keys."""
        return await self._ask(keys[0], lambda store: store.run(script, keys, args))

    async def ask_packed(self, script: Script, key: bytes, command: bytes) -> Any:
        """Run a script by a packed command on the node of a key, for its reply alone."""
        return (await self.run_packed(script, key, command)).reply

    async def run_packed(self, script: Script, key: bytes, command: bytes) -> Ran:
        """Run a script by a packed command on the node that has the slot of its keys."""
        return await self._ask(key, lambda store: store.run_packed(script, command))

    async def call(self, name: str, key: bytes, *args: Part) -> Any:
        """Send a command to the node that has the slot of its key."""
        return (await self._ask(key, lambda store: store.call(name, key, *args))).reply

    async def _ask(self, key: bytes, ask: Callable[[Store], Coroutine[Any, Any, Any]]) -> Ran:
        store, is_asking = self.node_of(key), False
        for _ in range(_MOST_HOPS):
            connection = store.counts.reconnected
            try:
                if is_asking:
                    store.send("ASKING")  # the command follows in the same write
                return Ran(await ask(store), store, connection)
            except StoreMoved as moved:
                store, is_asking = await self._follow(moved, slot_of(key), store), moved.is_once
        raise StoreUnreachable("The nodes of the Redis Cluster send each other's slot around")

    async def close(self) -> None:
        """End all connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await asyncio.gather(*(store.close() for store in (self._seed, *self._stores.values())))

    async def _follow(self, moved: StoreMoved, slot: int, said: Store) -> Store:
        host = moved.host or next((address[0] for address, store in self._stores.items() if store is said), "")
        address = (host, moved.port)
        await self._dial(address)
        if not moved.is_once:
            self._slots[slot] = address
            self._wanted.set()
        return self._stores[address]

    async def _dial(self, address: Address) -> None:
        async with self._dialing:
            if address in self._stores:
                return
            if len(self._stores) >= _MOST_NODES:
                raise StoreUnreachable("The Redis Cluster names more nodes than can be")
            self._stores[address] = await self._access.connect(address)

    async def _keep_fresh(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), _LOOK_EVERY_S)
            self._wanted.clear()
            await self.refresh()
            await asyncio.sleep(_PAUSE_S)

    async def refresh(self) -> None:
        """Ask one node after the other, until one answers, which primary has which slot."""
        for store in (*self._stores.values(), self._seed):
            if not store.connected:
                continue
            try:
                slots = read_slots(await store.call("CLUSTER", "SLOTS"), self._host_of(store))
            except StoreError as error:
                get_log().warning("caps.cluster_not_read", detail=error.message)
                continue
            await asyncio.gather(*(self._dial(address) for address in set(slots) if address))
            self._slots = slots
            await self._drop(set(slots))
            return

    async def _drop(self, used: set[Address | None]) -> None:
        gone = [address for address in self._stores if address not in used]
        await asyncio.gather(*(self._stores.pop(address).close() for address in gone))

    def _host_of(self, store: Store) -> str:
        known = {id(each): address[0] for address, each in self._stores.items()}
        return known.get(id(store)) or urlsplit(self._access.url).hostname or "localhost"


def slot_of(key: bytes) -> int:
    """Give the slot of a key: CRC-16/XMODEM of its hash tag modulo 16384 (Redis Cluster specification)."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    return binascii.crc_hqx(key[start + 1 : end] if 0 <= start < end - 1 else key, 0) % SLOTS


def read_slots(reply: Any, host: str) -> list[Address | None]:
    """Read the reply to CLUSTER SLOTS: the primary of each slot; an empty host is `host`. Raises StoreError."""
    slots: list[Address | None] = [None] * SLOTS
    try:
        for first, last, primary, *_ in reply:
            address = (bytes(primary[0] or b"").decode() or host, int(primary[1]))
            slots[first : last + 1] = [address] * (last + 1 - first)
    except (TypeError, ValueError, IndexError) as error:
        raise StoreError("The slots of the Redis Cluster cannot be read") from error
    if len(slots) != SLOTS:
        raise StoreError("The Redis Cluster names slots that there are not")
    return slots


def replace_address(url: str, address: Address) -> str:
    """Give the URL of another node: the same scheme, credentials and parameters."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return urlunsplit(parts._replace(netloc=f"{credentials}{at}{host}:{address[1]}"))
