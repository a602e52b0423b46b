"""An event loop in a thread of its own, so that callers with and without one are served alike."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from gateway.delivery.model import JsonObject
from gateway.errors import GatewayError, UpstreamTimeout

_STOP_S = 5.0


class Backend(Protocol):
    """What answers calls: an engine in this process, or a gateway elsewhere."""

    async def ask(self, endpoint: str, given: JsonObject, timeout_s: float) -> JsonObject:
        """Give the envelope for the options `given`."""


class Background:
    """One backend, open for as long as the thread runs."""

    def __init__(self, open_backend: Callable[[], AbstractAsyncContextManager[Backend]]) -> None:
        """Start the thread; the backend opens in it."""
        self._open = open_backend
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._opened: Future[Backend] = Future()
        self._stopped = threading.Event()
        self._wake: asyncio.Event | None = None
        self._calls: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._run, name="gateway.client", daemon=True)
        self._thread.start()

    def ask(self, endpoint: str, given: JsonObject, timeout_s: float) -> "Future[JsonObject]":
        """Give the envelope to come; raises GatewayError when the client has been closed."""
        return self._submit(self._ask(endpoint, given, timeout_s))

    def _submit(self, call: Coroutine[Any, Any, JsonObject]) -> "Future[JsonObject]":
        if self._stopped.is_set():
            call.close()
            raise GatewayError("the client has been closed")
        return asyncio.run_coroutine_threadsafe(call, self._loop.result())

    async def _ask(self, endpoint: str, given: JsonObject, timeout_s: float) -> JsonObject:
        task = asyncio.current_task()
        if task is not None:
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        until = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(until):
                backend = await asyncio.shield(asyncio.wrap_future(self._opened))
        except TimeoutError as error:
            raise UpstreamTimeout("request timed out: the client was not open in time") from error
        return await backend.ask(endpoint, given, until - asyncio.get_running_loop().time())

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self._wake = asyncio.Event()
        self._loop.set_result(asyncio.get_running_loop())
        try:
            async with self._open() as backend:
                self._opened.set_result(backend)
                await self._wake.wait()
                await self._end_calls()
        except GatewayError as error:  # told to whoever calls: nobody waits for this thread
            if not self._opened.done():
                self._opened.set_exception(error)
        finally:
            self._stopped.set()

    async def _end_calls(self) -> None:
        for call in list(self._calls):
            call.cancel()
        if self._calls:
            await asyncio.wait(self._calls)

    def stop(self) -> None:
        """End every call and close the backend; a second time does nothing."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        loop, wake = self._loop.result(), self._wake
        if wake is not None and not loop.is_closed():
            loop.call_soon_threadsafe(wake.set)
        if threading.current_thread() is not self._thread:
            self._thread.join(_STOP_S)
