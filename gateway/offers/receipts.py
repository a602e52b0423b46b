"""What callers are shown of a stored document: a receipt, or the envelope with its links (spec repository §6)."""

import msgspec

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


def make_receipt(document: bytes) -> JsonObject:
    """Give the control data of a stored document, without `_instance` (E5); no @id for a type without one (E4)."""
    envelope = msgspec.json.decode(document)
    receipt: JsonObject = {"instanceId": envelope["instanceId"]}
    if "@id" in envelope["_instance"]:
        receipt["@id"] = envelope["_instance"]["@id"]
    return receipt | {name: envelope[name] for name in RECEIPT_MEMBERS}


def show(document: bytes, container: str = "") -> JsonObject:
    """Give the envelope with `_links.self` (E8); `container` is "" when the document is a container itself (C9)."""
    envelope: JsonObject = msgspec.json.decode(document)
    envelope["_links"] = make_links(envelope, container) | envelope["_links"]
    return envelope


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
