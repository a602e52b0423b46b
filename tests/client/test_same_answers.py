"""In process and against a running gateway: the same calls, the same answers, the same refusals."""

import json
import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import Struct

from gateway.client import TargetClient
from gateway.errors import ArtifactMissing, InvalidBody, UpstreamError
from tests.client.options import make_options
from tests.client.test_target_client import ready
from tests.stage import ORGANIZATION, run_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")
CASES = Path(__file__).parent.parent / "cases" / "get_offers"
CALLS = json.loads((CASES / "calls.json").read_text())
REFUSED = tomllib.loads((CASES / "refused.toml").read_text())["call"]
DEFAULTS = {"property_token": "00000000-0000-0000-0000-000000000000", "environment_id": 7}
_HEX = re.compile(r"\b[0-9a-f]{32}\b")
_SDID = re.compile(r"\b[0-9A-F]{16}-[0-9A-F]{16}\b")
_EXPIRY = re.compile(r"#1[0-9]{9}\b")


class Pair(Struct):
    """A client with an engine of its own, and one in front of a gateway."""

    alone: TargetClient
    in_front: TargetClient


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(redis_url: str) -> AsyncIterator[Pair]:
    """Open both, over one stand-in Target; the gateway hides no edges, for the other client has none to hide."""
    changes = {"GATEWAY_WEB__KEEP_CLIENTS": "false", "GATEWAY_OUTBOX__ENABLED": "false"}
    async with run_stage(redis_url, changes) as stage:
        target = stage.running.services.settings.upstream.target.url
        port = int(target.rpartition(":")[2])
        own = make_options(port) | DEFAULTS | {"decisioning_method": "hybrid", "telemetry_enabled": False}
        other = {"client": "demo", "organization_id": ORGANIZATION, "timeout": 10_000} | DEFAULTS
        async with TargetClient.create(own) as alone:
            await ready(alone)
            async with TargetClient.create(other | {"gateway_url": stage.running.public}) as in_front:
                yield Pair(alone, in_front)


def plain(envelope: dict[str, Any]) -> Any:
    """Give an envelope as JSON without what is made anew for each call: ids, times and tokens."""
    objects = {"request", "response"}
    made = {name: value.to_dict() if name in objects else value for name, value in envelope.items()}
    made["analytics_details"] = [entry.to_dict() for entry in envelope.get("analytics_details", [])]
    made["response"].pop("telemetry_server_token")
    text = json.dumps(made, sort_keys=True)
    for pattern, name in ((_HEX, "<id>"), (_SDID, "<sdid>"), (_EXPIRY, "#<time>")):
        text = pattern.sub(name, text)
    found = json.loads(text)
    for cookie in ("target_cookie", "target_location_hint_cookie"):
        if cookie in found:  # rounding moves it by a second (§4.3)
            assert abs(found[cookie].pop("max_age") - found[cookie].pop("maxAge")) == 0
    for trace in found.get("trace", []):
        trace.clear()
    return found


@pytest.mark.parametrize("case", CALLS, ids=lambda case: case["rule"])
async def test_a_call_has_the_same_answer_in_process_and_from_a_gateway(pair: Pair, case: dict[str, Any]) -> None:
    cookie = "session#same#99999999999|PC#0123456789abcdef0123456789abcdef.35_0#99999999999"
    options = {"target_cookie": cookie} | case["options"]
    one, other = await pair.alone.get_offers(options), await pair.in_front.get_offers(options)
    assert plain(one) == plain(other)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["rule"])
async def test_a_call_is_refused_with_the_same_words(pair: Pair, case: dict[str, Any]) -> None:
    options = {"request": {"execute": {"mboxes": [{"name": "homepage-hero"}]}}} | case.get("call", {})
    if "long" in case:
        options[case["long"][0]] = "x" * case["long"][1]
    said = []
    for client in (pair.alone, pair.in_front):
        with pytest.raises(InvalidBody) as error:
            await client.get_offers(options)
        said.append(str(error.value))
    assert said[0] == said[1]


async def test_attributes_and_notifications_too(pair: Pair) -> None:
    shown = {"id": "n1", "type": "display", "timestamp": 1_795_322_548_000, "tokens": ["t"], "mbox": {"name": "a"}}
    for client in (pair.alone, pair.in_front):
        told = await client.send_notifications({"request": {"notifications": [shown]}, "session_id": "told"})
        assert [one.id for one in told["response"].notifications] == ["n1"]
        assert (await client.get_attributes(["nowhere"])).get_value("nowhere", "mbox") == "nowhere"


async def test_both_reject_on_device_where_there_is_no_artifact(redis_url: str) -> None:
    """§10.1, §16: as the Node SDK; over plain HTTP the same call has default content (gw:F9)."""
    changes = {"GATEWAY_CLIENT__DEMO__ARTIFACT_LOCATION": "/nowhere/rules.json", "GATEWAY_ARTIFACT__TIMEOUT_MS": "100"}
    async with run_stage(redis_url, changes) as stage:
        options = {"client": "demo", "organization_id": ORGANIZATION, "gateway_url": stage.running.public}
        async with TargetClient.create(options) as client:
            call = {"request": {"execute": {"mboxes": [{"name": "a"}]}}, "decisioning_method": "on-device"}
            with pytest.raises(ArtifactMissing):
                await client.get_offers(call)


async def test_a_gateway_that_is_away_is_an_error() -> None:
    options = {"client": "demo", "organization_id": ORGANIZATION, "gateway_url": "http://127.0.0.1:9"}
    with TargetClient.create(options) as client, pytest.raises(UpstreamError):
        await client.get_offers({"request": {"execute": {"mboxes": [{"name": "a"}]}}})


@pytest.mark.parametrize(
    ("options", "session"),
    [
        ({"session_id": "s1"}, "s1"),
        ({"target_cookie": "session#c1#99999999999", "session_id": "s1"}, "c1"),
        ({"target_cookie": "session#c1#1"}, None),
    ],
    ids=str,
)
async def test_a_balancer_is_shown_the_session(options: dict[str, Any], session: str | None) -> None:
    """gw:M7: in the query, where the shipped nginx configuration looks for it."""
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.query.get("sessionId"))
        return web.json_response({"status": 400, "message": "seen"}, status=400)

    app = web.Application()
    app.add_routes([web.post("/behind/v1/get-offers", answer)])
    async with TestServer(app) as server:
        url = str(server.make_url("/behind/"))
        made = {"client": "demo", "organization_id": ORGANIZATION, "gateway_url": url}
        async with TargetClient.create(made) as client:
            with pytest.raises(InvalidBody, match="seen"):
                await client.get_offers({"request": {"execute": {"pageLoad": {}}}} | options)
    assert seen == [session]
