"""Bytes to request: bounded in size, depth and time, decoded once, refused with the member to blame (gw:F7)."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

import msgspec
from aiohttp import web

from gateway.config import Web
from gateway.delivery.model import JsonObject
from gateway.delivery.nesting import is_deeper
from gateway.errors import BodyTooLarge, BodyTooSlow, InvalidBody, RequestError
from gateway.web.plain import PlainRequest, Request

MOST_MEMBERS = 15_000  # more than 50 mboxes with 150 parameters each, and looked through in a few milliseconds
_decode = msgspec.json.Decoder().decode
encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
"""Gives JSON."""


def take_body(request: Request, limits: Web) -> bytes | None:
    """Give the body of `request` if it came whole, with the head, and is not compressed: nothing to wait for."""
    if isinstance(request, PlainRequest):
        return request.body
    length, content = request.content_length, request.content
    if length is None or length > limits.max_body_kb * 1024 or content.total_bytes != length or not content.is_eof():
        return None
    return content.read_nowait()


async def read_body(request: Request, limits: Web) -> bytes:
    """Give the whole body of `request`; raises BodyTooLarge or BodyTooSlow."""
    if isinstance(request, PlainRequest):
        return request.body
    most = limits.max_body_kb * 1024
    length = request.content_length
    if length is not None and length > most:
        raise BodyTooLarge(f"Invalid request: the body is longer than {limits.max_body_kb} KB")
    try:
        async with asyncio.timeout(limits.body_timeout_ms / 1000):
            if request.headers.get("Expect", "").lower() == "100-continue":
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise BodyTooLarge(f"Invalid request: the body is longer than {limits.max_body_kb} KB") from error
    except TimeoutError as error:
        raise BodyTooSlow("Invalid request: the body did not arrive in time") from error
    except (web.RequestPayloadError, ConnectionError, ValueError) as error:
        raise InvalidBody("Invalid request: the body is not what its headers announce") from error


async def read_limited(request: Request, most: int, timeout_ms: int) -> bytes:
    """Give the whole body of `request` within limits of its own: `most` bytes; raises as `read_body` does."""
    length = request.content_length
    if length is not None and length > most:
        raise BodyTooLarge(f"The body is longer than {most} bytes")
    if isinstance(request, PlainRequest):
        return request.body
    content = request.content
    if length is not None and content.total_bytes == length and content.is_eof():
        return content.read_nowait()  # it came whole, with the head, and is not compressed: nothing to wait for
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            if request.headers.get("Expect", "").lower() == "100-continue":
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            while piece := await request.content.readany():
                size += len(piece)
                if size > most:
                    raise BodyTooLarge(f"The body is longer than {most} bytes")
                pieces.append(piece)
    except TimeoutError as error:
        raise BodyTooSlow("The body did not arrive in time") from error
    except (web.RequestPayloadError, ConnectionError, ValueError) as error:
        raise InvalidBody("The body is not what its headers announce") from error
    return b"".join(pieces)


def read_query(raw: str) -> dict[str, str]:
    """Give the parameters of a raw query; of a repeated one the first. Raises RequestError when it is not UTF-8."""
    found: dict[str, str] = {}
    for pair in raw.split("&") if raw else ():
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            try:
                name, value = unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")
            except UnicodeDecodeError as error:
                raise RequestError("Invalid request: the query is not UTF-8") from error
        found.setdefault(name, value)
    return found


def decode_object(raw: bytes, max_depth: int) -> JsonObject:
    """Give the JSON object in `raw`; raises InvalidBody for anything RFC 8259 or plain caution does not allow.

    Member names must be unique within an object: of two, different readers would believe different ones.
    """
    if is_deeper(raw, max_depth):
        raise InvalidBody(f"Invalid request: the body is nested deeper than {max_depth} levels")
    if len(raw) > 4 * MOST_MEMBERS and raw.count(b":") > MOST_MEMBERS:  # a member takes four bytes at least
        raise InvalidBody(f"Invalid request: the body has more than {MOST_MEMBERS} members")
    try:
        body = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InvalidBody(f"Invalid request: the body is not valid JSON: {_describe(raw, error)}") from error
    if not isinstance(body, dict):
        raise InvalidBody("Invalid request: the body must be a JSON object")
    # Written back the same, no member can have been lost; only bodies with blanks or escapes need the slow look.
    if encode(body) != raw:
        _refuse_duplicates(raw)
    return body


def _refuse_duplicates(raw: bytes) -> None:
    try:
        json.loads(raw, object_pairs_hook=_check_pairs)
    except (ValueError, RecursionError) as error:  # the strict decoder took it, so this is a number beyond Python
        raise InvalidBody("Invalid request: the body has a number that is too long") from error


def _check_pairs(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise InvalidBody(f"Invalid request: a member appears twice in one object: {name[:128]}")
        seen.add(name)


def _describe(raw: bytes, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if b"\\ud" in raw.lower() and "truncated" in str(error):
        return "it ends early, or an escaped surrogate has no partner"
    return str(error).removeprefix("JSON is malformed: ")
