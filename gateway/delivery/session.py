"""Who the visitor is (gw:S2, S3, S10; spec get-offers §6, §9, §15 point 1), before any part of a request is decided."""

import re

from msgspec import Struct

from gateway.delivery.allocation import bucketing_id
from gateway.delivery.cookies import cluster_of, cluster_of_edge_host, restore_device_id, shield_device_id
from gateway.delivery.model import JsonObject

LONGEST_ID = 128
_SESSION_ID = re.compile(r"[^\s?/{}\x00-\x1f\x7f]{1,128}")


def is_session_id(text: str) -> bool:
    """Whether `text` can be a session id: 1 to 128 printable characters, none of blank ? / { } (delivery-api §2)."""
    return _SESSION_ID.fullmatch(text) is not None and text.isprintable()


class Visitor(Struct, frozen=True):
    """One visitor of one request: the ids to decide and forward with, and the edge that knows them."""

    id: JsonObject
    session_id: str
    location_hint: str = ""

    @property
    def tnt_id(self) -> str:
        """The device id with its suffix, or "" when there is none yet."""
        tnt_id = self.id.get("tntId")
        return tnt_id if isinstance(tnt_id, str) else ""

    @property
    def is_known(self) -> bool:
        """Whether an id to decide by came with the request; a customer id is none (on-device §6.1, BUG line)."""
        return bool(self.id.get("tntId") or self.id.get("marketingCloudVisitorId") or self.id.get("thirdPartyId"))

    @property
    def cluster(self) -> str:
        """The edge cluster to ask: the device id's own, else the session's location hint."""
        return cluster_of(self.tnt_id) or self.location_hint

    @property
    def bucketing(self) -> str:
        """The id that allocation is computed from (on-device §8); "" when there is none."""
        return bucketing_id(self.id.get("marketingCloudVisitorId"), self.id.get("tntId"), self.id.get("thirdPartyId"))


def read_visitor(raw: JsonObject | None, session_id: str, device_id: str = "", location_hint: str = "") -> Visitor:
    """Give the visitor as the caller names them: ids in the body win over the `device_id` of the cookie (gw:S3)."""
    identity = {name: value for name, value in (raw or {}).items() if value is not None and value != ""}
    if isinstance(identity.get("tntId"), str):
        identity["tntId"] = restore_device_id(identity["tntId"])
    elif device_id:
        identity["tntId"] = restore_device_id(device_id)
    return Visitor(identity, session_id, location_hint)


def mint_device_id(new_id: str, cluster: str) -> str:
    """Give a device id for a visitor who has none, with the suffix of the edge where one is known."""
    return f"{new_id}.{cluster}_0" if cluster else new_id


def adopt_device(visitor: Visitor, device_id: str, location_hint: str) -> Visitor:
    """Give the visitor with what the session record knows; a device id the caller sent is kept."""
    identity = visitor.id if visitor.tnt_id or not device_id else visitor.id | {"tntId": device_id}
    return Visitor(identity, visitor.session_id, location_hint or visitor.location_hint)


def read_answered(identity: object, edge_host: object) -> tuple[str, str]:
    """Give device id and edge cluster of an answer; "" for what it does not say or what is no id."""
    device_id = _read_device_id(identity)
    cluster = cluster_of(device_id) if device_id else ""
    return device_id, cluster or (cluster_of_edge_host(edge_host) if isinstance(edge_host, str) else "")


def _read_device_id(identity: object) -> str:
    tnt_id = identity.get("tntId") if isinstance(identity, dict) else None
    return tnt_id if isinstance(tnt_id, str) and len(tnt_id) <= LONGEST_ID else ""


def merge_answered_id(visitor: Visitor, answered: object) -> JsonObject:
    """Give the ids of the response: ours, and what Target added or moved (gw:S2, delivery-api §9.2)."""
    merged = dict(visitor.id)
    if isinstance(answered, dict):
        merged.update({name: value for name, value in answered.items() if value is not None and name != "tntId"})
        if device_id := _read_device_id(answered):
            merged["tntId"] = device_id
    return merged


def shield_answer(answer: JsonObject) -> None:
    """Take from an answer what an SDK or at.js would leave for: the edge in the device id, and its host (gw:S10)."""
    if (identity := answer.get("id")) is not None:
        answer["id"] = shield_id(identity, keep_clients=True)
    answer.pop("edgeHost", None)


def shield_id(identity: JsonObject, *, keep_clients: bool) -> JsonObject:
    """Give the ids as an HTTP caller may see them: with `keep_clients` no SDK finds an edge in them (gw:S10)."""
    tnt_id = identity.get("tntId")
    if not keep_clients or not isinstance(tnt_id, str) or "_" not in tnt_id:
        return identity
    return identity | {"tntId": shield_device_id(tnt_id)}
