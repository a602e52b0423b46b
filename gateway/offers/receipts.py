"""What callers are shown of a stored document: a receipt, or the envelope with its links (spec repository §6)."""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.offers.instances import JsonObject

RECEIPT_MEMBERS = (
    "repo:etag",
    "repo:createdDate",
    "repo:lastModifiedDate",
    "repo:createdBy",
    "repo:lastModifiedBy",
    "repo:createdByClientId",
    "repo:lastModifiedByClientId",
)


class _Named(Struct, rename={"at_id": "@id"}):
    """The one member of an `_instance` that receipts show."""

    at_id: str | UnsetType = UNSET


_read_members = msgspec.json.Decoder(dict[str, Raw]).decode
_read_name = msgspec.json.Decoder(_Named).decode


def make_receipt(document: bytes) -> JsonObject:
    """Give the control data of a stored document, without `_instance` (E5); no @id for a type without one (E4)."""
    members = _read_members(document)
    at_id = _read_name(members["_instance"]).at_id
    receipt: JsonObject = {"instanceId": msgspec.json.decode(members["instanceId"])}
    if at_id is not UNSET:
        receipt["@id"] = at_id
    return receipt | {name: msgspec.json.decode(members[name]) for name in RECEIPT_MEMBERS}


def show(document: bytes, container: str = "", score: float | None = None) -> bytes:
    """Give the envelope with `_links.self` (E8), as JSON; `container` is "" when the document is a container itself.

    `score` is that of a search result. What is inside is not looked at: a page may have thousands of large envelopes.
    """
    members: dict[str, Any] = dict(_read_members(document))
    known = {name: msgspec.json.decode(members[name]) for name in ("instanceId", "schemas", "_links")}
    members["_links"] = make_links(known, container) | known["_links"]
    if score is not None:
        members["_score"] = score
    return msgspec.json.encode(members)


def make_links(envelope: JsonObject, container: str = "") -> JsonObject:
    """Give the links the repository makes itself: `self`, and for a container where instances are created (E8, C9)."""
    instance_id, primary = envelope["instanceId"], envelope["schemas"][0]
    href = self_path(instance_id, container)
    if not container:
        return {"self": {"href": href}, "api:create": {"href": f"/{instance_id}/instances"}}
    return {"self": {"href": href, "name": f"{primary}#{instance_id}", "@type": primary}}


def self_path(instance_id: str, container: str = "") -> str:
    """Give the repository-relative path of an instance or a container (E6, E9), e.g. "/<c>/instances/<i>"."""
    return f"/{container}/instances/{instance_id}" if container else f"/containers/{instance_id}"
