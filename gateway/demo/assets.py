"""The other host of Target: the decisioning artifact, plain and scrambled, and the geo look-up.

Sources: spec/on-device-decisioning.md §1 to §3 and §6.3.
"""

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from ipaddress import ip_address, ip_network
from itertools import cycle
from typing import Any

from aiohttp import web

from gateway.demo.trouble import JSON

_KEY = b"0123456789abcdefghijklmnopqrstuv"

# Networks kept for documentation (RFC 5737), so that nobody's address is in here.
_PLACES: list[tuple[Any, dict[str, Any]]] = [
    (
        ip_network("203.0.113.0/24"),
        {
            "x-geo-latitude": 47.37,
            "x-geo-longitude": 8.54,
            "x-geo-country-code": "CH",
            "x-geo-region-code": "ZH",
            "x-geo-city": "ZURICH",
        },
    ),
    (
        ip_network("198.51.100.0/24"),
        {
            "x-geo-latitude": 37.75,
            "x-geo-longitude": -122.42,
            "x-geo-country-code": "US",
            "x-geo-region-code": "CA",
            "x-geo-city": "SAN FRANCISCO",
        },
    ),
]


def read_artifact() -> bytes:
    """Read the shop's artifact as it is shipped."""
    return files("gateway.demo").joinpath("artifact.json").read_bytes()


def scramble(plain: bytes, organization: str, key: bytes = _KEY) -> bytes:
    """Give the `rules.bin` form of an artifact for an organization (§3; `key` has 32 bytes): not an encryption."""
    mask = organization.encode() + key
    return b"ATOD:001" + key + bytes(byte ^ other for byte, other in zip(plain, cycle(mask), strict=False))


def locate(address: str) -> dict[str, Any]:
    """Give what the look-up knows about an address: Zurich, San Francisco, or an empty object."""
    try:
        ip = ip_address(address.strip())
    except ValueError:
        return {}
    found = next((place for network, place in _PLACES if ip in network), None)
    return {"x-forwarded-for": str(ip), **found} if found else {}


def serve_file(content: bytes, headers: Mapping[str, str]) -> web.Response:
    """Answer with a file and its ETag, or with 304 when the caller has it already."""
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    if headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers={"ETag": etag})
    return web.Response(body=content, headers=JSON | {"ETag": etag})
