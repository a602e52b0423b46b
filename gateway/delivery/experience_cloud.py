"""What the Experience Cloud visitor says of who somebody is: the AMCV cookie and customer ids (get-offers §7)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.delivery.cookies import decode_text
from gateway.delivery.model import JsonObject

ORGANIZATION_SUFFIX = "@AdobeOrg"
STATES = {0: "unknown", 1: "authenticated", 2: "logged_out"}
_LONGEST = 8_192
_MOST_PIECES = 200
_LONGEST_ID = 128
_LONGEST_BLOB = 1024
_KEY = re.compile(r"([A-Z]+)(?:-([0-9]{1,15})s?)?", re.ASCII)


class Amcv(Struct, frozen=True):
    """What an AMCV cookie holds: ECID, Audience Manager region and blob; "" and 0 when absent."""

    ecid: str = ""
    region: int = 0
    blob: str = ""


NO_AMCV = Amcv()


def name_organization(organization_id: str) -> str:
    """Give the organization id as the visitor's state is keyed by it (§1)."""
    return organization_id if organization_id.endswith(ORGANIZATION_SUFFIX) else organization_id + ORGANIZATION_SUFFIX


def read_amcv(value: str, now_s: float) -> Amcv:
    """Read the value of an `AMCV_…` cookie (§7.2); what has expired, is `NONE` or cannot be read is absent."""
    text = decode_text(value) if len(value) <= _LONGEST else None
    if not text or text.count("|") >= _MOST_PIECES:
        return NO_AMCV
    pieces = text.split("|")
    pieces = pieces[len(pieces) % 2 :]  # a settings token may come first
    found: dict[str, str] = {}
    for key, content in zip(pieces[::2], pieces[1::2], strict=True):
        named = _KEY.fullmatch(key)
        if named and content != "NONE" and (named[2] is None or int(named[2]) >= now_s):
            found[named[1]] = content
    region, blob, ecid = found.get("MCAAMLH", ""), found.get("MCAAMB", ""), found.get("MCMID", "")
    return Amcv(
        ecid=ecid if len(ecid) <= _LONGEST_ID else "",
        region=int(region) if region.isascii() and region.isdecimal() and len(region) <= 9 else 0,
        blob=blob if blob.strip() and len(blob) <= _LONGEST_BLOB else "",
    )


def convert_customer_ids(given: Mapping[str, Any]) -> list[JsonObject]:
    """Give the CustomerIds of the Delivery API for ids in the visitor's format, in their order (§7.3)."""
    converted = []
    for code, value in given.items():
        if isinstance(value, str) and value:
            converted.append({"id": value, "integrationCode": code, "authenticatedState": STATES[0]})
        elif isinstance(value, Mapping) and value:
            state = value.get("authState")
            known = STATES.get(state) if isinstance(state, int) and not isinstance(state, bool) else None
            customer = {"id": value.get("id"), "integrationCode": code, "authenticatedState": known}
            converted.append({name: member for name, member in customer.items() if member})
    return converted


def join_customer_ids(given: Mapping[str, Any] | Sequence[Any], own: Sequence[Any]) -> list[Any]:
    """Give the final list: ids in the visitor's format, the request's own, then those given as CustomerIds."""
    if isinstance(given, Mapping):
        return [*convert_customer_ids(given), *own]
    return [*own, *given]
