"""`TargetClient` in a process of its own (spec get-offers §2-§14)."""

import asyncio
import gc
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from gateway.client import AsyncResult, Attributes, TargetClient, Visitor
from gateway.client.models import (
    AnalyticsRequest,
    DeliveryRequest,
    DeliveryResponse,
    ExperienceCloud,
    MetricType,
    Notification,
    NotificationMbox,
)
from gateway.demo.target import Trouble
from gateway.errors import ArtifactMissing, AttributeMissing, GatewayError, InvalidBody, UpstreamError
from tests.client.options import HERO, REMOTE, Target, ask_for, make_options
from tests.stage import ORGANIZATION
from tests.store.servers import wait_until

Open = Callable[..., TargetClient]


def sdid_of(envelope: Any) -> Any:
    return envelope["request"].experience_cloud.analytics.supplemental_data_id


async def ready(client: TargetClient) -> None:
    """Wait until local decisions can be made."""
    async with asyncio.timeout(10):
        while True:
            try:
                await client.get_offers({"request": ask_for(HERO), "decisioning_method": "on-device"})
            except ArtifactMissing:
                await asyncio.sleep(0.01)
            else:
                return


async def test_a_call_is_awaited_where_a_loop_runs(open_client: Open) -> None:
    envelope = await open_client().get_offers({"request": ask_for(HERO)})
    assert isinstance(envelope["response"], DeliveryResponse)
    [mbox] = envelope["response"].execute.mboxes
    assert (mbox.name, mbox.index, mbox.options[0].type) == (HERO, 1, "json")
    assert envelope["response"].prefetch is None
    assert envelope["request"].context.channel == "web"
    assert envelope["meta"] == {"decisioning_method": "server-side", "remote_mboxes": [], "remote_views": []}
    assert envelope["target_location_hint_cookie"]["value"] == "35"
    assert envelope["target_cookie"]["max_age"] == envelope["target_cookie"]["maxAge"]


async def test_a_call_waits_where_no_loop_runs(open_client: Open) -> None:
    client = open_client()
    envelope = await asyncio.to_thread(client.get_offers, {"request": ask_for(HERO)})
    assert envelope["response"].status == 200


async def test_a_call_waits_in_a_loop_too_where_that_is_wanted(target: Target) -> None:
    """For code that was written for a client that always waits; the stand-in needs this loop, so it is not asked."""
    with TargetClient.create({"client": "demo", "organization_id": ORGANIZATION, "blocking": True}) as client:
        envelope = client.get_offers({"request": {"context": {"channel": "web"}}})
    assert envelope["response"].status == 200
    assert not target.stand_in.requests


async def test_a_callback_is_told_in_a_thread_of_its_own(open_client: Open) -> None:
    """§2; it may make calls itself."""
    client, told = open_client(), []

    def go_on(envelope: Any) -> None:
        told.append((threading.current_thread().name, envelope))
        told.append(("again", client.get_offers({"request": ask_for(REMOTE)})))

    pending = client.get_offers({"request": ask_for(HERO), "callback": go_on})
    assert isinstance(pending, AsyncResult)
    await wait_until(lambda: len(told) == 2)
    assert told[0][0].startswith("gateway.client.callback")
    assert pending.ready()
    assert pending.successful()
    assert pending.get() is told[0][1]
    assert told[1][1]["response"].execute.mboxes[0].name == REMOTE


async def test_an_error_is_told_to_its_own_callback(open_client: Open) -> None:
    client, errors, told = open_client(decisioning_method="on-device", artifact_location="http://127.0.0.1:9/x"), [], []
    options = {"request": ask_for(HERO), "callback": told.append, "err_callback": errors.append}
    pending = client.get_offers(options)
    await wait_until(lambda: bool(errors))
    assert isinstance(errors[0], ArtifactMissing)
    assert not told
    assert not pending.successful()
    with pytest.raises(ArtifactMissing):
        pending.get(timeout=1)


