"""Media types: what a body is, and which form of the answer the caller wants (spec repository §3; RFC 7231 §5.3)."""

import re
from collections.abc import Callable, Iterator

from msgspec import Struct

from gateway.errors import Problem

_FAMILY = "application/vnd.adobe.platform.xcore."
HAL = f"{_FAMILY}hal+json"
HOME = f"{_FAMILY}home.hal+json"
PATCH = f"{_FAMILY}patch.hal+json"
RECEIPT = f"{_FAMILY}xdm.receipt+json"
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
BARE = "application/schema-instance+json"
RESULTS_SCHEMA = "https://ns.adobe.com/experience/xcore/hal/results"
ENVELOPES = (HAL, BARE, JSON)
PATCHES = (PATCH, JSON_PATCH, JSON)

_TYPE = re.compile(r"\s*([^\s;,/=\"']+(?:/[^\s;,/=\"']+)?)\s*")
_PARAMETER = re.compile(
    r""";\s*([^\s;,="']*)\s*(?:=\s*("(?:[^"\\]|\\.)*"|'[^']*'|["'][^,"']*|[^;,"']*))?[^;,]*""", re.ASCII
)
_MOST_RANGES = 50


class MediaType(Struct, frozen=True):
    """A media type or a range of them: `name` in lower case, `schemas` of its parameter without quotes."""

    name: str
    schemas: tuple[str, ...] = ()
    charset: str = ""
    quality: float = 1.0


class Native(Struct, frozen=True):
    """The type an operation answers with; `schemas` are what a range may name, none: it cannot name any.

    `full` is what the answer states (M15). With `any_schema` every schema fits: the instance is not known yet.
    """

    name: str
    full: str
    schemas: frozenset[str] = frozenset()
    any_schema: bool = False


def make_native(name: str, schema: str = "") -> Native:
    """Give the native type of an operation whose answers have one schema, or none."""
    if not schema:
        return Native(name, name)
    return Native(name, f'{name}; schema="{schema}"', frozenset({strip_version(schema)}))


def strip_version(schema: str) -> str:
    """Give a schema id without its version (S2)."""
    return schema.partition(";version=")[0]


def read_content_type(header: str | None, accepted: tuple[str, ...]) -> MediaType:
    """Give what the body is; raises Problem 415 (M16)."""
    found = next(parse_types(header or ""), None)
    if found is None or found.name not in accepted:
        said = f"the body must be one of {', '.join(accepted)}"
        raise Problem(415, "unsupported-media-type", f"{'Unsupported' if found else 'Missing'} Content-Type: {said}")
    if found.charset not in ("", "utf-8", "utf8"):
        raise Problem(415, "unsupported-media-type", "Unsupported Content-Type: the charset must be UTF-8")
    return found


def choose(accept: list[str], native: Native) -> str:
    """Give the Content-Type of the answer: the native one, or JSON where that is liked better; raises Problem 406."""
    text = ",".join(accept)
    ranges = list(parse_types(text)) if text.strip() else [MediaType("*/*")]
    own = _rate(ranges, lambda found: _fits(found, native))
    plain = _rate(ranges, lambda found: found.name == JSON)
    if not own and not plain:
        raise Problem(406, "not-acceptable", f"Accept names nothing this resource has: {native.full} or {JSON}")
    return native.full if own >= plain else JSON


def _fits(found: MediaType, native: Native) -> bool:
    if found.name != native.name:
        return False
    return not found.schemas or native.any_schema or any(strip_version(one) in native.schemas for one in found.schemas)


def _rate(ranges: list[MediaType], fits: Callable[[MediaType], bool]) -> float:
    """Give the quality of the most specific range that covers a type; of equally specific ones the best."""
    rated = [(2, found.quality) for found in ranges if fits(found)]
    rated = rated or [(1, found.quality) for found in ranges if found.name == "application/*"]
    rated = rated or [(0, found.quality) for found in ranges if found.name in ("*/*", "*")]
    return max((quality for _, quality in rated), default=0.0)


def parse_types(text: str) -> Iterator[MediaType]:
    """Give the types of a comma-separated list; what is no type is passed over (M11-M13)."""
    at = 0
    for _ in range(_MOST_RANGES):
        name = _TYPE.match(text, at)
        at = name.end() if name else at
        parameters: dict[str, str] = {}
        while part := _PARAMETER.match(text, at):
            parameters.setdefault(part[1].lower(), _unquote(part[2] or ""))
            at = part.end()
        if name:
            yield _make_type(name[1].lower(), parameters)
        at = text.find(",", at) + 1
        if not at:
            return


def _make_type(name: str, parameters: dict[str, str]) -> MediaType:
    charset = parameters.get("charset", "").lower()
    try:
        quality = min(1.0, max(0.0, float(parameters.get("q", "1"))))
    except ValueError:
        quality = 0.0
    return MediaType(name, tuple(parameters.get("schema", "").split()), charset, quality)


def _unquote(value: str) -> str:
    value = value.strip()
    if value.startswith('"'):
        return re.sub(r"\\(.)", r"\1", value.strip('"'))
    return value.strip("'")
