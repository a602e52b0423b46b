"""Receipts and what is shown of a stored document (repository §6)."""

import json
import re

import msgspec

from gateway.offers.receipts import make_receipt, self_path, show
from gateway.offers.repository import create, settle
from tests.offers.stage import CONTAINER, INSTANCE, REGISTRY, body, draft, make

TAG = {"xdm:name": "gold"}


def container_document() -> bytes:
    sent = body({"repo:name": "Outdoor shop offers"})
    return settle(REGISTRY, create(REGISTRY, draft("container", container=""), sent)).document


def test_a_receipt_is_the_control_data_after_the_write() -> None:
    """repo:E5, §6.3: never `_instance`."""
    assert make_receipt(make("tag", TAG).document) == {
        "instanceId": INSTANCE,
        "@id": "xcore:tag:5d1f2b7c90aa4e01",
        "repo:etag": 1,
        "repo:createdDate": "2024-05-02T08:15:30.120Z",
        "repo:lastModifiedDate": "2024-05-02T08:15:30.120Z",
        "repo:createdBy": "acct-71",
        "repo:lastModifiedBy": "acct-71",
        "repo:createdByClientId": "client-shop",
        "repo:lastModifiedByClientId": "client-shop",
    }


def test_a_container_has_no_at_id() -> None:
    """repo:E4."""
    assert "@id" not in make_receipt(container_document())
    assert "@id" not in json.loads(show(container_document()))["_instance"]


def test_an_instance_links_to_itself() -> None:
    """repo:E8, E9, E6."""
    schema = "https://ns.adobe.com/experience/offer-management/tag;version=0.1"
    shown = json.loads(show(make("tag", TAG).document, CONTAINER))
    href = f"/{CONTAINER}/instances/{INSTANCE}"
    assert shown["_links"] == {"self": {"href": href, "name": f"{schema}#{INSTANCE}", "@type": schema}}
    assert self_path(INSTANCE, CONTAINER) == href


def test_a_container_links_to_itself_and_to_where_instances_are_created() -> None:
    """repo:C9."""
    assert json.loads(show(container_document()))["_links"] == {
        "self": {"href": f"/containers/{INSTANCE}"},
        "api:create": {"href": f"/{INSTANCE}/instances"},
    }


def test_custom_links_are_shown_beside_self() -> None:
    """repo:E11."""
    links = {"docs": {"href": "/d"}, "many": [{"href": "/a"}]}
    change = settle(REGISTRY, create(REGISTRY, draft("tag"), body(TAG, links)))
    shown = json.loads(show(change.document, CONTAINER))
    assert set(shown["_links"]) == {"self", "docs", "many"}
    assert "self" not in msgspec.json.decode(change.document)["_links"]


def test_at_ids_have_the_prefix_of_their_schema_and_the_digits_given() -> None:
    """repo:E1; ent:N1."""
    for row in REGISTRY.types():
        if row.at_id_prefix:
            assert row.at_id_prefix == f"xcore:{row.name}:"
    assert re.fullmatch(r"xcore:tag:[0-9a-f]{16}", make("tag", TAG).at_id)
