"""Offer decisions over HTTP (spec decisions-api)."""

import asyncio

import pytest

from gateway.decisioning import decider
from gateway.decisioning.decider import Asking
from gateway.offers.decide import resolve
from gateway.offers.decision_requests import read_request
from gateway.offers.instances import Space
from tests.stage import ORGANIZATION, Stage
from tests.web.callers import Caller
from tests.web.deciders import RESPONSE, XDM, Shop, chosen, request

DRY = {"xdm:dryRun": True}


@pytest.fixture
async def shop(bundled_stage: Stage) -> Shop:
    """Give a container with what every activity needs."""
    return await Shop(Caller(bundled_stage)).open()


async def test_the_best_offer_is_proposed_with_the_revisions_it_was_decided_by(shop: Shop):
    """dec:D1, R3."""
    await shop.add_offer("plain", 1)
    best = await shop.add_offer("best", 2)
    activity = await shop.add_activity("a")
    answer = await shop.decide(activity, body=DRY)
    assert chosen(answer) == [[best]]
    (proposition,) = answer.body["xdm:propositions"]
    assert proposition["xdm:activity"] == {"xdm:id": activity, "repo:etag": 1}
    assert answer.headers["Content-Type"] == f'{XDM}; schema="{RESPONSE};version=1.0"'


async def test_a_write_is_in_the_next_decision_of_the_worker_that_acknowledged_it(shop: Shop):
    """dec:AL1, X4."""
    first = await shop.add_offer("first", 1)
    activity = await shop.add_activity("a")
    assert chosen(await shop.decide(activity, body=DRY)) == [[first]]
    for priority in range(2, 12):
        better = await shop.add_offer(f"o{priority}", priority)
        assert chosen(await shop.decide(activity, body=DRY)) == [[better]]
    await shop.patch("a", {"op": "replace", "path": "/_instance/xdm:status", "value": "complete"})
    refused = await shop.decide(activity, body=DRY)
    assert (refused.status, refused.body["type"]) == (422, "/problems/activity-not-live")


async def test_a_global_cap_holds_for_everybody(shop: Shop):
    """dec:CA3, CA4."""
    scarce = await shop.add_offer("scarce", 9, global_cap=2)
    plain = await shop.add_offer("plain", 1)
    activity = await shop.add_activity("a")
    given = [chosen(await shop.decide(activity, profile=f"c-{at}"))[0][0] for at in range(4)]
    assert given == [scarce, scarce, plain, plain]


async def test_a_profile_cap_holds_for_each_person_and_rules_read_the_stored_profile(shop: Shop):
    """dec:CA3, PR1, PR3, X11: profiles come from /v1/profiles."""
    rule = await shop.add_rule("gold", 'loyalty.tier = "gold"')
    await shop.add_rule("nobody", 'loyalty.tier = "none"')
    scarce = await shop.add_offer("scarce", 9, rule=rule, profile_cap=1)
    activity = await shop.add_activity("a")
    stage, headers = shop.caller.stage, shop.caller.headers | {"Content-Type": "application/json"}
    for person in ("c-1", "c-2"):
        saved = await stage.ask(
            "PUT", f"/v1/profiles/CRM/{person}", data=b'{"loyalty":{"tier":"gold"}}', headers=headers
        )
        assert saved.status == 201, saved.raw
    given = [chosen(await shop.decide(activity, profile=person)) for person in ("c-1", "c-1", "c-2", "c-3")]
    assert given == [[[scarce]], [[]], [[scarce]], [[]]]
    erased = await stage.ask("DELETE", "/v1/profiles/CRM/c-1", headers=headers)
    assert erased.status == 204
    await stage.ask("PUT", "/v1/profiles/CRM/c-1", data=b'{"loyalty":{"tier":"gold"}}', headers=headers)
    assert chosen(await shop.decide(activity, profile="c-1")) == [[scarce]], "the counters were erased too (prof:U4)"


async def test_the_example_of_editing_a_cap(shop: Shop):
    """Dec §7.3: 3, raised to 5, lowered to 1, removed, set to 12 and to 13; dry runs count nothing (dec:CA12)."""
    offer = await shop.add_offer("o", 9, global_cap=3)
    activity = await shop.add_activity("a")
    constraint = "/_instance/xdm:cappingConstraint"

    async def given(most: int) -> int:
        count = 0
        for _ in range(most):
            assert chosen(await shop.decide(activity, body=DRY)) in ([[offer]], [[]])
            if chosen(await shop.decide(activity)) == [[]]:
                break
            count += 1
        return count

    async def set_cap(cap: int) -> None:
        value = {"xdm:globalCap": cap}
        await shop.patch("o", {"op": "add", "path": constraint, "value": value})

    assert await given(5) == 3
    await set_cap(5)
    assert await given(5) == 2
    await set_cap(1)
    assert await given(2) == 0
    await shop.patch("o", {"op": "remove", "path": constraint})
    assert await given(7) == 7
    await set_cap(12)
    assert await given(2) == 0
    await set_cap(13)
    assert await given(3) == 1


