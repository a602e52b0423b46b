"""Where on earth the visitor is (spec on-device-decisioning §6.2, §6.3): when to look it up, and what is learnt."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.delivery.model import Context, Geo

CALLER = "unknownIpAddress"  # the marker for "look up the caller's own address"
_PLACE = ("latitude", "longitude", "country_code", "state_code", "city")
_ANSWER: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "x-forwarded-for": ("ip_address", str),
    "x-geo-latitude": ("latitude", lambda value: _read_degrees(value, 90)),
    "x-geo-longitude": ("longitude", lambda value: _read_degrees(value, 180)),
    "x-geo-country-code": ("country_code", str),
    "x-geo-region-code": ("state_code", str),
    "x-geo-city": ("city", str),
}


def find_address(context: Context) -> str | None:
    """Give the address to look up: a valid one, `CALLER`, or None where nothing is to be looked up."""
    geo = context.geo
    if geo is None or not geo.ip_address or any(getattr(geo, name) is not None for name in _PLACE):
        return None
    if geo.ip_address == CALLER:
        return CALLER
    return geo.ip_address.strip() if is_address(geo.ip_address) else None


def is_address(text: str) -> bool:
    """Whether `text` is an IPv4 or IPv6 address, blanks around it and a zone allowed (delivery-api §6.7)."""
    try:
        ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return False
    return True


def merge_geo(context: Context, found: Mapping[str, Any]) -> Context:
    """Give the context with the answer of a look-up; members that are missing or not of their kind change nothing."""
    learnt: dict[str, Any] = {}
    for name, (member, kind) in _ANSWER.items():
        value = found.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            try:
                learnt[member] = kind(value)
            except (ValueError, OverflowError):
                continue  # a coordinate that is no number says nothing
    geo = context.geo or Geo()
    return msgspec.structs.replace(context, geo=msgspec.structs.replace(geo, **learnt))


def _read_degrees(value: Any, most: int) -> float:
    degrees = float(value)
    if not -most <= degrees <= most:
        raise ValueError("no place on earth")
    return degrees
