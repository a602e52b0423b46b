"""The stand-in keeps the rules that Target keeps (spec/delivery-api.md)."""

import asyncio
import re

import pytest

from gateway.demo.messages import VisitorId
from gateway.demo.target import ORGANIZATION, Options, StandIn


def mboxes(*names):
    return {"mboxes": [{"index": number, "name": name} for number, name in enumerate(names, 1)]}


def notification(**members):
    return {"id": "n1", "type": "display", "timestamp": 1_700_000_000_000, "tokens": ["t1"], **members}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("client=demo&sessionId=s", 200),
        ("imsOrgId=" + ORGANIZATION.replace("@", "%40") + "&sessionId=s", 200),
        ("client=unknown&imsOrgId=" + ORGANIZATION.replace("@", "%40") + "&sessionId=s", 200),
        ("client=demo&sessionId=" + "s" * 128, 200),
        ("client=demo&sessionId=s&unknown=1", 200),
        ("client=unknown&sessionId=s", 400),
        ("sessionId=s", 400),
        ("client=demo", 400),
        ("client=demo&sessionId=", 400),
        ("client=demo&sessionId=" + "s" * 129, 400),
        ("client=demo&sessionId=a%20b", 400),
        ("client=demo&sessionId=a%2Fb", 400),
        ("client=demo&sessionId=a%7Bb", 400),
        ("client=demo&sessionId=a%00b", 400),
    ],
)
async def test_a_call_names_a_known_tenant_and_a_well_formed_session(caller, query, status):
    """spec/delivery-api.md §2, §9.1."""
    answered, body = await caller.deliver(query=query)
    assert answered == status
    assert body["status"] == status
    if status == 400:
        assert body["message"].startswith("Invalid request: ")


async def test_an_unknown_organization_is_refused_in_target_s_words(caller):
    """spec/delivery-api.md §9.1."""
    answer = await caller.deliver(query="imsOrgId=nobody&sessionId=s")
    assert answer == (400, {"status": 400, "message": "Invalid request: Invalid imsOrg -  nobody"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff{}",
        b'{"context":{}}',
        b'{"context":{"channel":"tv"}}',
        {"execute": {"mboxes": [{"index": 1}]}},
        {"execute": {"mboxes": [{"name": "hero"}]}},
        {"execute": {"mboxes": [{"index": 1.5, "name": "hero"}]}},
        {"execute": {"mboxes": [{"index": 1, "name": " "}]}},
        {"id": {"tntId": "x" * 129}},
        {"property": {"token": " "}},
        {"trace": {}},
        {"notifications": [notification(), notification(timestamp="now")]},
        {"notifications": [notification(), notification(timestamp=1_700_000_000)]},
        {"notifications": [notification(), notification(tokens=["t1", ""])]},
        {"notifications": [notification(type="hover")]},
        {"notifications": [notification(mbox={"name": "a"}, view={"name": "b"})]},
    ],
)
async def test_a_body_that_breaks_a_rule_is_refused_as_a_whole(caller, stand_in, body):
    """spec/delivery-api.md §5, §6; one bad notification invalidates the complete request (§6.6)."""
    status, answer = await caller.deliver(body)
    assert (status, answer["status"]) == (400, 400)
    assert answer["message"].startswith("Invalid request: ")
    assert not stand_in.notifications
    assert not stand_in.impressions


@pytest.mark.parametrize("part", ["execute", "prefetch"])
async def test_a_call_has_at_most_50_mboxes(caller, part):
    """spec/delivery-api.md §16."""
    names = [f"m{number}" for number in range(51)]
    status, answer = await caller.deliver({part: mboxes(*names[:50])})
    assert (status, len(answer[part]["mboxes"])) == (200, 50)
    refused = await caller.deliver({part: mboxes(*names)})
    assert refused == (400, {"status": 400, "message": "Invalid request: size must be between 0 and 50"})


