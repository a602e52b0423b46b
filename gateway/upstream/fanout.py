"""The only door to other hosts: bounded parallel calls, each within its deadline (gw:F2, F3, F7)."""

import asyncio
from types import TracebackType
from typing import Self

import aiohttp

from gateway.config import Target
from gateway.delivery.model import JsonObject
from gateway.errors import UpstreamError, UpstreamGarbled, UpstreamOverloaded, UpstreamTimeout
from gateway.upstream.target import Call, read_reply

_CHUNK = 65_536
_TURNS_TO_SEND = 2  # with a warm connection the request is on the wire after two turns of the event loop


class Fanout:
    """Calls to Target: at most `max-in-flight` at once, at most `max-waiting` in line."""

    def __init__(self, target: Target) -> None:
        """Open the one client session; nothing is connected yet."""
        self._target = target
        self._slots = asyncio.Semaphore(target.max_in_flight)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=target.max_in_flight, ttl_dns_cache=300, keepalive_timeout=target.keepalive_s
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
        )
        self.under_way = 0
        self.calls = 0

    def __repr__(self) -> str:
        """Say how busy it is."""
        return f"<Fanout {self.under_way} under way, {self.calls} calls so far>"

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.close()

    async def start(self, call: Call) -> "asyncio.Task[JsonObject]":
        """Send `call` and give the task of its answer; with a warm connection the request is on the wire on return."""
        task = asyncio.create_task(self.ask(call))
        for _ in range(_TURNS_TO_SEND):
            await asyncio.sleep(0)
        return task

    async def ask(self, call: Call) -> JsonObject:
        """Give Target's decoded answer to `call`. Raises UpstreamError of the kind that fits."""
        if self.under_way >= self._target.max_in_flight + self._target.max_waiting:
            raise UpstreamOverloaded("too many calls to Target are already waiting")
        self.under_way += 1
        try:
            async with asyncio.timeout_at(call.deadline), self._slots:
                return await self._send(call)
        except TimeoutError as error:
            raise UpstreamTimeout("Target did not answer in time") from error
        except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError) as error:
            raise UpstreamGarbled("Target's answer broke off or is not HTTP") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError("Target cannot be reached") from error
        finally:
            self.under_way -= 1

    async def _send(self, call: Call) -> JsonObject:
        self.calls += 1
        async with self._session.post(
            call.url, data=call.body, headers=call.headers, allow_redirects=False
        ) as response:
            raw = await read_bounded(response, self._target.max_response_kb * 1024, self._target.max_ratio)
            return read_reply(response.status, raw)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


async def read_bounded(response: aiohttp.ClientResponse, most: int, ratio: int) -> bytes:
    """Give the whole body of `response`, or raise UpstreamGarbled when it is, or inflates, beyond its limits."""
    announced = response.content_length
    compressed = "Content-Encoding" in response.headers
    if announced is not None and compressed:
        most = min(most, max(announced * ratio, _CHUNK))
    if announced is not None and announced <= most and not compressed:
        return await response.read()
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > most:
            response.close()
            raise UpstreamGarbled(f"the answer is longer than {most} bytes")
        chunks.append(chunk)
    return b"".join(chunks) if len(chunks) != 1 else chunks[0]
