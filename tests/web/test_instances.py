"""Creating, reading, replacing, patching instances over HTTP (spec repository §3, §6-§9)."""

import asyncio
import json
import re
import threading

import pytest

from gateway.offers.documents import read_json
from tests.web.callers import (
    FAMILY,
    NAMESPACE,
    PROBLEM,
    RECEIPT,
    ROOT,
    Caller,
    make_activity,
    media_type,
    schema_id,
)

TAG = f"{NAMESPACE}/tag;version=0.1"
UNKNOWN = "00000000-0000-7000-8000-000000000000"


async def test_a_created_instance_answers_its_receipt(editor: Caller):
    """repo:U5, repo:K1, repo:E1, repo:E5, repo:E6, repo:E7, repo:E9."""
    answer = await editor.post("tag", {"xdm:name": "winter"})
    receipt = answer.body
    assert answer.status == 201
    assert answer.headers["Content-Type"] == RECEIPT
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Vary"] == "Accept"
    assert re.fullmatch(r"xcore:tag:[0-9a-f]{16}", receipt["@id"])
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", receipt["instanceId"])
    assert receipt["repo:etag"] == 1
    assert receipt["repo:createdDate"] == receipt["repo:lastModifiedDate"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", receipt["repo:createdDate"])
    assert "_instance" not in receipt
    location, base = answer.headers["Location"], answer.headers["Content-Base"]
    assert location == editor.locate(receipt["instanceId"])
    assert base.startswith("http://")
    assert base.endswith(f"{ROOT}/")
    read = await editor.ask("GET", location)
    assert read.body["_links"]["self"]["href"] == location
    assert base.rstrip("/") + location == editor.stage.running.public + ROOT + location


async def test_an_envelope_has_all_control_data_and_links(editor: Caller):
    """repo:U7, repo:E8, repo:E2, repo:M15, repo:Q15, repo:S2."""
    made = await editor.make("tag", {"xdm:name": "winter"})
    answer = await editor.read(made["instanceId"])
    envelope = answer.body
    assert answer.headers["Content-Type"] == f'{FAMILY}.hal+json; schema="{TAG}"'
    assert answer.headers["Last-Modified"].endswith(" GMT")
    assert envelope["schemas"] == [TAG]
    assert envelope["productContexts"] == ["dma_offers", "acp"]
    assert envelope["_instance"] == {"xdm:name": "winter", "@id": made["@id"]}
    link = envelope["_links"]["self"]
    assert link["name"] == f"{TAG}#{made['instanceId']}"
    assert link["@type"] == TAG


async def test_ids_sort_by_the_time_they_were_made(editor: Caller):
    """repo:E1: UUIDv7."""
    made = [(await editor.make("tag", {"xdm:name": f"t{n}"}))["instanceId"] for n in range(20)]
    assert made == sorted(made)


async def test_content_base_is_the_configured_address_or_the_host_called(editor: Caller):
    """repo:E7: a Host that is no host is not repeated."""
    for host, said in (("offers.example:1", "http://offers.example:1"), ("a/b", "http://127.0.0.1:0")):
        answer = await editor.ask("GET", f"/containers/{editor.container}", Host=host)
        assert answer.headers["Content-Base"] == f"{said}{ROOT}/"


async def test_a_bare_put_keeps_custom_links(editor: Caller):
    """repo:M8, repo:E11."""
    body = {"_instance": {"xdm:name": "t"}, "_links": {"about": {"href": "https://x.example", "title": "X"}}}
    made = (await editor.ask("POST", editor.locate(), body, Content_Type=media_type("tag"))).body
    bare = f'application/schema-instance+json; schema="{NAMESPACE}/tag"'
    assert (await editor.put(made["instanceId"], {"xdm:name": "u"}, Content_Type=bare)).status == 200
    envelope = (await editor.read(made["instanceId"])).body
    assert envelope["_links"]["about"] == {"href": "https://x.example", "title": "X"}
    assert envelope["_instance"]["xdm:name"] == "u"


async def test_an_instance_may_have_two_schemas(editor: Caller):
    """repo:M12, repo:S4: the first one is the primary one."""
    both = f"{NAMESPACE}/tag {NAMESPACE}/offer-placement"
    body = {"_instance": {"xdm:name": "t"}, "_links": {}}
    answer = await editor.ask("POST", editor.locate(), body, Content_Type=f'{FAMILY}.hal+json; schema="{both}"')
    assert answer.status == 201, answer.raw
    assert answer.body["@id"].startswith("xcore:tag:")
    read = await editor.read(answer.body["instanceId"])
    assert [schema.partition(";")[0] for schema in read.body["schemas"]] == both.split()
    for accepted in both.split():
        answer = await editor.read(read.body["instanceId"], Accept=f'{FAMILY}.hal+json; schema="{accepted}"')
        assert answer.status == 200


async def test_a_unique_name_is_taken_once_and_freed_by_a_delete(editor: Caller):
    """repo:K9, repo:W8, repo:W10, repo:X12."""
    first = await editor.make("tag", {"xdm:name": "winter"})
    answer = await editor.post("tag", {"xdm:name": "  winter "})
    assert (answer.status, answer.body["type"]) == (422, "/problems/name-not-unique")
    assert (await editor.make("tag", {"xdm:name": "Winter "}))["repo:etag"] == 1
    assert (await editor.delete_and_wait(first["instanceId"])).body["outcome"] == "deleted"
    assert (await editor.post("tag", {"xdm:name": "winter"})).status == 201


async def test_of_many_creates_of_one_name_one_succeeds(editor: Caller):
    """repo:W10, repo:Z3."""
    answers = await asyncio.gather(*(editor.post("tag", {"xdm:name": "one"}) for _ in range(30)))
    assert sorted(answer.status for answer in answers) == [201] + [422] * 29


async def test_conditional_reads(editor: Caller):
    """repo:Q1, repo:Q2, repo:Q7, repo:Q8, repo:Q10, repo:H8, repo:E7."""
    made = await editor.make("tag", {"xdm:name": "t"})
    for tags in ('"1"', 'W/"1"', '"7", "1"', "*", "1"):
        answer = await editor.read(made["instanceId"], If_None_Match=tags)
        assert (answer.status, answer.raw, answer.headers["ETag"]) == (304, b"", '"1"'), tags
        assert answer.headers["Content-Base"].endswith("xcore/")
        assert "Content-Type" not in answer.headers
    assert (await editor.read(made["instanceId"], If_None_Match='"2"')).status == 200
    answer = await editor.read(made["instanceId"], If_Match='"2"')
    assert (answer.status, answer.body["type"]) == (412, "/problems/precondition-failed")
    patched = await editor.patch(made["instanceId"])
    assert patched.body["repo:etag"] == 2
    assert (await editor.read(made["instanceId"], If_None_Match='"1"')).body["repo:etag"] == 2


async def test_conditional_writes(editor: Caller):
    """repo:Q3, repo:Q4, repo:Q5, repo:Q6, repo:Q12, repo:Q13, repo:D9."""
    made = await editor.make("tag", {"xdm:name": "t"})
    at = made["instanceId"]
    envelope = {"_instance": {"xdm:name": "u"}, "_links": {}}
    assert (await editor.patch(at, If_Match='"1"')).status == 200
    for answer in (
        await editor.patch(at, If_Match='"1"'),
        await editor.put(at, envelope, If_Match="1"),
        await editor.put(at, b"no JSON", If_Match='"1"'),
        await editor.delete(at, If_Match='"1", "3"'),
        await editor.patch(at, If_Match='W/"2"'),
    ):
        assert (answer.status, answer.body["type"]) == (409, "/problems/etag-mismatch")
        assert answer.body["currentEtag"] == 2
    for answer in (
        await editor.patch(at, If_None_Match='"2"'),
        await editor.put(at, envelope, If_None_Match="*"),
        await editor.delete(at, If_Unmodified_Since="Mon, 06 May 2024 10:00:00 GMT"),
    ):
        assert (answer.status, answer.body["type"]) == (412, "/problems/precondition-failed")
    assert (await editor.put(at, envelope, If_Match="*")).status == 200
    assert (await editor.put(at, envelope)).body["repo:etag"] == 4


async def test_an_instance_that_does_not_exist(editor: Caller):
    """repo:Q9, repo:Q14, repo:P1."""
    envelope = {"_instance": {"xdm:name": "u"}, "_links": {}}
    elsewhere = await editor.make("tag", {"xdm:name": "t"})
    await editor.make_container("another")
    for at in (UNKNOWN, elsewhere["instanceId"], "x", "A" * 300):
        for answer in (
            await editor.read(at),
            await editor.put(at, envelope),
            await editor.put(at, envelope, If_Match='"1"'),
            await editor.patch(at, If_Match="*"),
            await editor.delete(at),
        ):
            assert (answer.status, answer.body["type"]) == (404, "/problems/instance-not-found")


async def test_what_was_read_can_be_put_back(editor: Caller):
    """repo:U8, repo:P2, repo:P3, repo:E12."""
    made = await make_activity(editor)
    for receipt in made.values():
        read = (await editor.read(receipt["instanceId"])).body
        answer = await editor.put(receipt["instanceId"], read | {"sandboxName": "prod", "_score": 1})
        assert (answer.status, answer.body["repo:etag"]) == (200, 2), answer.raw
        assert answer.headers["Location"] == editor.locate(receipt["instanceId"])
        again = (await editor.read(receipt["instanceId"])).body
        assert again["_instance"] == read["_instance"]
        stale = await editor.put(receipt["instanceId"], read)
        assert (stale.status, stale.body["type"]) == (422, "/problems/not-editable")


async def test_a_put_names_no_other_schema(editor: Caller):
    """repo:P5, repo:M2."""
    made = await editor.make("tag", {"xdm:name": "t"})
    body = {"_instance": {"xdm:name": "t"}, "_links": {}}
    answer = await editor.put(made["instanceId"], body, Content_Type=media_type("offer-placement"))
    assert (answer.status, answer.body["type"]) == (422, "/problems/schema-mismatch")
    assert (await editor.put(made["instanceId"], body, Content_Type=media_type("tag"))).status == 200


async def test_a_patch_answers_the_receipt_of_a_new_revision(editor: Caller):
    """repo:U9, repo:P6, repo:P10, repo:M3, repo:M10, repo:Y1."""
    made = await editor.make("tag", {"xdm:name": "t"})
    operations = [
        {"op": "test", "path": "/_instance/xdm:name", "value": "t"},
        {"op": "copy", "from": "/_instance/xdm:name", "path": "/_instance/note"},
        {"op": "move", "from": "/_instance/note", "path": "/_instance/a~1b"},
        {"op": "add", "path": "/_links/about", "value": {"href": "/x"}},
        {"op": "replace", "path": "/_instance/xdm:name", "value": "u"},
    ]
    answer = await editor.patch(made["instanceId"], *operations)
    assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
    assert answer.headers["Content-Type"] == RECEIPT
    envelope = (await editor.read(made["instanceId"])).body
    assert envelope["_instance"] == {"xdm:name": "u", "a/b": "t", "@id": made["@id"]}
    assert envelope["_links"]["about"] == {"href": "/x"}
    for content_type in ("application/json-patch+json", "application/json"):
        again = await editor.patch(made["instanceId"], Content_Type=content_type)
        assert again.status == 200
    assert again.body["repo:etag"] == 4


ACCEPTED = {
    "everything": ("*/*", 200, None),
    "json": ("application/json", 200, "application/json"),
    "the schema": (media_type("tag"), 200, f'{FAMILY}.hal+json; schema="{TAG}"'),
    "another schema": (media_type("offer-activity"), 406, PROBLEM),
    "another schema or anything": (f"{media_type('offer-activity')}, */*", 200, None),
    "a receipt": (RECEIPT, 406, PROBLEM),
    "html": ("text/html", 406, PROBLEM),
    "a bare star": (f"*, {FAMILY}.home.hal+json", 200, None),
}


@pytest.mark.parametrize(("accept", "status", "content_type"), ACCEPTED.values(), ids=ACCEPTED)
async def test_a_read_answers_what_accept_names(editor: Caller, accept: str, status: int, content_type: str | None):
    """repo:M5, repo:M13, repo:M14, repo:M15, repo:X4."""
    made = await editor.make("tag", {"xdm:name": "t"})
    answer = await editor.read(made["instanceId"], Accept=accept)
    assert answer.status == status
    if content_type:
        assert answer.headers["Content-Type"] == content_type
    assert "Accept" in answer.headers["Vary"]


async def test_a_schema_specific_406_waits_for_the_instance(editor: Caller):
    """repo:X4: an unknown instance is 404 whatever schema is wanted, but 406 where no form could ever fit."""
    assert (await editor.read(UNKNOWN, Accept=media_type("tag"))).status == 404
    assert (await editor.read(UNKNOWN, Accept="text/html")).status == 406


async def test_two_hundred_conditional_writers_of_one_instance(editor: Caller):
    """repo:Q11: exactly one of those who name a revision succeeds, and revisions count the successes."""
    made = await editor.make("tag", {"xdm:name": "t"})
    at, wins, losses = made["instanceId"], 0, 0

    async def write(number: int) -> None:
        nonlocal wins, losses
        current = (await editor.read(at)).headers["ETag"]
        answer = await editor.patch(
            at, {"op": "replace", "path": "/_instance/xdm:name", "value": f"t{number}"}, If_Match=current
        )
        assert answer.status in (200, 409), answer.raw
        wins, losses = wins + (answer.status == 200), losses + (answer.status == 409)

    await asyncio.gather(*(write(number) for number in range(200)))
    final = (await editor.read(at)).body["repo:etag"]
    assert (wins, wins + losses) == (final - 1, 200)
    assert wins >= 1


async def test_writers_that_name_no_revision_all_succeed(editor: Caller):
    """repo:Q5: last writer wins; none is told of a conflict, and none is lost."""
    made = await editor.make("tag", {"xdm:name": "t"})
    one = {"op": "add", "path": "/_instance/hints", "value": []}
    await editor.patch(made["instanceId"], one)
    answers = await asyncio.gather(
        *(
            editor.patch(made["instanceId"], {"op": "add", "path": "/_instance/hints/-", "value": number})
            for number in range(60)
        )
    )
    assert {answer.status for answer in answers} == {200}
    read = (await editor.read(made["instanceId"])).body
    assert sorted(read["_instance"]["hints"]) == list(range(60))
    assert read["repo:etag"] == 62


async def test_every_schema_of_an_activity_can_be_made(editor: Caller):
    """ent:§11, repo:H12: in this order no reference is missing, and a container has one product context list."""
    made = await make_activity(editor)
    assert len(made) == 7
    for name, receipt in made.items():
        envelope = (await editor.read(receipt["instanceId"])).body
        assert envelope["schemas"] == [schema_id(name) + ";version=0.1"]


async def test_samples_of_the_source_are_understood(editor: Caller):
    """repo:§16: quotes that are not closed, and a bare star."""
    made = await editor.make("tag", {"xdm:name": "t"})
    answer = await editor.read(made["instanceId"], Accept=f'*, {FAMILY}.hal+json; schema="{NAMESPACE}/tag')
    assert answer.status == 200


async def test_an_unexpected_failure_says_nothing_of_itself(editor: Caller, monkeypatch: pytest.MonkeyPatch):
    """repo:14X3: no stack trace, no store details; every error has the header x-request-id."""
    services = editor.stage.running.services

    async def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(services.entities, "read_container", fail)
    answer = await editor.read(UNKNOWN)
    assert (answer.status, answer.body["type"]) == (500, "/problems/internal")
    assert b"secret" not in answer.raw
    assert answer.headers["X-Request-Id"] == answer.body["requestId"]
    assert json.loads(answer.raw)["errors"]


async def test_long_bodies_are_checked_beside_the_event_loop(editor: Caller, monkeypatch: pytest.MonkeyPatch):
    """repo:K10: one of 1 MiB may need a second, in which others want answers; small ones need no thread."""
    threads: list[bool] = []

    def note(body: bytes, most_bytes: int) -> object:
        threads.append(threading.current_thread() is threading.main_thread())
        return read_json(body, most_bytes)

    monkeypatch.setattr("gateway.web.writing.read_json", note)
    await editor.make("tag", {"xdm:name": "short"})
    made = await editor.make("tag", {"xdm:name": "long", "note": "x" * 100_000})
    assert threads == [True, False]
    assert (await editor.read(made["instanceId"])).body["_instance"]["note"] == "x" * 100_000
