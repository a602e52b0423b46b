"""The walk, end to end: local, remote and mixed answers, identity, degradation."""

from gateway.demo.target import Trouble
from gateway.store.connection import Store
from tests.stage import Stage, run_stage

WEB = {"channel": "web"}


def mboxes(*names: str) -> dict[str, object]:
    return {"context": WEB, "execute": {"mboxes": [{"index": at, "name": name} for at, name in enumerate(names, 1)]}}


async def test_a_mixed_request_gets_one_answer_in_request_order(stage: Stage) -> None:
    """gw:F1, get-offers §15 point 5."""
    answer = await stage.post(mboxes("recommendations", "homepage-hero", "cart-upsell"))
    found = answer.body["execute"]["mboxes"]
    assert [(one["index"], one["name"]) for one in found] == [
        (1, "recommendations"),
        (2, "homepage-hero"),
        (3, "cart-upsell"),
    ]
    decided = [one["options"][0]["responseTokens"]["activity.decisioningMethod"] for one in found]
    assert decided == ["server-side", "on-device", "server-side"]
    assert [mbox["name"] for mbox in stage.stand_in.requests[0].body["execute"]["mboxes"]] == [
        "recommendations",
        "cart-upsell",
    ]


async def test_a_local_request_never_reaches_target(stage: Stage) -> None:
    answer = await stage.post(mboxes("homepage-hero"))
    assert answer.body["status"] == 200
    assert not stage.stand_in.requests


async def test_local_and_remote_parts_are_decided_for_the_same_new_visitor(stage: Stage) -> None:
    """get-offers §15 point 1: identity is frozen first."""
    answer = await stage.post(mboxes("homepage-hero", "recommendations"))
    sent = stage.stand_in.requests[0].body["id"]["tntId"]
    assert answer.body["id"]["tntId"].split(".")[0] == sent.split(".")[0]


async def test_a_failed_target_leaves_default_content_and_local_answers(stage: Stage) -> None:
    """gw:F5, F9: HTTP 200, body status 206, the missing mbox named without options, the reason in a header."""
    stage.stand_in.trouble = Trouble(status=500)
    answer = await stage.post(mboxes("recommendations", "homepage-hero"))
    assert (answer.status, answer.body["status"]) == (200, 206)
    assert answer.body["execute"]["mboxes"][0] == {"name": "recommendations", "index": 1}
    assert answer.body["execute"]["mboxes"][1]["options"]
    assert answer.headers["x-gateway-degraded"] == 'upstream-refused;missing="recommendations"'


async def test_server_side_forwards_the_callers_bytes_unchanged(redis_url: str, store: Store) -> None:
    """Also the SDID of a caller who has one (get-offers §8)."""
    raw = (
        b'{"requestId":"r1","id":{"tntId":"abc.35_0"},"context":{"channel":"web","new":1e2},'
        b'"experienceCloud":{"analytics":{"supplementalDataId":"0123456789ABCDEF-fedcba9876543210"}},'
        b'"execute":{"mboxes":[{"index":7,"name":"anything","x":{"y":[1.50]}}]}}'
    )
    async with run_stage(redis_url, {"GATEWAY_CLIENT__DEMO__METHOD": "server-side"}) as stage:
        answer = await stage.post(raw)
        assert answer.body["execute"]["mboxes"][0]["index"] == 7
        assert stage.stand_in.requests[0].raw == raw
