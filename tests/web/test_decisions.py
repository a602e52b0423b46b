"""Offer decisions over HTTP (spec decisions-api)."""

import pytest

from tests.stage import Stage
from tests.web.callers import Caller
from tests.web.deciders import RESPONSE, XDM, Shop, chosen

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
