"""Bodies of writes to the repository: how they may be named, and what is wrong with them (spec repository §3, §7)."""

import pytest

from tests.web.callers import FAMILY, NAMESPACE, PATCH, PROBLEM, ROOT, Caller, media_type

TAG = f"{NAMESPACE}/tag;version=0.1"

BODIES = {
    "hal with a schema": (media_type("tag"), True),
    "hal with a version": (media_type(TAG), True),
    "hal with another version": (media_type(f"{NAMESPACE}/tag;version=7.1"), True),
    "hal in single quotes": (f"{FAMILY}.hal+json; schema='{NAMESPACE}/tag'", True),
    "json with a schema": (f'application/json; schema="{NAMESPACE}/tag"', True),
    "a bare instance": (f'application/schema-instance+json; schema="{NAMESPACE}/tag"', False),
    "a bare instance of version 1": (f'application/schema-instance+json; version=1; schema="{NAMESPACE}/tag"', False),
}


@pytest.mark.parametrize(("content_type", "enveloped"), BODIES.values(), ids=BODIES)
async def test_a_body_may_be_named_in_many_ways(editor: Caller, content_type: str, enveloped: bool):
    """repo:M1, repo:M8, repo:M9, repo:M11, repo:H6."""
    instance = {"xdm:name": "t"}
    body = {"_instance": instance, "_links": {}} if enveloped else instance
    answer = await editor.ask("POST", editor.locate(), body, Content_Type=content_type)
    assert answer.status == 201, answer.raw
    put = await editor.put(answer.body["instanceId"], body, Content_Type=content_type)
    assert (put.status, put.body["repo:etag"]) == (200, 2)


UNSUPPORTED = {
    "no content type": (None, 415, "unsupported-media-type"),
    "text": ("text/plain", 415, "unsupported-media-type"),
    "another charset": (media_type("tag") + "; charset=iso-8859-1", 415, "unsupported-media-type"),
    "json without a schema": ("application/json", 415, "schema-missing"),
    "hal without a schema": (f"{FAMILY}.hal+json", 415, "schema-missing"),
    "an unknown schema": (media_type(f"{NAMESPACE}/unheard-of"), 415, "unknown-schema"),
    "an abstract schema": (media_type("offer"), 422, "schema-abstract"),
    "the schema of containers": (media_type("container"), 422, "schema-mismatch"),
}


@pytest.mark.parametrize(("content_type", "status", "code"), UNSUPPORTED.values(), ids=UNSUPPORTED)
async def test_a_body_of_no_known_kind_is_refused(editor: Caller, content_type: str, status: int, code: str):
    """repo:M9, repo:M16, repo:S1, repo:S3, repo:X8."""
    answer = await editor.post("tag", {"xdm:name": "t"}, Content_Type=content_type)
    assert (answer.status, answer.body["type"]) == (status, f"/problems/{code}"), answer.raw


WRONG_BODIES = {
    "no JSON": (b"{", 400, "malformed-json"),
    "nothing": (b"", 400, "malformed-json"),
    "an array": (b"[]", 400, "malformed-json"),
    "half a surrogate pair": (b'{"_instance":{"xdm:name":"\\ud800"},"_links":{}}', 400, "malformed-json"),
    "no UTF-8": (b'{"_instance":{"xdm:name":"\xff"},"_links":{}}', 400, "malformed-json"),
    "no instance": (b'{"_links":{}}', 422, "schema-validation"),
    "no links": (b'{"_instance":{"xdm:name":"t"}}', 422, "schema-validation"),
    "an instance that is a list": (b'{"_instance":[],"_links":{}}', 422, "schema-validation"),
    "a managed member": (b'{"_instance":{"xdm:name":"t"},"_links":{},"repo:etag":1}', 422, "not-editable"),
    "an unknown member": (b'{"_instance":{"xdm:name":"t"},"_links":{},"extra":1}', 422, "additional-property"),
    "an id": (b'{"_instance":{"xdm:name":"t","@id":"xcore:tag:1"},"_links":{}}', 422, "not-editable"),
    "a long body": (b'{"_instance":{"xdm:name":"' + b"x" * 1_048_576 + b'"},"_links":{}}', 413, "too-large"),
    "a deep body": (b'{"_instance":' + b'{"a":' * 70 + b"1" + b"}" * 70 + b',"_links":{}}', 413, "too-large"),
}


