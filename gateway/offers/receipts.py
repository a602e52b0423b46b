"""What callers are shown of a stored document: a receipt, or the envelope with its links (spec repository §6)."""

from gateway.offers.instances import JsonObject

RECEIPT_MEMBERS = (
    "instanceId",
    "@id",
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
    raise NotImplementedError


def show(document: bytes, container: str = "") -> JsonObject:
    """Give the envelope with `_links.self` (E8); `container` is "" when the document is a container itself (C9)."""
    raise NotImplementedError


def self_path(instance_id: str, container: str = "") -> str:
    """Give the repository-relative path of an instance or a container (E6, E9), e.g. "/<c>/instances/<i>"."""
    return f"/{container}/instances/{instance_id}" if container else f"/containers/{instance_id}"
