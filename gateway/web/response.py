"""JSON responses whose head is written here, in one go.

aiohttp's own response assembles its headers in a dictionary and asks a dozen questions that have one answer here;
writing the head by hand gives back a fifth of the time of a local decision.
"""

import time
from collections.abc import Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_writer import StreamWriter

Header = tuple[str, str]

_AT_ONCE = 0x10000
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_FIXED = "Cache-Control: no-cache, no-store\r\nServer: decisioning-gateway\r\n"
_BODILESS = frozenset({204, 304})


class Answer(web.StreamResponse):
    """A complete answer: status, JSON body (none with 204 and 304), further headers."""

    content = "Content-Type: application/json;charset=UTF-8\r\n"

    def __init__(self, status: int, body: bytes, headers: Sequence[Header] = ()) -> None:
        """Take what is to be sent; `extra` may be added to until the answer is returned.

        `length` is for bodies that are longer than `body`: what follows is sent by who knows it.

        What aiohttp's responses begin with (a header map, a phrase, a state of their own) is not needed here.
        """
        self._status = status
        self.body = body
        self.extra = list(headers)
        self._writer: AbstractStreamWriter | None = None
        self.length = -1
        self._head = b""
        self._has_body = True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Lay out the head; it is sent together with the body."""
        if not request.keep_alive:
            self.force_close()
        elif self.keep_alive is None:
            self._keep_alive = True
        self._has_body = self.status not in _BODILESS and request.method != "HEAD"
        self._head = self._lay_out(request)
        self._writer = request.writer
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 - the signature of aiohttp
        """Send everything in one write."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        whole = self._head + self.body if self._has_body else self._head
        transport = writer.transport if isinstance(writer, StreamWriter) else None
        if transport is not None and len(whole) < _AT_ONCE and not transport.is_closing():
            transport.write(whole)  # what `write` does for an answer that fills no buffer
        else:
            await writer.write(whole)

    def _lay_out(self, request: web.BaseRequest) -> bytes:
        head = _begin(request.version.minor, self.status, self.content)
        if self.status not in _BODILESS:
            head += f"Content-Length: {len(self.body) if self.length < 0 else self.length}\r\n"
        for name, value in self.extra:
            line = name + value
            if "\n" in line or "\r" in line:
                raise ValueError("a header has a line break in it")
            head += f"{name}: {value}\r\n"
        if not self.keep_alive:
            head += "Connection: close\r\n"
        elif request.version.minor == 0:
            head += "Connection: keep-alive\r\n"
        return f"{head}Date: {_date.read()}\r\n\r\n".encode()


@lru_cache(maxsize=128)
def _begin(minor: int, status: int, content: str) -> str:
    """Give the part of a head that is the same for all answers of a status and kind."""
    content = "" if status in _BODILESS else content
    return f"HTTP/1.{minor} {status} {_PHRASES[status]}\r\n{content}{_FIXED}"


class _Date:
    """The date of the current second, made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def read(self) -> str:
        now = int(time.time())
        if now != self._second:
            self._second, self._text = now, formatdate(now, usegmt=True)
        return self._text


_date = _Date()
