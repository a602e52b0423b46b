"""Concurrent calls of one session seen from outside: who shares a call, an SDID, a device id (gw:M1-M7, S2, F2)."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

from gateway.delivery.stitching import read_sdid
from gateway.demo.target import Trouble
from gateway.web.delivery_api import answer_delivery
from gateway.web.middleware import Ask
from tests.stage import DELIVERY, Answer, Stage, run_stage
from tests.store.faults import FaultProxy
from tests.store.servers import wait_until

WEB = {"channel": "web"}
SERVER_SIDE = {"GATEWAY_CLIENT__DEMO__METHOD": "server-side", "GATEWAY_OUTBOX__ENABLED": "false"}
HELD = Trouble(delay_ms=300, times=1)
"""Keeps the first call under way until the others have come, however busy the machine is."""
OWN = "0123456789abcdef-FEDCBA9876543210"
REMOTE, LOCAL = "recommendations", "homepage-hero"


@pytest.fixture
async def edge(clean_url: str) -> AsyncIterator[Stage]:
    """Run a gateway that asks Target for everything."""
    async with run_stage(clean_url, SERVER_SIDE) as stage:
        yield stage


@pytest.fixture
async def hybrid(clean_url: str) -> AsyncIterator[Stage]:
    async with run_stage(clean_url, {"GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        yield stage


def ask(*names: str, **more: Any) -> dict[str, Any]:
    mboxes = [{"index": at, "name": name} for at, name in enumerate(names)]
    return {"context": WEB, "execute": {"mboxes": mboxes}} | more


def own_sdid(sdid: str) -> dict[str, Any]:
    return {"experienceCloud": {"analytics": {"supplementalDataId": sdid}}}


def answered(answer: Answer) -> list[str]:
    """Give the names that were answered with content."""
    assert answer.status == 200, answer.raw
    return [one["name"] for one in answer.body["execute"]["mboxes"] if "options" in one]


def sdids_of(stage: Stage) -> list[str]:
    return [read_sdid(call.body) for call in stage.stand_in.requests]


async def test_fifty_consumers_of_a_page_make_three_calls_at_most(edge: Stage) -> None:
    """gw:M2, M3: first calls of a visitor nobody knows; each gets its own mbox, all the same device id."""
    edge.stand_in.trouble = HELD
    calls = [edge.post(ask(f"hero-{at}"), {"X-Consumer-Id": f"hero-{at}"}) for at in range(50)]
    answers = await asyncio.gather(*calls)
    assert edge.stand_in.received <= 3
    assert len(set(sdids_of(edge))) == 1
    assert [one.body["execute"]["mboxes"][0]["name"] for one in answers] == [f"hero-{at}" for at in range(50)]
    assert all(one.body["status"] == 200 for one in answers)
    assert len({one.body["id"]["tntId"] for one in answers}) == 1
    assert len({one.body["requestId"] for one in answers}) == 50


async def test_the_next_page_has_another_sdid(edge: Stage) -> None:
    """get-offers §8: the same consumers again."""
    for _ in range(2):
        await asyncio.gather(*(edge.post(ask("m"), consumerId=f"c{at}") for at in range(20)))
    first, *_, last = sdids_of(edge)
    assert first != last
    assert len(set(sdids_of(edge))) == 2


async def test_concurrent_first_calls_get_one_device_id_a_session(edge: Stage) -> None:
    """gw:S2, K1: with and without consumers; 10^5 calls in `python -m tests.load.merging`."""

    async def call(at: int) -> tuple[str, str]:
        named = {"consumerId": f"c{at}"} if at % 2 else {}
        answer = await edge.post(ask("m"), sessionId=f"s{at % 100}", **named)
        return f"s{at % 100}", answer.body["id"]["tntId"]

    found = set(await asyncio.gather(*(call(at) for at in range(1000))))
    assert len(found) == len({session for session, _ in found}) == 100
    assert len({tnt_id for _, tnt_id in found}) == 100


async def test_two_gateways_agree_on_device_and_sdid(clean_url: str) -> None:
    """gw:M7: joining happens inside one worker, the ids agree through Redis."""
    async with run_stage(clean_url, SERVER_SIDE) as one, run_stage(clean_url, SERVER_SIDE) as two:
        for page in range(3):
            answers = await asyncio.gather(
                *((one, two)[at % 2].post(ask("m"), consumerId=f"c{at}") for at in range(40))
            )
            assert len({answer.body["id"]["tntId"].partition(".")[0] for answer in answers}) == 1
            assert len({*sdids_of(one), *sdids_of(two)}) == page + 1
        assert one.stand_in.received <= 9
        assert two.stand_in.received <= 9


@pytest.mark.parametrize(
    "more", [{"property": {"token": "p"}}, {"environmentId": 2}, {"new": 1}, {"id": {"tntId": "b"}}]
)
async def test_calls_that_differ_in_a_member_do_not_share_a_call(edge: Stage, more: dict[str, Any]) -> None:
    """gw:M1."""
    bodies = [ask("a", id={"tntId": "a"}), ask("b", **({"id": {"tntId": "a"}} | more))]
    answers = await asyncio.gather(*(edge.post(body, consumerId=f"c{at}") for at, body in enumerate(bodies)))
    assert edge.stand_in.received == 2
    for answer, body in zip(answers, bodies, strict=True):
        assert answer.body["id"]["tntId"].startswith(body["id"]["tntId"])


async def test_merging_can_be_switched_off(clean_url: str) -> None:
    async with run_stage(clean_url, SERVER_SIDE | {"GATEWAY_MERGE__ENABLED": "false"}) as stage:
        await asyncio.gather(*(stage.post(ask("m"), consumerId=f"c{at}") for at in range(10)))
        assert stage.stand_in.received == 10
        assert stage.stand_in.max_in_flight_per_session <= 4
        assert len(set(sdids_of(stage))) == 1


async def test_callers_who_name_no_consumer_share_no_call(edge: Stage) -> None:
    """gw:M2: all of them are the default consumer, and each call begins a page."""
    await asyncio.gather(*(edge.post(ask("m", id={"tntId": "a"})) for _ in range(5)))
    assert len(set(sdids_of(edge))) == edge.stand_in.received == 5
    assert "" not in sdids_of(edge)


async def test_the_default_consumer_has_a_name(edge: Stage) -> None:
    """get-offers §8: whoever names it is it."""
    await edge.post(ask("m"))
    await edge.post(ask("m"), consumerId="other")
    await edge.post(ask("m"), consumerId="target-global-mbox")
    first, other, again = sdids_of(edge)
    assert first == other != again


async def test_a_callers_own_sdid_is_kept(edge: Stage) -> None:
    """get-offers §8, the deviation: an SDID chosen by the browser is never thrown away."""
    await edge.post(ask("m", **own_sdid(OWN)), consumerId="c")
    edge.stand_in.trouble = HELD
    await asyncio.gather(*(edge.post(ask("m", **own_sdid(OWN)), consumerId=f"d{at}") for at in range(3)))
    assert set(sdids_of(edge)) == {OWN}
    assert edge.stand_in.received <= 3
    await edge.post(ask("m", **own_sdid("x" * 33)), consumerId="c")
    assert sdids_of(edge)[-1] not in ("", OWN)


async def test_the_header_wins_over_the_query(edge: Stage) -> None:
    for header, query in (("a", "b"), ("a", "c"), ("", "b")):
        await edge.post(ask("m"), {"X-Consumer-Id": header}, consumerId=query)
    first, second, third = sdids_of(edge)
    assert first == third != second


@pytest.mark.parametrize("consumer", ["c" * 256, "ü" * 256, "a b", "{}", "'; DROP", "null", "*"])
@pytest.mark.parametrize("name", [LOCAL, REMOTE])
async def test_a_consumer_id_is_any_printable_text(hybrid: Stage, consumer: str, name: str) -> None:
    assert answered(await hybrid.post(ask(name), consumerId=consumer)) == [name]
    assert answered(await hybrid.post(ask(name), {"X-Consumer-Id": consumer})) == [name]


@pytest.mark.parametrize("consumer", ["c" * 257, "c" * 7000, "c" * 10_000, "a\tb", "a\u0000", "\u200b", "\n"])
@pytest.mark.parametrize("name", [LOCAL, REMOTE])
async def test_a_consumer_id_that_is_too_long_or_not_printable_is_refused(
    hybrid: Stage, consumer: str, name: str
) -> None:
    answers = [await hybrid.post(ask(name), consumerId=consumer)]
    if consumer.isprintable():  # no client sends others in a header
        answers.append(await hybrid.post(ask(name), {"X-Consumer-Id": consumer}))
    for answer in answers:
        assert (answer.status, answer.body["status"]) == (400, 400)
        assert consumer not in answer.raw.decode()
    assert hybrid.stand_in.received == 0


async def test_a_mixed_request_has_the_same_ids_in_both_parts(clean_url: str) -> None:
    """get-offers §15 points 1, 4: what was displayed here is told with the SDID and impression id of the call."""
    async with run_stage(clean_url) as stage:
        stage.stand_in.trouble = HELD
        calls = [stage.post(ask(LOCAL, REMOTE), consumerId=f"c{at}") for at in range(4)]
        for answer in await asyncio.gather(*calls):
            assert answered(answer) == [LOCAL, REMOTE]
        await wait_until(lambda: len(stage.stand_in.notifications) == 4)
        bodies = [call.body for call in stage.stand_in.requests]
        assert len({read_sdid(body) for body in bodies}) == 1
        decided = {body["impressionId"] for body in bodies if "execute" in body}
        told = {body["impressionId"] for body in bodies if "notifications" in body}
        assert told == decided
        assert len([body for body in bodies if "execute" in body]) <= 2


async def test_what_is_displayed_here_is_told_with_the_sdid_of_the_notifications_that_came_along(
    clean_url: str,
) -> None:
    """get-offers §15 points 4, 6; and a call with a consumer or of `get_offers` has one in any case (§8)."""
    seen = {"notifications": [{"id": "seen", "type": "click", "timestamp": 1_795_322_548_000}]}
    async with run_stage(clean_url) as stage:
        told = stage.stand_in.notifications
        for at, more in enumerate((seen, {})):
            await stage.post(ask(LOCAL, **more), consumerId="c")
            sent = json.dumps({"request": ask(LOCAL, **more), "session_id": "other"}).encode()
            assert (await stage.ask("POST", "/v1/get-offers", data=sent)).status == 200
            await wait_until(lambda least=(4, 6)[at]: len(told) == least)
        bodies = [call.body for call in stage.stand_in.requests if call.body.get("notifications")]
        sdids = [read_sdid(body) for body in bodies]
        assert "" not in sdids
        assert len(set(sdids)) == 4


async def test_a_hundred_mboxes_of_one_request_are_asked_for_in_two_calls(edge: Stage) -> None:
    """gw:F2, delivery-api §16: 50 in each part is valid; the answer is in the order of the request."""
    asked = {
        part: {"mboxes": [{"index": at, "name": f"{part}-{at}"} for at in range(50)]}
        for part in ("execute", "prefetch")
    }
    answer = await edge.post({"context": WEB} | asked)
    assert (answer.body["status"], edge.stand_in.received) == (200, 2)
    for part, body in asked.items():
        assert [(one["name"], one["index"]) for one in answer.body[part]["mboxes"]] == [
            (one["name"], one["index"]) for one in body["mboxes"]
        ]
    for call in edge.stand_in.requests:
        assert sum(len(call.body.get(part, {}).get("mboxes", ())) for part in asked) == 50


async def test_more_than_fifty_mboxes_in_one_list_are_refused(edge: Stage) -> None:
    """delivery-api §16."""
    answer = await edge.post(ask(*(f"m{at}" for at in range(51))))
    assert (answer.status, edge.stand_in.received) == (400, 0)
    assert "size must be between 0 and 50" in answer.body["message"]


async def test_half_of_a_split_request_is_answered_when_the_other_half_fails(clean_url: str) -> None:
    """gw:F5: and what is missing has its reason."""
    async with run_stage(clean_url, SERVER_SIDE | {"GATEWAY_UPSTREAM__TARGET__MBOXES_PER_CALL": "2"}) as stage:
        stage.stand_in.trouble = Trouble(status=500, mboxes=("mixed-promo",))
        answer = await stage.post(ask(LOCAL, REMOTE, "mixed-promo", "cart-upsell"))
        assert (answer.body["status"], answered(answer)) == (206, [LOCAL, REMOTE])
        assert [one["name"] for one in answer.body["execute"]["mboxes"][2:]] == ["mixed-promo", "cart-upsell"]
        assert answer.headers["x-gateway-degraded"].startswith("upstream-refused")


async def test_one_call_of_a_split_request_with_a_wrong_shape_spoils_no_other(clean_url: str) -> None:
    """gw:F5; what is no mbox travels with the first of them, and is named when that is lost."""
    async with run_stage(clean_url, SERVER_SIDE | {"GATEWAY_UPSTREAM__TARGET__MBOXES_PER_CALL": "2"}) as stage:
        body = ask("cart-upsell", "mixed-promo", LOCAL, REMOTE, prefetch={"views": [{"name": "v"}]})
        stage.stand_in.trouble = Trouble(wrong_shape=True, mboxes=(LOCAL,))
        answer = await stage.post(body)
        assert (answer.body["status"], answered(answer)) == (206, ["cart-upsell", "mixed-promo"])
        assert answer.headers["x-gateway-degraded"] == f'upstream-garbled;missing="{LOCAL} {REMOTE}"'
        stage.stand_in.trouble = Trouble(wrong_shape=True, mboxes=("cart-upsell",))
        answer = await stage.post(body)
        assert (answer.body["status"], answered(answer)) == (206, [LOCAL, REMOTE])
        assert answer.headers["x-gateway-degraded"] == 'upstream-garbled;missing="cart-upsell mixed-promo v"'


async def test_a_request_repeated_while_it_is_under_way_is_one_call(edge: Stage) -> None:
    """gw:M6."""
    edge.stand_in.trouble = HELD
    body = ask(REMOTE, requestId="r", id={"tntId": "a"})
    answers = await asyncio.gather(*(edge.post(body, consumerId="c") for _ in range(5)))
    assert edge.stand_in.received == 1
    assert [answered(one) for one in answers] == [[REMOTE]] * 5
    assert "gateway_merge_repeated_total 4.0" in (await edge.admin("/metrics")).raw.decode()


async def test_one_callers_invalid_notifications_are_its_own_error(edge: Stage) -> None:
    """gw:M5: the joined call is refused; the others of it do not notice."""
    bad = {"notifications": [{"id": "n", "type": "display", "timestamp": 1}]}
    bodies = [ask(LOCAL), ask(REMOTE, **bad), ask(LOCAL)]
    answers = await asyncio.gather(*(edge.post(body, consumerId=f"c{at}") for at, body in enumerate(bodies)))
    assert [one.status for one in answers] == [200, 400, 200]
    assert [answered(answers[at]) for at in (0, 2)] == [[LOCAL]] * 2


async def test_without_redis_a_consumer_gets_an_sdid_of_its_own(clean_url: str, tmp_path: Path) -> None:
    """gw:S4, S5: only who names a consumer has waited for Redis, and is told."""
    async with FaultProxy(clean_url, tmp_path) as proxy:
        changes = SERVER_SIDE | {"GATEWAY_REDIS__TIMEOUT_MS": "50"}
        async with run_stage(proxy.url, changes) as stage:
            proxy.black_hole = True
            known = ask(REMOTE, id={"tntId": "a"})
            named, unnamed = await stage.post(known, consumerId="c"), await stage.post(known)
            assert (answered(named), answered(unnamed)) == ([REMOTE], [REMOTE])
            assert named.headers.get("x-gateway-degraded") == "session-store"
            assert unnamed.headers.get("x-gateway-degraded") is None
            assert len(set(sdids_of(stage)) - {""}) == 2


class Interrupted:
    """A coroutine that is cancelled where it waits for the `at`th time."""

    def __init__(self, inner: Coroutine[Any, Any, Any], at: int) -> None:
        self._inner = inner
        self._at = at
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        while True:
            try:
                waited = self._inner.send(None)
            except StopIteration as done:
                return done.value
            self.waits += 1
            if self.waits == self._at:
                self._inner.throw(asyncio.CancelledError())
            yield waited


def make_request(body: Any, session: str, consumer: str) -> web.BaseRequest:
    raw = json.dumps(body).encode()
    payload = StreamReader(_Flowing(), 2**16, loop=asyncio.get_running_loop())
    payload.feed_data(raw)
    payload.feed_eof()
    query = f"client=demo&sessionId={session}&consumerId={consumer}"
    headers = {"Content-Length": str(len(raw)), "X-Request-Timeout-Ms": "10000"}
    return make_mocked_request("POST", f"{DELIVERY}?{query}", headers, payload=payload)


class _Flowing:
    """What a stream tells when it has had enough."""

    _reading_paused = False

    def pause_reading(self) -> None:
        """Never: bodies here are small."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Never needed."""