async def test_a_call_that_is_wrong_is_refused_at_once(open_client: Open) -> None:
    """§3, also with callbacks."""
    client = open_client()
    for options in (None, {}, {"request": None}, {"request": {}}, {"request": {"execute": {"mboxes": [], "x": 1}}}):
        with pytest.raises(InvalidBody):
            client.get_offers(options)
    with pytest.raises(InvalidBody, match="consumer_id"):
        client.get_offers({"request": ask_for(HERO), "consumer_id": "x" * 257, "callback": print})
    with pytest.raises(InvalidBody, match="Visitor"):
        client.get_offers({"request": ask_for(HERO), "visitor": object()})
    with pytest.raises(InvalidBody, match="object, which is no data"):
        client.get_offers({"request": {"context": object()}})


async def test_what_the_engine_finds_wrong_is_raised_where_it_is_awaited(open_client: Open) -> None:
    request = ask_for("x" * 251)
    with pytest.raises(InvalidBody) as error:
        await open_client().get_offers({"request": request})
    assert error.value.path == "$.request.execute.mboxes[0].name"


async def test_the_callers_request_stays_as_it_was(open_client: Open) -> None:
    """§2: unlike with the Node SDK, a property token is not written into it."""
    request = ask_for(HERO)
    before = request.to_dict()
    envelope = await open_client(property_token="p", environment_id=7).get_offers({"request": request})
    assert request.to_dict() == before
    assert envelope["request"]._property.token == "p"
    assert envelope["request"].environment_id == 7


async def test_the_cookie_brings_the_visitor_back(open_client: Open, target: Target) -> None:
    client = open_client()
    first = await client.get_offers({"request": ask_for(HERO), "session_id": "s1"})
    second = await client.get_offers({"request": ask_for(HERO), "target_cookie": first["target_cookie"]["value"]})
    assert first["response"].id == second["response"].id
    assert [call.query["sessionId"] for call in target.stand_in.requests] == ["s1", "s1"]


async def test_the_edge_that_answered_is_the_fallback_for_others(open_client: Open) -> None:
    """§2 side effect (a): only for visitors without a hint of their own; that is seen in the ids made here."""
    client = open_client(decisioning_method="on-device")
    await ready(client)
    local = {"request": ask_for(HERO), "decisioning_method": "on-device"}
    envelope = await client.get_offers(local | {"target_location_hint": "28"})
    assert envelope["response"].id.tnt_id.endswith(".28_0")
    later = await client.get_offers(local)
    assert later["response"].id.tnt_id.endswith(".28_0")
    own = await client.get_offers(local | {"target_cookie": "PC#abc.31_0#99999999999"})
    assert own["response"].id.tnt_id == "abc.31_0"
    assert own["target_location_hint_cookie"]["value"] == "31"


async def test_local_and_remote_in_one_answer(open_client: Open, target: Target) -> None:
    """§15, and the display notification of what was decided here, with the call's SDID."""
    client = open_client(decisioning_method="hybrid")
    await ready(client)
    envelope = await client.get_offers({"request": ask_for(HERO, REMOTE)})
    assert envelope["meta"]["remote_mboxes"] == [REMOTE]
    assert [token["activity.decisioningMethod"] for token in envelope["response_tokens"]] == [
        "on-device",
        "server-side",
    ]
    await wait_until(lambda: len(target.stand_in.notifications) == 2)  # of `ready`, and of this call
    told = [call for call in target.stand_in.requests if call.body.get("notifications")]
    sdids = [call.body["experienceCloud"]["analytics"]["supplementalDataId"] for call in told]
    assert sdid_of(envelope) in sdids


async def test_hybrid_goes_to_target_until_there_is_an_artifact(open_client: Open) -> None:
    """§10.1."""
    client = open_client(decisioning_method="hybrid", artifact_location="http://127.0.0.1:9/none")
    envelope = await client.get_offers({"request": ask_for(HERO)})
    assert envelope["meta"]["decisioning_method"] == "server-side"


