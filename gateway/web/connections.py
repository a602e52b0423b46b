"""Connections of the public listener: what is not even HTTP is refused in JSON, and logged without its words.

aiohttp would answer such requests in plain text and log what they said, which may be personal.
"""

import logging

from aiohttp import web

from gateway.telemetry import Metrics, get_log
from gateway.web.response import Answer
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
        said = "Invalid request: this is not HTTP that can be read, or its head is too large"
        response = Answer(status, encode({"status": status, "message": said if status < 500 else "the gateway failed"}))
        response.force_close()
        return response


class JsonServer(web.Server):
    """A server of such connections."""

    def __call__(self) -> web.RequestHandler:
        """Give the protocol of a new connection."""
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
