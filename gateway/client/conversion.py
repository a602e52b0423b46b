"""Objects to JSON and back: whatever describes itself as generated API clients do, ours, or plain dicts."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.client.models import AnalyticsResponse, DeliveryRequest, DeliveryResponse
from gateway.delivery.model import JsonObject
from gateway.errors import InvalidBody, UpstreamGarbled

_DEEPEST = 64


def to_json(value: Any, depth: int = 0) -> Any:
    """Give `value` as plain JSON data of its own; members of objects that are None are left out.

    Raises InvalidBody for what is no data and for what is nested deeper than 64 levels.
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value.value if isinstance(value, str) and hasattr(value, "value") else value
    if depth > _DEEPEST:
        raise InvalidBody(f"Invalid request: an option is nested deeper than {_DEEPEST} levels")
    if isinstance(value, Mapping):
        return {str(name): to_json(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(inner, depth + 1) for inner in value]
    names = getattr(value, "attribute_map", None)
    if not isinstance(names, Mapping):
        raise InvalidBody(f"Invalid request: an option holds a {type(value).__name__}, which is no data")
    members = ((json, getattr(value, name)) for name, json in names.items())
    return {str(json): to_json(inner, depth + 1) for json, inner in members if inner is not None}


def to_objects(envelope: JsonObject) -> JsonObject:
    """Give the envelope as callers of Adobe's SDK for Python know it: objects with members in snake_case.

    Raises UpstreamGarbled where the answer is not what the Delivery API describes.
    """
    objects = dict(envelope)
    try:
        objects["request"] = msgspec.convert(envelope["request"], DeliveryRequest)
        objects["response"] = msgspec.convert(envelope["response"], DeliveryResponse)
        if "analytics_details" in envelope:
            objects["analytics_details"] = msgspec.convert(envelope["analytics_details"], list[AnalyticsResponse])
    except msgspec.ValidationError as error:
        raise UpstreamGarbled(f"the answer is not what the Delivery API describes: {error}") from error
    for name in ("target_cookie", "target_location_hint_cookie"):
        if name in envelope:  # documented as max_age, but code that runs today reads maxAge (get-offers §16)
            objects[name] = envelope[name] | {"maxAge": envelope[name]["max_age"]}
    return objects
