"""Target as an upstream: where it is, and what its answers mean. Pure; `fanout` does the talking.

Hosts come from the configuration only. The one thing from outside that may choose among them is an edge cluster of
one to three digits (gw:S9).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

import msgspec
from msgspec import Struct
from yarl import URL

from gateway.config import Target
from gateway.delivery.model import JsonObject
from gateway.delivery.nesting import is_deeper
from gateway.errors import UpstreamGarbled, UpstreamRefused

DEEPEST = 200
MOST_BRACKETS = 100_000
PRODUCT = "DecisioningGateway"
PATH = "/rest/v1/delivery"
_CLUSTER = re.compile(r"[0-9]{1,3}", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9\-_.!~*'()]*", re.ASCII)
_UNESCAPED = "-_.!~*'()"  # what JavaScript's encodeURIComponent leaves alone (delivery-api §2)


class Origin(Struct, frozen=True):
    """Where connections go; `key` is the same for the same scheme, host and port."""

    key: str
    host: str
    port: int
    authority: str
    is_tls: bool

    def __str__(self) -> str:
        """Give `scheme://host:port`."""
        return self.key


class Address(Struct, frozen=True):
    """Where a call goes; `target` is path and query as they stand in the request line (RFC 9112 §3.2.1)."""

    origin: Origin
    target: str

    def __str__(self) -> str:
        """Give it as a URL."""
        return f"{self.origin}{self.target}"


class Call(Struct, frozen=True):
    """One request to Target; `deadline` is a time of the event loop's clock, in seconds.

    With a `request_id`, that of the body, an answer that names another one is refused: Target echoes it
    (delivery-api §7.1).
    """

    address: Address
    body: bytes
    headers: Mapping[str, str]
    deadline: float
    request_id: str = ""


Outcome = JsonObject | Exception
"""What became of a call: Target's decoded answer, or what went wrong."""


@lru_cache(maxsize=4096)
def find_origin(url: str, edge_url: str, client: str, cluster: str) -> Origin:
    """Give scheme, host and port for a client: its edge's where one is known and edges are configured."""
    if edge_url and _CLUSTER.fullmatch(cluster):
        return _read_origin(URL(edge_url.replace("{cluster}", cluster).replace("{client}", client)))
    return _read_origin(URL(url.replace("{client}", client)))


def _read_origin(url: URL) -> Origin:
    origin = url.origin()
    is_tls = origin.scheme == "https"
    port = origin.port or (443 if is_tls else 80)
    return Origin(str(origin), origin.raw_host or "", port, origin.raw_authority, is_tls)


def make_address(target: Target, client: str, cluster: str, query: Mapping[str, str]) -> Address:
    """Give the address of a call; values of `query` are escaped as Adobe's SDKs do."""
    pairs = "&".join([f"{name}={_escape(value)}" for name, value in query.items()])
    return Address(find_origin(target.url, target.edge_url, client, cluster), f"{PATH}?{pairs}")


def read_address(url: URL) -> Address:
    """Give `url` as the address of a call."""
    return Address(_read_origin(url), url.raw_path_qs)


def _escape(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else _quote(value)


@lru_cache(maxsize=256)
def _quote(value: str) -> str:
    """Escape what few callers send other than plain: for the most part the organization's id, with every call."""
    return quote(value, safe=_UNESCAPED)


def make_headers(request_id: str, version: str) -> dict[str, str]:
    """Give the headers of a call: our own name, never an Adobe SDK's (delivery-api §3.1)."""
    return {
        "Content-Type": "application/json",
        "X-EXC-SDK": PRODUCT,
        "X-EXC-SDK-Version": version,
        "X-Request-Id": request_id,
    }


def read_reply(status: int, raw: bytes) -> JsonObject:
    """Give the decoded answer; 204 is an empty one.

    Raises UpstreamRefused with Target's own status and message, UpstreamGarbled when it cannot be read.
    """
    if status == 204:
        return {}
    if raw.count(b"[") + raw.count(b"{") > MOST_BRACKETS:
        raise UpstreamGarbled(f"Target's answer has more than {MOST_BRACKETS} objects and lists")
    if is_deeper(raw, DEEPEST):
        raise UpstreamGarbled(f"Target's answer is nested deeper than {DEEPEST} levels")
    try:
        reply = msgspec.json.decode(raw) if raw else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if status < 300:
            raise UpstreamGarbled("Target's answer is not JSON") from error
        reply = None
    if status >= 300:
        message = reply.get("message") if isinstance(reply, dict) else None
        raise UpstreamRefused(status, message if isinstance(message, str) else "")
    if not isinstance(reply, dict):
        raise UpstreamGarbled("Target's answer is not a JSON object")
    return reply
