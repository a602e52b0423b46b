"""What goes to Target, when, and how its answer becomes the caller's (gw:F1, F2; spec get-offers §15)."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio

from gateway.demo.target import StandIn, Trouble
from gateway.tenants import Tenant
from tests.stage import ORGANIZATION, Stage, run_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")
WEB = {"channel": "web"}
METHOD = "GATEWAY_CLIENT__DEMO__METHOD"
OUTBOX_OFF = {"GATEWAY_OUTBOX__ENABLED": "false"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(bundled_url: str) -> AsyncIterator[Stage]:
    async with run_stage(bundled_url, {**OUTBOX_OFF, "GATEWAY_WEB__DRAIN_MS": "100"}) as stage:
        yield stage


def ask(*names: str, **more: Any) -> dict[str, Any]:
    """Give an execute request of mboxes, numbered from 1."""
    return {
        "context": WEB,
        "execute": {"mboxes": [{"index": at, "name": name} for at, name in enumerate(names, 1)]},
    } | more


def sent_to(edge: Stage) -> Any:
    """Give the body of the latest call to Target."""
    return edge.stand_in.requests[-1].body


def methods_of(answer: Any) -> list[str]:
    """Give how each executed mbox was decided; "" for default content."""
    found = answer.body["execute"]["mboxes"]
    return [
        one["options"][0]["responseTokens"]["activity.decisioningMethod"] if "options" in one else "" for one in found
    ]


METHODS = {
    "hybrid": ({}, ["on-device", "server-side", "on-device"], 1, 200),
    "on-device": ({METHOD: "on-device"}, ["on-device", "", "on-device"], 0, 206),
    "server-side": ({METHOD: "server-side"}, ["server-side"] * 3, 1, 200),
    "all or nothing": ({"GATEWAY_CLIENT__DEMO__SPLIT": "all-or-nothing"}, ["server-side"] * 3, 1, 200),
}


@pytest.mark.parametrize("name", METHODS)
async def test_the_method_decides_who_is_asked(bundled_url: str, name: str) -> None:
    """get-offers §15 point 8."""
    changes, decided, calls, status = METHODS[name]
    async with run_stage(bundled_url, changes | OUTBOX_OFF) as stage:
        answer = await stage.post(ask("homepage-hero", "recommendations", "shipping-banner"))
        assert methods_of(answer) == decided
        assert (answer.status, answer.body["status"], stage.stand_in.received) == (200, status, calls)
        local = await stage.post(ask("homepage-hero"))
        assert local.body["status"] == 200
        assert stage.stand_in.received == calls + (name == "server-side")


async def test_what_is_not_decided_on_device_is_told(bundled_url: str) -> None:
    """gw:F5: what could not be decided is named in x-gateway-degraded with a reason."""
    async with run_stage(bundled_url, {METHOD: "on-device", **OUTBOX_OFF}) as stage:
        answer = await stage.post(ask("homepage-hero", "recommendations"))
        assert answer.body["status"] == 206
        assert answer.headers["x-gateway-degraded"] == 'on-device;missing="recommendations"'


async def test_on_device_without_an_artifact_gives_default_content(bundled_url: str) -> None:
    """gw:F9, Q1: not ready, but a valid request is answered."""
    async with run_stage(
        bundled_url, {METHOD: "on-device", "GATEWAY_CLIENT__DEMO__ARTIFACT_LOCATION": "file:///nowhere"}
    ) as stage:
        answer = await stage.post(ask("homepage-hero"))
        assert (answer.status, answer.body["status"], answer.headers["x-gateway-degraded"]) == (
            200,
            206,
            'artifact;missing="homepage-hero"',
        )
        assert answer.body["execute"]["mboxes"] == [{"name": "homepage-hero", "index": 1}]
        assert (await stage.admin("/health/ready")).status == 503


async def test_hybrid_without_an_artifact_asks_target(bundled_url: str) -> None:
    async with run_stage(bundled_url, {"GATEWAY_CLIENT__DEMO__ARTIFACT_LOCATION": "file:///nowhere"}) as stage:
        answer = await stage.post(ask("homepage-hero", "recommendations"))
        assert (answer.body["status"], methods_of(answer)) == (200, ["server-side"] * 2)
        assert (await stage.admin("/health/ready")).status == 200


@pytest.mark.parametrize("member", ["qaMode", "preview"])
@pytest.mark.parametrize("method", ["hybrid", "on-device"])
async def test_a_preview_goes_to_target_whole(bundled_url: str, member: str, method: str) -> None:
    """delivery-api §11: only Target can read the token."""
    async with run_stage(bundled_url, {METHOD: method, **OUTBOX_OFF}) as stage:
        body = ask("homepage-hero", "recommendations", **{member: {"token": "t", "new": [1]}})
        await stage.post(body)
        sent = sent_to(stage)
        assert (sent["execute"], sent[member]) == (body["execute"], {"token": "t", "new": [1]})


async def test_a_null_preview_is_none(edge: Stage) -> None:
    """delivery-api §5."""
    received = edge.stand_in.received
    assert (await edge.post(ask("homepage-hero", qaMode=None, preview=None))).body["status"] == 200
    assert edge.stand_in.received == received


async def test_nameless_views_go_remote_when_any_view_does(edge: Stage) -> None:
    """get-offers §15 point 2."""
    answer = await edge.post({"context": WEB, "prefetch": {"views": [{}]}})
    assert sent_to(edge)["prefetch"] == {"views": [{}]}
    assert [view["name"] for view in answer.body["prefetch"]["views"]] == ["checkout"]


@pytest.mark.parametrize("given", [{}, {"requestId": None}, {"requestId": ""}, {"requestId": "mine"}], ids=str)
async def test_target_may_name_the_request_as_it_was_named(edge: Stage, given: dict[str, Any]) -> None:
    """delivery-api §7.1: it echoes the id, and makes one where there is none; its answer is believed either way."""
    answer = await edge.post(ask("recommendations", **given))
    assert (answer.status, answer.body["status"]) == (200, 200)


async def test_named_views_are_split(edge: Stage) -> None:
    answer = await edge.post(
        {"context": WEB, "prefetch": {"views": [{"name": "checkout", "key": "k"}, {"name": "home"}]}}
    )
    assert sent_to(edge)["prefetch"] == {"views": [{"name": "checkout", "key": "k"}]}
    assert [view["name"] for view in answer.body["prefetch"]["views"]] == ["checkout", "home"]


async def test_a_page_load_is_decided_here_and_its_mboxes_there(edge: Stage) -> None:
    """get-offers §15 points 2, 5."""
    body = ask("recommendations") | {
        "prefetch": {"pageLoad": {"parameters": {"a": "b"}}, "mboxes": [{"index": 1, "name": "cart-upsell"}]}
    }
    body["execute"] = body["execute"] | {"pageLoad": {}}
    answer = await edge.post(body)
    assert set(sent_to(edge)["execute"]) == {"mboxes"}
    assert set(sent_to(edge)["prefetch"]) == {"mboxes"}
    assert answer.body["execute"]["pageLoad"]["options"]
    assert {"pageLoad", "mboxes"} <= set(answer.body["prefetch"])
    assert answer.body["prefetch"]["mboxes"][0]["state"]


async def test_a_local_mbox_that_is_also_remote_is_decided_once(edge: Stage) -> None:
    """get-offers §15 points 2, 3: it goes remote as a whole."""
    await edge.post(ask("mixed-promo", "homepage-hero"))
    assert [one["name"] for one in sent_to(edge)["execute"]["mboxes"]] == ["mixed-promo"]


async def test_the_property_of_the_client_is_the_default(bundled_url: str) -> None:
    """delivery-api §10; a caller's own token wins."""
    async with run_stage(bundled_url, {"GATEWAY_CLIENT__DEMO__PROPERTY_TOKEN": "ours", **OUTBOX_OFF}) as stage:
        for given, expected in (({}, "ours"), ({"property": None}, "ours"), ({"property": {"token": "mine"}}, "mine")):
            await stage.post(ask("recommendations", **given))
            assert sent_to(stage)["property"] == {"token": expected}


