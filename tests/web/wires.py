"""HTTP as raw bytes, for requests no client library would make."""

import asyncio
import itertools
import json
from typing import Any

from tests.stage import DELIVERY, Stage

HERO = b'{"context":{"channel":"web"},"execute":{"mboxes":[{"index":1,"name":"homepage-hero"}]}}'
MIXED = HERO.replace(b"]}}", b',{"index":2,"name":"recommendations"}]}}')


_SESSIONS = itertools.count()


def make_request(body: bytes = HERO, *headers: bytes, path: str = "") -> bytes:
    """Give a POST of a new session with `headers` as they are, on a connection that closes."""
    path = path or f"{DELIVERY}?client=demo&sessionId=wire{next(_SESSIONS)}"
    lines = [
        f"POST {path} HTTP/1.1".encode(),
        b"Host: gateway",
        b"Connection: close",
        b"Content-Length: %d" % len(body),
    ]
    return b"\r\n".join([*lines, *headers, b"", body])


async def exchange(
    stage: Stage, sent: bytes, *, hang_up: bool = False, first: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Send `sent` and give status, headers (names in lower case) and body of the answer; status 0 when there is none.

    All is read until the gateway closes the connection, or up to `first`.
    """
    host, port = stage.running.public.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        if hang_up:
            writer.write_eof()
        async with asyncio.timeout(20):
            raw = await reader.read() if first is None else await reader.readuntil(first)
    finally:
        writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *rest = head.decode("utf-8", "surrogateescape").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
    return int(line.split()[1]) if line else 0, headers, body


def read_json(body: bytes) -> Any:
    """Give the decoded body, or None when it is not JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return None
