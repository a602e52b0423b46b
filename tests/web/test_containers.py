"""The home document and containers over HTTP (spec repository §5)."""

import asyncio

import pytest

from tests.web.callers import CONTAINER, FAMILY, PATCH, RECEIPT, RESULTS, Caller, media_type

HOME = f"{FAMILY}.home.hal+json"


async def make(editor: Caller, name: str, *contexts: str) -> str:
    container = await editor.make_container(name)
    if contexts:
        operation = {"op": "replace", "path": "/productContexts", "value": list(contexts)}
        answer = await editor.ask("PATCH", f"/containers/{container}", [operation], Content_Type=PATCH)
        assert answer.status == 200, answer.raw
    return container


async def home(editor: Caller, query: str = "") -> list[str]:
    answer = await editor.ask("GET", f"/{query}")
    assert answer.status == 200, answer.raw
    return [one["_instance"]["repo:name"] for one in answer.body["_embedded"][CONTAINER]]


async def test_the_home_document_lists_containers(editor: Caller):
    """repo:U1, repo:M7, repo:C6, repo:C7, repo:C8, repo:C9, repo:C4, repo:E10."""
    second = await make(editor, "second")
    answer = await editor.ask("GET", "/?x=1;y")
    assert (answer.status, answer.headers["Content-Type"]) == (200, HOME)
    assert answer.headers["Content-Base"].endswith("/data/core/xcore/")
    assert answer.body["_links"]["self"]["href"] == "/?x=1;y"
    listed = answer.body["_embedded"][CONTAINER]
    assert [one["_instance"]["repo:name"] for one in listed] == ["Outdoor shop offers", "second"]
    assert listed[1]["instanceId"] == second
    assert listed[1]["schemas"] == [f"{CONTAINER};version=0.1"]
    assert listed[1]["productContexts"] == ["dma_offers", "acp"]
    assert listed[1]["_links"] == {
        "self": {"href": f"/containers/{second}"},
        "api:create": {"href": f"/{second}/instances"},
    }
    assert "owners" not in listed[1]
    assert (await editor.ask("GET", "/")).body["_links"]["self"]["href"] == "/"
    body = {"_instance": {"xdm:name": "t"}, "_links": {}}
    created = await editor.ask("POST", listed[1]["_links"]["api:create"]["href"], body, Content_Type=media_type("tag"))
    assert created.status == 201


async def test_product_contexts_filter_the_home_document(editor: Caller):
    """repo:C3, repo:C4, repo:X3: several are a union; a context nobody has gives an empty list."""
    await make(editor, "old", "dma_offers")
    await make(editor, "new", "acp", "more")
    assert await home(editor, "?product=acp") == ["Outdoor shop offers", "new"]
    assert await home(editor, "?product=dma_offers&product=more") == ["Outdoor shop offers", "old", "new"]
    assert await home(editor, "?product=acp&product=acp") == ["Outdoor shop offers", "new"]
    assert await home(editor) == ["Outdoor shop offers", "old", "new"]
    assert await home(editor, "?product=nobody") == []
    assert (await editor.ask("GET", "/?product=nobody")).body["_embedded"] == {CONTAINER: []}


async def test_containers_are_filtered_and_paged(editor: Caller):
    """repo:C5, repo:C6, repo:U3, repo:X2."""
    for name in ("b", "c"):
        await asyncio.sleep(0.002)  # dates have milliseconds; equal ones would be on one page
        await make(editor, name)
    assert await home(editor, "?property=_instance.repo:name==b") == ["b"]
    assert await home(editor, "?limit=2") == ["Outdoor shop offers", "b"]
    first = (await editor.ask("GET", "/?limit=2")).body
    assert (await editor.ask("GET", first["_links"]["next"]["href"])).body["_embedded"][CONTAINER][0]["_instance"] == {
        "repo:name": "c"
    }
    answer = await editor.ask("GET", "/containers?limit=2")
    page = answer.body
    assert answer.headers["Content-Type"] == RESULTS
    assert (page["_embedded"]["count"], page["_embedded"]["total"]) == (2, 3)
    assert page["schemaNs"] == f"{CONTAINER};version=0.1"
    last = (await editor.ask("GET", page["_links"]["next"]["href"])).body
    assert (last["_embedded"]["count"], last["_embedded"]["total"]) == (1, 1)
    assert "next" not in last["_links"]
    assert (await editor.ask("GET", "/containers?limit=x")).status == 400
    assert (await editor.ask("GET", "/?property=a=b")).body["type"] == "/problems/invalid-filter"


