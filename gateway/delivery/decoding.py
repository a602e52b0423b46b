"""The bytes of an artifact to plain objects, a slice at a time (spec on-device-decisioning §3, §4).

Ten megabytes of JSON decoded in one call hold up every other thread for a tenth of a second. The generators here stop
after each piece of work, so that whoever drives them decides how long a piece of time they get. Pure.
"""

from collections.abc import Generator, Iterator
from typing import Any, TypeVar

import msgspec

from gateway.delivery.model import JsonObject
from gateway.errors import ArtifactUnsupported

MOST_ELEMENTS = 5_000_000
_SLICE = 65_536
_COUNTED = 262_144
_BIN_HEAD = 40
_BIN_VERSION = 1
_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)

Result = TypeVar("Result")
Slices = Generator[None, None, Result]
_decode = msgspec.json.Decoder().decode
_split_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_split_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def run_through(slices: Slices[Result]) -> Result:
    """Give the result of `slices`, driven without a pause."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            result: Result = end.value
            return result


def decode_artifact(raw: bytes, organization_id: str, *, binary: bool) -> Slices[Any]:
    """Give the decoded artifact in `raw`, in slices; raises ArtifactUnsupported that says why it cannot be read."""
    text = (yield from unscramble_slices(raw, organization_id)) if binary else raw
    yield from _refuse_too_many(text)
    try:
        return (yield from _decode_members(text))
    except _NO_JSON as error:
        raise ArtifactUnsupported(f"unable to read artifact JSON: {error}") from error


def unscramble_slices(raw: bytes, organization_id: str) -> Slices[bytes]:
    """Undo the XOR scrambling of `rules.bin` (§3) with the organization's id, `@AdobeOrg` included."""
    if not raw[5:8].isdigit() or int(raw[5:8]) != _BIN_VERSION or len(raw) < _BIN_HEAD:
        raise ArtifactUnsupported("invalid artifact: the header of rules.bin does not name version 001")
    key = organization_id.encode() + raw[8:_BIN_HEAD]
    mask = key * (_SLICE // len(key) + 1)
    plain: list[bytes] = []
    for start in range(_BIN_HEAD, len(raw), len(mask)):
        piece = raw[start : start + len(mask)]
        mixed = int.from_bytes(piece, "big") ^ int.from_bytes(mask[: len(piece)], "big")
        plain.append(mixed.to_bytes(len(piece), "big"))
        yield
    return b"".join(plain)


def _refuse_too_many(text: bytes) -> Slices[None]:
    """Refuse what would decode to so many objects that memory runs out; every element but the first has a comma."""
    elements = 0
    for start in range(0, len(text), _COUNTED):
        elements += sum(text.count(sign, start, start + _COUNTED) for sign in (b",", b"[", b"{"))
        yield
    if elements > MOST_ELEMENTS:
        raise ArtifactUnsupported(f"the artifact has more than {MOST_ELEMENTS} elements")


def _decode_members(text: bytes) -> Slices[Any]:
    payload: JsonObject = {}
    for name, value in _split(text, _split_object):
        if name != "rules" or len(value) <= _SLICE:
            payload[name] = _decode(value)
        else:
            payload[name] = yield from _decode_rules(value)
        yield
    yield
    return payload or _decode(text)


def _decode_rules(raw: msgspec.Raw) -> Slices[Any]:
    yield
    rules: JsonObject = {}
    for kind, places in _split(raw, _split_object):
        yield
        rules[kind] = found = {}
        members = _split(places, _split_object)
        yield
        for name, listed in members:
            found[name] = (yield from _decode_list(listed)) if len(listed) > _SLICE else _decode(listed)
            yield
        if not found:
            rules[kind] = _decode(places)
    return rules or _decode(raw)


def _decode_list(raw: msgspec.Raw) -> Slices[Any]:
    try:
        pieces = _split_list(raw)
    except msgspec.ValidationError:  # it is no list: loading will say so
        return _decode(raw)
    decoded = []
    for piece in pieces:
        decoded.append(_decode(piece))
        yield
    return decoded


def _split(raw: bytes | msgspec.Raw, split: Any) -> Iterator[tuple[str, msgspec.Raw]]:
    """Give the members of an object without decoding their values; none for what is no object."""
    try:
        members: dict[str, msgspec.Raw] = split(raw)
    except msgspec.ValidationError:
        return iter(())
    return iter(members.items())
