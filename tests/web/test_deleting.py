"""Deleting over HTTP (spec repository §10)."""

import asyncio

import pytest

from tests.stage import run_stage
from tests.web.callers import RECEIPT, Caller, make_activity

UNKNOWN = "00000000-0000-7000-8000-000000000000"


async def test_an_activity_is_deleted_at_once(editor: Caller):
    """repo:U10, repo:D1, repo:M4, ent:N8."""
    made = (await make_activity(editor))["offer-activity"]
    reader = Caller(editor.stage, editor.container, editor.headers | {"Authorization": "Bearer demo-reader"})
    assert (await reader.delete(made["instanceId"])).status == 403
    answer = await editor.delete(made["instanceId"])
    assert (answer.status, answer.headers["Content-Type"]) == (200, RECEIPT)
    assert answer.body == made | {"repo:lastModifiedBy": "demo-editor"}
    assert (await editor.read(made["instanceId"])).status == 404
    assert (await editor.delete(made["instanceId"])).status == 404


async def test_other_deletes_are_decided_later(editor: Caller):
    """repo:D2, repo:D3, repo:D4, repo:D6, repo:D12, repo:U12."""
    made = await editor.make("tag", {"xdm:name": "t"})
    answer = await editor.delete(made["instanceId"])
    assert (answer.status, answer.raw) == (202, b"")
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Content-Base"].endswith("xcore/")
    location = answer.headers["Location"]
    assert location.startswith(f"/{editor.container}/operations/")
    outcome = await editor.wait_for(location)
    assert (outcome.status, outcome.headers["Content-Type"]) == (200, RECEIPT)
    assert outcome.body == made | {"outcome": "deleted", "status": 200}
    assert (await editor.wait_for(location)).body == outcome.body
    assert (await editor.read(made["instanceId"])).status == 404
    assert (await editor.list("tag")).body["_embedded"]["total"] == 0


async def test_what_is_referenced_is_not_deleted(editor: Caller):
    """repo:D4, repo:D6, repo:D8, repo:W7: the outcome names who refers to it, and where."""
    made = await make_activity(editor)
    tag = made["tag"]
    outcome = (await editor.delete_and_wait(tag["instanceId"])).body
    assert (outcome["outcome"], outcome["status"]) == ("rejected", 409)
    assert outcome["problem"]["type"] == "/problems/still-referenced"
    listed = {(one["@id"], one["property"]): one["href"] for one in outcome["problem"]["references"]}
    assert listed == {
        (made["personalized-offer"]["@id"], "/_instance/xdm:tags/0"): editor.locate(
            made["personalized-offer"]["instanceId"]
        ),
        (made["offer-filter"]["@id"], "/_instance/ids/0"): editor.locate(made["offer-filter"]["instanceId"]),
    }
    assert (await editor.read(tag["instanceId"])).headers["ETag"] == '"1"'


async def test_in_reverse_order_everything_can_be_deleted(editor: Caller):
    """ent:§11, repo:D8: whatever its status."""
    made = await make_activity(editor)
    for receipt in reversed(made.values()):
        assert (await editor.delete_and_wait(receipt["instanceId"])).status == 200
        assert (await editor.read(receipt["instanceId"])).status == 404


async def test_while_it_is_decided_an_instance_is_shown_and_not_changed(clean_url: str, monkeypatch):
    """repo:D5, repo:D11, repo:K8: and a gateway that starts later decides it."""
    from gateway.store.delete_worker import DeleteWorker

    async def wait(_worker: DeleteWorker) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as idle:
        idle.setattr(DeleteWorker, "run", wait)
        async with run_stage(clean_url) as stage:
            editor = Caller(stage)
            await editor.make_container()
            tag = await editor.make("tag", {"xdm:name": "t"})
            first = await editor.delete(tag["instanceId"])
            again = await editor.delete(tag["instanceId"])
            assert (again.status, again.headers["Location"]) == (202, first.headers["Location"])
            polled = await editor.ask("GET", first.headers["Location"])
            assert (polled.status, polled.headers["Location"]) == (202, first.headers["Location"])
            assert polled.headers["Retry-After"] == "1"
            assert (await editor.read(tag["instanceId"])).status == 200
            assert (await editor.list("tag")).body["_embedded"]["total"] == 1
            for answer in (
                await editor.patch(tag["instanceId"]),
                await editor.put(tag["instanceId"], {"_instance": {"xdm:name": "t"}, "_links": {}}),
            ):
                assert (answer.status, answer.body["type"]) == (409, "/problems/delete-pending")
            refused = await editor.post("personalized-offer", {"xdm:name": "o", "xdm:tags": [tag["@id"]]})
            assert (refused.status, refused.body["type"]) == (422, "/problems/reference-deleting")
    async with run_stage(clean_url) as stage:
        editor = Caller(stage, editor.container)
        assert (await editor.wait_for(first.headers["Location"])).body["outcome"] == "deleted"


