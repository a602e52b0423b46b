"""Business objects for tests of the store: changes as the pure side makes them, and a repository for them."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from gateway.config import Repository
from gateway.offers.instances import Change, Instance, Reference, Saved, Space, UniqueValue
from gateway.offers.operations import Operation
from gateway.store.connection import Store
from gateway.store.entities import Entities
from tests.store.servers import connected

SPACE = Space("TEST@AdobeOrg", "prod")
_CREATED = "2026-05-02T08:15:30.120Z"


def new_uuid() -> str:
    return str(uuid.uuid4())


def make_change(
    instance_id: str,
    at_id: str = "",
    *,
    schema: str = "tag",
    revision: int = 1,
    references: tuple[tuple[str, str], ...] = (),
    name: str = "",
    note: str = "",
    created: str = _CREATED,
    **more: Any,
) -> Change:
    """Make a change to `revision`; references are (target @id, schema it must have), `name` is a unique value."""
    schemas = ("personalized-offer", "offer") if schema == "personalized-offer" else (schema,)
    content = {"xdm:name": name, "note": note, "links": [target for target, _ in references]}
    document = {"instanceId": instance_id, "repo:etag": revision, "repo:createdDate": created, "_instance": content}
    facts: dict[str, Any] = {
        "instance_id": instance_id,
        "at_id": at_id,
        "schemas": schemas,
        "document": msgspec.json.encode(document),
        "expected": revision - 1,
        "revision": revision,
        "references": tuple(
            Reference(f"/_instance/links/{index}", target, (wanted,))
            for index, (target, wanted) in enumerate(references)
        ),
        "unique": (UniqueValue("/_instance/xdm:name", schema, "xdm:name", name),) if name else (),
    }
    return Change(**(facts | more))


def make_operation(instance_id: str, operation_id: str = "") -> Operation:
    return Operation(operation_id or new_uuid(), instance_id, {"instanceId": instance_id, "repo:etag": 1})


async def make_container(entities: Entities, space: Space = SPACE, **more: Any) -> str:
    """Create a container and give its id."""
    container = new_uuid()
    verdict = await entities.save_container(space, make_change(container, schema="container", **more))
    assert isinstance(verdict, Saved)
    return container


async def read_surely(entities: Entities, container: str, instance_id: str) -> Instance:
    instance = await entities.read(SPACE, container, instance_id)
    assert instance is not None
    return instance


def settings(**more: Any) -> Repository:
    """Give settings with the patience that a busy machine needs."""
    return Repository(**({"patience_ms": 20_000} | more))


@asynccontextmanager
async def opened(url: str, **more: Any) -> AsyncIterator[Entities]:
    """Give a repository with a connection of its own."""
    async with connected(url) as store:
        yield Entities(store, settings(**more))


def make_entities(store: Store, **more: Any) -> Entities:
    return Entities(store, settings(**more))
