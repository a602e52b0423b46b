"""Answers of the repository: their headers, receipts, envelopes, pages and links (spec repository §6, §11)."""

import itertools
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from urllib.parse import quote, unquote_plus

import msgspec
from msgspec import Struct

from gateway.config import Web
from gateway.errors import Problem
from gateway.offers.instances import Instance, JsonObject
from gateway.store.listing.index import Page
from gateway.web.negotiation import RESULTS_SCHEMA
from gateway.web.preconditions import State
from gateway.web.response import Answer, Header
from gateway.web.rest import Call
from gateway.web.wire import encode

PREFIX = "/data/core/xcore"
HOME_SCHEMA = "https://ns.adobe.com/experience/xcore/hal/home"
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_MOST_PAIRS = 1000
_END = b"]}}"
_SHORT = 0x40000
_AT_ONCE = 64

Pair = tuple[str, str]


class HalAnswer(Answer):
    """An answer whose Content-Type is among its headers, or that has none."""

    content = ""


class LongAnswer(HalAnswer):
    """An answer to GET that is sent piece by piece, as fast as it is read."""

    def __init__(self, short: Answer, pieces: Iterable[bytes], length: int) -> None:
        """Take status and headers of `short`, and the pieces of a body of `length` bytes."""
        super().__init__(short.status, b"", short.extra)
        self.length = length
        self._pieces = pieces

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the head, then the pieces."""
        writer = self._writer
        await super().write_eof(data)
        if writer is not None and self._has_body:
            for piece in self._pieces:
                await writer.write(piece)


class _Control(Struct, frozen=True):
    """What is read of every stored document."""

    repo_lastModifiedDate: datetime = msgspec.field(name="repo:lastModifiedDate")  # noqa: N815 - the wire's name
    schemas: list[str] = []


_read_control = msgspec.json.Decoder(_Control).decode


def read_state(instance: Instance) -> State:
    """Give what conditional requests compare with."""
    return State(instance.revision, _read_control(instance.document).repo_lastModifiedDate)


def read_schemas(instance: Instance) -> list[str]:
    """Give the versioned ids of an instance's schemas, the primary one first."""
    return _read_control(instance.document).schemas


def answer_hal(call: Call, status: int, body: object, media_type: str, headers: Iterable[Header] = ()) -> Answer:
    """Give a complete answer of the repository; `body` None sends none, and `media_type` then is not sent either."""
    shown = [("Content-Type", media_type)] if body is not None and media_type else []
    base = ("Content-Base", make_base(call))
    return HalAnswer(status, encode(body) if body is not None else b"", [*shown, base, ("Vary", "Accept"), *headers])


def state_headers(state: State) -> list[Header]:
    """Give ETag and Last-Modified (Q15)."""
    return [("ETag", state.tag), ("Last-Modified", state.last_modified)]


def make_base(call: Call) -> str:
    """Give Content-Base (E6, E7): of `web.public-url`, else of the host the caller has called."""
    settings: Web = call.services.settings.web
    origin = settings.public_url.rstrip("/")
    if not origin:
        host = call.request.headers.get("Host", "")
        origin = f"http://{host if _HOST.fullmatch(host) else settings.listen}"
    return f"{origin}{PREFIX}/"


def read_raw_query(call: Call) -> str:
    """Give the query as received; bytes that are not UTF-8 are refused."""
    raw = call.request.raw_path.partition("?")[2].partition("#")[0]
    try:
        raw.encode()
    except UnicodeEncodeError as error:
        raise Problem(400, "invalid-parameter", "The query is not UTF-8") from error
    return raw


def read_pairs(raw: str) -> list[Pair]:
    """Give the parameters in order, split at `&` only and decoded once (U17); raises Problem 400."""
    parts = [part for part in raw.split("&") if part]
    if len(parts) > _MOST_PAIRS:
        raise Problem(400, "invalid-parameter", f"The query has more than {_MOST_PAIRS} parameters")
    try:
        return [(_decode(name), _decode(value)) for name, _, value in (part.partition("=") for part in parts)]
    except UnicodeDecodeError as error:
        raise Problem(400, "invalid-parameter", "The query is not UTF-8") from error


def _decode(text: str) -> str:
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text


def make_page(path: str, raw_query: str, page: Page, about: JsonObject) -> JsonObject:
    """Give a result page (L2) without its results; `path` is repository-relative, `about` its containerId and so on."""
    own = f"{path}?{raw_query}" if raw_query else path
    links: JsonObject = {"self": {"href": own, "@type": RESULTS_SCHEMA}}
    if page.next_start is not None:
        following = f"{path}?{replace_start(raw_query, page.next_start)}"
        links["next"] = {"href": following, "@type": RESULTS_SCHEMA}
    embedded = {"total": page.total, "count": page.count, "results": ()}
    return about | {"_links": links, "_embedded": embedded}


def answer_page(call: Call, document: JsonObject, page: Page, media_type: str) -> Answer:
    """Give a result page; a long one leaves in pieces, so that others are answered in between."""
    answer = answer_hal(call, 200, document, media_type)
    begin, end = answer.body[: -len(_END)], _END
    pieces = itertools.chain((begin,), _join(page), (end,))
    length = len(begin) + page.size + max(0, page.count - 1) + len(end)
    if length <= _SHORT:
        answer.body = b"".join(pieces)
        return answer
    return LongAnswer(answer, pieces, length)


def _join(page: Page) -> Iterator[bytes]:
    """Give results with commas between them, some at a time."""
    for first in range(0, page.count, _AT_ONCE):
        yield (b"," if first else b"") + b",".join(item.document for item in page.items[first : first + _AT_ONCE])


def replace_start(raw_query: str, start: str) -> str:
    """Give the query of the next page: everything as received, with a new `start`."""
    kept = [part for part in raw_query.split("&") if part and _decode(part.partition("=")[0]) != "start"]
    return "&".join([*kept, f"start={quote(start, safe=':,.@-_~')}"])
