"""Requests that say nothing unusual about how they travel, read as they come in (RFC 9112).

Nearly all of them are: POST, HTTP/1.1, one at a time, no header twice, a body of announced length. For these the parser
alone is enough, and what aiohttp does around it would cost as much as a decision. aiohttp reads all others.
"""

import re
from enum import Enum, auto
from functools import lru_cache
from typing import Any

import httptools
from aiohttp import web
from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

_LONGEST_HEAD = 8190  # the least of aiohttp's limits: what is longer is for it to refuse
_MOST_HEADERS = 128
_MOST_KNOWN, _LONGEST_KNOWN = 512, 2048
_END = b"\r\n\r\n"
_LONGEST_NUMBER = 10
_URL = re.compile(rb"/(?!/)[^%?#]*(?:\?[^#]*)?")  # a path to be taken as it is written
_CONNECTIONS = frozenset(("close", "keep-alive", "Keep-Alive"))
_ODD = frozenset(("content-encoding", "expect", "te", "trailer", "transfer-encoding", "upgrade"))


class Reading(Enum):
    """What comes of bytes that end no plain request."""

    MORE = auto()
    """the rest of it is missing"""
    ODD = auto()
    """it is for aiohttp to read, or to refuse"""


class Head(Struct, frozen=True):
    """What a plain request says before its body, which is `length` bytes long."""

    raw_path: str
    path: str
    headers: CIMultiDictProxy[str]
    keep_alive: bool
    length: int


Heads = dict[bytes, Head]
"""Heads as they were sent, and what they say: callers that keep a connection mostly send the same one again."""


class PlainRequest:
    """A whole request, with as much of aiohttp's interface as handlers use."""

    __slots__ = ("body", "headers", "keep_alive", "path", "raw_path", "remote")

    method = "POST"

    def __init__(self, head: Head, body: bytes, remote: str | None) -> None:
        """Keep what was said, and from which address."""
        self.raw_path = head.raw_path
        self.path = head.path
        self.headers = head.headers
        self.keep_alive = head.keep_alive
        self.body = body
        self.remote = remote

    @property
    def content_length(self) -> int:
        """The length of the body in bytes."""
        return len(self.body)

    @property
    def rel_url(self) -> URL:
        """The path and the query as a URL."""
        return URL(self.raw_path, encoded=True)


Request = PlainRequest | web.BaseRequest
"""What handlers are asked."""


class PlainReader:
    """Makes requests of the bytes of one connection; methods named `on_…` are called by the parser."""

    __slots__ = (
        "_body",
        "_headers",
        "_heads",
        "_is_odd",
        "_is_whole",
        "_most",
        "_parser",
        "_remote",
        "_size",
        "_starts",
        "_url",
    )

    def __init__(self, most_body: int, remote: str | None, heads: Heads) -> None:
        """Take bodies of at most `most_body` bytes, from the address `remote`; `heads` are those read lately."""
        self._most = most_body
        self._heads = heads
        self._remote = remote
        self._parser: Any = httptools.HttpRequestParser(self)
        self._begin()

    def _begin(self) -> None:
        self._url = self._body = b""
        self._headers: dict[str, str] = {}
        self._size = self._starts = 0
        self._is_whole = self._is_odd = False

    def end(self) -> None:
        """Let go of the parser; there is nothing more to be had here.

        Reader and parser know each other: by themselves they would stay until somebody looks for cycles.
        """
        self._parser = None

    def feed(self, data: bytes) -> PlainRequest | Reading:
        """Give the request that ends with `data`; after ODD there is nothing more to be had here."""
        if not self._size:
            end = data.find(_END, 0, _LONGEST_HEAD) + len(_END)
            head = self._heads.get(data[:end])
            if head is not None and len(data) - end == head.length:
                return PlainRequest(head, data[end:], self._remote)
            if not data.startswith(b"POST /"):
                return Reading.ODD
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return Reading.ODD
        if not self._is_whole:
            return Reading.MORE if self._can_become_plain() else Reading.ODD
        if not self._is_plain():
            return Reading.ODD
        head, body = self._make_head(), self._body
        if self._size == len(data):
            self._remember(data[: len(data) - len(body)], head)
        self._begin()
        return PlainRequest(head, body, self._remote)

    def _make_head(self) -> Head:
        raw_path, headers = self._url.decode(), self._headers
        keeps_alive = headers.get("connection") != "close"
        shown = CIMultiDictProxy(CIMultiDict(headers))
        return Head(raw_path, raw_path.partition("?")[0], shown, keeps_alive, len(self._body))

    def _remember(self, sent: bytes, head: Head) -> None:
        """Know the head of a plain request again: the same bytes, with as long a body, say the same.

        Browsers, which send cookies, hardly send one again, and what they send is not to be kept.
        """
        if len(sent) > _LONGEST_KNOWN or "cookie" in head.headers or sent.find(_END) != len(sent) - len(_END):
            return
        if len(self._heads) >= _MOST_KNOWN:
            self._heads.clear()
        self._heads[sent] = head

    def _can_become_plain(self) -> bool:
        """Whether the rest is worth waiting for; only what is short enough is looked at, so that it costs nothing."""
        length = self._headers.get("content-length", "0")
        return _ODD.isdisjoint(self._headers) and len(length) < _LONGEST_NUMBER and int(length) <= self._most

    def _is_plain(self) -> bool:
        headers, size = self._headers, len(self._body)
        return (
            self._starts == 1
            and not self._is_odd
            and "host" in headers
            and "content-length" in headers
            and len(headers) <= _MOST_HEADERS
            and _ODD.isdisjoint(headers)
            and headers.get("connection", "close") in _CONNECTIONS
            and size <= self._most
            and self._size - size <= _LONGEST_HEAD
            and _URL.fullmatch(self._url) is not None
            and self._parser.get_http_version() == "1.1"
        )

    def on_message_begin(self) -> None:
        """Count requests: with a second one in the same bytes they are not plain."""
        self._starts += 1

    def on_url(self, piece: bytes) -> None:
        """Take what is asked for."""
        self._url += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        known = _read_name(name)
        if known in self._headers:
            self._is_odd = True
        try:
            self._headers[known] = value.strip().decode()
        except UnicodeDecodeError:
            self._is_odd = True

    def on_body(self, piece: bytes) -> None:
        """Take some of the body."""
        self._body = self._body + piece if self._body else piece

    def on_message_complete(self) -> None:
        """Take note that nothing is missing any more."""
        self._is_whole = True


@lru_cache(maxsize=256)
def _read_name(name: bytes) -> str:
    return name.lower().decode()