@pytest.mark.parametrize(("body", "status", "code"), WRONG_BODIES.values(), ids=WRONG_BODIES)
async def test_a_wrong_body_is_refused(editor: Caller, body: bytes, status: int, code: str):
    """repo:K2, repo:K3, repo:K4, repo:K5, repo:K7, repo:K10."""
    answer = await editor.ask("POST", editor.locate(), body, Content_Type=media_type("tag"))
    assert (answer.status, answer.body["type"]) == (status, f"/problems/{code}")


async def test_a_chunked_body_beyond_the_limit_is_refused_too(editor: Caller):
    """repo:K10."""

    async def trickle():
        for _ in range(40):
            yield b"x" * 32_768

    answer = await editor.stage.ask(
        "POST", ROOT + editor.locate(), data=trickle(), headers=editor.headers | {"Content-Type": media_type("tag")}
    )
    assert (answer.status, answer.body["type"]) == (413, "/problems/too-large")


async def test_every_violation_is_listed_with_its_pointer(editor: Caller):
    """repo:K6, repo:K8, repo:14X1, repo:14X2, repo:X13, repo:P7."""
    wrong = {
        "xdm:status": "live",
        "xdm:characteristics": {"size": 42},
        "xdm:tags": ["xcore:tag:ffffffffffffffff"],
        "xdm:cappingConstraint": {"xdm:globalCap": 0},
        "xdm:unknown": 1,
    }
    answer = await editor.post("personalized-offer", wrong)
    assert (answer.status, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert answer.body["type"] == "/problems/schema-validation"
    listed = [(error["pointer"], error["code"]) for error in answer.body["errors"]]
    assert listed == sorted(listed)
    assert {
        ("/_instance/xdm:name", "required"),
        ("/_instance/xdm:status", "enum"),
        ("/_instance/xdm:characteristics/size", "type"),
        ("/_instance/xdm:tags/0", "reference-not-found"),
        ("/_instance/xdm:cappingConstraint/xdm:globalCap", "minimum"),
        ("/_instance/xdm:unknown", "additional-property"),
    } <= set(listed)
    assert all(error["detail"] for error in answer.body["errors"])
    shared = await editor.post("tag", {})
    assert shared.body["type"] == "/problems/required"


PATCHES = {
    "no array": (b"{}", 400, "malformed-patch"),
    "no JSON": (b"[", 400, "malformed-json"),
    "no object": (b"[1]", 400, "malformed-patch"),
    "an unknown operation": (b'[{"op":"jump","path":"/_instance"}]', 400, "malformed-patch"),
    "no value": (b'[{"op":"add","path":"/_instance/a"}]', 400, "malformed-patch"),
    "a bad pointer": (b'[{"op":"remove","path":"_instance"}]', 400, "malformed-patch"),
    "control data": (b'[{"op":"replace","path":"/repo:etag","value":9}]', 422, "not-editable"),
    "the self link": (b'[{"op":"remove","path":"/_links/self"}]', 422, "not-editable"),
    "no target": (b'[{"op":"remove","path":"/_instance/xdm:tags"}]', 422, "patch-target-missing"),
    "a failed test": (b'[{"op":"test","path":"/_instance/xdm:name","value":"u"}]', 409, "patch-test-failed"),
    "an invalid result": (b'[{"op":"remove","path":"/_instance/xdm:name"}]', 422, "required"),
    "the id": (b'[{"op":"remove","path":"/_instance/@id"}]', 422, "immutable"),
}


@pytest.mark.parametrize(("body", "status", "code"), PATCHES.values(), ids=PATCHES)
async def test_a_wrong_patch_changes_nothing(editor: Caller, body: bytes, status: int, code: str):
    """repo:P7, repo:P8, repo:X6, repo:X7."""
    made = await editor.make("tag", {"xdm:name": "t"})
    answer = await editor.ask("PATCH", editor.locate(made["instanceId"]), body, Content_Type=PATCH)
    assert (answer.status, answer.body["type"]) == (status, f"/problems/{code}"), answer.raw
    assert (await editor.read(made["instanceId"])).body["repo:etag"] == 1
