"""Requests leave no cycles behind, above all those that fail: in an outage the garbage collector would stop everybody.

A cycle of one failed call holds its request, its plan and its answer. Thousands of them a second mean that the event
loop stands still for a tenth of a second a few times a second (architecture P15).
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from gateway.demo.target import Trouble
from gateway.ids import new_id
from tests.stage import Answer, Stage, run_stage
from tests.store.faults import FaultProxy
from tests.web.callers import Caller
from tests.web.deciders import Shop
from tests.web.test_troubles import MIXED, REMOTE, TOLD, TROUBLES, WEB

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(bundled_url: str) -> AsyncIterator[Stage]:
    changes = {"GATEWAY_OUTBOX__ENABLED": "false", "GATEWAY_UPSTREAM__TARGET__MBOXES_PER_CALL": "3"}
    async with run_stage(bundled_url, changes) as stage:
        yield stage


@contextmanager
def no_cycles() -> Iterator[None]:
    """Fail where what happens meanwhile leaves something of ours to the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = sorted({name for one in gc.garbage if (name := name_own(one))})
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []


def name_own(found: object) -> str:
    """Give the name of an object of ours, or of a frame of our code; "" for everything else."""
    if isinstance(found, FrameType):
        return found.f_code.co_qualname if "/gateway/" in found.f_code.co_filename else ""
    kind = type(found)
    return kind.__qualname__ if kind.__module__.startswith("gateway.") else ""


MANY = {"context": WEB, "execute": {"mboxes": [{"index": at, "name": f"remote-{at}"} for at in range(1, 8)]}}
INVALID = MANY | {"execute": {"mboxes": [{"index": 1, "name": "recommendations", "parameters": {"a": "b"}}]}}


@pytest.mark.parametrize("case", TROUBLES, ids=lambda case: case["name"])
async def test_a_failed_call_leaves_no_cycle(edge: Stage, case: dict[str, Any]) -> None:
    """Alone, joined with another consumer's, split over several calls, with notifications alone."""
    edge.stand_in.trouble = msgspec.convert(case["trouble"], Trouble)
    headers = {"X-Request-Timeout-Ms": str(case.get("budget_ms", 10_000))}

    async def ask(session: str) -> None:
        one, other = headers | {"X-Consumer-Id": "one"}, headers | {"X-Consumer-Id": "other"}
        asked = [edge.post(body, headers, sessionId=f"{session}-{at}") for at, body in enumerate((REMOTE, MIXED, MANY))]
        told = edge.post({"context": WEB} | TOLD, headers, sessionId=f"{session}-told")
        joined = [edge.post(MANY, one, sessionId=session), edge.post(INVALID, other, sessionId=session)]
        await asyncio.gather(*asked, told, *joined)
        await asyncio.sleep(0.01)  # for connections that end in the next turn of the loop

    await ask(f"warm {case['name']}".replace(" ", "-"))
    with no_cycles():
        await ask(case["name"].replace(" ", "-"))
    edge.stand_in.trouble = None


REFUSED = {
    "no JSON": (b"{", {}),
    "nothing asked": ({"context": WEB}, {}),
    "no client": (MIXED, {"client": "nobody"}),
    "a wrong budget": (MIXED, {"X-Request-Timeout-Ms": "x"}),
}


async def test_a_refused_request_leaves_no_cycle(edge: Stage) -> None:
    async def ask() -> None:
        for body, more in REFUSED.values():
            headers = {name: value for name, value in more.items() if name.startswith("X-")}
            query = {name: value for name, value in more.items() if not name.startswith("X-")}
            answer = await edge.post(body, headers, **query)
            assert answer.status in (200, 400), answer.raw
        assert (await edge.ask("POST", "/nowhere", data=b"{}")).status == 404
        assert (await edge.ask("PUT", "/rest/v1/delivery", data=b"{}")).status == 405

    await ask()
    with no_cycles():
        await ask()


