"""Containers are made by the same functions (repository §9.3, C10; entities §2)."""

import json
from typing import Any

import msgspec
import pytest

from gateway.errors import Problem
from gateway.offers.instances import Change
from gateway.offers.receipts import show
from gateway.offers.repository import create, patch, replace, settle
from tests.offers.stage import REGISTRY, body, draft, faults_of, name_faults, target

SHOP = {"repo:name": "Outdoor shop offers", "dataCenter": "EU1", "containerType": "decisioning"}
ON = draft("container", container="")


def container(instance: Any = SHOP, **more: Any) -> Change:
    return settle(REGISTRY, create(REGISTRY, ON, body(instance, **more)))


def contexts(change: Change) -> Any:
    return msgspec.json.decode(change.document)["productContexts"]


def patched(change: Change, *steps: Any) -> Change:
    return settle(REGISTRY, patch(REGISTRY, target(change, ""), list(steps)))


def test_a_container_has_no_at_id_and_the_default_contexts() -> None:
    """repo:C4, C10, E4."""
    change = container()
    assert (change.at_id, change.schemas, change.references, change.unique) == ("", ("container",), (), ())
    assert contexts(change) == ["dma_offers", "acp"]
    assert contexts(container(productContexts=["shop"])) == ["shop"]


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        (SHOP, []),
        ({**SHOP, "parentName": "p", "parentId": "i", "hint": 1}, []),
        ({}, ["required /_instance/repo:name"]),
        ({"repo:name": 7}, ["type /_instance/repo:name"]),
        ({"repo:name": "x", "dataCenter": None}, ["type /_instance/dataCenter"]),
        ({"@id": "xcore:container:1", "repo:name": "x"}, ["not-editable /_instance/@id"]),
        ({"repo:name": "x", "repo:title": "y"}, ["additional-property /_instance/repo:title"]),
    ],
)
def test_containers_are_validated(instance: Any, expected: list[str]) -> None:
    """ent:N1, N5, N6; entities §2."""
    assert name_faults(faults_of(create(REGISTRY, ON, body(instance)))) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], []),
        (["a", "b"], []),
        ("a", ["type /productContexts"]),
        (None, ["type /productContexts"]),
        (["a", 7], ["type /productContexts/1"]),
    ],
)
def test_product_contexts_are_strings(value: Any, expected: list[str]) -> None:
    """repo:C10."""
    assert name_faults(faults_of(create(REGISTRY, ON, body(SHOP, productContexts=value)))) == expected


def test_a_put_changes_the_contexts_or_keeps_them() -> None:
    """repo:X3, C10, P2: what was read may be sent back, the repository's links too."""
    first = container(productContexts=["shop"])
    assert contexts(settle(REGISTRY, replace(REGISTRY, target(first, ""), body(SHOP)))) == ["shop"]
    changed = settle(REGISTRY, replace(REGISTRY, target(first, ""), body(SHOP, productContexts=["acp"])))
    assert (contexts(changed), changed.revision) == (["acp"], 2)
    again = settle(REGISTRY, replace(REGISTRY, target(first, ""), json.loads(show(first.document))))
    assert msgspec.json.decode(again.document)["_links"] == {}


def test_a_patch_may_address_the_contexts() -> None:
    """repo:X3."""
    change = patched(
        container(),
        {"op": "add", "path": "/productContexts/-", "value": "shop"},
        {"op": "replace", "path": "/_instance/repo:name", "value": "New"},
    )
    assert contexts(change) == ["dma_offers", "acp", "shop"]
    kept = patched(container(productContexts=["shop"]), {"op": "remove", "path": "/productContexts"})
    assert contexts(kept) == ["shop"]


def test_a_patch_of_a_container_is_validated() -> None:
    """repo:P7, E12."""
    with pytest.raises(Problem) as caught:
        patched(container(), {"op": "replace", "path": "/productContexts", "value": "x"})
    assert name_faults(list(caught.value.violations)) == ["type /productContexts"]
    with pytest.raises(Problem) as caught:
        patched(container(), {"op": "remove", "path": "/_links/api:create"})
    assert caught.value.code == "not-editable"


def test_containers_and_instances_are_created_where_they_belong() -> None:
    """repo:U13."""
    for draft_of in (draft("container"), draft("tag", container=""), draft("tag", "container")):
        with pytest.raises(Problem) as caught:
            create(REGISTRY, draft_of, body(SHOP))
        assert (caught.value.status, caught.value.code) == (422, "schema-mismatch")
