"""The visitor's state as it travels between a page, its server and us (get-offers §7.4, §8).

A page's server may hold it between calls, hand it to the browser's library, or give it back with the next call.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.delivery.experience_cloud import name_organization
from gateway.delivery.model import JsonObject
from gateway.delivery.stitching import LONGEST_CONSUMER, SdidState, put_sdid, read_sdid
from gateway.errors import InvalidBody

_PREFIX = "payload:"
NO_SDID = SdidState()
MOST_CONSUMERS = 1000


class VisitorState(Struct, frozen=True):
    """One organization's part of the state: customer ids as they were given, and the SDID machine's memory."""

    customer_ids: Any = None
    sdid: SdidState = NO_SDID


NO_STATE = VisitorState()


def write_visitor_state(organization_id: str, state: VisitorState) -> JsonObject:
    """Give the object to embed in the page (§7.4)."""
    written: JsonObject = {}
    if state.customer_ids:
        written["customerIDs"] = state.customer_ids
    sdid = state.sdid
    if sdid.current:
        written["sdid"] = {
            "supplementalDataIDCurrent": sdid.current,
            "supplementalDataIDCurrentConsumed": _write_consumers(sdid.current_consumed),
            **({"supplementalDataIDLast": sdid.last} if sdid.last else {}),
            "supplementalDataIDLastConsumed": _write_consumers(sdid.last_consumed),
        }
    return {name_organization(organization_id): written}


def _write_consumers(consumers: frozenset[str]) -> dict[str, bool]:
    return {_PREFIX + consumer: True for consumer in sorted(consumers)}


def read_visitor_state(given: Mapping[str, Any], organization_id: str, path: str) -> VisitorState:
    """Give back what `write_visitor_state` wrote; raises InvalidBody that names the member below `path`.

    An SDID that is not one counts as absent, and so do those who used it.
    """
    name = name_organization(organization_id)
    own = given.get(name)
    if own is None:
        return NO_STATE
    where = f"{path}.{name}"
    if not isinstance(own, dict):
        raise InvalidBody("Invalid request: expected an object", path=where)
    sdid = own.get("sdid")
    if sdid is not None and not isinstance(sdid, dict):
        raise InvalidBody("Invalid request: expected an object", path=f"{where}.sdid")
    if not isinstance(own.get("customerIDs"), dict | list | None):
        raise InvalidBody("Invalid request: expected an object or a list", path=f"{where}.customerIDs")
    return VisitorState(own.get("customerIDs"), _read_sdid(sdid, f"{where}.sdid") if sdid else NO_SDID)


def _read_sdid(sdid: JsonObject, path: str) -> SdidState:
    current, last = keep_sdid(sdid.get("supplementalDataIDCurrent")), keep_sdid(sdid.get("supplementalDataIDLast"))
    current_consumed = _read_consumers(sdid, "supplementalDataIDCurrentConsumed", path)
    last_consumed = _read_consumers(sdid, "supplementalDataIDLastConsumed", path)
    return SdidState(
        current, current_consumed if current else frozenset(), last, last_consumed if last else frozenset()
    )


def keep_sdid(value: object) -> str:
    """Give `value` where it is a well-formed SDID, else ""."""
    return read_sdid(put_sdid({}, value)) if isinstance(value, str) else ""


def _read_consumers(sdid: JsonObject, name: str, path: str) -> frozenset[str]:
    given = sdid.get(name)
    if given is None:
        return frozenset()
    if not isinstance(given, dict):
        raise InvalidBody("Invalid request: expected an object", path=f"{path}.{name}")
    consumers = frozenset(key.removeprefix(_PREFIX) for key, used in given.items() if used)
    if len(consumers) > MOST_CONSUMERS or any(len(consumer) > LONGEST_CONSUMER for consumer in consumers):
        raise InvalidBody(
            f"Invalid request: at most {MOST_CONSUMERS} consumers of at most {LONGEST_CONSUMER} characters",
            path=f"{path}.{name}",
        )
    return consumers