async def test_a_container_is_read_replaced_and_patched(editor: Caller):
    """repo:U2, repo:U4, repo:C10, repo:E4, repo:X3, ent:§2, §9.3."""
    path = f"/containers/{editor.container}"
    read = await editor.ask("GET", path)
    assert read.headers["Content-Type"] == f'{FAMILY}.hal+json; schema="{CONTAINER};version=0.1"'
    assert read.body["_instance"] == {"repo:name": "Outdoor shop offers"}
    assert (await editor.ask("GET", path, If_None_Match=read.headers["ETag"])).status == 304
    body = {"_instance": {"repo:name": "Shop", "dataCenter": "EU1"}, "_links": {}, "productContexts": ["acp"]}
    put = await editor.ask("PUT", path, body, Content_Type=media_type("container"), If_Match='"1"')
    assert (put.status, put.headers["Content-Type"], put.headers["ETag"]) == (200, RECEIPT, '"2"')
    assert "@id" not in put.body
    del body["productContexts"]
    assert (await editor.ask("PUT", path, body, Content_Type="application/json")).status == 200
    kept = (await editor.ask("GET", path)).body
    assert kept["productContexts"] == ["acp"]
    assert kept["_instance"] == {"repo:name": "Shop", "dataCenter": "EU1"}
    rename = {"op": "replace", "path": "/_instance/repo:name", "value": "Store"}
    patched = await editor.ask("PATCH", path, [rename], Content_Type=PATCH)
    assert (patched.status, patched.body["repo:etag"], patched.headers["Location"]) == (200, 4, path)
    tag = await editor.make("tag", {"xdm:name": "t"})
    assert (await editor.read(tag["instanceId"])).body["productContexts"] == ["acp"]


WRONG = {
    "another schema": (media_type("tag"), {"_instance": {"xdm:name": "x"}, "_links": {}}, 422, "schema-mismatch"),
    "no schema": ("application/json", {"_instance": {"repo:name": "x"}, "_links": {}}, 415, "schema-missing"),
    "no name": (media_type("container"), {"_instance": {}, "_links": {}}, 422, "required"),
    "an id": (
        media_type("container"),
        {"_instance": {"repo:name": "x", "@id": "xcore:container:1"}, "_links": {}},
        422,
        "not-editable",
    ),
}


@pytest.mark.parametrize(("content_type", "body", "status", "code"), WRONG.values(), ids=WRONG)
async def test_a_wrong_container_is_refused(editor: Caller, content_type: str, body: dict, status: int, code: str):
    """repo:U2, ent:§2."""
    answer = await editor.ask("POST", "/containers", body, Content_Type=content_type)
    assert (answer.status, answer.body["type"]) == (status, f"/problems/{code}")


async def test_a_new_container_may_have_contexts_and_links_of_its_own(editor: Caller):
    """repo:C10, repo:C4, repo:K1."""
    body = {"_instance": {"repo:name": "x"}, "_links": {"about": {"href": "/y"}}, "productContexts": ["acp"]}
    answer = await editor.ask("POST", "/containers", body, Content_Type=media_type("container"))
    assert (answer.status, answer.headers["ETag"]) == (201, '"1"')
    assert answer.headers["Location"] == f"/containers/{answer.body['instanceId']}"
    read = (await editor.ask("GET", answer.headers["Location"])).body
    assert read["productContexts"] == ["acp"]
    assert read["_links"]["about"] == {"href": "/y"}


async def test_a_reader_may_not_create(editor: Caller):
    """repo:C2, repo:X1."""
    reader = Caller(editor.stage, "", editor.headers | {"Authorization": "Bearer demo-reader"})
    answer = await reader.ask("POST", "/containers", {}, Content_Type=media_type("container"))
    assert (answer.status, answer.body["type"]) == (403, "/problems/write-forbidden")
    assert await home(reader) == ["Outdoor shop offers"]
