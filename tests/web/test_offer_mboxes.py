"""Mboxes that offer activities decide, in one answer with local and remote ones (gw:O1, gw:O2)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.decisioning.mboxes import OfferMboxes
from gateway.offers.instances import Space
from tests.faults.proxy import Fault, Proxy
from tests.stage import ORGANIZATION, Answer, Stage, run_stage
from tests.web.callers import Caller
from tests.web.deciders import Shop

CONTAINER = "018f7a60-0000-7000-8000-0000000000aa"


@pytest.fixture
async def shop(clean_url: str) -> AsyncIterator[Shop]:
    """Run a gateway whose mbox `sale` is decided by an activity made before it was configured."""
    async with run_stage(clean_url) as first:
        shop = await Shop(Caller(first)).open()
        shop.made["x"] = {}
        rule = await shop.add_rule("hot", '@{_xdm.context.additionalParameters}.weather = "hot"')
        await shop.add_offer("ice", 9, rule=rule, content="<b>ice</b>")
        await shop.add_offer("scarce", 5, profile_cap=1)
        activity = await shop.add_activity("a")
    mapped = f'{{ sale = {{ container = "{shop.caller.container}", activity = "{activity}" }} }}'
    async with run_stage(clean_url, {"GATEWAY_OFFERS__MBOXES": mapped}) as stage:
        shop.caller.stage = stage
        await stage.running.services.decisions.catalogues.find(
            Space(ORGANIZATION, "prod"), shop.caller.container, float("inf")
        )
        yield shop


def mboxes(*names: Any, part: str = "execute", **members: Any) -> dict[str, Any]:
    """Ask for mboxes: names, or names with parameters."""
    pairs = [name if isinstance(name, tuple) else (name, None) for name in names]
    listed = [
        {"index": at, "name": name} | ({"parameters": given} if given else {}) for at, (name, given) in enumerate(pairs)
    ]
    return {"context": {"channel": "web"}, part: {"mboxes": listed}} | members


def shown(answer: Answer, part: str = "execute") -> list[str]:
    """Give what each mbox shows."""
    assert answer.status == 200, answer.raw
    found = answer.body[part]["mboxes"]
    return ["".join(str(option.get("content", "")) for option in one.get("options", ())) for one in found]


async def test_local_remote_and_offer_mboxes_have_one_answer(shop: Shop):
    """gw:O1."""
    stage = shop.caller.stage
    answer = await stage.post(mboxes("homepage-hero", ("sale", {"weather": "hot"}), "recommendations"))
    assert (answer.status, answer.body["status"]) == (200, 200), answer.raw
    hero, sale, recommended = answer.body["execute"]["mboxes"]
    assert [hero["name"], sale["name"], recommended["name"]] == ["homepage-hero", "sale", "recommendations"]
    assert hero["options"]
    assert recommended["options"]
    (option,) = sale["options"]
    assert (option["type"], option["content"]) == ("html", "<b>ice</b>")
    assert option["responseTokens"] == {
        "offer.id": shop.made["ice"]["@id"],
        "activity.id": shop.made["a"]["@id"],
        "activity.decisioningMethod": "offer",
    }
    assert sale["index"] == 1
    assert "eventToken" not in option


async def test_execute_counts_at_decision_time_for_the_visitor(shop: Shop):
    """gw:O1, O2, dec:CA2."""
    stage = shop.caller.stage
    first, second = {"tntId": "aaaa.35_0"}, {"tntId": "bbbb"}
    assert shown(await stage.post(mboxes("sale", id=first))) == ["<p>scarce</p>"]
    assert shown(await stage.post(mboxes("sale", id={"tntId": "aaaa.37_0"}), sessionId="s2")) == ["<p>default</p>"]
    assert shown(await stage.post(mboxes("sale", id=second), sessionId="s3")) == ["<p>scarce</p>"]


async def test_a_prefetch_counts_when_it_is_displayed_and_only_once(shop: Shop):
    """gw:O2, dec:X2."""
    stage, visitor = shop.caller.stage, {"tntId": "cccc"}
    for _ in range(2):
        answer = await stage.post(mboxes("sale", part="prefetch", id=visitor))
        assert shown(answer, "prefetch") == ["<p>scarce</p>"]
    token = answer.body["prefetch"]["mboxes"][0]["options"][0]["eventToken"]
    told = {"id": "n1", "type": "display", "timestamp": 1, "mbox": {"name": "sale"}, "tokens": [token]}
    asked_target = stage.stand_in.received
    for _ in range(2):
        answer = await stage.post({"context": {"channel": "web"}, "id": visitor, "notifications": [told]})
        assert (answer.status, answer.body["status"], answer.body["notifications"]) == (200, 200, [{"id": "n1"}])
    assert stage.stand_in.received == asked_target, "Target knows nothing of our tokens"
    assert shown(await stage.post(mboxes("sale", part="prefetch", id=visitor)), "prefetch") == ["<p>default</p>"]
    assert shown(await stage.post(mboxes("sale", id=visitor))) == ["<p>default</p>"]


async def test_an_mbox_named_like_an_activity_needs_no_mapping(shop: Shop):
    """gw:O1."""
    activity = shop.made["a"]["@id"]
    answer = await shop.caller.stage.post(mboxes(activity, "xcore:offer-activity:0000000000000000"))
    assert shown(answer)[0] == "<p>scarce</p>"
    unknown = answer.body["execute"]["mboxes"][1]
    assert [one["responseTokens"]["activity.decisioningMethod"] for one in unknown["options"]] == ["server-side"]


async def test_what_cannot_be_decided_is_default_content_with_a_reason(shop: Shop):
    """gw:F5, F9, O1."""
    await shop.patch("a", {"op": "replace", "path": "/_instance/xdm:status", "value": "complete"})
    answer = await shop.caller.stage.post(mboxes("homepage-hero", "sale"))
    assert (answer.status, answer.body["status"]) == (200, 206)
    assert answer.headers["X-Gateway-Degraded"] == 'offers;missing="sale"'
    hero, sale = answer.body["execute"]["mboxes"]
    assert hero["options"]
    assert sale == {"name": "sale", "index": 1}


async def test_nothing_is_asked_where_nothing_is_configured(bundled_stage: Stage):
    mboxes: OfferMboxes = bundled_stage.running.services.decisions.mboxes
    assert not mboxes.is_used


@pytest.mark.parametrize(
    ("variable", "shows", "degraded"),
    [
        ("PROFILES_REDIS_URL", "", 'profiles;missing="sale"'),
        ("CAPS_REDIS_URL", "<p>default</p>", "caps-closed"),
        ("REPOSITORY_REDIS_URL", "<p>scarce</p>", None),
    ],
)
@pytest.mark.parametrize("fault", ["vanish", "refuse"])
async def test_trouble_costs_a_page_no_more_than_its_offer(
    shop: Shop, clean_url: str, variable: str, shows: str, degraded: str | None, fault: Fault
):
    """gw:F9, O1, C4, R5: never an error, always in time."""
    activity = shop.made["a"]["@id"]
    mapped = f'{{ sale = {{ container = "{shop.caller.container}", activity = "{activity}" }} }}'
    changes = {
        "GATEWAY_OFFERS__MBOXES": mapped,
        "GATEWAY_CAPS__TIMEOUT_MS": "100",
        "GATEWAY_CAPS__PATIENCE_MS": "200",
        "GATEWAY_PROFILES__TIMEOUT_MS": "100",
    }
    async with Proxy(clean_url.removeprefix("unix://")) as proxy:
        secrets = {variable: f"redis://127.0.0.1:{proxy.port}"}
        async with run_stage(clean_url, changes, secrets) as stage:
            assert shown(await stage.post(mboxes("homepage-hero", "sale", id={"tntId": "dddd"})))[1] == "<p>scarce</p>"
            await proxy.begin(fault)
            answer = await stage.post(mboxes("homepage-hero", "sale", id={"tntId": "eeee"}), sessionId="s2")
            assert answer.status == 200
            hero, sale = shown(answer)
            assert hero
            assert sale == shows
            assert answer.headers.get("X-Gateway-Degraded") == degraded
