"""A call that repeats another gets its answer, and counts nothing (dec:CA13, X5, CA9)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.stage import run_stage
from tests.web.callers import Caller
from tests.web.deciders import Shop, chosen


@pytest.fixture
async def shop(clean_url: str) -> AsyncIterator[Shop]:
    """Give a container with an offer that may be proposed twice, and a second gateway on the same Redis."""
    async with run_stage(clean_url) as first, run_stage(clean_url) as second:
        shop = await Shop(Caller(first)).open()
        await shop.add_offer("scarce", 9, global_cap=2)
        await shop.add_activity("a")
        shop.made["second"] = {"stage": second}
        yield shop


async def test_a_repeat_gets_the_stored_response_byte_for_byte(shop: Shop):
    """dec:CA13."""
    activity = shop.made["a"]["@id"]
    first = await shop.decide(activity, x_request_id="page-1")
    repeats = [await shop.decide(activity, x_request_id="page-1") for _ in range(5)]
    assert {answer.raw for answer in repeats} == {first.raw}
    assert chosen(await shop.decide(activity, x_request_id="page-2")) == [[shop.made["scarce"]["@id"]]]
    assert chosen(await shop.decide(activity, x_request_id="page-3")) == [[]], "two were counted, not seven"


async def test_repeats_that_arrive_while_the_first_is_under_way_wait_for_it(shop: Shop):
    """dec:X5."""
    activity = shop.made["a"]["@id"]
    answers = await asyncio.gather(*(shop.decide(activity, x_request_id="page-1") for _ in range(20)))
    assert len({answer.raw for answer in answers}) == 1
    assert chosen(await shop.decide(activity)) == [[shop.made["scarce"]["@id"]]]


@pytest.mark.parametrize("members", [{}, {"xdm:dryRun": False}, {"xdm:dryRun": True}], ids=["plain", "real", "dry"])
async def test_another_gateway_knows_the_answer_too(shop: Shop, members: dict[str, bool]):
    """dec:CA13, X5: also while it is under way, and whether or not the body speaks of a dry run."""
    activity, here = shop.made["a"]["@id"], shop.caller.stage
    there = shop.made["second"]["stage"]

    async def ask(stage: object) -> bytes:
        other = Shop(Caller(stage, shop.caller.container))  # type: ignore[arg-type]
        return (await other.decide(activity, body=members, x_request_id="page-1")).raw

    answers = await asyncio.gather(*(ask(stage) for _ in range(10) for stage in (here, there)))
    assert len(set(answers)) == 1
    assert chosen(await shop.decide(activity)) == [[shop.made["scarce"]["@id"]]], "it was counted once"
    left = [] if not members.get("xdm:dryRun") else [shop.made["scarce"]["@id"]]
    assert chosen(await shop.decide(activity)) == [left]


@pytest.mark.parametrize("change", ["body", "token", "id", "container"])
async def test_what_differs_is_a_new_call(shop: Shop, change: str):
    """dec:CA13, X5: the same id with another body, token or container is a new call; so is no id at all."""
    activity = shop.made["a"]["@id"]
    first = await shop.decide(activity, body={"xdm:dryRun": True}, x_request_id="page-1")
    changed = {
        "body": {"body": {"xdm:dryRun": True, "more": 1}, "x_request_id": "page-1"},
        "token": {"body": {"xdm:dryRun": True}, "x_request_id": "page-1", "Authorization": "Bearer demo-reader"},
        "id": {"body": {"xdm:dryRun": True}, "x_request_id": "page-2"},
        "container": {"body": {"xdm:dryRun": True}, "x_request_id": "page-1"},
    }[change]
    if change == "container":
        shop.caller.container = (await Shop(Caller(shop.caller.stage)).open()).caller.container
        assert (await shop.decide(activity, **changed)).status == 422
        return
    second = await shop.decide(activity, **changed)
    assert first.body["xdm:propositionId"] != second.body["xdm:propositionId"]


async def test_a_failure_is_not_stored(shop: Shop):
    """dec:CA13, §12."""
    draft = await shop.add_activity("later", status="draft")
    assert (await shop.decide(draft, x_request_id="page-1")).status == 422
    await shop.patch("later", {"op": "replace", "path": "/_instance/xdm:status", "value": "live"})
    assert (await shop.decide(draft, x_request_id="page-1")).status == 200