@pytest.mark.parametrize(
    "indexes",
    [
        (None, None, None),
        (1, 1, 1),
        (5, 5, None),
        (None, 0, 0),
        (7, 3, 5),
        (2147483647, -2147483648, 0),
        (1.0, 2.0, 3.0),
        (0, None, 1),
    ],
    ids=str,
)
async def test_callers_get_their_own_numbers_back(edge: Stage, indexes: tuple[float | None, ...]) -> None:
    """gw:F1: Target is asked with unique whole numbers; the answer bears the caller's, in the caller's order."""
    names = ["recommendations", "homepage-hero", "recommendations"]
    mboxes = [
        {"name": name} | ({} if index is None else {"index": index}) for name, index in zip(names, indexes, strict=True)
    ]
    answer = await edge.post({"context": WEB, "execute": {"mboxes": mboxes}})
    assert answer.body["status"] == 200
    asked = [one["index"] for one in sent_to(edge)["execute"]["mboxes"]]
    assert len(asked) == len(set(asked)) == 2
    found = answer.body["execute"]["mboxes"]
    assert [(one["name"], one.get("index")) for one in found] == list(zip(names, indexes, strict=True))
    assert all(one["options"] for one in found)


async def test_a_server_side_client_gets_its_own_numbers_back(bundled_url: str) -> None:
    async with run_stage(bundled_url, {METHOD: "server-side", **OUTBOX_OFF}) as stage:
        body = {
            "context": WEB,
            "execute": {"mboxes": [{"name": "recommendations"}, {"name": "cart-upsell", "index": 4}]},
        }
        answer = await stage.post(body)
        assert [(one["name"], one.get("index")) for one in answer.body["execute"]["mboxes"]] == [
            ("recommendations", None),
            ("cart-upsell", 4),
        ]


