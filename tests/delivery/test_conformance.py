"""Adobe's own engine cases, each with a fresh engine and real HTTP for artifact and geo look-up."""

import json
import os
from calendar import timegm
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from gateway.config import Artifact, Client
from gateway.delivery import pickers
from gateway.delivery.model import DeliveryRequest
from gateway.delivery.telemetry import attach_entries, count_features
from gateway.engine import LocalAnswer, WholeRequest, answer_locally
from gateway.ids import new_id
from gateway.tenants import Tenant
from gateway.upstream.artifact_feed import ArtifactFeed
from gateway.upstream.geo import GeoLookup

FOLDER = Path(os.environ.get("GATEWAY_CONFORMANCE_DIR", Path(__file__).parent.parent / "cases" / "conformance"))
SUITES = {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "suites").glob("*.json"))}
CASES = [
    pytest.param(suite, case, id=f"{name}-{key}")
    for name, suite in SUITES.items()
    for key, case in suite["test"].items()
]
MARKERS: dict[str, Any] = {
    "expect.any(Object)": lambda actual: isinstance(actual, dict | list),
    "expect.any(String)": lambda actual: isinstance(actual, str),
    "expect.any(Number)": lambda actual: isinstance(actual, int | float) and not isinstance(actual, bool),
}


@pytest.fixture(autouse=True, params=["closures", "pickers"])
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide by the closures of single rules, and by the functions that are made for mboxes often asked for."""
    monkeypatch.setattr(pickers, "OFTEN", 1 if request.param == "pickers" else 1_000_000)


def find_mismatch(expected: Any, actual: Any, path: str = "$") -> str:
    """Give the first place where `actual` lacks what is expected, or "" (Jest's toMatchObject rule)."""
    if isinstance(expected, str) and expected in MARKERS:
        return "" if MARKERS[expected](actual) else f"{path}: {expected} is not {actual!r}"
    if isinstance(expected, dict) and isinstance(actual, dict):
        absent = [f"{path}.{name}: missing" for name in expected if name not in actual]
        inner = (find_mismatch(value, actual[name], f"{path}.{name}") for name, value in expected.items() if not absent)
        return absent[0] if absent else next(filter(None, inner), "")
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"{path}: {len(expected)} elements expected, {len(actual)} there"
        pairs = enumerate(zip(expected, actual, strict=True))
        return next(filter(None, (find_mismatch(want, got, f"{path}[{at}]") for at, (want, got) in pairs)), "")
    same_kind = isinstance(expected, bool) == isinstance(actual, bool)
    return "" if same_kind and expected == actual else f"{path}: {expected!r} expected, {actual!r} there"


def read_clock(mock: dict[str, int] | None) -> float | None:
    """Give the frozen time in seconds; months count from 0."""
    if not mock:
        return None
    parts = (mock["year"], mock["month"] + 1, mock["date"], mock.get("hours", 0), mock.get("minutes", 0))
    return timegm((*parts, mock.get("seconds", 0)))


@asynccontextmanager
async def serve(artifact: bytes, geo: Any) -> AsyncIterator[str]:
    """Answer the artifact and, where a case has one, the geo look-up."""

    async def give_artifact(_: web.Request) -> web.Response:
        return web.Response(body=artifact, content_type="application/json")

    async def give_geo(_: web.Request) -> web.Response:
        assert geo is not None, "this case must not need a geo look-up"
        return web.json_response(geo)

    app = web.Application()
    app.add_routes([web.get("/artifact.json", give_artifact), web.get("/geo", give_geo)])
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def decide(suite: dict[str, Any], case: dict[str, Any]) -> tuple[LocalAnswer, Any]:
    """Run one case with a fresh engine; gives the answer and the telemetry entries that wait after it."""
    conf = case.get("conf") or suite["conf"]
    raw = (FOLDER / "artifacts" / f"{case.get('artifact') or suite['artifact']}.json").read_bytes()
    now = read_clock(case.get("mockDate"))
    async with serve(raw, case.get("mockGeo")) as origin, ClientSession() as session:
        settings = Artifact(geo_url=f"{origin}/geo", geo_timeout_ms=5000)
        client = Client(
            organization_id=conf["organizationId"],
            artifact_location=f"{origin}/artifact.json",
            poll_s=0,
            traces=True,
            telemetry=conf.get("telemetryEnabled", True),
        )
        feed = ArtifactFeed(conf["client"], client, settings, session, lambda *_: None)
        geo = GeoLookup(settings, lambda *_: None)
        tenant = Tenant(conf["client"], client, feed, geo, new_id, *([lambda: now] if now is not None else []))
        try:
            assert await feed.refresh()
            body = drop_nulls(case["input"]["request"])
            request = msgspec.convert({"context": {}} | body, DeliveryRequest)
            telemetry = conf.get("telemetryEnabled", True)
            session_id = case["input"].get("sessionId", "")
            whole = WholeRequest(request, {"context": {}} | body, session_id, telemetry=telemetry)
            answer = await answer_locally(tenant, whole)
        finally:
            await geo.close()
        assert feed.artifact is not None
        assert feed.artifact.payload == json.loads(raw), "loading must neither filter nor rewrite the artifact"
        tenant.note_answer(answer.response["requestId"], answer.response, "on-device", 0.001)
        return answer, tenant.telemetry.take()


def drop_nulls(value: Any) -> Any:
    """Members that are null are the same as absent ones."""
    if isinstance(value, dict):
        return {name: drop_nulls(inner) for name, inner in value.items() if inner is not None}
    return [drop_nulls(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("suite", "case"), CASES)
async def test_the_engine_decides_as_adobes_engine_does(suite: dict[str, Any], case: dict[str, Any]) -> None:
    answer, _ = await decide(suite, case)
    response = json.loads(msgspec.json.encode(answer.response))
    if "output" in case:
        assert find_mismatch(case["output"], response) == ""


@pytest.mark.parametrize(("suite", "case"), [case for case in CASES if "notificationOutput" in case.values[1]])
async def test_the_engine_tells_target_what_adobes_engine_tells(suite: dict[str, Any], case: dict[str, Any]) -> None:
    answer, entries = await decide(suite, case)
    expected = case["notificationOutput"]
    if expected is None:
        assert answer.background is None
    else:
        assert answer.background is not None
        told = {"request": json.loads(msgspec.json.encode(attach_entries(answer.background, entries)))}
        assert find_mismatch(expected, told) == ""


@pytest.mark.parametrize(("suite", "case"), [case for case in CASES if case.values[1].get("notificationOutput")])
async def test_the_entries_of_download_and_decision_go_with_the_background_call(
    suite: dict[str, Any], case: dict[str, Any]
) -> None:
    """conformance/README.md steps 6 and 8: the download's entry first; nothing with telemetry disabled."""
    answer, entries = await decide(suite, case)
    if not (case.get("conf") or suite["conf"]).get("telemetryEnabled", True):
        assert entries == []
        return
    download, decision = entries
    number = "expect.any(Number)"
    timed = {"timestamp": number, "execution": number, "parsing": number}
    assert find_mismatch({"requestId": "ArtifactDownload"} | timed, download) == ""
    assert "mode" not in download
    asked = {"requestId": answer.response["requestId"], "timestamp": number, "execution": 1, "mode": "local"}
    assert find_mismatch(asked, decision) == ""
    assert decision["features"] == count_features(answer.response) | {"decisioningMethod": "on-device"}