async def test_as_with_adobes_sdks_a_call_can_go_whole_or_not_at_all(open_client: Open, target: Target) -> None:
    """§10.1, §15 point 8; the artifact comes as a payload (§1)."""
    options = {"artifact_payload": json.loads(target.stand_in.artifact), "artifact_location": "http://127.0.0.1:9/none"}
    settings = make_options(target.port)["settings"] | {"client": {"demo": {"split": "all-or-nothing"}}}
    client = open_client(decisioning_method="hybrid", settings=settings, **options)
    await ready(client)
    whole = await client.get_offers({"request": ask_for(HERO, REMOTE)})
    assert {token["activity.decisioningMethod"] for token in whole["response_tokens"]} == {"server-side"}
    here = await client.get_offers({"request": ask_for(HERO)})
    assert here["meta"]["decisioning_method"] == "on-device"


async def test_one_visitor_stitches_the_calls_of_a_page(open_client: Open) -> None:
    """§8: calls made at the same time, of different consumers, share an SDID; a repeated one begins the next."""
    client, visitor = open_client(), Visitor(ORGANIZATION, "MCMID|123")
    names = ["a", "b", "c", "d"]
    calls = [client.get_offers({"request": ask_for(name), "visitor": visitor, "consumer_id": name}) for name in names]
    envelopes = await asyncio.gather(*calls)
    assert len({sdid_of(envelope) for envelope in envelopes}) == 1
    again = await client.get_offers({"request": ask_for("a"), "visitor": visitor, "consumer_id": "a"})
    assert sdid_of(again) != sdid_of(envelopes[0])
    state = again["visitor_state"][ORGANIZATION]["sdid"]
    assert (state["supplementalDataIDCurrent"], state["supplementalDataIDLast"]) == (
        sdid_of(again),
        sdid_of(envelopes[0]),
    )
    assert again["request"].id.marketing_cloud_visitor_id == "123"
    assert visitor.get_state() == again["visitor_state"]
    assert visitor.cookie_name == f"AMCV_{ORGANIZATION}"


async def test_customer_ids_stay_with_the_visitor(open_client: Open) -> None:
    """§7.3, §7.4."""
    client, visitor = open_client(), Visitor(ORGANIZATION)
    ids = {"crm": {"id": "c", "authState": 1}}
    await client.get_offers({"request": ask_for("a"), "visitor": visitor, "customer_ids": ids})
    later = await client.get_offers({"request": ask_for("b"), "visitor": visitor, "consumer_id": "b"})
    [customer] = later["request"].id.customer_ids
    assert (customer.id, customer.integration_code, customer.authenticated_state) == ("c", "crm", "authenticated")
    assert later["visitor_state"][ORGANIZATION]["customerIDs"] == ids


async def test_an_sdid_of_the_caller_is_kept_and_none_is_taken(open_client: Open) -> None:
    """§8, deviation."""
    sdid, visitor = "0123456789ABCDEF-0123456789ABCDEF", Visitor(ORGANIZATION)
    request = ask_for(HERO)
    request.experience_cloud = ExperienceCloud(analytics=AnalyticsRequest(supplemental_data_id=sdid))
    envelope = await open_client().get_offers({"request": request, "visitor": visitor})
    assert sdid_of(envelope) == sdid
    assert envelope["visitor_state"] == {ORGANIZATION: {}}


async def test_notifications_are_sent(open_client: Open, target: Target) -> None:
    """§13."""
    shown = Notification(
        id="n1",
        type=MetricType.DISPLAY,
        timestamp=int(time.time() * 1000),
        tokens=["t"],
        mbox=NotificationMbox(name=HERO),
    )
    request = DeliveryRequest(context=ask_for().context, notifications=[shown])
    envelope = await open_client().send_notifications({"request": request})
    assert [one.id for one in envelope["response"].notifications] == ["n1"]
    assert target.stand_in.impressions == {"t": 1}
    with pytest.raises(InvalidBody, match="notifications required"):
        await open_client(telemetry_enabled=False).send_notifications({"request": ask_for(HERO)})