async def test_null_is_the_same_as_absent_and_whole_numbers_may_have_a_fraction(caller):
    """spec/delivery-api.md §5."""
    status, answer = await caller.deliver(
        {"id": None, "prefetch": None, "execute": {"pageLoad": None, "mboxes": [{"index": 1.0, "name": "hero"}]}}
    )
    assert status == 200
    assert [mbox["index"] for mbox in answer["execute"]["mboxes"]] == [1]
    assert "pageLoad" not in answer["execute"]
    assert "prefetch" not in answer


async def test_calls_of_one_session_run_one_after_another_in_the_order_they_came(caller, stand_in):
    """spec/delivery-api.md §16, shown by the order of starts and ends, not by time."""
    await caller.control("PUT", {"delay_ms": 5})
    await asyncio.gather(*(caller.deliver(query="client=demo&sessionId=busy") for _ in range(6)))
    assert stand_in.max_in_flight_per_session == 6
    calls = list(stand_in.requests)
    assert [(call.started, call.finished) for call in calls] == [(2 * n + 1, 2 * n + 2) for n in range(6)]


async def test_another_session_does_not_wait(caller, stand_in):
    """spec/delivery-api.md §16: the rule is one session's."""
    await caller.control("PUT", {"hang": True, "times": 1})
    hanging = asyncio.create_task(caller.deliver(query="client=demo&sessionId=a"))
    await stand_in.wait_received(1)
    waiting = asyncio.create_task(caller.deliver(query="client=demo&sessionId=a"))
    await stand_in.wait_received(2)
    assert (await caller.deliver(query="client=demo&sessionId=b"))[0] == 200
    assert not waiting.done()
    hanging.cancel()
    assert (await waiting)[0] == 200


