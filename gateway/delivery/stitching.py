"""The supplemental data id (SDID), which all Target calls of one page and its Analytics hit share (spec get-offers §8).

`take_sdid` is the state machine; `store/lua/include/take_sdid.lua` is the same machine where several workers meet.
"""

import re
from collections.abc import Callable

from msgspec import Struct

from gateway.delivery.model import DeliveryRequest, JsonObject

DEFAULT_CONSUMER = "target-global-mbox"
LONGEST_CONSUMER = 256
_SDID = re.compile(r"[0-9A-Fa-f]{16}-[0-9A-Fa-f]{16}", re.ASCII)


class SdidState(Struct, frozen=True):
    """The SDIDs of one visitor's pages: the current one, the one before it ("": none), and who has used them."""

    current: str = ""
    current_consumed: frozenset[str] = frozenset()
    last: str = ""
    last_consumed: frozenset[str] = frozenset()


def take_sdid(state: SdidState, consumer: str, fresh: str) -> tuple[str, SdidState]:
    """Give the SDID that `consumer` is to use, and the state after that; `fresh` is an SDID nobody has used."""
    current = state.current or fresh
    consumed = state.current_consumed if state.current else frozenset()
    if state.last and consumer not in state.last_consumed:
        return state.last, SdidState(current, consumed, state.last, state.last_consumed | {consumer})
    if consumer not in consumed:
        return current, SdidState(current, consumed | {consumer}, state.last, state.last_consumed)
    return fresh, SdidState(fresh, frozenset({consumer}), current, consumed)


def make_sdid(new_id: Callable[[], str]) -> str:
    """Give a new SDID made of a random id of 32 hexadecimal digits."""
    digits = new_id().upper()
    return f"{digits[:16]}-{digits[16:]}"


def read_sdid(body: JsonObject) -> str:
    """Give the SDID that `body` brings, or "" when it brings none that is well-formed."""
    analytics = (body.get("experienceCloud") or {}).get("analytics") or {}
    sdid = analytics.get("supplementalDataId")
    return sdid if isinstance(sdid, str) and _SDID.fullmatch(sdid) else ""


def find_sdid(request: DeliveryRequest) -> str:
    """Give the SDID that a checked request brings, as `read_sdid` does for its body."""
    cloud = request.experience_cloud
    sdid = cloud.analytics.supplemental_data_id if cloud is not None and cloud.analytics is not None else None
    return sdid if sdid and _SDID.fullmatch(sdid) else ""


def put_sdid(body: JsonObject, sdid: str) -> JsonObject:
    """Give `body` with `sdid` in its place; what it is made from stays as it was."""
    cloud = body.get("experienceCloud") or {}
    analytics = (cloud.get("analytics") or {}) | {"supplementalDataId": sdid}
    return body | {"experienceCloud": cloud | {"analytics": analytics}}