async def test_unknown_members_reach_target_untouched(edge: Stage) -> None:
    """delivery-api §5: newer at.js versions send members nobody has listed."""
    odd = {"deep": [1.50, {"$_type": None}], "": 0, "ü": "\u0000", "big": 12345678901234567890123}
    body = ask("recommendations", "homepage-hero", future=odd)
    body["context"] = WEB | {"future": odd, "address": {"url": "https://a.example", "future": odd}}
    body["execute"]["future"] = odd
    body["execute"]["mboxes"][0] |= {"future": odd, "parameters": {"a": 1, "b": True, "c": None, "d": 1.5}}
    body["id"] = {"tntId": "a", "future": odd}
    body["prefetch"] = {"future": odd, "views": [{"name": "checkout", "future": odd}]}
    assert (await edge.post(body)).body["status"] == 200
    sent = sent_to(edge)
    assert sent["context"] == body["context"]
    assert sent["execute"] == {"future": odd, "mboxes": [body["execute"]["mboxes"][0]]}
    assert sent["prefetch"] == body["prefetch"]
    assert (sent["future"], sent["id"]) == (odd, {"tntId": "a", "future": odd})


async def test_unknown_members_never_influence_local_decisions(edge: Stage) -> None:
    """delivery-api §5."""
    plain = ask("homepage-hero", id={"tntId": "a"}, requestId="r")
    odd = ask(
        "homepage-hero",
        id={"tntId": "a"},
        requestId="r",
        browser={},
        status=500,
        edgeHost="x",
        client="evil",
        options=[],
    )
    odd["execute"]["mboxes"][0] |= {"options": [{"content": "evil"}], "state": "x", "trace": {}}
    first, second = (await edge.post(plain)).body, (await edge.post(odd)).body
    assert first == second


async def test_telemetry_and_notifications_of_a_local_request_reach_target(edge: Stage) -> None:
    """get-offers §15 point 6."""
    told = {
        "notifications": [{"id": "n", "type": "click", "timestamp": 1700000000000, "x": 1}],
        "telemetry": {"entries": [{"requestId": "r"}]},
    }
    answer = await edge.post(ask("homepage-hero", **told))
    sent = sent_to(edge)
    assert "execute" not in sent
    assert {name: sent[name] for name in told} == told
    assert (answer.body["status"], answer.body["notifications"]) == (200, [{"id": "n"}])
    assert answer.body["telemetryServerToken"]
    assert methods_of(answer) == ["on-device"]


async def test_only_our_own_headers_reach_target(edge: Stage) -> None:
    """Design P9: nothing hop-by-hop, no cookie, no Forwarded, our own Host and name."""
    given = {
        "Cookie": "secret=1",
        "Authorization": "Bearer x",
        "X-Forwarded-For": "1.2.3.4",
        "Forwarded": "for=1.2.3.4",
        "X-EXC-SDK": "AdobeTargetNode",
        "Te": "trailers",
        "X-Evil": "1",
        "Origin": "https://a.example",
    }
    await edge.post(ask("recommendations"), given)
    headers = edge.stand_in.requests[-1].headers
    assert {name.lower() for name in headers} <= {
        "host",
        "accept",
        "accept-encoding",
        "user-agent",
        "content-length",
        "content-type",
        "x-exc-sdk",
        "x-exc-sdk-version",
        "x-request-id",
    }
    assert "Adobe" not in headers["X-EXC-SDK"]


async def test_what_a_browser_says_of_itself_is_copied_into_the_body(edge: Stage) -> None:
    """delivery-api §3.2, §6.8."""
    headers = {
        "Origin": "https://a.example",
        "User-Agent": "Chrome/99",
        "Sec-CH-UA": '"Chromium";v="99"',
        "Sec-CH-UA-Mobile": "?1",
        "Sec-CH-UA-Platform": '"macOS"',
    }
    await edge.post(ask("recommendations"), headers)
    assert sent_to(edge)["context"] == WEB | {
        "userAgent": "Chrome/99",
        "clientHints": {"browserUAWithMajorVersion": '"Chromium";v="99"', "platform": "macOS", "mobile": True},
    }
    own = {"userAgent": "mine", "clientHints": {"mobile": False}}
    await edge.post(ask("recommendations", context=WEB | own), headers)
    assert sent_to(edge)["context"] == WEB | own
    await edge.post(ask("recommendations"), {name: value for name, value in headers.items() if name != "Origin"})
    assert sent_to(edge)["context"] == WEB