async def test_attributes(open_client: Open) -> None:
    """§14."""
    found = await open_client().get_attributes(["nowhere"])
    assert isinstance(found, Attributes)
    assert found.get_value("nowhere", "mbox") == "nowhere"
    assert found.as_object() == {"nowhere": found.as_object("nowhere")}
    assert found.as_object("unknown") == {}
    assert found.get_response()["response"].status == 200
    for mbox, key in (("nowhere", "unknown"), ("unknown", "mbox")):
        with pytest.raises(AttributeMissing, match=f"Attribute '{key}' does not exist for mbox '{mbox}'"):
            found.get_value(mbox, key)


async def test_attributes_with_a_callback_and_a_request(open_client: Open) -> None:
    told: list[Any] = []
    open_client().get_attributes(["nowhere"], {"request": ask_for(HERO), "callback": told.append})
    await wait_until(lambda: bool(told))
    assert set(told[0].as_object()) == {HERO, "nowhere"}


async def test_what_was_answered_can_be_changed_without_harm(open_client: Open) -> None:
    client = open_client(decisioning_method="on-device")
    await ready(client)
    envelope = await client.get_offers({"request": ask_for("new-checkout", HERO)})
    for mbox in envelope["response"].execute.mboxes:
        for option in mbox.options or ():
            option.response_tokens.clear()
    later = await client.get_offers({"request": ask_for(HERO)})
    assert later["response"].execute.mboxes[0].options[0].response_tokens


async def test_a_hanging_target_leaves_default_content_by_the_deadline(open_client: Open, target: Target) -> None:
    """gw:F5 instead of an error, as a gateway answers."""
    client = open_client(timeout=200)
    target.stand_in.trouble = Trouble(hang=True)
    envelope = await client.get_offers({"request": ask_for(HERO)})
    assert (envelope["response"].status, envelope["meta"]["degraded"]) == (206, ["upstream-timeout"])
    assert envelope["response"].execute.mboxes[0].options is None
    target.stand_in.trouble = Trouble(hang=True)
    shown = {"id": "n", "type": "display", "timestamp": int(time.time() * 1000), "mbox": {"name": "a"}}
    with pytest.raises(UpstreamError):
        await client.send_notifications({"request": {"notifications": [shown]}})


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 10, 20])
async def test_a_cancelled_caller_leaves_nothing_behind(open_client: Open, target: Target, turns: int) -> None:
    client = open_client()
    target.stand_in.trouble = Trouble(hang=True)
    call = asyncio.ensure_future(client.get_offers({"request": ask_for(HERO)}))
    for _ in range(turns):
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    target.stand_in.trouble = None
    assert (await client.get_offers({"request": ask_for(HERO)}))["response"].status == 200
    await wait_until(lambda: not client._background._calls)


async def test_a_closed_client_says_so(open_client: Open) -> None:
    client = open_client()
    await client.get_offers({"request": ask_for(HERO)})
    async with client:
        pass
    with pytest.raises(GatewayError, match="closed"):
        client.get_offers({"request": ask_for(HERO)})
    client.close()


async def test_a_client_that_nobody_holds_ends_its_thread(target: Target) -> None:
    client = TargetClient.create({"client": "demo", "organization_id": ORGANIZATION, "polling_interval": 0})
    thread = client._background._thread
    del client
    gc.collect()
    await wait_until(lambda: not thread.is_alive())


async def test_closing_sends_what_waits_to_be_told(open_client: Open, target: Target) -> None:
    client = open_client(decisioning_method="on-device")
    await ready(client)
    for _ in range(5):
        await client.get_offers({"request": ask_for(HERO)})
    await asyncio.to_thread(client.close)
    assert len(target.stand_in.notifications) == 6


async def test_sessions_can_be_kept_in_redis(open_client: Open, redis_url: str) -> None:
    """gw:S2 for several processes: the session alone brings the visitor back."""
    local = {"decisioning_method": "on-device", "redis_url": redis_url, "key_secret": "a secret of the tests"}
    one, two = open_client(**local), open_client(**local)
    await ready(one)
    await ready(two)
    options = {"request": ask_for(HERO), "session_id": "shared"}
    envelopes = [await client.get_offers(options) for client in (one, two)]
    assert envelopes[0]["response"].id == envelopes[1]["response"].id