async def test_decisions_and_what_is_refused_of_them_leave_no_cycle(edge: Stage) -> None:
    shop = await Shop(Caller(edge)).open()
    await shop.add_offer("scarce", 9, global_cap=3)
    activity = await shop.add_activity("a")

    async def ask() -> None:
        answers: list[Answer] = [await shop.decide(activity), await shop.decide(activity, body={"gw:trace": True})]
        answers += [
            await shop.decide("xcore:offer-activity:0000000000000000"),
            await shop.decide(activity, body={"x": 1}),
        ]
        same = new_id()
        repeated = await asyncio.gather(*(shop.decide("nowhere", x_request_id=same) for _ in range(3)))
        assert {answer.status for answer in repeated} == {422}
        answers += [await shop.caller.read("nothing"), await shop.caller.post("tag", {}), await shop.caller.list("tag")]
        answers.append(await shop.caller.ask("GET", "/nowhere/at/all", Authorization="Bearer nobody"))
        assert [answer.status for answer in answers[:3]] == [200, 200, 422]
        await asyncio.sleep(0.02)  # until the event is written

    await ask()
    with no_cycles():
        await ask()


async def test_what_is_asked_about_people_and_objects_leaves_no_cycle(edge: Stage) -> None:
    editor = Caller(edge)
    await editor.make_container()
    headers = editor.headers | {"Content-Type": "application/json"}

    async def ask() -> None:
        made = await editor.make("tag", {"xdm:name": "t"})
        changed = await editor.put(made["instanceId"], {"_instance": {"xdm:name": "u"}, "_links": {}}, If_Match='"7"')
        assert changed.status == 409
        await editor.patch(made["instanceId"], {"op": "remove", "path": "/_instance/none"})
        await editor.delete_and_wait(made["instanceId"])
        for method, body in ("PUT", b'{"a":1}'), ("PUT", b"{"), ("GET", None), ("DELETE", None), ("GET", None):
            await edge.ask(method, "/v1/profiles/CRM/c-1", data=body, headers=headers)
        for path in ("get-offers", "get-attributes", "send-notifications"):
            for raw in (b"{", b"{}", b'{"request":{"execute":{"mboxes":[{"index":1,"name":"welcome"}]}}}'):
                await edge.ask("POST", f"/v1/{path}", data=raw, params={"client": "demo", "sessionId": "s"})
        await asyncio.sleep(0.02)

    await ask()
    with no_cycles():
        await ask()


QUICK = {"GATEWAY_WEB__DEADLINE_MS": "1500"} | {
    f"GATEWAY_{table}__TIMEOUT_MS": "50" for table in ("REDIS", "CAPS", "PROFILES", "REPOSITORY")
}


@pytest.mark.parametrize("fault", ["silent", "broken"])
async def test_a_redis_that_fails_leaves_no_cycle(bundled_url: str, tmp_path: Path, fault: str) -> None:
    patience = {"GATEWAY_CAPS__PATIENCE_MS": "100", "GATEWAY_PROFILES__PATIENCE_MS": "100"}
    async with FaultProxy(bundled_url, tmp_path) as proxy, run_stage(proxy.url, QUICK | patience) as stage:
        shop = await Shop(Caller(stage)).open()
        await shop.add_offer("scarce", 9, global_cap=3)
        activity = await shop.add_activity("a")

        async def ask() -> None:
            for number in range(3):
                await stage.post(MIXED, sessionId=f"{fault}-{number}")
            for body in ({}, {"xdm:dryRun": True}):
                await shop.decide(activity, body=body)
            await shop.caller.read("nothing")
            await asyncio.sleep(0.1)

        await ask()
        proxy.black_hole = fault == "silent"
        if fault == "broken":
            proxy.cut_after = 0
        await ask()
        if fault == "broken":
            proxy.cut_after = 0
        with no_cycles():
            await ask()
        proxy.black_hole = False
