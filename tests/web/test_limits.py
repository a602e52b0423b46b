"""What happens when there is too much, or the store is away; and pages of browsers (spec repository §14)."""

import asyncio
from pathlib import Path

import pytest

from gateway.store.embedded import EmbeddedServer
from tests.stage import Stage, run_stage
from tests.web.callers import PROBLEM, ROOT, SIGNED_IN, Caller

ORIGIN = {"Origin": "http://127.0.0.1:8081"}


async def test_no_more_requests_are_under_way_than_may_be(clean_url: str, monkeypatch: pytest.MonkeyPatch):
    """repo:§14: 429 with Retry-After for the next one; when one is done there is room again."""
    async with run_stage(clean_url, {"GATEWAY_ACCESS__MAX_UNDER_WAY": "1"}) as stage:
        entities, asked, go_on = stage.running.services.entities, asyncio.Event(), asyncio.Event()
        list_containers = entities.list_containers

        async def wait(space):
            asked.set()
            await go_on.wait()
            return await list_containers(space)

        monkeypatch.setattr(entities, "list_containers", wait)
        first = asyncio.create_task(stage.ask("GET", ROOT + "/", headers=SIGNED_IN))
        await asked.wait()
        refused = await stage.ask("GET", ROOT + "/", headers=SIGNED_IN)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        assert refused.body["type"] == "/problems/too-many-requests"
        go_on.set()
        assert (await first).status == 200
        assert (await stage.ask("GET", ROOT + "/", headers=SIGNED_IN)).status == 200


async def test_without_the_store_every_request_is_answered_503(tmp_path: Path):
    """repo:14X3, repo:§14: `unavailable`, with Retry-After, and nothing of the store in it."""
    with EmbeddedServer(tmp_path) as server:
        async with run_stage(server.url, {"GATEWAY_REPOSITORY__PATIENCE_MS": "100"}) as stage:
            editor = Caller(stage)
            await editor.make_container()
            made = await editor.make("tag", {"xdm:name": "t"})
            server.stop()
            for answer in (
                await editor.ask("GET", "/"),
                await editor.read(made["instanceId"]),
                await editor.post("tag", {"xdm:name": "u"}),
                await editor.patch(made["instanceId"]),
                await editor.delete(made["instanceId"]),
                await editor.list("tag"),
            ):
                assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
                assert answer.headers["Content-Type"] == PROBLEM
                assert answer.body["type"] == "/problems/unavailable"
                assert b"redis" not in answer.raw.lower()


async def test_a_page_on_the_admin_listener_may_call(bundled_stage: Stage):
    """What /docs needs to try things out: a preflight without a token, and headers it may read."""
    asked = ORIGIN | {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
    preflight = await bundled_stage.ask("OPTIONS", f"{ROOT}/x/instances/y", headers=asked)
    assert preflight.status == 204
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    assert {"authorization", "if-match", "x-sandbox-name"} <= set(
        preflight.headers["Access-Control-Allow-Headers"].split(", ")
    )
    answer = await bundled_stage.ask("GET", ROOT + "/", headers=SIGNED_IN | ORIGIN)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
    assert "content-base" in answer.headers["Access-Control-Expose-Headers"]
    assert sorted(answer.headers.getall("Vary")) == ["Accept", "Origin"]
