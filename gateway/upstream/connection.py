"""One kept connection to an upstream, speaking just enough HTTP/1.1 to post a body and read the answer.

A general client costs ten times as much for each call, which was the largest part of a remote decision. The parser is
llhttp, strict; everything that comes back is bounded before it is kept, and a connection on which anything odd
happened is not used again.
"""

import asyncio
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import httptools
from msgspec import Struct

from gateway.errors import UpstreamBrokeOff, UpstreamError, UpstreamGarbled, UpstreamUnreached

_LONGEST_HEAD = 65_536
_SMALL = 65_536
_ENCODINGS = {b"": None, b"identity": None, b"gzip": zlib.MAX_WBITS | 32, b"deflate": zlib.MAX_WBITS | 32}


class Limits(Struct, frozen=True):
    """How much of an answer is read: bytes, also after decompression, and how far it may inflate."""

    most: int
    ratio: int


class Taker(Protocol):
    """Who waits for an answer; one of the two is called, once, and never from within the parser."""

    def take(self, status: int, body: bytes) -> None:
        """Take a complete answer."""

    def fail(self, error: UpstreamError) -> None:
        """Learn that there is none."""


class Connection(asyncio.Protocol):
    """A connection; it carries one exchange at a time."""

    def __init__(self, limits: Limits) -> None:
        """Read no more than `limits` say."""
        self.idle_since = 0.0
        self._limits = limits
        self._most = 2 * limits.most + _LONGEST_HEAD  # chunks of one byte each come with five bytes more: refused
        self._transport: asyncio.Transport | None = None
        self._taker: Taker | None = None
        self._tell: Callable[[], None] | None = None
        self._parser: Any = None
        self._received = 0
        self._status = 0
        self._size = 0
        self._head_done = self._length_known = False
        self._wbits: int | None = None
        self._pieces: list[bytes] = []

    @property
    def is_usable(self) -> bool:
        """Whether another exchange may begin."""
        return self._transport is not None and not self._transport.is_closing() and self._taker is None

    def send(self, request: bytes, taker: Taker) -> None:
        """Write a whole request; `taker` gets the answer or an UpstreamError."""
        if self._transport is None or not self.is_usable:
            raise UpstreamUnreached("the connection to Target is gone")
        self._taker = taker
        self._parser = httptools.HttpResponseParser(self)
        self._received = 0
        self._clear()
        self._transport.write(request)

    def close(self) -> None:
        """End the connection; an answer on its way is lost."""
        self._taker = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport) or hasattr(transport, "write"):
            self._transport = transport  # type: ignore[assignment]  # uvloop's is no asyncio.Transport

    def data_received(self, data: bytes) -> None:
        """Read on; bytes that nobody asked for end the connection."""
        if self._taker is None:
            self.close()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
            if self._taker is not None and self._received > (self._most if self._head_done else _LONGEST_HEAD):
                self._fail(UpstreamGarbled("the head or the trailer of Target's answer is too long"))
        except UpstreamGarbled as error:
            self._fail(error)
        except httptools.HttpParserCallbackError as error:
            self._fail(_find_cause(error))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(UpstreamGarbled("Target's answer is not HTTP"))
        if self._tell is not None:
            self._tell_taker()

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle the exchange: a body without announced length ends here, anything else broke off."""
        self._transport = None
        if self._taker is not None:
            self._settle(exc)
        self._parser = None  # it knows this connection, too: neither would go before the garbage collector comes
        if self._tell is not None:
            self._tell_taker()

    def _settle(self, exc: Exception | None) -> None:
        if exc is None and self._head_done and not self._length_known:
            self._complete()
        elif self._received:
            self._fail(UpstreamBrokeOff("Target's answer broke off"))
        else:
            self._fail(UpstreamError("Target closed the connection without an answer"))

    def on_message_begin(self) -> None:
        """Begin an answer (called by the parser, as are the following); a second one to one request is refused."""
        if self._taker is None:
            self.close()
        self._clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Look at the headers that say how the body comes."""
        lowered = name.lower()
        if lowered == b"content-encoding":
            encoding = value.strip().lower()
            if encoding not in _ENCODINGS:
                raise UpstreamGarbled("Target's answer has an encoding nobody asked for")
            self._wbits = _ENCODINGS[encoding]
        elif lowered in (b"content-length", b"transfer-encoding"):
            self._length_known = True

    def on_headers_complete(self) -> None:
        """Note the status."""
        self._status = self._parser.get_status_code()
        self._head_done = True

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body, within limits."""
        self._size += len(body)
        if self._size > self._limits.most:
            raise UpstreamGarbled(f"the answer is longer than {self._limits.most} bytes")
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Note that the answer is complete; interim answers (RFC 9110 §15.2) are passed over."""
        if self._status >= 200 and self._taker is not None:
            self._complete()

    def _complete(self) -> None:
        taker, self._taker = self._taker, None
        if not self._parser.should_keep_alive() and self._transport is not None:
            self._transport.close()
        if taker is None:
            return
        body = b"".join(self._pieces) if len(self._pieces) != 1 else self._pieces[0]
        try:
            if self._wbits is not None:
                body = self._inflate(body, self._wbits)
        except UpstreamGarbled as error:
            self._tell = partial(taker.fail, error)
        except zlib.error:
            self._tell = partial(taker.fail, UpstreamGarbled("the answer cannot be inflated"))
        else:
            self._tell = partial(taker.take, self._status, body)

    def _tell_taker(self) -> None:
        """Hand over what came, once everything received has been parsed: the taker may use the connection again."""
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()

    def _inflate(self, body: bytes, wbits: int) -> bytes:
        most = min(self._limits.most, max(len(body) * self._limits.ratio, _SMALL))
        inflater = zlib.decompressobj(wbits)
        plain = inflater.decompress(body, most + 1)
        if len(plain) > most:
            raise UpstreamGarbled(f"the answer inflates to more than {most} bytes")
        if not inflater.eof:
            raise UpstreamGarbled("the answer cannot be inflated")
        return plain

    def _fail(self, error: UpstreamError) -> None:
        taker = self._taker
        self.close()
        if taker is not None:
            self._tell = partial(taker.fail, error)

    def _clear(self) -> None:
        self._status = self._size = 0
        self._head_done = self._length_known = False
        self._wbits = None
        self._pieces = []


def _find_cause(error: httptools.HttpParserCallbackError) -> UpstreamGarbled:
    """Give what one of our callbacks raised; its frames know the connection, which is not to wait for them."""
    cause = error.__context__
    if isinstance(cause, UpstreamGarbled):
        return cause.with_traceback(None)
    return UpstreamGarbled("Target's answer is not HTTP")
