"""Who the visitor is, seen from outside (gw:S2-S12)."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.target import Options, StandIn
from tests.stage import ORGANIZATION, Answer, Stage, run_stage
from tests.store.faults import FaultProxy

HERO = {"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}]}}
REMOTE = {"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 1, "name": "recommendations"}]}}
MIXED = {
    "context": {"channel": "web"},
    "execute": {"mboxes": [*HERO["execute"]["mboxes"], {"index": 2, "name": "cart-upsell"}]},
}  # type: ignore[index]
BROWSER = {"Origin": "https://shop.example"}
FAR = 99999999999
ARTIFACT = (Path(__file__).parent.parent.parent / "gateway" / "demo" / "artifact.json").as_uri()


@pytest.fixture
async def edge(clean_url: str) -> AsyncIterator[Stage]:
    """Run a gateway whose outbox stays silent, so that every call to Target is a request's own."""
    async with run_stage(clean_url, {"GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        yield stage


def tnt_of(answer: Answer) -> str:
    """Give the device id of an answer."""
    return str(answer.body["id"]["tntId"])


def bare(tnt_id: str) -> str:
    return tnt_id.partition(".")[0]


async def test_concurrent_first_calls_of_a_session_get_one_device_id(edge: Stage) -> None:
    """gw:S2, K1: 100 calls at once of each of 20 sessions, local, remote and mixed."""
    for number in range(20):
        bodies = [(HERO, REMOTE, MIXED)[at % 3] if number % 4 == 0 else HERO for at in range(100)]
        session = f"race-{number}"
        answers = await asyncio.gather(*(edge.post(body, sessionId=session) for body in bodies))
        assert len({bare(tnt_of(answer)) for answer in answers}) == 1
    assert edge.stand_in.received
    assert (
        len({bare(call.body["id"]["tntId"]) for call in edge.stand_in.requests if call.query["sessionId"] == "race-0"})
        == 1
    )


async def test_a_session_keeps_its_device_id_and_shares_it_with_no_other(edge: Stage) -> None:
    first, again, other = [await edge.post(HERO, sessionId=name) for name in ("one", "one", "two")]
    assert tnt_of(first) == tnt_of(again) != tnt_of(other)


async def test_sessions_of_two_clients_are_two(clean_url: str) -> None:
    """gw:S1: the record belongs to client and session."""
    other = {
        "GATEWAY_CLIENT__OTHER__ORGANIZATION_ID": "O@AdobeOrg",
        "GATEWAY_CLIENT__OTHER__METHOD": "on-device",
        "GATEWAY_CLIENT__OTHER__ARTIFACT_LOCATION": ARTIFACT,
    }
    async with run_stage(clean_url, other) as stage:
        assert tnt_of(await stage.post(HERO)) != tnt_of(await stage.post(HERO, client="other"))


async def test_the_body_wins_over_the_cookie_and_the_cookie_over_the_record(edge: Stage) -> None:
    """gw:S3."""
    stored = tnt_of(await edge.post(HERO))
    cookie = {"Cookie": f"mbox=session#s1#{FAR}|PC#fromcookie.35_0#{FAR}"}
    assert tnt_of(await edge.post(HERO)) == stored
    assert tnt_of(await edge.post(HERO, cookie)) == "fromcookie.35-0"
    assert tnt_of(await edge.post(HERO | {"id": {"tntId": "frombody"}}, cookie)) == "frombody"


@pytest.mark.parametrize(
    "identity", [{"thirdPartyId": "p"}, {"marketingCloudVisitorId": "1"}, {"tntId": None}, {"tntId": ""}, None]
)
async def test_other_ids_in_the_body_leave_the_device_of_the_cookie(edge: Stage, identity: Any) -> None:
    """gw:S3: a null or missing tntId is no tntId (delivery-api §5)."""
    answer = await edge.post(HERO | {"id": identity}, {"Cookie": f"mbox=PC#fromcookie#{FAR}"})
    assert tnt_of(answer) == "fromcookie"


@pytest.mark.parametrize("expires", ["1", "x", "-1", ""])
async def test_an_expired_or_malformed_cookie_entry_is_none(edge: Stage, expires: str) -> None:
    """get-offers §4.2."""
    assert tnt_of(await edge.post(HERO, {"Cookie": f"mbox=PC#old#{expires}"})) != "old"


async def test_a_known_visitor_is_decided_for_without_redis(clean_url: str, tmp_path: Path) -> None:
    """gw:S4: Redis never answers; whoever had waited for it would say so in the header."""
    async with FaultProxy(clean_url, tmp_path) as proxy:
        changes = {"GATEWAY_REDIS__TIMEOUT_MS": "500", "GATEWAY_OUTBOX__ENABLED": "false"}
        async with run_stage(proxy.url, changes) as stage:
            proxy.black_hole = True
            answers = [
                await stage.post(HERO | {"id": {"tntId": "known"}}),
                await stage.post(HERO | {"id": {"marketingCloudVisitorId": "0123"}}),
                await stage.post(HERO | {"id": {"thirdPartyId": "me"}}),
                await stage.post(MIXED | {"id": {"tntId": "known.35_0"}}),
                await stage.post(HERO, {"Cookie": f"mbox=PC#known#{FAR}"}),
            ]
            for answer in answers:
                assert (answer.status, answer.body["status"]) == (200, 200)
                assert "x-gateway-degraded" not in answer.headers


async def test_a_silent_redis_degrades_and_mints(clean_url: str, tmp_path: Path) -> None:
    """gw:S5, and the answer of Target is asked for under the minted id."""
    async with FaultProxy(clean_url, tmp_path) as proxy:
        changes = {"GATEWAY_REDIS__TIMEOUT_MS": "50", "GATEWAY_OUTBOX__ENABLED": "false"}
        async with run_stage(proxy.url, changes) as stage:
            proxy.black_hole = True
            answer = await stage.post(MIXED)
            assert (answer.status, answer.body["status"]) == (200, 200)
            assert answer.headers["x-gateway-degraded"] == "session-store"
            assert re.fullmatch(r"[0-9a-f]{32}(\.35-0)?", tnt_of(answer))
            assert bare(stage.stand_in.requests[0].body["id"]["tntId"]) == bare(tnt_of(answer))
            assert 'gateway_degraded_total{reason="session-store"} 1.0' in (await stage.admin("/metrics")).raw.decode()


async def test_without_any_redis_the_gateway_starts_and_answers(tmp_path: Path) -> None:
    """gw:S5, Q1: ready means it can answer."""
    async with run_stage(f"unix://{tmp_path}/nobody.sock", {"GATEWAY_REDIS__TIMEOUT_MS": "50"}) as stage:
        answer = await stage.post(MIXED, BROWSER)
        assert (answer.status, answer.body["status"]) == (200, 200)
        assert answer.headers["x-gateway-degraded"] == "session-store"
        assert "PC#" in answer.headers["Set-Cookie"]
        assert (await stage.admin("/health/ready")).status == 200
        assert (await stage.post(HERO | {"id": {"tntId": "known"}})).headers.get("x-gateway-degraded") is None


async def test_no_key_holds_a_raw_id(edge: Stage) -> None:
    """gw:S6, design T13."""
    ids = {"tntId": "rawdevice.35_0", "thirdPartyId": "rawcustomer", "marketingCloudVisitorId": "987654321012345678"}
    for body in (HERO, REMOTE, MIXED):
        await edge.post(body | {"id": ids}, sessionId="rawsession")
        await edge.post(
            body, {"Cookie": f"mbox=session#rawcookie#{FAR}|PC#rawcookiedevice#{FAR}"}, sessionId="rawsession2"
        )
        await edge.post(body, sessionId="rawsession3")
    store = edge.running.services.store
    keys = b"\n".join(await store.call("KEYS", "*"))
    assert keys.count(b":session") == 3
    assert not re.search(rb"raw|98765|demo\b.*(cookie|device)", keys.replace(b"{demo:", b""))


def cookies_of(answer: Answer) -> dict[str, str]:
    """Give each cookie that is set, by name, with its attributes."""
    return {text.partition("=")[0]: text for text in answer.headers.getall("Set-Cookie", [])}


@pytest.mark.parametrize("headers", [BROWSER, {"Cookie": "other=1"}, {"Cookie": "mbox=x"} | BROWSER])
async def test_a_browser_gets_the_mbox_cookie(edge: Stage, headers: dict[str, str]) -> None:
    """gw:S8, get-offers §4.3, K6: readable by at.js, for the whole site, for as long as the device lives."""
    answer = await edge.post(HERO, headers)
    cookie = cookies_of(answer)["mbox"]
    assert re.match(rf"mbox=session#s1#\d{{10}}\|PC#{tnt_of(answer)}#\d{{10}}; ", cookie)
    attributes = set(cookie.split("; ")[1:])
    assert attributes in (
        {"Max-Age=63244801", "Path=/", "SameSite=Lax"},
        {"Max-Age=63244800", "Path=/", "SameSite=Lax"},
    )


async def test_a_sidecar_call_gets_no_cookie(edge: Stage) -> None:
    """gw:S8."""
    assert "Set-Cookie" not in (await edge.post(HERO)).headers


async def test_the_cookie_comes_with_beacons_but_not_with_errors(edge: Stage) -> None:
    told = {
        "context": {"channel": "web", "beacon": True},
        "notifications": [{"id": "n", "type": "click", "timestamp": 1700000000000}],
    }
    answer = await edge.post(told | {"id": {"tntId": "known"}}, BROWSER)
    assert (answer.status, answer.raw) == (204, b"")
    assert "PC#known" in answer.headers["Set-Cookie"]
    assert "Set-Cookie" not in (await edge.post(b"[", BROWSER)).headers


async def test_a_cookie_value_is_escaped(edge: Stage) -> None:
    """get-offers §4.1; no attribute and no header can be smuggled in."""
    answer = await edge.post(HERO | {"id": {"tntId": "a;b,c=d\r\nX: y|PC#z"}}, BROWSER, sessionId="s|1;#2,3=4")
    cookie = cookies_of(answer)["mbox"]
    assert "session#s%7C1%3B%232%2C3%3D4#" in cookie
    assert "PC#a%3Bb%2Cc%3Dd%0D%0AX%3A%20y%7CPC%23z#" in cookie
    assert len(answer.headers.getall("Set-Cookie")) == 1


COOKIE_SETTINGS = {
    "write": ({"GATEWAY_WEB__WRITE_COOKIES": "false"}, None),
    "secure": ({"GATEWAY_WEB__COOKIE_SECURE": "true"}, "Secure"),
    "none": ({"GATEWAY_WEB__COOKIE_SAME_SITE": "None"}, "Secure"),
    "strict": ({"GATEWAY_WEB__COOKIE_SAME_SITE": "Strict"}, "SameSite=Strict"),
    "domain": ({"GATEWAY_WEB__COOKIE_DOMAIN": "shop.example"}, "Domain=shop.example"),
}


@pytest.mark.parametrize("name", COOKIE_SETTINGS)
async def test_the_cookie_follows_the_settings(clean_url: str, name: str) -> None:
    """gw:S8; SameSite=None needs Secure (RFC 6265bis §5.7)."""
    changes, attribute = COOKIE_SETTINGS[name]
    async with run_stage(clean_url, changes) as stage:
        cookies = cookies_of(await stage.post(HERO, BROWSER))
        if attribute is None:
            assert not cookies
        else:
            assert attribute in cookies["mbox"].split("; ")


async def test_cookies_are_not_read_when_that_is_off(clean_url: str) -> None:
    """gw:S8: two settings."""
    async with run_stage(clean_url, {"GATEWAY_WEB__READ_COOKIES": "false"}) as stage:
        answer = await stage.post(HERO, {"Cookie": f"mbox=PC#fromcookie#{FAR}"})
        assert tnt_of(answer) != "fromcookie"
        assert "Set-Cookie" in answer.headers


async def test_clients_are_kept_and_target_sees_its_own_suffix(edge: Stage) -> None:
    """gw:S10: `.35-0` out, `.35_0` to Target, no edgeHost, no hint cookie."""
    first = await edge.post(REMOTE, BROWSER)
    assert re.fullmatch(r"[0-9a-f]{32}\.35-0", tnt_of(first))
    assert "edgeHost" not in first.body
    assert set(cookies_of(first)) == {"mbox"}
    assert ".35_0" not in first.raw.decode() + first.headers["Set-Cookie"]
    for headers, identity in (
        ({}, {"id": {"tntId": tnt_of(first)}}),
        ({"Cookie": cookies_of(first)["mbox"].partition(";")[0]}, {}),
    ):
        await edge.post(REMOTE | identity, headers, sessionId="another")
        assert edge.stand_in.requests[-1].body["id"]["tntId"] == tnt_of(first).replace("-", "_")


async def test_a_local_answer_shields_the_suffix_the_caller_sent(edge: Stage) -> None:
    assert tnt_of(await edge.post(HERO | {"id": {"tntId": "me.35_0"}})) == "me.35-0"


async def test_clients_that_are_not_kept_learn_the_edge(clean_url: str) -> None:
    """gw:S10: `false` passes everything through."""
    async with run_stage(clean_url, {"GATEWAY_WEB__KEEP_CLIENTS": "false"}) as stage:
        answer = await stage.post(REMOTE, BROWSER)
        assert tnt_of(answer).endswith(".35_0")
        assert answer.body["edgeHost"] == "mboxedge35.tt.omtrdc.net"
        assert cookies_of(answer)["mboxEdgeCluster"].startswith("mboxEdgeCluster=35; Max-Age=1860; Path=/")


async def test_a_visitor_is_asked_for_at_their_own_edge(clean_url: str) -> None:
    """gw:S9, get-offers §6: by device id, by cookie, by the session's record; else at the usual host."""
    edge_node = StandIn(["demo"], {ORGANIZATION: "demo"}, Options(cluster="35"))
    port = await edge_node.start("127.0.0.35")  # every address 127.x.x.x is this machine's own, on Linux
    try:
        async with run_stage(
            clean_url, {"GATEWAY_UPSTREAM__TARGET__EDGE_URL": f"http://127.0.0.{{cluster}}:{port}"}
        ) as stage:
            await stage.post(REMOTE, sessionId="new")
            assert (stage.stand_in.received, edge_node.received) == (1, 0)
            for body, headers, session in (
                (REMOTE, {}, "new"),  # learnt from the first answer
                (REMOTE | {"id": {"thirdPartyId": "p"}}, {}, "new"),
                (REMOTE | {"id": {"tntId": "a.35_0"}}, {}, "x1"),
                (REMOTE | {"id": {"tntId": "a.35-0"}}, {}, "x2"),
                (REMOTE, {"Cookie": "mboxEdgeCluster=35"}, "x3"),
                (REMOTE, {"Cookie": f"mbox=PC#a.35_0#{FAR}"}, "x4"),
                (REMOTE | {"id": {"tntId": "a.35_0"}}, {"Cookie": "mboxEdgeCluster=36"}, "x5"),
            ):
                before = edge_node.received
                await stage.post(body, headers, sessionId=session)
                assert (edge_node.received, stage.stand_in.received) == (before + 1, 1), (body, headers)
    finally:
        await edge_node.stop()


PINGS = [
    {},
    {"execute": None, "prefetch": None},
    {"notifications": []},
    {"telemetry": {"entries": []}},
    {"id": {"tntId": "me.35_0"}},
]


@pytest.mark.parametrize("more", PINGS, ids=str)
async def test_a_ping_opens_changes_and_asks_nothing(edge: Stage, more: dict[str, Any]) -> None:
    """gw:S11: SDKs ping with one session id for all visitors."""
    store = edge.running.services.store
    known = await edge.post(HERO, sessionId="ping123")
    record = [await store.call("DUMP", key) for key in sorted(await store.call("KEYS", "*:session"))]
    answer = await edge.post({"context": {"channel": "web"}} | more, BROWSER, sessionId="ping123")
    assert (answer.status, answer.body["status"], answer.body["client"]) == (200, 200, "demo")
    assert "Set-Cookie" not in answer.headers
    assert answer.body.get("id", {}).get("tntId") == ("me.35-0" if "id" in more else None)
    assert [await store.call("DUMP", key) for key in sorted(await store.call("KEYS", "*:session"))] == record
    assert edge.stand_in.received == 0
    assert tnt_of(await edge.post(HERO, sessionId="ping123")) == tnt_of(known)


async def test_a_ping_of_a_new_session_leaves_no_record(edge: Stage) -> None:
    await edge.post({"context": {"channel": "web"}}, sessionId="ping123")
    assert await edge.running.services.store.call("KEYS", "*:session") == []


async def test_a_ping_that_is_a_beacon_gets_204(edge: Stage) -> None:
    """delivery-api §8."""
    assert (await edge.post({"context": {"channel": "web", "beacon": True}})).status == 204


async def test_the_request_id_is_echoed_or_made(edge: Stage) -> None:
    """delivery-api §7.1; get-offers §5."""
    assert (await edge.post(REMOTE | {"requestId": "mine"})).body["requestId"] == "mine"
    assert edge.stand_in.requests[-1].body["requestId"] == "mine"
    answer = await edge.post(REMOTE)
    assert re.fullmatch(r"[0-9a-f]{32}", answer.body["requestId"])
    assert edge.stand_in.requests[-1].body["requestId"] == answer.body["requestId"]
    assert edge.stand_in.requests[-1].headers["X-Request-Id"] == answer.headers["X-Request-Id"]


async def test_ids_are_echoed_and_empty_ones_left_out(edge: Stage) -> None:
    """delivery-api §7.1: members without a value are omitted, never null."""
    ids = {"tntId": "a", "thirdPartyId": "p", "marketingCloudVisitorId": None, "customerIds": None}
    for body in (HERO, REMOTE):
        answer = await edge.post(body | {"id": ids})
        assert b"null" not in answer.raw
        assert answer.body["id"]["thirdPartyId"] == "p"
