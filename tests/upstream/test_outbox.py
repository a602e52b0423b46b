"""Notifications of local decisions on their way to Target (gw:F8), on a real Redis and real HTTP."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from gateway.config import Outbox as Settings
from gateway.config import Target
from gateway.demo.target import StandIn, Trouble
from gateway.errors import UpstreamError
from gateway.store.connection import Store
from gateway.store.notifications import STREAM, NotificationStream
from gateway.upstream.fanout import Fanout
from gateway.upstream.outbox import Message, Outbox, gather_batches
from gateway.upstream.target import Call, make_address, make_headers
from tests.stage import run_stage
from tests.store.servers import connected, wait_until

HERO = {"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}]}}
NOW_MS = 1_700_000_000_000


def notify(*tokens: str) -> list[dict[str, Any]]:
    return [
        {"id": f"n-{token}", "type": "display", "timestamp": NOW_MS, "mbox": {"name": "hero"}, "tokens": [token]}
        for token in tokens
    ]


def make_body(*tokens: str, **more: Any) -> dict[str, Any]:
    return {"context": {"channel": "web"}, "id": {"tntId": "a"}, "notifications": notify(*tokens)} | more


class Post:
    """An outbox of one gateway, its stream and the stand-in behind it."""

    def __init__(self, store: Store, stand_in: StandIn, fanout: Fanout, origin: str) -> None:
        self.store, self.stand_in, self.fanout, self.origin = store, stand_in, fanout, origin

    def open_box(self, consumer: str = "one", clock: Any = time.time, wait_s: float = 10, **settings: Any) -> Outbox:
        def address(message: Message, deadline: float) -> Call:
            url = make_address(
                Target(url=self.origin), message.client, "", {"client": message.client, "sessionId": message.session_id}
            )
            body = json.dumps(message.body | {"requestId": "r"}).encode()
            return Call(url, body, make_headers("r", "0"), min(deadline, asyncio.get_running_loop().time() + wait_s))

        made = Settings(**settings)
        return Outbox(made, NotificationStream(self.store, consumer, made.max_length), self.fanout, address, clock)

    async def count(self) -> int:
        return int(await self.store.call("XLEN", STREAM))

    @property
    def shown(self) -> dict[str, int]:
        return dict(self.stand_in.impressions)


@pytest.fixture
async def post(store: Store) -> AsyncIterator[Post]:
    stand_in = StandIn(["demo"])
    port = await stand_in.start()
    await NotificationStream(store, "setup", 1000).open()
    async with Fanout(Target()) as fanout:
        yield Post(store, stand_in, fanout, f"http://127.0.0.1:{port}")
    await stand_in.stop()


async def test_what_is_put_reaches_target_once(post: Post) -> None:
    box = post.open_box()
    box.put("demo", "s1", make_body("t1", "t2"))
    assert await box.send_some()
    assert not await box.send_some()
    assert post.shown == {"t1": 1, "t2": 1}
    assert (box.counts.put, box.counts.sent, box.counts.failed, box.counts.dropped) == (1, 1, 0, 0)
    assert await post.count() == 0


RETRIED = [Trouble(status=status) for status in (408, 420, 429, 500, 502, 503)]
RETRIED += [Trouble(drop=True), Trouble(hang=True)]


@pytest.mark.parametrize("trouble", RETRIED, ids=lambda trouble: f"{trouble.kind} {trouble.status or ''}")
async def test_a_call_target_did_not_take_is_kept_and_sent_again(post: Post, trouble: Trouble) -> None:
    box = post.open_box(wait_s=0.3 if trouble.hang else 10)
    box.put("demo", "s1", make_body("t1"))
    post.stand_in.trouble = trouble
    with pytest.raises(UpstreamError):
        await box.send_some()
    assert (box.counts.failed, box.counts.sent, await post.count()) == (1, 0, 1)
    post.stand_in.trouble = None
    assert not await box.send_some(), "it is not sent again at once"
    later = post.open_box()
    assert await later.send_some(abandoned_ms=0)
    assert post.shown == {"t1": 1}
    assert (later.counts.sent, await post.count()) == (1, 0)


@pytest.mark.parametrize("status", [300, 301, 400, 401, 403, 404, 413])
async def test_a_call_target_refuses_for_good_is_dropped_and_counted(post: Post, status: int) -> None:
    box = post.open_box()
    box.put("demo", "s1", make_body("t1"))
    post.stand_in.trouble = Trouble(status=status)
    assert await box.send_some()
    assert (box.counts.dropped, box.counts.failed, await post.count()) == (1, 0, 0)


async def test_one_bad_call_does_not_keep_the_others(post: Post) -> None:
    box = post.open_box()
    for number in range(6):
        box.put("demo", f"s{number}", make_body(f"t{number}"))
    post.stand_in.trouble = Trouble(status=500, times=2)
    assert await box.send_some()
    assert (box.counts.sent, box.counts.failed, await post.count()) == (4, 2, 2)
    while await box.send_some(again=True):
        pass
    assert await post.count() == 0


async def test_calls_that_differ_only_in_their_notifications_travel_together(post: Post) -> None:
    box = post.open_box()
    for number in range(120):
        box.put("demo", "s1", make_body(f"t{number}"))
    box.put("demo", "s2", make_body("other session"))
    box.put("demo", "s1", make_body("other property", property={"token": "p"}))
    box.put("demo", "s1", make_body("other visitor", id={"tntId": "b"}))
    while await box.send_some():
        pass
    sizes = sorted(len(call.body["notifications"]) for call in post.stand_in.requests)
    assert sizes == [1, 1, 1, 20, 50, 50]
    assert len(post.shown) == 123
    assert set(post.shown.values()) == {1}
    assert {call.query["sessionId"] for call in post.stand_in.requests if len(call.body["notifications"]) > 1} == {"s1"}


async def test_no_call_has_more_notifications_than_configured(post: Post) -> None:
    """gw:F8, delivery-api §16: one decision can display more than Target takes at once."""
    box = post.open_box(batch=50)
    box.put("demo", "s1", make_body(*(f"t{number}" for number in range(60))))
    while await box.send_some():
        pass
    assert max(len(call.body["notifications"]) for call in post.stand_in.requests) <= 50
    assert len(post.shown) == 60
    assert await post.count() == 0


async def test_two_gateways_do_not_send_twice(post: Post) -> None:
    boxes = [post.open_box(name) for name in ("one", "two")]
    for number in range(60):
        boxes[number % 2].put("demo", f"s{number}", make_body(f"t{number}"))
    await asyncio.gather(*(box.send_some(7) for _ in range(8) for box in boxes))
    assert len(post.shown) == 60
    assert set(post.shown.values()) == {1}
    assert [box.counts.sent for box in boxes] != [60, 0]
    assert sum(box.counts.sent for box in boxes) == 60


async def test_what_a_lost_gateway_had_taken_is_taken_over(post: Post) -> None:
    """At least once: nothing is lost between taking and finishing."""
    lost = NotificationStream(post.store, "lost", 1000)
    post.open_box().put("demo", "s1", make_body("t1"))
    assert len(await lost.take(10)) == 1
    box = post.open_box("two")
    assert not await box.send_some()
    assert post.shown == {}
    assert await box.send_some(abandoned_ms=0)
    assert post.shown == {"t1": 1}


async def test_a_call_target_took_is_sent_again_when_its_answer_is_lost(post: Post) -> None:
    """At least once, not at most once: nobody can know."""
    box = post.open_box()
    box.put("demo", "s1", make_body("t1"))
    post.stand_in.trouble = Trouble(truncate=True, times=1)
    with pytest.raises(UpstreamError):
        await box.send_some()
    assert await box.send_some(abandoned_ms=0)
    assert post.shown == {"t1": 2}


async def test_old_calls_are_dropped_and_counted(post: Post) -> None:
    post.open_box().put("demo", "s1", make_body("t1"))
    later = post.open_box(clock=lambda: time.time() + 100, max_age_s=50)
    assert await later.send_some()
    assert (later.counts.dropped, later.counts.sent, await post.count()) == (1, 0, 0)
    assert post.shown == {}


async def test_a_disabled_outbox_keeps_nothing(post: Post) -> None:
    box = post.open_box(enabled=False)
    box.put("demo", "s1", make_body("t1"))
    assert box.counts.put == 0
    assert await post.count() == 0


UNREADABLE = {
    "not JSON": b"half of a",
    "another shape": b'{"client": 5}',
    "a body that is a list": b'{"client":"demo","session_id":"s","body":[]}',
    "empty": b"",
    "notifications are text": b'{"client":"demo","session_id":"s","body":{"notifications":"all"}}',
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
async def test_an_entry_that_cannot_be_read_is_dropped_and_the_others_are_sent(post: Post, content: bytes) -> None:
    """Entries outlive the gateway that wrote them: one that cannot be read must not stop the sending for ever."""
    box = post.open_box()
    NotificationStream(post.store, "old", 1000).put(content)
    box.put("demo", "s1", make_body("t1"))
    assert await box.send_some()
    assert post.shown == {"t1": 1}
    assert (box.counts.sent, box.counts.dropped) == (1, 1)


async def test_a_disconnected_outbox_goes_on_when_redis_is_there_again(post: Post) -> None:
    """Nothing ends the background sending: an emptied Redis has no group, which is made again."""
    box = post.open_box()
    running = asyncio.create_task(box.run())
    try:
        box.put("demo", "s1", make_body("t1"))
        await wait_until(lambda: post.shown == {"t1": 1})
        await post.store.call("FLUSHALL")
        box.put("demo", "s1", make_body("t2"))
        await wait_until(lambda: post.shown.get("t2") == 1 or running.done())
        assert post.shown == {"t1": 1, "t2": 1}
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait([running])


class Kept(Struct):
    """An entry as `gather_batches` needs it."""

    content: bytes


messages = st.lists(
    st.tuples(
        st.sampled_from(["s1", "s2"]),
        st.sampled_from([{}, {"property": {"token": "p"}}, {"impressionId": "i"}]),
        st.integers(0, 4),
    ),
    max_size=30,
)


@given(messages, st.integers(1, 10))
def test_batches_keep_every_notification_once_in_order_and_mix_nothing(asked: Any, most: int) -> None:
    entries, every = [], []
    for at, (session, rest, count) in enumerate(asked):
        tokens = [f"{at}.{number}" for number in range(count)]
        every += [(session, json.dumps(rest), token) for token in tokens]
        body = {"context": {}} | rest | {"notifications": notify(*tokens)}
        entries.append(Kept(json.dumps({"client": "demo", "session_id": session, "body": body}).encode()))
    batches, unreadable = gather_batches(entries, most)
    assert not unreadable
    found = []
    for batch in batches:
        rest = {name: value for name, value in batch.message.body.items() if name not in ("context", "notifications")}
        found += [
            (batch.message.session_id, json.dumps(rest), told["tokens"][0])
            for told in batch.message.body["notifications"]
        ]
        assert len(batch.message.body["notifications"]) <= max(most, 4)
    assert sorted(found) == sorted(every)
    for key in {one[:2] for one in every}:
        assert [one for one in found if one[:2] == key] == [one for one in every if one[:2] == key]
    assert sorted(id(entry) for batch in batches for entry in batch.entries) == sorted(map(id, entries))


async def test_a_local_decision_is_told_to_target_with_the_same_ids(redis_url: str, store: Store) -> None:
    """get-offers §15 point 4."""
    async with run_stage(redis_url) as stage:
        body = HERO | {"property": {"token": "p"}, "experienceCloud": {"analytics": {"supplementalDataId": "D" * 33}}}
        answer = await stage.post(body, sessionId="told")
        await stage.stand_in.wait_received(1)
        call = stage.stand_in.requests[0]
        assert call.query["sessionId"] == "told"
        assert call.body["id"]["tntId"] == answer.body["id"]["tntId"]
        assert (call.body["property"], call.body["experienceCloud"]) == (body["property"], body["experienceCloud"])
        assert len(call.body["notifications"]) == 1
        assert "execute" not in call.body


async def test_entries_survive_a_restart_of_the_gateway(redis_url: str, store: Store) -> None:
    async with run_stage(redis_url, {"GATEWAY_CLIENT__DEMO__GEO": "false"}) as stage:
        stage.stand_in.trouble = Trouble(status=503)
        await stage.post(HERO)
        await stage.stand_in.wait_received(1)
    assert await store.call("XLEN", STREAM) == 1
    await store.call("XCLAIM", STREAM, "gateways", "gone", 0, *await first_id(store), "IDLE", 3_600_000)
    async with run_stage(redis_url) as stage:
        await stage.stand_in.wait_received(1)
        await wait_until(lambda: len(stage.stand_in.notifications) == 1)


async def first_id(store: Store) -> list[bytes]:
    return [row[0] for row in await store.call("XRANGE", STREAM, "-", "+")]


async def test_an_entry_of_a_client_that_is_gone_from_the_configuration_stops_nothing(
    redis_url: str, store: Store
) -> None:
    """Entries survive restarts, and so may a client that was removed or renamed in between."""
    stream = NotificationStream(store, "old", 1000)
    await stream.open()
    stream.put(json.dumps({"client": "renamed", "session_id": "s", "body": make_body("t1")}).encode())
    async with run_stage(redis_url) as stage:
        await stage.post(HERO)
        await wait_until(lambda: len(stage.stand_in.notifications) == 1)


async def test_a_disabled_outbox_puts_nothing_and_asks_nobody(redis_url: str, store: Store) -> None:
    async with run_stage(redis_url, {"GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        await stage.post(HERO)
        assert stage.stand_in.received == 0
    assert await store.call("EXISTS", STREAM) == 0


async def test_personal_data_is_in_values_never_in_keys(redis_url: str, store: Store) -> None:
    """gw:S6."""
    async with run_stage(redis_url) as stage:
        stage.stand_in.trouble = Trouble(status=503)
        body = HERO | {"id": {"tntId": "visitor4711", "thirdPartyId": "customer4711"}}
        await stage.post(body, sessionId="session4711")
        await stage.stand_in.wait_received(1)
    async with connected(redis_url) as other:
        keys = await other.call("KEYS", "*")
        assert STREAM in keys
        assert not [key for key in keys if b"4711" in key]
        groups = repr(await other.call("XINFO", "CONSUMERS", STREAM, "gateways"))
        assert "4711" not in groups


async def test_a_call_that_always_fails_does_not_hold_up_the_others(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One session's calls that Target cannot take must not keep those of every other one for a day."""
    monkeypatch.setattr("gateway.upstream.outbox._FIRST_PAUSE_S", 0.001)
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.query["sessionId"])
        return web.json_response({"status": 200}, status=500 if request.query["sessionId"] == "bad" else 200)

    app = web.Application()
    app.router.add_post("/rest/v1/delivery", answer)
    async with TestServer(app) as server:
        post.origin = str(server.make_url("")).rstrip("/")
        box = post.open_box()
        box.put("demo", "bad", make_body("t1"))
        running = asyncio.create_task(box.run())
        try:
            await wait_until(lambda: asked.count("bad") >= 2)
            box.put("demo", "good", make_body("t2"))
            before = len(asked)
            await wait_until(lambda: "good" in asked or len(asked) > before + 5)
            assert "good" in asked
        finally:
            running.cancel()
            await asyncio.wait([running])