async def test_a_request_cancelled_at_every_await_leaves_nothing_and_harms_nobody(hybrid: Stage) -> None:
    """gw:M5, design P3, P4: at the first wait, the second, … until it comes through; others of its session answer."""
    services = hybrid.running.services
    body = ask(LOCAL, *[REMOTE] * 3)
    for at in range(1, 50):
        session = f"cancelled-{at}"
        victim = Interrupted(answer_delivery(Ask(services, make_request(body, session, "victim"), "x")), at)
        others = [asyncio.create_task(hybrid.post(body, sessionId=session, consumerId=name)) for name in "ab"]

        async def run(victim: Interrupted = victim) -> Any:
            return await victim

        task = asyncio.create_task(run())
        await asyncio.wait([task])
        assert [answered(one) for one in await asyncio.gather(*others)] == [[LOCAL] + [REMOTE] * 3] * 2
        await wait_until(lambda: not (services.under_way or services.joiner.callers or services.fanout.under_way))
        assert not services.joiner._lines
        if not task.cancelled():
            assert json.loads(task.result().body)["status"] == 200
            break
    assert at == victim.waits + 1 >= 3


async def test_how_calls_travelled_is_counted(edge: Stage) -> None:
    await asyncio.gather(*(edge.post(ask("m"), consumerId=f"c{at}") for at in range(8)))
    text = (await edge.admin("/metrics")).raw.decode()
    assert "gateway_merge_waiting 0.0" in text
    assert f"gateway_merge_joined_total {8 - edge.stand_in.received}.0" in text
    assert "gateway_merge_group_size_sum 8.0" in text
    assert f"gateway_merge_group_size_count {edge.stand_in.received}.0" in text
    assert f'gateway_merge_group_size_bucket{{le="50"}} {edge.stand_in.received}.0' in text
