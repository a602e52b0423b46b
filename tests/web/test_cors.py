"""CORS as at.js needs it (spec delivery-api §4): every status, credentials, preflights, the allow list."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.demo.target import Trouble
from tests.stage import DELIVERY, Answer, Stage, run_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHOP, EVIL = "https://shop.example", "https://evil.example"
PATH = f"{DELIVERY}?client=demo&sessionId=s1"
HERO = json.dumps({"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}]}})
TOLD = json.dumps(
    {"context": {"channel": "web"}, "notifications": [{"id": "n", "type": "click", "timestamp": 1700000000000}]}
)
BEACON = TOLD.replace('"web"', '"web","beacon":true')
STATUSES = {
    200: ("POST", PATH, HERO),
    204: ("POST", PATH, BEACON),
    400: ("POST", PATH, "["),
    404: ("POST", "/nothing", HERO),
    405: ("GET", PATH, None),
    413: ("POST", PATH, "x" * 300_000),
    502: ("POST", PATH, TOLD),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(bundled_url: str) -> AsyncIterator[Stage]:
    async with run_stage(bundled_url) as stage:
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def choosy(bundled_url: str) -> AsyncIterator[Stage]:
    """Run a gateway for the pages of two origins only."""
    changes = {
        "GATEWAY_WEB__ORIGINS": f'["{SHOP}", "https://www.shop.example:8443"]',
        "GATEWAY_WEB__PREFLIGHT_MAX_AGE_S": "7",
    }
    async with run_stage(bundled_url, changes) as stage:
        yield stage


async def ask_for(edge: Stage, status: int, headers: dict[str, str]) -> Answer:
    method, path, body = STATUSES[status]
    edge.stand_in.trouble = Trouble(status=503) if status == 502 else None
    answer = await edge.ask(method, path, data=body, headers=headers)
    assert answer.status == status, answer.raw
    return answer


@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_can_be_read_by_the_page(edge: Stage, status: int) -> None:
    """§4 points 1, 2: the exact origin, with credentials; never `*`."""
    answer = await ask_for(edge, status, {"Origin": SHOP, "Content-Type": "text/plain"})
    assert answer.headers.getall("Access-Control-Allow-Origin") == [SHOP]
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]
    assert "no-store" in answer.headers["Cache-Control"]
    if status != 204:
        assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
        assert answer.body["status"] == status


async def test_a_failure_of_our_own_can_be_read_by_the_page(edge: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """§4 point 2, gw:F9: a defect of ours is answered as JSON too, and tells nothing of itself."""
    from gateway.tenants import Tenant

    def fail(*_given: object) -> None:
        raise RuntimeError("the secret of the defect")

    monkeypatch.setattr(Tenant, "decide", fail)
    answer = await edge.ask("POST", PATH, data=HERO, headers={"Origin": SHOP})
    assert (answer.status, answer.body["status"]) == (500, 500)
    assert b"secret" not in answer.raw
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP


@pytest.mark.parametrize("status", STATUSES)
async def test_without_an_origin_there_are_no_cors_headers(edge: Stage, status: int) -> None:
    answer = await ask_for(edge, status, {})
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("status", STATUSES)
async def test_an_origin_that_is_not_listed_may_not_read(choosy: Stage, status: int) -> None:
    """§4 point 5: the call is answered (it was made anyway), but caches and the page learn nothing."""
    answer = await ask_for(choosy, status, {"Origin": EVIL})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    ["null", "*", "https://shop.example.evil.example", "https://evil.example/https://shop.example", "http://shop.example",
     "https://shop.example:443", "https://SHOP.example", "https://shop.example ,https://evil.example", "shop.example",
     "https://xshop.example", "https://shop.exampl", "https://www.shop.example"],
)  # fmt: skip
async def test_only_the_very_same_origin_is_listed(choosy: Stage, origin: str) -> None:
    answer = await ask_for(choosy, 200, {"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origin", [SHOP, "https://www.shop.example:8443"])
async def test_a_listed_origin_may_read(choosy: Stage, origin: str) -> None:
    answer = await ask_for(choosy, 400, {"Origin": origin})
    assert answer.headers["Access-Control-Allow-Origin"] == origin


async def test_a_preflight_tells_methods_headers_and_age(choosy: Stage) -> None:
    """§4 point 3."""
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, x-consumer-id",
    }
    answer = await choosy.ask("OPTIONS", PATH, headers=asked)
    assert (answer.status, answer.raw) == (204, b"")
    assert answer.headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"
    allowed = {name.strip() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert allowed >= {
        "content-type",
        "x-exc-sdk",
        "x-exc-sdk-version",
        "x-request-id",
        "x-requested-with",
        "x-consumer-id",
    }
    assert answer.headers["Access-Control-Max-Age"] == "7"
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize(
    "asked", ["authorization", "x-evil", "cookie, content-type", "*", "\xe9", "," * 3000, "a" * 8000]
)
async def test_a_preflight_promises_no_header_it_does_not_know(edge: Stage, asked: str) -> None:
    headers = {"Origin": SHOP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}
    answer = await edge.ask("OPTIONS", PATH, headers=headers)
    assert answer.status == 204
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert not {"authorization", "x-evil", "cookie", "*"} & set(allowed)
    assert len(allowed) < 10


async def test_a_preflight_of_another_origin_is_not_allowed(choosy: Stage) -> None:
    answer = await choosy.ask("OPTIONS", PATH, headers={"Origin": EVIL, "Access-Control-Request-Method": "POST"})
    assert answer.status == 204
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_preflight_needs_no_query_and_stores_nothing(edge: Stage) -> None:
    store = edge.running.services.store
    before = await store.call("DBSIZE")
    assert (await edge.ask("OPTIONS", DELIVERY, headers={"Origin": SHOP})).status == 204
    assert await store.call("DBSIZE") == before


async def test_the_page_may_read_why_an_answer_is_degraded(edge: Stage) -> None:
    answer = await ask_for(edge, 200, {"Origin": SHOP})
    exposed = {name.strip().lower() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert {"x-request-id", "x-gateway-degraded"} <= exposed


@pytest.mark.parametrize("given", ["abc", "A.b_c-1", "0" * 64])
async def test_a_request_id_comes_back(edge: Stage, given: str) -> None:
    """gw:Q2."""
    for status in (200, 400, 404):
        assert (await ask_for(edge, status, {"X-Request-Id": given})).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", " ", "a b", "a;b", "0" * 65, "é", "<script>"])
async def test_a_request_id_of_the_wrong_form_is_replaced(edge: Stage, given: str) -> None:
    answer = await ask_for(edge, 200, {"X-Request-Id": given})
    assert len(answer.headers["X-Request-Id"]) == 32
    assert answer.headers["X-Request-Id"].isalnum()
