"""A decision request read straight from its bytes, where nothing about it is in doubt: as most requests are.

The careful way (`decision_requests.read_request`) decodes a body into plain objects, checks them against a schema, and
says exactly what is wrong. This one takes a fifth of the time, and when it is not sure it leaves the body to the other:
one of the older form, one with seldom members, and every one that is not valid.
"""

import re
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from gateway.offers.arbitration import Duplicates
from gateway.offers.decision_requests import choose_lookups
from gateway.offers.instances import JsonObject
from gateway.offers.model import Ask, DecisionRequest, Identity, ResponseFormat
from gateway.offers.request_schemas import FAMILY, MOST_CONTEXT_ITEMS, MOST_ENTRIES, MOST_IDENTITIES, MOST_OPTIONS

LONGEST = 60_000
_NEWER = f"{FAMILY};version=1.0"
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class _Plain(Struct, frozen=True, forbid_unknown_fields=True):
    """What has only the members that are known here; one that is not sent is not written either."""


class _Asked(_Plain, frozen=True):
    activity_id: str = field(name="xdm:activityId")
    placement_id: str | UnsetType = field(name="xdm:placementId", default=UNSET)
    count: Annotated[int, Meta(ge=1, le=30)] | UnsetType = field(name="xdm:itemCount", default=UNSET)


class _Identity(_Plain, frozen=True):
    id: Annotated[str, Meta(min_length=1, max_length=256)] = field(name="xdm:id")
    primary: bool | UnsetType = UNSET
    xdm_primary: bool | UnsetType = field(name="xdm:primary", default=UNSET)
    state: Any = field(name="xdm:authenticatedState", default=UNSET)


class _Item(_Plain, frozen=True):
    type: str = field(name="@type")
    data: JsonObject = field(name="xdm:data")


_Items = Annotated[list[_Item], Meta(max_length=MOST_CONTEXT_ITEMS)]


class _Person(_Plain, frozen=True):
    identity_map: Annotated[
        dict[str, Annotated[list[_Identity], Meta(min_length=1)]], Meta(min_length=1, max_length=MOST_IDENTITIES)
    ] = field(name="xdm:identityMap")
    request_id: str | UnsetType = field(name="xdm:decisionRequestId", default=UNSET)
    context: _Items | UnsetType = field(name="xdm:contextData", default=UNSET)
    profile: JsonObject | UnsetType = field(name="gw:profile", default=UNSET)
    events: tuple[JsonObject, ...] | UnsetType = field(name="gw:events", default=UNSET)


class _Duplicates(_Plain, frozen=True):
    activities: bool | UnsetType = field(name="xdm:acrossActivities", default=UNSET)
    placements: bool | UnsetType = field(name="xdm:acrossPlacements", default=UNSET)


class _Metadata(_Plain, frozen=True):
    activity: list[str] | UnsetType = field(name="xdm:activity", default=UNSET)
    option: list[str] | UnsetType = field(name="xdm:option", default=UNSET)
    placement: list[str] | UnsetType = field(name="xdm:placement", default=UNSET)


class _Format(_Plain, frozen=True):
    content: bool | UnsetType = field(name="xdm:includeContent", default=UNSET)
    metadata: _Metadata | UnsetType = field(name="xdm:includeMetadata", default=UNSET)


class _Body(_Plain, frozen=True):
    asked: Annotated[list[_Asked], Meta(min_length=1, max_length=MOST_ENTRIES)] = field(name="xdm:propositionRequests")
    profiles: Annotated[list[_Person], Meta(min_length=1, max_length=1)] = field(name="xdm:profiles")
    duplicates: _Duplicates | UnsetType = field(name="xdm:allowDuplicatePropositions", default=UNSET)
    is_dry: bool | UnsetType = field(name="xdm:dryRun", default=UNSET)
    validates_context: bool | UnsetType = field(name="xdm:validateContextData", default=UNSET)
    format: _Format | UnsetType = field(name="xdm:responseFormat", default=UNSET)