ADDRESSES = {
    "off": ({}, "10.0.0.1, 192.0.2.9", None),
    "peer": ({"GATEWAY_WEB__VISITOR_ADDRESS": "peer"}, "192.0.2.9", "127.0.0.1"),
    "forwarded": ({"GATEWAY_WEB__VISITOR_ADDRESS": "forwarded"}, "6.6.6.6, 192.0.2.9", "192.0.2.9"),
    "two hops": (
        {"GATEWAY_WEB__VISITOR_ADDRESS": "forwarded", "GATEWAY_WEB__FORWARDED_HOPS": "2"},
        "6.6.6.6, 192.0.2.9, 10.0.0.1",
        "192.0.2.9",
    ),
    "too few hops": (
        {"GATEWAY_WEB__VISITOR_ADDRESS": "forwarded", "GATEWAY_WEB__FORWARDED_HOPS": "2"},
        "6.6.6.6",
        None,
    ),
    "no address": ({"GATEWAY_WEB__VISITOR_ADDRESS": "forwarded"}, "evil.example:80", None),
    "IPv6": ({"GATEWAY_WEB__VISITOR_ADDRESS": "forwarded"}, "2001:db8::1", "2001:db8::1"),
}


@pytest.mark.parametrize("name", ADDRESSES)
async def test_the_visitors_address_is_believed_only_from_trusted_proxies(bundled_url: str, name: str) -> None:
    """delivery-api §3.2, §6.7; design T2: the entry the trusted proxy wrote, never one the caller put in front."""
    changes, forwarded, expected = ADDRESSES[name]
    async with run_stage(bundled_url, changes | OUTBOX_OFF) as stage:
        await stage.post(ask("recommendations"), {"X-Forwarded-For": forwarded})
        assert sent_to(stage)["context"].get("geo") == (None if expected is None else {"ipAddress": expected})
        await stage.post(
            ask("recommendations", context=WEB | {"geo": {"ipAddress": "192.0.2.1"}}), {"X-Forwarded-For": forwarded}
        )
        assert sent_to(stage)["context"]["geo"] == {"ipAddress": "192.0.2.1"}


@contextmanager
def target_in_a_thread() -> Iterator[tuple[str, StandIn]]:
    """Run a stand-in on an event loop of its own, so that it goes on while the gateway's loop is held up."""
    stand_in = StandIn(["demo"], {ORGANIZATION: "demo"})
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(stand_in.start(), loop).result(10)
        yield f"http://127.0.0.1:{port}", stand_in
    finally:
        asyncio.run_coroutine_threadsafe(stand_in.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def test_target_has_the_call_before_local_deciding_starts(
    bundled_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gw:F2: with a warm connection Target works while we decide.

    Deciding holds up the event loop until Target has the call, which it could never get if it were not on the wire.
    """
    with target_in_a_thread() as (origin, stand_in):
        async with run_stage(bundled_url, {"GATEWAY_UPSTREAM__TARGET__URL": origin, **OUTBOX_OFF}) as stage:
            body = ask("homepage-hero", "recommendations", id={"tntId": "known"})
            await stage.post(body)
            decide, arrived = Tenant.decide, []

            def decide_late(*given: Any) -> Any:
                waiting = threading.Event()
                for _ in range(500):  # at most 5 s
                    if stand_in.received == 2:
                        break
                    waiting.wait(0.01)
                arrived.append(stand_in.received)
                return decide(*given)

            monkeypatch.setattr(Tenant, "decide", decide_late)
            answer = await stage.post(body)
            assert arrived == [2]
            assert answer.body["status"] == 200


async def test_a_slow_target_does_not_hold_up_other_sessions(edge: Stage) -> None:
    """gw:F7: a remote request that waits leaves local ones alone."""
    edge.stand_in.trouble = Trouble(hang=True)
    received = edge.stand_in.received
    slow = asyncio.create_task(edge.post(ask("recommendations"), {"X-Request-Timeout-Ms": "20000"}, sessionId="slow"))
    await edge.stand_in.wait_received(received + 1)
    for at in range(20):
        assert (await edge.post(ask("homepage-hero"), sessionId=f"quick{at}")).body["status"] == 200
    assert not slow.done()
    edge.stand_in.trouble = None
    slow.cancel()
    await asyncio.wait([slow])
