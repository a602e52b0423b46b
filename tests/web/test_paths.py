"""Paths, methods and query strings of the repository (spec repository §1)."""

import pytest

from gateway.web.openapi.repository import OPERATIONS
from gateway.web.repository import REPOSITORY
from tests.stage import DELIVERY, Stage
from tests.web.callers import PROBLEM, RECEIPT, ROOT, SIGNED_IN, Caller, schema_id
from tests.web.wires import exchange, read_json

UNKNOWN = "00000000-0000-7000-8000-000000000000"
ALLOWED = {
    "": "GET, HEAD, OPTIONS",
    "/": "GET, HEAD, OPTIONS",
    "/containers": "GET, HEAD, OPTIONS, POST",
    "/containers/x": "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
    "/x/instances": "GET, HEAD, OPTIONS, POST",
    "/x/instances/y": "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
    "/x/queries/core/search": "GET, HEAD, OPTIONS",
    "/x/operations/y": "GET, HEAD, OPTIONS",
}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")


async def test_every_path_says_what_it_allows_and_refuses_the_rest(bundled_stage: Stage):
    """repo:U14, and step 1 of §9.7: path and method are judged before anything else."""
    for path, allowed in ALLOWED.items():
        asked = await bundled_stage.ask("OPTIONS", ROOT + path)
        assert (asked.status, asked.headers["Allow"], asked.raw) == (204, allowed, b""), path
        for method in METHODS:
            if method not in allowed:
                refused = await bundled_stage.ask(method, ROOT + path)
                assert (refused.status, refused.headers["Allow"]) == (405, allowed), (method, path)
                assert refused.headers["Content-Type"] == PROBLEM
                assert refused.body["type"] == "/problems/method-not-allowed"
            elif method != "OPTIONS":
                assert (await bundled_stage.ask(method, ROOT + path)).status == 401, (method, path)


@pytest.mark.parametrize(
    "path", ["/x", "/containers/", "/containers/x/y", "/x/instances/", "/x/instances/y/z", "/x/queries", "//", "/x//y"]
)
async def test_there_is_nothing_at_other_paths(bundled_stage: Stage, path: str):
    answer = await bundled_stage.ask("GET", ROOT + path, headers=SIGNED_IN)
    assert (answer.status, answer.body["type"]) == (404, "/problems/no-such-path")
    assert answer.body["instance"] == ROOT + path


async def test_paths_beside_the_prefix_are_not_the_repositorys(bundled_stage: Stage):
    answer = await bundled_stage.ask("GET", ROOT + "2/")
    assert answer.status == 404
    assert "message" in answer.body
    assert (await bundled_stage.ask("GET", DELIVERY)).status == 405


async def test_head_answers_as_get_does_without_a_body(editor: Caller):
    """repo:U14."""
    made = await editor.make("tag", {"xdm:name": "t"})
    for path in ("/", "/containers", f"/containers/{editor.container}", editor.locate(made["instanceId"])):
        got, head = await editor.ask("GET", path), await editor.ask("HEAD", path)
        assert (head.status, head.raw) == (200, b"")
        told = {"Date", "X-Request-ID", "Content-Length"}
        assert {k: v for k, v in head.headers.items() if k not in told} == {
            k: v for k, v in got.headers.items() if k not in told
        }
        assert abs(int(head.headers["Content-Length"]) - len(got.raw)) < 8
    assert (await editor.ask("HEAD", editor.locate(UNKNOWN))).status == 404


async def test_containers_is_no_container(editor: Caller):
    """repo:U15."""
    answer = await editor.ask("GET", "/containers/instances?schema=x")
    assert (answer.status, answer.body["type"]) == (404, "/problems/no-such-path") or answer.status == 404
    assert (await editor.ask("GET", "/containers/operations/x")).body["type"] == "/problems/container-not-found"


