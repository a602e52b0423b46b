"""Adobe's own SDKs, unchanged, with the gateway as their server domain (gw:S10-S12, F8, F9)."""

import time
from typing import Any

import pytest
from msgspec.json import decode, encode

from gateway.store.connection import Store
from tests.sdk.driver import host_of, run_sdk
from tests.sdk.install import Program
from tests.stage import Stage, run_stage
from tests.store.servers import wait_until

pytestmark = pytest.mark.timeout(300)  # the first run installs the SDKs

WEB: dict[str, Any] = {"context": {"channel": "web"}}
HERO = {"index": 1, "name": "homepage-hero"}
BOTH = WEB | {"execute": {"mboxes": [HERO, {"index": 2, "name": "recommendations"}]}}


def bare(identity: Any) -> str:
    return identity["tntId"].partition(".")[0]


def cookie_of(answer: Any) -> str:
    return answer["targetCookie"]["value"]


def session_of(answer: Any) -> str:
    """Give the session id in the cookie that the SDK wants the browser to have (get-offers §4.3)."""
    name, session_id, _ = cookie_of(answer).split("|")[0].split("#")
    assert name == "session"
    return session_id


def deciders(answer: Any) -> dict[str, str]:
    return {
        mbox["name"]: mbox["options"][0]["responseTokens"]["activity.decisioningMethod"]
        for mbox in answer["response"]["execute"]["mboxes"]
    }


def decisions(stage: Stage) -> list[Any]:
    """Give the calls for decisions that reached Target; notifications of local decisions come in between."""
    return [call for call in stage.stand_in.requests if "execute" in call.body]


def displayed(stage: Stage) -> list[str]:
    return [told["mbox"]["name"] for told in stage.stand_in.notifications if told["type"] == "display"]


async def test_an_sdk_gets_local_and_remote_offers_in_one_answer(program: Program, stage: Stage) -> None:
    """gw:F1 for a caller that believes it speaks with Target."""
    async with run_sdk(program, stage) as sdk:
        answer = await sdk.get_offers(BOTH)
    assert deciders(answer) == {"homepage-hero": "on-device", "recommendations": "server-side"}
    assert answer["response"]["status"] == 200
    [call] = decisions(stage)
    assert [mbox["name"] for mbox in call.body["execute"]["mboxes"]] == ["recommendations"]


async def test_an_sdk_keeps_its_visitor_session_and_gateway(program: Program, stage: Stage) -> None:
    """gw:S2, S10: the cookie it makes of our answer brings it back to us, and as the same visitor.

    The third call is a fresh process's first: the Python SDK keeps to the host that a process asked first.
    """
    async with run_sdk(program, stage) as sdk:
        first = await sdk.get_offers(BOTH)
        second = await sdk.get_offers(BOTH, targetCookie=cookie_of(first))
        assert sdk.hosts == {host_of(stage)}
    async with run_sdk(program, stage) as sdk:
        third = await sdk.get_offers(BOTH, targetCookie=cookie_of(second))
        assert sdk.hosts == {host_of(stage)}
    answers, calls = [first, second, third], decisions(stage)
    assert [answer.get("targetLocationHintCookie") for answer in answers] == [None, None, None]
    assert [call.body["id"]["tntId"].partition(".")[2] for call in calls] == ["", "35_0", "35_0"]
    await wait_until(lambda: displayed(stage) == ["homepage-hero"] * 3)  # the mbox that was decided locally
    calls = list(stage.stand_in.requests)
    assert {bare(call.body["id"]) for call in calls} == {bare(answer["response"]["id"]) for answer in answers}
    assert {call.query["sessionId"] for call in calls} == {session_of(answer) for answer in answers}
    assert len({(bare(answer["response"]["id"]), session_of(answer)) for answer in answers}) == 1


async def test_without_keep_clients_an_sdk_leaves_for_the_edge(program: Program, redis_url: str, store: Store) -> None:
    """gw:S10 the other way round: what keeps the SDKs is the setting, not chance."""
    async with run_stage(redis_url, {"GATEWAY_WEB__KEEP_CLIENTS": "false"}) as stage:
        async with run_sdk(program, stage) as sdk:
            first = await sdk.get_offers(BOTH)
        async with run_sdk(program, stage) as sdk:
            await sdk.fail_offers(BOTH, targetCookie=cookie_of(first))
            assert {host.partition(":")[0] for host in sdk.hosts} == {"mboxedge35.tt.omtrdc.net"}
    assert first["targetLocationHintCookie"]["value"] == "35"


