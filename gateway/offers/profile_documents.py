"""What callers say of people, checked: identities, attributes, events (spec profiles-api P2 to P5)."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import msgspec

from gateway.errors import Problem, Violation
from gateway.offers.dates import read_instant, write_instant
from gateway.offers.documents import depth_of, point
from gateway.offers.instances import JsonObject
from gateway.offers.model import Identity
from gateway.offers.profiles import MOST_IDENTITIES, NewEvent

MOST_ATTRIBUTES_BYTES = 65_536
DEEPEST_ATTRIBUTES = 16
MOST_EVENT_BYTES = 16_384
MOST_EVENTS = 100
_LONGEST_ID = 256
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_HIDDEN = ("Cc", "Cs")  # control characters, and half surrogate pairs, which have no UTF-8 form
_TIMES = ("timestamp", "xdm:timestamp")
_EVENT_IDS = ("_id", "@id")
_ID_MEMBERS = ("xdm:id", "id")
_MAP_MEMBERS = ("identityMap", "xdm:identityMap")
_MOST_LISTED = 100

_encode = msgspec.json.Encoder().encode


def check_identity(namespace: str, id_: str) -> Identity:
    """Give the identity that a path names. Raises Problem 400 that names the part that cannot be one (P2)."""
    for name, fault in (("namespace", _find_namespace_fault(namespace)), ("id", _find_id_fault(id_))):
        if fault:
            wrong = Violation("invalid-identity", "", f"the {name} in the path {fault}")
            raise Problem(400, "invalid-identity", f"The {name} in the path {fault}", violations=[wrong])
    return Identity(namespace, id_)


def _find_namespace_fault(namespace: str) -> str:
    return "" if _NAMESPACE.fullmatch(namespace) else "must be 1 to 64 characters of A-Z, a-z, 0-9, `.`, `_` and `-`"


def _find_id_fault(id_: str) -> str:
    if not 1 <= len(id_) <= _LONGEST_ID:
        return f"must have 1 to {_LONGEST_ID} characters"
    if any(unicodedata.category(character) in _HIDDEN for character in id_):
        return "must be UTF-8 without control characters"
    return ""


def check_attributes(value: object) -> bytes:
    """Give attributes as they are kept (P3). Raises Problem: 400 for no object, 413 for too much of one."""
    if not isinstance(value, dict):
        wrong = Violation("type", "", "must be an object")
        raise Problem(400, "invalid-body", "Attributes are a JSON object", violations=[wrong])
    if depth_of(value) > DEEPEST_ATTRIBUTES:
        raise Problem(413, "too-large", f"Attributes may be nested {DEEPEST_ATTRIBUTES} levels deep")
    document = _encode(value)
    if len(document) > MOST_ATTRIBUTES_BYTES:
        raise Problem(413, "too-large", f"Attributes may have {MOST_ATTRIBUTES_BYTES} bytes as JSON")
    return document


def merge(target: object, patch: object) -> Any:
    """Give what a merge patch makes of a value (RFC 7386 §2); neither is changed."""
    if not isinstance(patch, dict):
        return patch
    merged: JsonObject = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def read_events(body: object, now_ms: int) -> list[NewEvent]:
    """Give the events of a body: one object, or an array of them (U5, P4).

    An event without a time gets `now_ms`. Raises Problem 400 that lists every fault.
    """
    single = not isinstance(body, list)
    given: Sequence[object] = [body] if single else body  # type: ignore[assignment]  # a list by now
    if len(given) > MOST_EVENTS:
        _refuse([Violation("max-items", "", f"has more than {MOST_EVENTS} events")])
    pointers = ["" if single else point(at) for at in range(len(given))]
    faults = [fault for where, event in zip(pointers, given, strict=True) for fault in _find_event_faults(event, where)]
    if faults:
        _refuse(faults)
    return [_make_event(event, now_ms) for event in given if isinstance(event, dict)]


def _find_event_faults(event: object, where: str) -> Iterator[Violation]:
    if not isinstance(event, dict):
        yield Violation("type", where, "must be an object")
        return
    for name in _TIMES:
        if name in event and (not isinstance(event[name], str) or read_instant(event[name]) is None):
            yield Violation("format", where + point(name), "must be an RFC 3339 date-time with an offset")
    for name in _EVENT_IDS:
        if name in event and not (isinstance(event[name], str) and event[name]):
            yield Violation("type", where + point(name), "must be a text that is not empty")
    if len(_encode(event)) > MOST_EVENT_BYTES:
        yield Violation("max-length", where, f"has more than {MOST_EVENT_BYTES} bytes as JSON")


def _make_event(event: JsonObject, now_ms: int) -> NewEvent:
    time = next((name for name in _TIMES if name in event), None)
    if time is None:
        time, event = "timestamp", event | {"timestamp": write_instant(now_ms)}
    event_id = next((event[name] for name in _EVENT_IDS if name in event), "")
    instant_us = read_instant(event[time])
    return NewEvent(instant_us or 0, event_id, _encode(event))


def read_identities(body: object) -> list[Identity]:
    """Give the identities of `{"identityMap": {namespace: [{"xdm:id": …}]}}` (U7); raises Problem 400 with pointers."""
    name = next((name for name in _MAP_MEMBERS if isinstance(body, dict) and name in body), None)
    if name is None or not isinstance(body, dict):
        _refuse([Violation("required", point(_MAP_MEMBERS[0]), "is missing")])
    given = list(_walk_map(body[name], point(name)))
    if faults := [each for each in given if isinstance(each, Violation)]:
        _refuse(faults)
    found = list(dict.fromkeys(each for each in given if isinstance(each, Identity)))
    if not 1 <= len(found) <= MOST_IDENTITIES:
        _refuse([Violation("max-items", point(name), f"must have 1 to {MOST_IDENTITIES} identities")])
    return found


def _walk_map(identity_map: object, where: str) -> Iterator[Identity | Violation]:
    if not isinstance(identity_map, dict):
        yield Violation("type", where, "must be an object")
        return
    for namespace, listed in identity_map.items():
        place = where + point(namespace)
        if fault := _find_namespace_fault(namespace):
            # The name itself is not repeated in the pointer: it may be anything, an id for one.
            yield Violation("pattern", where, f"has a namespace that {fault}")
        elif not isinstance(listed, list) or not listed:
            yield Violation("type", place, "must be an array with one identity at least")
        else:
            yield from (_read_entry(namespace, each, place + point(at)) for at, each in enumerate(listed))


def _read_entry(namespace: str, entry: object, where: str) -> Identity | Violation:
    name = next((name for name in _ID_MEMBERS if isinstance(entry, dict) and name in entry), None)
    if name is None or not isinstance(entry, dict):
        return Violation("required", where + point(_ID_MEMBERS[0]), "is missing")
    id_ = entry[name]
    fault = _find_id_fault(id_) if isinstance(id_, str) else "must be a text"
    return Violation("pattern", where + point(name), fault) if fault else Identity(namespace, id_)


def write_identities(identities: Sequence[Identity]) -> dict[str, list[JsonObject]]:
    """Give identities as an identity map."""
    shown: dict[str, list[JsonObject]] = {}
    for identity in identities:
        shown.setdefault(identity.namespace, []).append({"xdm:id": identity.id})
    return shown


def _refuse(violations: list[Violation]) -> NoReturn:
    listed = violations[:_MOST_LISTED]
    detail = f"{listed[0].pointer or 'The body'} {listed[0].detail}" if len(violations) == 1 else "See errors"
    raise Problem(400, "invalid-body", detail, violations=listed)
