"""Connections of the public listener: what is not even HTTP is refused in JSON, and logged without its words.

aiohttp would answer such requests in plain text and log what they said, which may be personal.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from aiohttp import web

from gateway.telemetry import Metrics, get_log
from gateway.web.front import Front, Serving
from gateway.web.plain import Request
from gateway.web.response import Answer, answer_failure
from gateway.web.wire import encode


class JsonConnection(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what cannot be read as a request, and end the connection; the sender's words are not repeated."""
        del request, message
        if status >= 500:
            get_log().error("web.failed", error=type(exc).__name__, exc_info=exc)
            response = answer_failure()
        else:
            said = "Invalid request: this is not HTTP that can be read, or its head is too large"
            response = Answer(status, encode({"status": status, "message": said}))
        response.force_close()
        return response


class JsonServer(web.Server):
    """A server whose callers meet a `Front` first."""

    def __init__(
        self,
        answer: Callable[[Request], Awaitable[Answer]],
        *,
        most_body: int,
        keepalive_timeout: float,
        **options: Any,
    ) -> None:
        """Answer requests with bodies of at most `most_body` bytes; the other options are aiohttp's."""
        super().__init__(answer, keepalive_timeout=keepalive_timeout, **options)
        self._serving = Serving(answer, self._make_other, most_body, keepalive_timeout)

    @property
    def fronts(self) -> Collection[Front]:
        """The connections that aiohttp has nothing to do with, and what is answered on ended ones."""
        return self._serving.fronts

    def __call__(self) -> web.RequestHandler:
        """Give the protocol of a new connection."""
        front: Any = Front(self._serving)
        return front  # type: ignore[no-any-return]  # all that is asked of it is to be a protocol

    def pre_shutdown(self) -> None:
        """End what is idle, and the rest after the answer that is being made."""
        super().pre_shutdown()
        for front in list(self._serving.fronts):
            front.close()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the signature of aiohttp
        """End everything; answers that are being made get `timeout` seconds."""
        fronts = [front.shutdown(timeout) for front in self._serving.fronts]
        await asyncio.gather(super().shutdown(timeout), *fronts)

    def _make_other(self) -> asyncio.Protocol:
        return JsonConnection(self, loop=self._loop, **self._kwargs)


class _Unworded(logging.Handler):
    """Counts what aiohttp logs about connections, and names the kind of error only."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(logging.WARNING)
        self._metrics = metrics

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the fact on."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else "warning"
        self._metrics.count_event("web.connection_failed")
        get_log().warning("web.connection_failed", error=kind)


def make_http_log(metrics: Metrics) -> logging.Logger:
    """Give the logger for aiohttp: nothing a caller sent gets through it."""
    log = logging.Logger("gateway.web.connections", logging.WARNING)  # noqa: LOG001 - one for each server, not shared
    log.addHandler(_Unworded(metrics))
    return log