async def test_operations_belong_to_their_container_and_cannot_be_changed(editor: Caller):
    """repo:D10."""
    made = await editor.make("tag", {"xdm:name": "t"})
    location = (await editor.delete(made["instanceId"])).headers["Location"]
    reader = Caller(editor.stage, editor.container, editor.headers | {"Authorization": "Bearer demo-reader"})
    assert (await reader.wait_for(location)).status == 200
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        assert (await editor.ask(method, location)).status == 405
    for unknown in (UNKNOWN, "x"):
        answer = await editor.ask("GET", f"/{editor.container}/operations/{unknown}")
        assert (answer.status, answer.body["type"]) == (404, "/problems/operation-not-found")
    operation = location.rpartition("/")[2]
    await editor.make_container("another")
    assert (await editor.ask("GET", f"/{editor.container}/operations/{operation}")).status == 404


async def test_a_delete_on_another_revision_is_refused(editor: Caller):
    """repo:D9."""
    made = await editor.make("tag", {"xdm:name": "t"})
    assert (await editor.delete(made["instanceId"], If_Match='"2"')).status == 409
    assert (await editor.delete(made["instanceId"], If_Match='"1"')).status == 202


async def test_a_reference_and_a_delete_at_once_leave_nothing_dangling(editor: Caller):
    """repo:W7, repo:D7: either the offer is refused, or the tag stays."""
    for number in range(15):
        tag = await editor.make("tag", {"xdm:name": f"t{number}"})
        offer, outcome = await asyncio.gather(
            editor.post("personalized-offer", {"xdm:name": "o", "xdm:tags": [tag["@id"]]}),
            editor.delete_and_wait(tag["instanceId"]),
        )
        exists = (await editor.read(tag["instanceId"])).status == 200
        assert exists == (outcome.body["outcome"] == "rejected")
        assert exists == (offer.status == 201), (offer.raw, outcome.body)


async def test_a_container_is_deleted_when_it_is_empty(editor: Caller):
    """repo:C11: and the outcome can be read when the container is gone."""
    tag = await editor.make("tag", {"xdm:name": "t"})
    path = f"/containers/{editor.container}"
    answer = await editor.ask("DELETE", path)
    assert answer.status == 202
    outcome = await editor.wait_for(answer.headers["Location"])
    assert outcome.body["outcome"] == "rejected"
    assert outcome.body["problem"]["references"] == [{"@id": tag["@id"], "href": editor.locate(tag["instanceId"])}]
    assert (await editor.ask("GET", path)).status == 200
    await editor.delete_and_wait(tag["instanceId"])
    outcome = await editor.wait_for((await editor.ask("DELETE", path)).headers["Location"])
    assert (outcome.status, outcome.body["outcome"]) == (200, "deleted")
    assert "owners" not in outcome.body
    assert (await editor.ask("GET", path)).body["type"] == "/problems/container-not-found"
    assert (await editor.list("tag")).body["type"] == "/problems/container-not-found"
    assert (await editor.post("tag", {"xdm:name": "t"})).body["type"] == "/problems/container-not-found"


@pytest.mark.parametrize("accept", ["text/html", "application/vnd.adobe.platform.xcore.hal+json"])
async def test_a_delete_whose_answer_is_not_wanted_does_nothing(editor: Caller, accept: str):
    """repo:M14."""
    made = await editor.make("tag", {"xdm:name": "t"})
    assert (await editor.delete(made["instanceId"], Accept=accept)).status == 406
    assert (await editor.read(made["instanceId"])).status == 200
