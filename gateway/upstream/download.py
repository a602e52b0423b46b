"""Reading answers of a general HTTP client within bounds: artifacts and geo look-ups."""

import aiohttp

from gateway.errors import UpstreamGarbled

_CHUNK = 65_536


def open_session() -> aiohttp.ClientSession:
    """Give a client session that keeps no cookies and listens to no proxy variables."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


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
