"""The instances of a container: create, read, replace, patch, delete, list, search (spec repository U5-U12)."""

import time
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw

from gateway.errors import Problem
from gateway.ids import OrderedIds, new_digits
from gateway.offers.dates import write_instant
from gateway.offers.entities import EntityType
from gateway.offers.query import ListQuery, parse_list_query, parse_search_query
from gateway.offers.receipts import show
from gateway.offers.repository import Draft, Target, create, envelop, patch, replace
from gateway.web.deleting import delete
from gateway.web.hal import (
    answer_hal,
    answer_page,
    make_page,
    read_pairs,
    read_raw_query,
    read_schemas,
    read_state,
    state_headers,
)
from gateway.web.negotiation import (
    BARE,
    ENVELOPES,
    HAL,
    PATCHES,
    RECEIPT,
    RESULTS_SCHEMA,
    MediaType,
    Native,
    choose,
    make_native,
    read_content_type,
    strip_version,
)
from gateway.web.preconditions import is_unchanged, read_conditions
from gateway.web.response import Answer
from gateway.web.rest import Call
from gateway.web.subjects import Subject, open_container
from gateway.web.writing import Writing, change, make_author, read_body
from gateway.web.writing import create as make

ENVELOPE = Native(HAL, HAL, any_schema=True)
RECEIPTS = make_native(RECEIPT)
PAGES = make_native(HAL, RESULTS_SCHEMA)
ids = OrderedIds(lambda: time.time_ns() // 1_000_000)


async def create_instance(call: Call) -> Answer:
    """Answer U5."""
    subject = await open_container(call, write=True)
    given = read_content_type(call.request.headers.get("Content-Type"), ENVELOPES)
    types = find_types(call, given, required=True)
    writing = Writing(call, subject, accept(call, RECEIPTS))
    body = await read_body(call)
    draft = Draft(
        author=make_author(call),
        types=types,
        instance_id=ids.make(),
        at_id_digits=new_digits(),
        container=subject.container,
        product_contexts=subject.contexts,
    )
    whole = envelop(body.value) if given.name == BARE else body.value
    return await make(writing, body.length, partial(create, call.services.registry, draft, whole))


async def read_instance(call: Call) -> Answer:
    """Answer U7."""
    return await read_one(call, await open_container(call), call.names["instance"])


async def replace_instance(call: Call) -> Answer:
    """Answer U8."""
    return await replace_one(call, await open_container(call, write=True), call.names["instance"])


async def patch_instance(call: Call) -> Answer:
    """Answer U9."""
    return await patch_one(call, await open_container(call, write=True), call.names["instance"])


async def delete_instance(call: Call) -> Answer:
    """Answer U10."""
    subject = await open_container(call, write=True)
    return await delete(Writing(call, subject, accept(call, RECEIPTS)), call.names["instance"])


async def read_one(call: Call, subject: Subject, instance_id: str) -> Answer:
    """Answer an envelope, or 304 (Q1); a range that names another schema is judged when the schema is known (§0 X4)."""
    accept(call, ENVELOPE)
    found = await subject.read(instance_id)
    state, schemas = read_state(found), read_schemas(found)
    native = Native(HAL, f'{HAL}; schema="{" ".join(schemas)}"', frozenset(map(strip_version, schemas)))
    media_type = accept(call, native)
    headers = state_headers(state)
    if is_unchanged(read_conditions(call.request.headers), state):
        return answer_hal(call, 304, None, "", headers)
    return answer_hal(call, 200, Raw(show(found.document, subject.container)), media_type, headers)


async def replace_one(call: Call, subject: Subject, instance_id: str) -> Answer:
    """Answer a PUT."""
    given = read_content_type(call.request.headers.get("Content-Type"), ENVELOPES)
    types = find_types(call, given, required=False)
    writing = Writing(call, subject, accept(call, RECEIPTS))

    def propose(target: Target, body: Any) -> Any:
        whole = envelop(body, target.current) if given.name == BARE else body
        return replace(call.services.registry, msgspec.structs.replace(target, types=types), whole)

    return await change(writing, instance_id, propose)


async def patch_one(call: Call, subject: Subject, instance_id: str) -> Answer:
    """Answer a PATCH."""
    given = read_content_type(call.request.headers.get("Content-Type"), PATCHES)
    find_types(call, given, required=False)
    writing = Writing(call, subject, accept(call, RECEIPTS))
    return await change(writing, instance_id, partial(patch, call.services.registry))


async def list_instances(call: Call) -> Answer:
    """Answer U6."""
    return await _answer_page(call, "instances", parse_list_query)


async def search_instances(call: Call) -> Answer:
    """Answer U11."""
    return await _answer_page(call, "queries/core/search", parse_search_query)


async def _answer_page(call: Call, place: str, parse: Any) -> Answer:
    subject = await open_container(call)
    media_type = accept(call, PAGES)
    raw = read_raw_query(call)
    query: ListQuery = parse(read_pairs(raw), call.services.registry)
    found = await call.services.index.page(call.caller.space, subject.container, query)
    about = {"requestTime": now_text(), "containerId": subject.container, "schemaNs": query.schema_ns}
    return answer_page(call, make_page(f"/{subject.container}/{place}", raw, found, about), found, media_type)


def accept(call: Call, native: Native) -> str:
    """Give the Content-Type of the answer; raises Problem 406."""
    return choose(call.request.headers.getall("Accept", []), native)


def find_types(call: Call, given: MediaType, *, required: bool) -> tuple[EntityType, ...]:
    """Give the types that a body's media type names; raises Problem 415 (S3, M9)."""
    found = [call.services.registry.find(schema) for schema in given.schemas]
    if required and not found:
        raise Problem(415, "schema-missing", f'Name the schema of the instance, e.g. `{given.name}; schema="…/tag"`')
    for schema, entity_type in zip(given.schemas, found, strict=True):
        if entity_type is None:
            shown = schema[:200].encode("utf-8", "replace").decode()
            raise Problem(415, "unknown-schema", f"There is no schema {shown}")
    return tuple(dict.fromkeys(one for one in found if one is not None))


def now_text() -> str:
    """Give the current time as answers state it."""
    return write_instant(time.time_ns() // 1_000_000)