@pytest.mark.parametrize("name", ["homepage-hero", "recommendations"])
async def test_an_sdk_tells_target_what_was_displayed(program: Program, stage: Stage, name: str) -> None:
    """gw:F8: the notification for a prefetched mbox, local or remote, reaches Target once, with its token."""
    async with run_sdk(program, stage) as sdk:
        offers = await sdk.get_offers(WEB | {"prefetch": {"mboxes": [{"index": 1, "name": name}]}})
        [mbox] = offers["response"]["prefetch"]["mboxes"]
        token = mbox["options"][0]["eventToken"]
        shown = {"id": "n1", "type": "display", "timestamp": int(time.time() * 1000), "tokens": [token]}
        told = WEB | {"notifications": [shown | {"mbox": {"name": name}}]}
        answer = await sdk.send_notifications(told, targetCookie=cookie_of(offers))
    assert answer["response"]["notifications"] == [{"id": "n1"}]
    [received] = stage.stand_in.notifications
    assert (received["id"], received["type"], received["tokens"]) == ("n1", "display", [token])
    assert received["mbox"]["name"] == name
    assert stage.stand_in.impressions == {token: 1}
    last = stage.stand_in.requests[-1]
    assert bare(last.body["id"]) == bare(offers["response"]["id"])
    assert last.query["sessionId"] == session_of(offers)


async def test_an_sdk_gets_default_content_in_an_outage(program: Program, stage: Stage) -> None:
    """gw:F9: HTTP 200 also then, for the SDKs repeat or raise on anything else."""
    await stage.stand_in.stop()
    async with run_sdk(program, stage) as sdk:
        answer = await sdk.get_offers(BOTH)
    assert answer["response"]["status"] == 206
    local, remote = answer["response"]["execute"]["mboxes"]
    assert local["options"]
    assert (remote["name"], remote.get("options")) == ("recommendations", None)


async def test_an_invalid_request_fails_in_the_sdk_and_does_not_hang(program: Program, stage: Stage) -> None:
    """gw:F9: the SDK can read our error answer, says so to its caller, and goes on."""
    async with run_sdk(program, stage) as sdk:
        error = await sdk.fail_offers(WEB | {"execute": {"mboxes": [{"index": 1, "name": "x" * 251}]}})
        assert "Bad Request" in error
        assert deciders(await sdk.get_offers(BOTH))["homepage-hero"] == "on-device"
    assert len(decisions(stage)) == 1


async def test_an_unknown_organization_fails_in_the_sdk(program: Program, stage: Stage) -> None:
    """gw:S12: the organization is all that the SDKs send of the client."""
    async with run_sdk(program, stage, organizationId="OTHER@AdobeOrg") as sdk:
        assert "Bad Request" in await sdk.fail_offers(BOTH)
    assert not stage.stand_in.requests


async def test_the_ping_of_a_hybrid_client_opens_no_session(program: Program, stage: Stage, store: Store) -> None:
    """gw:S11, get-offers §10.4: the client starts with our answer, then decides by itself what it can."""
    target = stage.running.services.settings.upstream.target.url
    artifact = f"{target}/artifact/demo/production/v1/rules.json"
    # The Python SDK's local decisions hang where Adobe's geo look-up cannot be reached, as in these tests.
    stage.stand_in.artifact = encode(decode(stage.stand_in.artifact) | {"geoTargetingEnabled": False})
    async with run_sdk(program, stage, decisioningMethod="hybrid", pollingInterval=0, artifactLocation=artifact) as sdk:
        assert host_of(stage) in sdk.hosts
        assert not stage.stand_in.requests
        assert await store.call("KEYS", "*:session") == []
        remote = await sdk.get_offers(BOTH)
        assert len(await store.call("KEYS", "*:session")) == 1
        assert sdk.hosts == {host_of(stage)}
        local = await sdk.get_offers(WEB | {"execute": {"mboxes": [HERO]}}, targetCookie=cookie_of(remote))
        await wait_until(lambda: displayed(stage).count("homepage-hero") == 2)  # the gateway's own, then the SDK's
    assert deciders(remote) == {"homepage-hero": "on-device", "recommendations": "server-side"}
    assert local["response"]["execute"]["mboxes"][0]["options"]
    assert bare(stage.stand_in.requests[-1].body["id"]) == bare(remote["response"]["id"])