async def test_more_than_100_calls_of_one_session_in_flight_are_refused_with_420(caller, stand_in):
    """spec/delivery-api.md §8."""
    await caller.control("PUT", {"hang": True, "times": 1})
    calls = [asyncio.create_task(caller.deliver()) for _ in range(100)]
    await stand_in.wait_received(100)
    status, answer = await caller.deliver()
    assert (status, answer["status"]) == (420, 420)
    assert "same session id" in answer["message"]
    assert (await caller.deliver(query="client=demo&sessionId=other"))[0] == 200
    first = next(iter(stand_in.requests))
    assert (first.started, first.finished) == (1, 0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_a_visitor_without_ids_gets_one_and_keeps_its_bare_part(caller):
    """spec/delivery-api.md §6.2, §9.2: the suffix moves to this edge, the bare id stays."""
    _, first = await caller.deliver()
    assert re.fullmatch(r"[0-9a-f]{32}\.35_0", first["id"]["tntId"])
    assert first["edgeHost"] == "mboxedge35.tt.omtrdc.net"
    bare = first["id"]["tntId"].partition(".")[0]
    for sent in (bare, f"{bare}.28_20", f"{bare}.35_0"):
        _, later = await caller.deliver({"id": {"tntId": sent}})
        assert later["id"] == {"tntId": f"{bare}.35_0"}


@pytest.mark.parametrize(
    "sent", [{"thirdPartyId": "c-1"}, {"marketingCloudVisitorId": "1" * 38, "customerIds": [{"id": "7"}]}]
)
async def test_other_ids_are_echoed_and_enough(caller, sent):
    """spec/delivery-api.md §7.1."""
    _, answer = await caller.deliver({"id": sent})
    assert answer["id"] == sent


async def test_the_cluster_is_an_option_and_the_ids_follow_the_seed():
    """spec/delivery-api.md §9.2."""
    made = [StandIn(["demo"], options=Options(cluster="28", seed=seed))._edge for seed in (1, 1, 2)]
    assert made[0].cluster == "28"
    ids = [edge.make_id() for edge in made]
    assert ids[0] == ids[1] != ids[2]


async def test_the_request_id_is_echoed_or_made(caller):
    """spec/delivery-api.md §7.1."""
    assert (await caller.deliver({"requestId": "r-1"}))[1]["requestId"] == "r-1"
    assert (await caller.deliver())[1]["requestId"]
    by_organization = "sessionId=s&imsOrgId=" + ORGANIZATION.replace("@", "%40")
    assert (await caller.deliver(query=by_organization))[1]["client"] == "demo"
    assert (await caller.deliver(query="client=other&sessionId=s"))[1]["client"] == "other"


async def test_an_answer_depends_on_the_mbox_and_the_bare_id_only(caller):
    async def show(tnt_id, session, *names):
        _, answer = await caller.deliver(
            {"id": {"tntId": tnt_id}, "execute": mboxes(*names)}, f"client=demo&sessionId={session}"
        )
        return {mbox["name"]: mbox["options"] for mbox in answer["execute"]["mboxes"]}

    names = ["hero", "recommendations", "cart-upsell", *(f"m{number}" for number in range(20))]
    first = await show("v1.35_0", "s1", *names)
    again = await show("v1.28_3", "s2", *reversed(names))
    assert first == again
    variants = {first[f"m{number}"][0]["content"]["variant"] for number in range(20)}
    assert variants == {"a", "b"}
    assert await show("v2", "s3", *names) != first


async def test_an_mbox_that_begins_with_empty_has_no_options(caller):
    """spec/delivery-api.md §7.2."""
    _, answer = await caller.deliver({"execute": mboxes("empty-slot", "hero")})
    empty, hero = answer["execute"]["mboxes"]
    assert empty == {"index": 1, "name": "empty-slot"}
    assert hero["options"][0]["content"]["mbox"] == "hero"


async def test_prefetch_carries_tokens_and_state_and_execute_neither(caller):
    """spec/delivery-api.md §15."""
    _, answer = await caller.deliver(
        {
            "execute": {"pageLoad": {}, **mboxes("hero")},
            "prefetch": {"pageLoad": {}, **mboxes("hero"), "views": [{"name": "checkout"}]},
        }
    )
    executed = [answer["execute"]["pageLoad"], *answer["execute"]["mboxes"]]
    prefetched = [answer["prefetch"]["pageLoad"], *answer["prefetch"]["mboxes"], *answer["prefetch"]["views"]]
    assert all("state" not in place and "eventToken" not in place["options"][0] for place in executed)
    assert all(place["state"] for place in prefetched)
    assert all(option["eventToken"] for place in prefetched for option in place["options"])
    assert [option["type"] for option in executed[0]["options"]] == ["html", "actions"]


async def test_a_nameless_view_asks_for_all_and_a_named_one_for_itself(caller):
    """spec/delivery-api.md §6.4."""
    _, answer = await caller.deliver({"prefetch": {"views": [{}]}})
    assert [view["name"] for view in answer["prefetch"]["views"]] == ["checkout"]
    _, answer = await caller.deliver({"prefetch": {"views": [{"name": "basket", "key": "k"}, {"name": "empty"}]}})
    basket, empty = answer["prefetch"]["views"]
    assert (basket["name"], basket["key"], basket["options"][0]["type"]) == ("basket", "k", "actions")
    assert empty == {"name": "empty"}
    _, answer = await caller.deliver({"prefetch": {"views": []}})
    assert answer["prefetch"]["views"] == []


async def test_impressions_are_counted_at_once_for_execute_and_by_notification_for_prefetch(caller, stand_in):
    """spec/delivery-api.md §15."""
    visitor = {"id": {"tntId": "v1"}}
    _, answer = await caller.deliver({**visitor, "prefetch": mboxes("hero")})
    assert not stand_in.impressions
    token = answer["prefetch"]["mboxes"][0]["options"][0]["eventToken"]
    await caller.deliver({**visitor, "execute": mboxes("hero")})
    assert stand_in.impressions == {token: 1}
    shown, clicked = notification(id="n1", tokens=[token]), notification(id="n2", type="click", tokens=[token])
    _, answer = await caller.deliver({**visitor, "notifications": [shown, clicked]})
    assert answer["notifications"] == [{"id": "n1"}, {"id": "n2"}]
    assert stand_in.impressions == {token: 2}
    assert [entry["id"] for entry in stand_in.notifications] == ["n1", "n2"]


async def test_a_beacon_is_answered_204_without_a_body_and_is_counted(caller, stand_in):
    """spec/delivery-api.md §8."""
    answer = await caller.deliver({"context": {"channel": "web", "beacon": True}, "notifications": [notification()]})
    assert answer == (204, None)
    assert stand_in.impressions == {"t1": 1}


async def test_client_side_analytics_gets_a_payload_and_server_side_none(caller):
    """spec/delivery-api.md §13."""
    for logging, expected in (("client_side", True), ("server_side", False)):
        _, answer = await caller.deliver(
            {"experienceCloud": {"analytics": {"logging": logging}}, "execute": {"pageLoad": {}, **mboxes("hero")}}
        )
        page = answer["execute"]["pageLoad"]
        assert [("analytics" in place) for place in (page, page["metrics"][0], *answer["execute"]["mboxes"])] == [
            expected
        ] * 3


async def test_a_trace_is_on_every_place_when_asked_for(caller):
    """spec/delivery-api.md §12."""
    body = {"execute": {"pageLoad": {}, **mboxes("hero", "empty")}, "notifications": [notification()]}
    for asked, expected in (({"trace": {"authorizationToken": "t"}}, True), ({}, False)):
        _, answer = await caller.deliver({**body, **asked})
        places = [answer["execute"]["pageLoad"], *answer["execute"]["mboxes"], *answer["notifications"]]
        assert [("trace" in place) for place in places] == [expected] * 4


async def test_telemetry_entries_are_answered_with_a_token(caller):
    """spec/delivery-api.md §7.1, §14."""
    _, answer = await caller.deliver({"telemetry": {"entries": [{"requestId": "r"}]}})
    assert answer["telemetryServerToken"]
    assert "telemetryServerToken" not in (await caller.deliver({"telemetry": {"entries": []}}))[1]


async def test_received_calls_are_kept_in_order_and_bounded():
    stand_in = StandIn(["demo"], options=Options(remembered=2))
    for number in range(3):
        stand_in.record_call({"sessionId": str(number)}, {}, b'{"n":%d}' % number)
    assert [(call.number, call.body) for call in stand_in.requests] == [(2, {"n": 1}), (3, {"n": 2})]
    assert stand_in.received == 3


def test_the_visitor_s_bare_id_follows_target_s_order():
    """spec/delivery-api.md §9.3."""
    assert VisitorId(tnt_id="a.35_0", third_party_id="c", marketing_cloud_visitor_id="e").bare() == "e"
    assert VisitorId(tnt_id="a.35_0", third_party_id="c").bare() == "a"
    assert VisitorId(third_party_id="c").bare() == "c"


async def test_other_methods_and_addresses_are_refused_with_an_error_object(caller):
    """spec/delivery-api.md §8."""
    assert (await caller.get("/rest/v1/delivery?client=demo&sessionId=s"))[0] == 405
    status, body, _ = await caller.get("/moved")
    assert (status, body) == (404, b'{"status":404,"message":"There is nothing at /moved"}')


async def test_a_body_that_is_too_long_is_refused_with_413(caller, monkeypatch):
    """spec/delivery-api.md §8, with a smaller bound than Target's 60 MB."""
    monkeypatch.setattr("gateway.demo.stand_in.MOST_BODY_BYTES", 100)
    status, answer = await caller.deliver({"requestId": "r" * 100})
    assert (status, answer["status"]) == (413, 413)
