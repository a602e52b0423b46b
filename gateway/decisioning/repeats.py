"""Repeated calls get the answer of the first, for a minute (dec:CA13, X5).

In this worker an answer is kept in memory; for the other gateways, in Redis, whose command travels together with the
first that the decision needs anyway. A repeat that comes while the first is under way waits for it. Without Redis only
this worker's own answers are known.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from msgspec import Struct

from gateway.decisioning.pace import overloaded
from gateway.errors import StoreError
from gateway.store.answers import AnswerStore

LIFE_S = 60.0
_LOOK_S = 0.02


class Repeat(Struct, frozen=True):
    """What makes two calls the same: digest of caller, container, request id and body; `deadline` of the loop."""

    digest: bytes
    deadline: float


def make_digest(*parts: bytes) -> bytes:
    """Give what stands for a call; no part can run into the next."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


class Repeats:
    """The answers of the last minute, up to `most_bytes` of them."""

    def __init__(self, store: AnswerStore, most_bytes: int) -> None:
        """Share answers through `store`."""
        self.forgotten = 0
        """How many answers had to go before their minute was over."""
        self._store = store
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Future[bytes]] = {}

    async def answer(self, repeat: Repeat, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Give the kept answer, or the one that `make` gives; a failure is not kept, and fails those who wait too."""
        kept = self._find(repeat.digest)
        if kept is not None:
            return kept
        loop = asyncio.get_running_loop()
        first = self._under_way.get(repeat.digest)
        while first is not None:
            await asyncio.wait([first], timeout=max(0.0, repeat.deadline - loop.time()))
            if not first.done():  # it may have been given more time than its repeat
                raise overloaded()
            if not first.cancelled():
                try:
                    return first.result()
                finally:
                    del first  # see below
            first = self._under_way.get(repeat.digest)  # whoever asked first went away: the next one is first
        future = self._under_way[repeat.digest] = loop.create_future()
        try:
            body = await self._share(repeat, make)
        except BaseException as error:
            self._end(repeat.digest, future, error)
            del future  # the error knows this frame, which would know it by the future: garbage only gc finds
            raise
        self._keep(repeat.digest, body)
        self._end(repeat.digest, future, None, body)
        return body

    async def _share(self, repeat: Repeat, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Give the answer another gateway has made, or make it and leave it to others."""
        try:
            kept = await self._await_others(repeat)
        except StoreError:  # counted by the store; what this worker knows has been looked at
            return await make()
        if kept is not None:
            return kept
        try:
            body = await make()
        except BaseException:
            self._store.forget(repeat.digest)
            raise
        self._store.keep(repeat.digest, body)
        return body

    async def _await_others(self, repeat: Repeat) -> bytes | None:
        """Give what another gateway answers, None once this one is the first."""
        loop = asyncio.get_running_loop()
        while not await self._store.begin(repeat.digest):
            kept = await self._store.read(repeat.digest)
            if kept:
                return kept
            if loop.time() + _LOOK_S > repeat.deadline:
                raise overloaded()
            await asyncio.sleep(_LOOK_S)
        return None

    def _find(self, digest: bytes) -> bytes | None:
        found = self._kept.get(digest)
        return found[1] if found is not None and found[0] > time.monotonic() else None

    def _keep(self, digest: bytes, body: bytes) -> None:
        now = time.monotonic()
        self._drop(digest)
        self._kept[digest] = (now + LIFE_S, body)
        self._bytes += len(body)
        while self._kept:
            oldest, (until, _) = next(iter(self._kept.items()))
            if until > now and self._bytes <= self._most_bytes:
                break
            self.forgotten += until > now
            self._drop(oldest)

    def _drop(self, digest: bytes) -> None:
        known = self._kept.pop(digest, None)
        if known is not None:
            self._bytes -= len(known[1])

    def _end(
        self, digest: bytes, future: "asyncio.Future[bytes]", error: BaseException | None, body: bytes = b""
    ) -> None:
        del self._under_way[digest]
        if error is None:
            future.set_result(body)
        elif isinstance(error, Exception):
            future.set_exception(error)
            future.exception()  # nobody need have waited
        else:
            future.cancel()