async def test_an_at_id_is_no_instance_id(editor: Caller):
    """repo:E3."""
    made = await editor.make("tag", {"xdm:name": "t"})
    assert (await editor.read(made["@id"])).body["type"] == "/problems/instance-not-found"


async def test_unknown_parameters_are_ignored_and_known_ones_occur_once(editor: Caller):
    """repo:U16, repo:X9."""
    assert (await editor.list("tag", "&unknown=1&unknown=2")).status == 200
    for twice in ("&limit=1&limit=1", f"&schema={schema_id('tag')}", "&start=a&start=b"):
        answer = await editor.list("tag", twice)
        assert (answer.status, answer.body["type"]) == (400, "/problems/invalid-parameter"), twice
    for repeated in ("&property=a&property=b", "&id=a&id=b"):
        assert (await editor.list("tag", repeated)).status == 200


async def test_a_semicolon_does_not_end_a_parameter(editor: Caller):
    """repo:U17."""
    await editor.make("tag", {"xdm:name": "t"})
    answer = await editor.list("tag;version=0.4", "&limit=5")
    assert (answer.status, answer.body["_embedded"]["count"]) == (200, 1)
    assert answer.body["_links"]["self"]["href"].endswith("/tag;version=0.4&limit=5")


@pytest.mark.parametrize("query", ["&q=%FF", "&%FF=1", "&" + "&".join(f"a{n}=1" for n in range(600))])
async def test_a_query_that_cannot_be_read_is_refused(editor: Caller, query: str):
    """repo:U16."""
    answer = await editor.list("tag", query)
    assert answer.status in ((200,) if "a0" in query else (400,))


async def test_no_path_names_a_type(editor: Caller):
    """repo:U13, and repo:U1 to repo:U12: the routes, and that each is described."""
    described = {(row.path, row.method.upper()) for row in OPERATIONS}
    routed = {(f"/{route.pattern}", method) for route in REPOSITORY.routes for method in route.methods}
    assert described == routed
    for route in REPOSITORY.routes:
        assert not {"tag", "offer", "activity", "placement"} & set(route.pattern.split("/"))


async def test_the_prefix_is_one_resource_with_and_without_its_slash(editor: Caller):
    """repo:U1."""
    with_slash, without = await editor.ask("GET", "/"), await editor.ask("GET", "")
    assert with_slash.body == without.body


async def test_a_receipt_is_what_accept_should_name(editor: Caller):
    """repo:M1."""
    answer = await editor.post("tag", {"xdm:name": "t"}, Accept=RECEIPT)
    assert (answer.status, answer.headers["Content-Type"]) == (201, RECEIPT)


async def test_bytes_that_are_no_text_are_answered_like_anything_wrong(editor: Caller):
    """repo:14X3: nothing in a request makes the answer fail."""
    head = "".join(f"{name}: {value}\r\n" for name, value in SIGNED_IN.items()).encode()
    for line, extra in (
        (b"GET /data/core/xcore/\xff HTTP/1.1", b""),
        (b"GET /data/core/xcore/?q=\xff HTTP/1.1", b""),
        (b"GET /data/core/xcore/ HTTP/1.1", b"Accept: \xff\r\n"),
        (b"GET /data/core/xcore/ HTTP/1.1", b"x-request-id: \xff\r\n"),
        (b"POST /data/core/xcore/containers HTTP/1.1", b'Content-Type: application/json; schema="a:\xff"\r\n'),
        (b"PATCH /data/core/xcore/containers/\xff HTTP/1.1", b"If-Match: \xff\r\n"),
    ):
        sent = line + b"\r\nHost: gateway\r\nConnection: close\r\n" + head + extra + b"Content-Length: 0\r\n\r\n"
        status, headers, body = await exchange(editor.stage, sent)
        assert 400 <= status < 500, (line, extra, status, body)
        assert read_json(body)["status"] == status, (line, body)
        if line.isascii():  # else it is no HTTP, and nobody knows what was asked for
            assert headers["content-type"] == PROBLEM
