"""Sessions, clients, methods and paths (spec delivery-api §2, §8, §17 points 1, 2; gw:S12)."""

import json
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from yarl import URL

from tests.stage import DELIVERY, Answer, Stage, run_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")
_FILE = Path(__file__).parent.parent / "cases" / "bad_queries" / "queries.toml"
QUERIES = tomllib.loads(_FILE.read_text(encoding="utf-8"))
BODY = json.dumps({"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 1, "name": "recommendations"}]}})
ORIGIN = "https://shop.example"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(bundled_url: str) -> AsyncIterator[Stage]:
    """Run a gateway for two clients."""
    second = {
        "GATEWAY_CLIENT__OTHER__ORGANIZATION_ID": "OTHER@AdobeOrg",
        "GATEWAY_CLIENT__OTHER__METHOD": "server-side",
        "GATEWAY_OUTBOX__ENABLED": "false",
    }
    async with run_stage(bundled_url, second) as stage:
        yield stage


async def ask(edge: Stage, method: str, target: str, **options: Any) -> Answer:
    """Make a request whose path and query stand on the wire as they are given, as a page of another origin."""
    url = URL(edge.running.public + target, encoded=True)
    async with edge.http.request(method, url, headers={"Origin": ORIGIN}, **options) as response:
        return Answer(response.status, response.headers.copy(), await response.read())


def assert_readable_error(answer: Answer, status: int) -> None:
    """gw:F9 and §4 point 2: JSON with status and message, readable by the page."""
    assert (answer.status, answer.body["status"]) == (status, status)
    assert set(answer.body) == {"status", "message"}
    assert answer.body["message"]
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("case", QUERIES["refused"], ids=lambda case: case["rule"])
async def test_a_bad_query_is_refused_with_the_parameter_to_blame(edge: Stage, case: dict[str, str]) -> None:
    store, received = edge.running.services.store, edge.stand_in.received
    await store.call("FLUSHALL")
    answer = await ask(edge, "POST", f"{DELIVERY}?{case['query']}", data=BODY)
    assert_readable_error(answer, 400)
    assert case["says"] in answer.body["message"]
    assert await store.call("DBSIZE") == 0
    assert edge.stand_in.received == received


@pytest.mark.parametrize("case", QUERIES["taken"], ids=lambda case: case["rule"])
async def test_a_good_query_picks_session_and_client(edge: Stage, case: dict[str, str]) -> None:
    answer = await ask(edge, "POST", f"{DELIVERY}?{case['query']}", data=BODY)
    assert (answer.status, answer.body["client"]) == (200, case["client"])
    sent = edge.stand_in.requests[-1].query
    assert (sent["sessionId"], sent["imsOrgId"]) == (case["sends"], "DEMO@AdobeOrg")


async def test_a_single_client_needs_no_name(clean_url: str) -> None:
    """gw:S12: with one configured client both may be missing, but a wrong value is still wrong."""
    async with run_stage(clean_url) as stage:
        assert (await ask(stage, "POST", f"{DELIVERY}?sessionId=s1", data=BODY)).body["client"] == "demo"
        assert_readable_error(await ask(stage, "POST", f"{DELIVERY}?sessionId=s1&client=x", data=BODY), 400)
        assert_readable_error(await ask(stage, "POST", f"{DELIVERY}?sessionId=s1&imsOrgId=x", data=BODY), 400)


@pytest.mark.parametrize("version", ["2.11.4", "1", "3.0.0.beta1"])
async def test_the_version_of_atjs_is_passed_on(edge: Stage, version: str) -> None:
    """§2 point 2."""
    await ask(edge, "POST", f"{DELIVERY}?client=demo&sessionId=s1&version={version}", data=BODY)
    assert edge.stand_in.requests[-1].query["version"] == version


@pytest.mark.parametrize("version", ["", "a" * 33, "1%0A", "1%26client%3Dx", "%40evil.example", "%D9%A1"])
async def test_a_version_that_is_none_is_not_passed_on(edge: Stage, version: str) -> None:
    answer = await ask(edge, "POST", f"{DELIVERY}?client=demo&sessionId=s1&version={version}", data=BODY)
    assert answer.status == 200
    assert "version" not in edge.stand_in.requests[-1].query


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
async def test_another_method_is_405_and_told_which_to_use(edge: Stage, method: str) -> None:
    """§8."""
    answer = await ask(edge, method, f"{DELIVERY}?client=demo&sessionId=s1")
    assert_readable_error(answer, 405)
    assert {name.strip() for name in answer.headers["Allow"].split(",")} == {"POST", "OPTIONS"}


async def test_head_is_405_without_a_body(edge: Stage) -> None:
    answer = await ask(edge, "HEAD", f"{DELIVERY}?client=demo&sessionId=s1")
    assert (answer.status, answer.raw) == (405, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/rest/v1",
        "/rest/v1/delivery/",
        "/rest/v1/delivery/x",
        "/REST/V1/DELIVERY",
        "//rest/v1/delivery",
        "/rest/v1/mbox/s1",
        "/rest/v2/batchmbox",
        "/rest/v1/../v1/x",
        "/%00",
        "/%ff",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/console",
        "/control",
    ],
)
async def test_an_unknown_path_is_404(edge: Stage, method: str, path: str) -> None:
    """§8; gw:Q1: what operators ask is not on the public listener."""
    assert_readable_error(await ask(edge, method, path), 404)