async def test_one_proposition_left_goes_to_one_entry(shop: Shop):
    """dec:X1, CA8, §6: X has one proposition left in its global cap: P gets X, Q gets Y."""
    first = await shop.add_offer("x", 9, global_cap=1)
    second = await shop.add_offer("y", 1)
    p, q = await shop.add_activity("p"), await shop.add_activity("q")
    both = {"xdm:allowDuplicatePropositions": {"xdm:acrossActivities": True, "xdm:acrossPlacements": True}}
    for body in (both | DRY, both):
        assert chosen(await shop.decide(p, q, body=body)) == [[first], [second]]


async def test_concurrent_decisions_never_pass_a_cap(shop: Shop):
    """dec:CA7, gw:C1."""
    offer = await shop.add_offer("o", 9, global_cap=25)
    activity = await shop.add_activity("a")
    answers = await asyncio.gather(*(shop.decide(activity, profile=f"c-{at}") for at in range(80)))
    assert [chosen(answer) for answer in answers].count([[offer]]) == 25


async def test_each_of_two_tied_offers_wins_about_half_of_2000_dry_runs(shop: Shop):
    """Dec §5 step 9: between 900 and 1,100 wins."""
    first = await shop.add_offer("first", 5)
    await shop.add_offer("second", 5)
    activity = await shop.add_activity("a")
    services = shop.caller.stage.running.services
    space, container = Space(ORGANIZATION, "prod"), shop.caller.container
    loop = asyncio.get_running_loop()
    view = await services.decisions.catalogues.find(space, container, loop.time() + 10)
    assert view is not None
    plan = resolve(view.catalog, read_request(request(activity, **DRY)))
    wins = 0
    for _ in range(2000):
        asking = Asking(space=space, container=container, deadline=loop.time() + 10)
        settled = await services.decisions.decider.decide(plan, asking)
        wins += settled.decision.propositions[0].options[0].at_id == first
    assert 900 <= wins <= 1100


async def test_a_decision_is_recorded_and_a_dry_run_is_not(shop: Shop):
    """dec:EV1, CA12."""
    await shop.add_offer("o", 9)
    activity = await shop.add_activity("a")
    events = shop.caller.stage.running.services.decisions.events
    before = events.counts.put
    await shop.decide(activity, body=DRY)
    assert events.counts.put == before
    await shop.decide(activity)
    assert events.counts.put == before + 1


async def test_feedback_is_taken_once_each(shop: Shop):
    """dec:D4, EV2, EV3."""
    event = {
        "xdm:eventType": "decisioning.propositionDisplay",
        "@id": "e-1",
        "xdm:timestamp": "2024-05-15T10:30:00Z",
        "https://ns.adobe.com/experience/decisioning/propositions": [{"xdm:id": "unknown", "xdm:items": []}],
    }
    for body in (event, [event, event | {"@id": "e-2"}]):
        answer = await shop.ask("POST", "events", body, Content_Type=XDM)
        assert (answer.status, answer.raw) == (202, b"")
    for body in ({}, [], [event | {"xdm:eventType": "other"}], b"{"):
        answer = await shop.ask("POST", "events", body, Content_Type="application/json")
        assert (answer.status, answer.body["type"]) == (400, "/problems/invalid-body")
    assert (await shop.ask("POST", "events", event, Content_Type="text/plain")).status == 415


async def test_a_long_decision_is_made_beside_the_event_loop(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    offer = await shop.add_offer("o", 9, profile_cap=1)
    activity = await shop.add_activity("a")
    monkeypatch.setattr(decider, "LONG_US", -1)
    assert chosen(await shop.decide(activity, body={"gw:trace": True})) == [[offer]]
    assert chosen(await shop.decide(activity)) == [[]], "a refusal is settled there too"


async def test_a_changed_rule_takes_effect_for_every_offer_that_has_it(shop: Shop):
    """ent:ER3, gw:R2."""
    rule = await shop.add_rule("r", "1 = 2")
    offers = [await shop.add_offer(name, 5, rule=rule) for name in ("first", "second")]
    activity = await shop.add_activity("a")
    assert chosen(await shop.decide((activity, 2), body=DRY)) == [[]]
    await shop.patch("r", {"op": "replace", "path": "/_instance/xdm:condition/xdm:value", "value": "1 = 1"})
    assert sorted(chosen(await shop.decide((activity, 2), body=DRY))[0]) == sorted(offers)
