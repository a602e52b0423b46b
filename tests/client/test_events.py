"""Events of a client (spec get-offers §10.4)."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.client import TargetClient
from gateway.demo.target import Trouble
from tests.client.options import HERO, Target, ask_for
from tests.client.test_target_client import ready
from tests.store.servers import wait_until

NAMES = (
    "client_ready",
    "artifact_download_succeeded",
    "artifact_download_failed",
    "geo_location_updated",
    "send_notification_error",
)
Open = Callable[..., TargetClient]


class Heard:
    """Every event, in order."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.handlers = dict.fromkeys(NAMES, self.events.append)

    def of(self, name: str) -> list[dict[str, Any]]:
        return [event for event in list(self.events) if event["type"] == name]


async def test_a_server_side_client_is_ready_soon(open_client: Open) -> None:
    heard = Heard()
    open_client(events=heard.handlers)
    await wait_until(lambda: heard.events == [{"type": "client_ready"}])


async def test_a_deciding_client_is_ready_with_its_artifact_and_hint(open_client: Open, target: Target) -> None:
    heard = Heard()
    client = open_client(events=heard.handlers, decisioning_method="hybrid")
    await wait_until(lambda: bool(heard.of("client_ready")))
    [loaded] = heard.of("artifact_download_succeeded")
    assert loaded["artifact_location"].endswith("/rules.json")
    assert loaded["artifact_payload"]["rules"]
    [ping] = target.stand_in.requests
    assert (ping.query["sessionId"], ping.body) == ("ping123", {"context": {"channel": "web"}})
    local = await client.get_offers({"request": ask_for(HERO), "decisioning_method": "on-device"})
    assert local["response"].id.tnt_id.endswith(".35_0"), "a visitor nobody knows is near the edge that answered"


async def test_with_a_hint_of_its_own_nothing_is_asked(open_client: Open, target: Target) -> None:
    heard = Heard()
    open_client(events=heard.handlers, decisioning_method="on-device", target_location_hint="28")
    await wait_until(lambda: bool(heard.of("client_ready")))
    assert not target.stand_in.requests


async def test_a_client_gets_ready_by_a_later_attempt(open_client: Open, target: Target) -> None:
    """§10.4, where the Node SDK never would; each attempt that fails is told."""
    target.stand_in.trouble = Trouble(on="artifact", status=500, times=2)
    heard = Heard()
    client = open_client(events=heard.handlers, decisioning_method="on-device")
    await wait_until(lambda: bool(heard.of("client_ready")))
    failed = heard.of("artifact_download_failed")
    assert len(failed) == 2
    assert "500" in str(failed[0]["error"])
    await ready(client)


async def test_a_place_that_was_looked_up_is_told(open_client: Open) -> None:
    heard = Heard()
    client = open_client(events=heard.handlers, decisioning_method="on-device")
    await ready(client)
    request = {
        "context": {"channel": "web", "geo": {"ipAddress": "203.0.113.9"}},
        "execute": {"mboxes": [{"name": HERO}]},
    }
    await client.get_offers({"request": request})
    await wait_until(lambda: bool(heard.of("geo_location_updated")))
    assert heard.of("geo_location_updated")[0]["geo_context"]["countryCode"] == "CH"


async def test_a_notification_that_fails_is_told(open_client: Open, target: Target) -> None:
    heard = Heard()
    client = open_client(events=heard.handlers, decisioning_method="on-device", target_location_hint="35")
    target.stand_in.trouble = Trouble(on="delivery", status=503)
    await ready(client)
    await wait_until(lambda: bool(heard.of("send_notification_error")))
    told = heard.of("send_notification_error")[0]
    assert told["notification"]["notifications"][0]["mbox"]["name"] == HERO
    assert "503" in str(told["error"])


async def test_what_a_handler_raises_harms_nobody(open_client: Open) -> None:
    said: list[str] = []

    class Log:
        debug = said.append
        error = said.append

    def fail(_event: Any) -> None:
        raise RuntimeError("of the caller")

    client = open_client(events={"client_ready": fail}, logger=Log())
    await wait_until(lambda: bool(said))
    assert said == ["AT: a callback failed: RuntimeError: of the caller"]
    assert (await client.get_offers({"request": ask_for(HERO)}))["response"].status == 200


async def test_the_logger_is_told_what_was_left_out(open_client: Open) -> None:
    """§3, §9."""
    said: list[str] = []

    class Log:
        debug = said.append
        error = said.append

    client = open_client(logger=Log(), property_token="client")
    request = {"property": {"token": "request"}, "execute": {"mboxes": [{"name": ""}, {"name": HERO}]}}
    await client.get_offers({"request": request})
    assert len(said) == 2
    assert all(message.startswith("AT: ") for message in said)


@pytest.mark.parametrize("events", [None, [], {"client_ready": None}, {"unknown": print}])
async def test_handlers_that_are_none_are_not_called(open_client: Open, events: Any) -> None:
    client = open_client(events=events)
    assert (await client.get_offers({"request": ask_for(HERO)}))["response"].status == 200
