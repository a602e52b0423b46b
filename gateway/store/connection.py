"""The connection to Redis: kept up in the background, shared by all callers of one event loop.

redis-py connects, authenticates, selects the database and speaks TLS. From then on the connection is ours: `Pipeline`
writes and reads it, several times faster than a pool of redis-py connections would. Nothing is ever retried, save a
script Redis did not know, which it therefore did not run.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import hiredis
import redis
from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.errors import ConfigError, ScriptFailed, StoreError, StoreMoved, StoreUnreachable
from gateway.store.pipeline import Counts, Limits, Pipeline
from gateway.store.scripts import SCRIPTS, Script
from gateway.telemetry import get_log

_PARTS = {"connection_class", "username", "password", "host", "port", "db", "path"}
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 2.0


class Store:
    """One pipelined connection to one Redis node; it belongs to the event loop that made it.

    Commands asked for in the same turn of the loop leave in few writes. While there is no connection every call fails
    at once with StoreUnreachable, and a new connection is tried again and again in the background.
    """

    def __init__(self, url: str, limits: Limits, connect_timeout_s: float, name: str = "") -> None:
        self.counts = Counts()
        self.last_error = ""
        """Why there is no connection, or why the last one ended; for operators, not for callers."""
        self._parts = read_url(url) | {
            "protocol": 2,
            "decode_responses": False,
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": connect_timeout_s,
            "socket_timeout": connect_timeout_s,
            "driver_info": None,  # CLIENT SETINFO came with Redis 7.2
        }
        self._limits = limits
        self._name = name
        self._pipeline: Pipeline | None = None
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def connect(
        cls, url: str, *, timeout_ms: int, connect_timeout_ms: int, max_waiting: int, name: str = ""
    ) -> "Store":
        """Start a store on `redis://`, `rediss://` or `unix://`; it returns after the first try, also a failed one.

        `name` is what log lines call the connection.
        Raises ConfigError for a URL that cannot be used and StoreError for a redis-py that cannot be used.
        """
        store = cls(url, Limits(timeout_s=timeout_ms / 1000, max_waiting=max_waiting), connect_timeout_ms / 1000, name)
        check_streams(store._new_connection())
        store._task = asyncio.create_task(store._keep_connected(), name="store.keep-connected")
        try:
            await store._tried.wait()
        except asyncio.CancelledError:
            store._task.cancel()
            raise
        return store

    @property
    def connected(self) -> bool:
        """Whether a call made now would be sent."""
        return self._pipeline is not None

    def __repr__(self) -> str:
        """Say where the store is connected to, without secrets."""
        parts = self._parts
        place = parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}"
        state = f"{self._pipeline.waiting} waiting" if self._pipeline else f"not connected: {self.last_error}"
        return f"<Store {place}/{parts.get('db', 0)}, {state}>"

    async def call(self, *args: bytes | str | int) -> Any:
        """Send one command and give its reply; texts come back as bytes.

        Raises StoreUnreachable, StoreTimeout (it may or may not have been done), ScriptFailed when Redis answers with
        an error, and StoreError when too many commands wait already.
        """
        reply = await self._ask(self._pack(args))
        if isinstance(reply, hiredis.ReplyError):
            raise self._failed(str(args[0]), reply)
        return reply

    async def run(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes | str | int]) -> Any:
        """Run a script and give its reply; errors as for `call`."""
        return await self.run_packed(script, self._pack((b"EVALSHA", script.sha, len(keys), *keys, *args)))

    async def run_packed(self, script: Script, command: bytes) -> Any:
        """Run a script by a command that is packed already, for Redis to take as it is; otherwise as `run`."""
        future = self._begin(command)
        try:  # what `_ask` does: a coroutine less for what decisions wait for
            reply = await future
        except BaseException:
            future.cancel()
            del future
            raise
        return await self._run_again(script, command, reply) if isinstance(reply, hiredis.ReplyError) else reply

    def send(self, *args: bytes | str | int) -> None:
        """Send one command without waiting for it; what becomes of it is only counted."""
        self._tell(args, self._count)

    def fire(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes | str | int]) -> None:
        """Run a script without waiting for it; what becomes of it is only counted."""
        command = (b"EVALSHA", script.sha, len(keys), *keys, *args)
        self._tell(command, partial(self._load_and_send, script, command))

    async def close(self) -> None:
        """Wait for what was sent, at most one timeout long, then end the connection; calls made later fail."""
        if self._pipeline is not None and self._pipeline.waiting:
            with contextlib.suppress(StoreError):
                await self.call("PING")  # its answer comes after all others
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run_again(self, script: Script, command: bytes, reply: hiredis.ReplyError) -> Any:
        """Run a script that Redis did not know, so that it did not run; raise what any other error means."""
        if not _is_unknown(reply):
            raise self._failed(script.name, reply)
        self.send("SCRIPT", "LOAD", script.text)  # travels together with the command, before it
        again = await self._ask(command)
        if isinstance(again, hiredis.ReplyError):
            raise self._failed(script.name, again)
        return again

    def _begin(self, command: bytes) -> asyncio.Future[Any]:
        if self._pipeline is None:
            self.counts.dropped += 1
            raise StoreUnreachable("There is no connection to Redis")
        return self._pipeline.ask(command)

    async def _ask(self, command: bytes) -> Any:
        future = self._begin(command)
        try:
            return await future
        except BaseException:
            future.cancel()  # a caller that was closed rather than cancelled leaves no future behind
            del future  # an error that this frame knew by it, and that knows this frame, would stay until gc comes
            raise

    def _tell(self, args: tuple[bytes | str | int, ...], answered: Any) -> None:
        if self._pipeline is None:
            self.counts.dropped += 1
            return
        with contextlib.suppress(StoreError):  # counted where it was raised
            self._pipeline.tell(self._pack(args), answered)

    def _pack(self, args: tuple[bytes | str | int, ...]) -> bytes:
        try:
            packed: bytes = hiredis.pack_command(args)  # type: ignore[arg-type]  # its stub says a tuple of one
        except UnicodeEncodeError as error:
            self.counts.dropped += 1
            raise StoreError("A value for Redis holds half a surrogate pair and has no UTF-8 form") from error
        return packed

    def _count(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            self.counts.failed += 1

    def _load_and_send(self, script: Script, command: tuple[bytes | str | int, ...], reply: Any) -> None:
        if _is_unknown(reply):
            self.send("SCRIPT", "LOAD", script.text)
            self.send(*command)
        else:
            self._count(reply)

    def _failed(self, what: str, reply: hiredis.ReplyError) -> ScriptFailed:
        # The rest of an error reply may quote keys and arguments; its first word is a code.
        if moved := _read_move(str(reply)):
            return moved
        self.counts.failed += 1
        return ScriptFailed(f"Redis answered {what} with the error {_code(reply)}")

    def _new_connection(self) -> Any:
        parts = dict(self._parts)
        return parts.pop("connection_class", Connection)(**parts)

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            try:
                await self._converse()
                failures = 0
                get_log().warning("store.lost", connection=self._name, detail=self.last_error)
            except Exception as error:  # noqa: BLE001 - whatever ended this connection, the next one must be tried
                self.last_error = f"{type(error).__name__}: {error}"
                failures += 1
                if failures == 1:  # one event a fact: it stays away until store.connected
                    get_log().error("store.unreachable", connection=self._name, detail=self.last_error)
            self._tried.set()
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 10))
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))

    async def _converse(self) -> None:
        """Connect, serve every caller until the connection ends, and note why it ended."""
        connection = self._new_connection()
        try:
            await _dial(connection)
            self._pipeline = Pipeline(connection._writer.transport, self._limits, self.counts)
            if self._tried.is_set():
                self.counts.reconnected += 1
                get_log().info("store.connected", connection=self._name)
            self._tried.set()
            self.last_error = await self._pipeline.serve()
        finally:
            if self._pipeline is not None:
                self._pipeline.close()
                self._pipeline = None
            with contextlib.suppress(RedisError):  # it is gone either way
                await connection.disconnect()


def read_url(url: str) -> dict[str, Any]:
    """Take a Redis URL apart into what a redis-py connection is made of; raises ConfigError without its password."""
    try:
        parts: dict[str, Any] = dict(parse_url(url))
    except ValueError as error:
        raise ConfigError("The Redis URL must be redis://…, rediss://… or unix://… with valid parts") from error
    unknown = [name for name in parts if name not in _PARTS and not name.startswith("ssl_")]
    if unknown:
        raise ConfigError(f"The Redis URL has a parameter the gateway does not take: {', '.join(sorted(unknown))}")
    return parts


def check_streams(connection: object) -> None:
    """Raise StoreError unless this redis-py keeps a connection's stream where `Store` takes its transport from."""
    if not hasattr(connection, "_writer"):
        raise StoreError(
            f"redis-py {redis.__version__} keeps the streams of a connection elsewhere: install redis>=8.1,<8.2"
        )


async def _dial(connection: Any) -> None:
    """Connect and load every script, so that a connection that is up has also answered."""
    await connection.connect()
    commands = [("PING",), *(("SCRIPT", "LOAD", script.text) for script in SCRIPTS.values())]
    await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
    for _ in commands:
        await connection.read_response()


def _code(reply: hiredis.ReplyError) -> str:
    word = str(reply).partition(" ")[0]
    return word if word.isascii() and word.isupper() and word.isalpha() else "ERR"


def _read_move(text: str) -> StoreMoved | None:
    """Read `MOVED 3999 127.0.0.1:6381`, or the same with ASK."""
    word, _, rest = text.partition(" ")
    slot, _, address = rest.partition(" ")
    host, _, port = address.rpartition(":")
    if word not in ("MOVED", "ASK") or not (slot.isdecimal() and port.isdecimal()):
        return None
    return StoreMoved(int(slot), host, int(port), is_once=word == "ASK")


def _is_unknown(reply: Any) -> bool:
    return isinstance(reply, hiredis.ReplyError) and _code(reply) == "NOSCRIPT"
