"""Containers, and the home document that tells callers which they may use (spec repository §5, U1-U4)."""

from functools import partial

import msgspec
from msgspec import Raw

from gateway.errors import Problem
from gateway.offers.query import parse_container_query
from gateway.offers.repository import Draft, create, envelop
from gateway.store.listing.index import Page
from gateway.web.deleting import delete
from gateway.web.entities import (
    PAGES,
    RECEIPTS,
    accept,
    find_types,
    ids,
    now_text,
    patch_one,
    read_one,
    replace_one,
)
from gateway.web.hal import HOME_SCHEMA, answer_hal, answer_page, make_page, read_pairs, read_raw_query, replace_start
from gateway.web.negotiation import BARE, ENVELOPES, HOME, make_native, read_content_type
from gateway.web.response import Answer
from gateway.web.rest import Call
from gateway.web.subjects import Containers
from gateway.web.writing import Writing, make_author, read_body
from gateway.web.writing import create as make

CONTAINER = "https://ns.adobe.com/experience/xcore/container"
_ALL = 1_000_000
_HOMES = make_native(HOME)


async def show_home(call: Call) -> Answer:
    """Answer U1: the containers the caller may see, of the product contexts asked for (C1-C9)."""
    media_type = accept(call, _HOMES)
    found, raw = await _find(call, most=_ALL)
    listed = [Raw(item.document) for item in found.items]
    links = {"self": {"href": f"/?{raw}" if raw else "/", "@type": HOME_SCHEMA}}
    if found.next_start is not None:
        links["next"] = {"href": f"/?{replace_start(raw, found.next_start)}", "@type": HOME_SCHEMA}
    return answer_hal(call, 200, {"_embedded": {CONTAINER: listed}, "_links": links}, media_type)


async def list_containers(call: Call) -> Answer:
    """Answer U3."""
    media_type = accept(call, PAGES)
    found, raw = await _find(call)
    entity_type = call.services.registry.find(CONTAINER)
    schema = entity_type.versioned_id if entity_type else CONTAINER
    about = {"requestTime": now_text(), "schemaNs": schema}
    return answer_page(call, make_page("/containers", raw, found, about), found, media_type)


async def _find(call: Call, most: int = 0) -> tuple[Page, str]:
    """Give a page and the raw query; `most` is the limit of callers who set none (0: that of every list)."""
    raw = read_raw_query(call)
    pairs = read_pairs(raw)
    query = parse_container_query(pairs, call.services.registry)
    if most and all(name != "limit" for name, _ in pairs):
        query = msgspec.structs.replace(query, limit=most)
    return await call.services.index.page_of(await Containers(call).list_visible(), query), raw


async def create_container(call: Call) -> Answer:
    """Answer U2; it needs the `create` grant (§0 X1)."""
    if not call.caller.grants.may_create:
        raise Problem(403, "write-forbidden", "The token may not create containers")
    given = read_content_type(call.request.headers.get("Content-Type"), ENVELOPES)
    types = find_types(call, given, required=True)
    writing = Writing(call, Containers(call), accept(call, RECEIPTS))
    body = await read_body(call)
    draft = Draft(author=make_author(call), types=types, instance_id=ids.make())
    whole = envelop(body.value) if given.name == BARE else body.value
    return await make(writing, body.length, partial(create, call.services.registry, draft, whole))


async def read_container(call: Call) -> Answer:
    """Answer the GET of U4."""
    return await read_one(call, Containers(call), call.names["container"])


async def replace_container(call: Call) -> Answer:
    """Answer the PUT of U4."""
    return await replace_one(call, await _open(call), call.names["container"])


async def patch_container(call: Call) -> Answer:
    """Answer the PATCH of U4 (§0 X3)."""
    return await patch_one(call, await _open(call), call.names["container"])


async def delete_container(call: Call) -> Answer:
    """Answer the DELETE of U4 (C11)."""
    return await delete(Writing(call, await _open(call), accept(call, RECEIPTS)), call.names["container"])


async def _open(call: Call) -> Containers:
    """Give the containers when the one of the path may be changed (§9.7 steps 5 and 6)."""
    containers = Containers(call)
    await containers.read(call.names["container"])
    containers.check_writable(call.names["container"])
    return containers