_decode = msgspec.json.Decoder(_Body).decode
_encode_into = msgspec.json.Encoder().encode_into
_written = bytearray(LONGEST)
_POINTERS = tuple(f"/xdm:propositionRequests/{at}/xdm:activityId" for at in range(MOST_ENTRIES))
_CONTEXTS = tuple(f"/xdm:profiles/0/xdm:contextData/{at}" for at in range(MOST_CONTEXT_ITEMS))
_WITHOUT_CONTENT, _WITH_CONTENT = ResponseFormat(), ResponseFormat(content=True)
_SEPARATE = Duplicates()


def read_plain_request(raw: bytes, schema: str | None, *, inline_profile: bool) -> DecisionRequest | None:
    """Give the request in `raw` if it is of the newer form, valid and plain, else None; the rest as `read_request`.

    A member that is there twice leaves fewer quotes when the request is written again: nothing else removes quotes,
    and only quotes that are escaped by number, which are refused here, could add some. Whoever calls has made sure
    that `raw` is not nested too deep; it cannot have too many members, for that it is too short.
    """
    if len(raw) > LONGEST or (schema is not None and schema != _NEWER) or b"\\u0022" in raw:
        return None
    try:
        body = _decode(raw)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, not valid, not plain: the other way knows the words
        return None
    _encode_into(body, _written)
    if _written.count(b'"') != raw.count(b'"'):
        return None
    person = body.profiles[0]
    if not inline_profile and (person.profile is not UNSET or person.events is not UNSET):
        return None
    return _read(body, person)


def _read(body: _Body, person: _Person) -> DecisionRequest | None:
    identities, asks = _list_identities(person), _read_asks(body)
    if identities is None or (len(asks) > 1 and sum([ask.count for ask in asks]) > MOST_OPTIONS):
        return None
    items = person.context or ()
    return DecisionRequest(
        asks=asks,
        lookups=choose_lookups(identities),
        identity_map=msgspec.to_builtins(person.identity_map),
        context=tuple([{"@type": item.type.strip(), "xdm:data": item.data} for item in items]) if items else (),
        context_pointers=_CONTEXTS[: len(items)],
        decision_request_id=None if person.request_id is UNSET else person.request_id,
        duplicates=_SEPARATE if body.duplicates is UNSET else _read_duplicates(body.duplicates),
        format=_WITHOUT_CONTENT if body.format is UNSET else _read_format(body.format),
        is_dry=body.is_dry is True,
        validates_context=body.validates_context is True,
        profile=None if person.profile is UNSET else person.profile,
        events=None if person.events is UNSET else person.events,
    )


def _list_identities(person: _Person) -> list[tuple[Identity, bool]] | None:
    """Give the identities, each with whether it is marked as primary; None where something is wrong with them."""
    found = []
    for namespace, listed in person.identity_map.items():
        if not _is_namespace(namespace):
            return None
        for each in listed:
            if not each.id.isprintable():
                return None
            found.append((Identity(namespace, each.id), each.primary is True or each.xdm_primary is True))
    if len(found) > 1 and (len(found) > MOST_IDENTITIES or sum([is_primary for _, is_primary in found]) > 1):
        return None
    return found


@lru_cache(maxsize=256)
def _is_namespace(text: str) -> bool:
    return _NAMESPACE.fullmatch(text) is not None


def _read_asks(body: _Body) -> tuple[Ask, ...]:
    return tuple(
        [
            Ask(
                each.activity_id,
                None if each.placement_id is UNSET else each.placement_id,
                1 if each.count is UNSET else each.count,
                pointer,
            )
            for each, pointer in zip(body.asked, _POINTERS, strict=False)
        ]
    )


def _read_duplicates(wanted: _Duplicates) -> Duplicates:
    return Duplicates(wanted.activities is True, wanted.placements is True)


def _read_format(wanted: _Format) -> ResponseFormat:
    metadata = wanted.metadata
    if metadata is UNSET:
        return _WITH_CONTENT if wanted.content is True else _WITHOUT_CONTENT
    names = (metadata.activity, metadata.option, metadata.placement)
    return ResponseFormat(wanted.content is True, *[frozenset(each or ()) for each in names])
