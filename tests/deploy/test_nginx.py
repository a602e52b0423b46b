"""The shipped nginx configuration, run by a real nginx (gw:M7, F9, Q1)."""

import asyncio
import json
import re

import pytest

from tests.deploy.places import read
from tests.deploy.proxy import DELIVERY, NGINX, Proxy, ask_raw, run_proxy
from tests.store.servers import wait_until

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt install nginx-light)")
_SESSIONS = [f"session-{number}" for number in range(23)]  # an odd number: taking turns would not look like hashing


@pytest.fixture
async def proxy(tmp_path):
    async with run_proxy(tmp_path) as proxy:
        yield proxy


async def owners(proxy: Proxy) -> dict[str, str]:
    return {session: await proxy.owner(session) for session in _SESSIONS}


async def test_one_session_always_reaches_the_same_gateway_and_sessions_are_spread(proxy):
    """gw:M7."""
    first = await owners(proxy)
    assert set(first.values()) == {"gateway-1", "gateway-2"}
    assert [await owners(proxy) for _ in range(3)] == [first] * 3


async def test_a_dead_gateway_is_replaced(proxy):
    await owners(proxy)
    await proxy.backends["gateway-1"].stop()
    assert await owners(proxy) == dict.fromkeys(_SESSIONS, "gateway-2")


async def test_a_request_that_a_gateway_may_have_taken_is_not_repeated(proxy):
    """It may have counted a display already."""
    status, _, body = await proxy.ask("/gone", params={"sessionId": "s1"}, json={})
    assert (status, body["status"]) == (502, 502)
    assert sum(backend.taken.count("/gone") for backend in proxy.backends.values()) == 1


async def test_calls_without_a_session_are_spread(proxy):
    found = {(await proxy.ask(method="GET", path="/"))[2]["name"] for _ in range(40)}
    assert found == {"gateway-1", "gateway-2"}


async def test_connections_to_a_gateway_are_kept(proxy):
    peers = {(await proxy.ask(params={"sessionId": "s1"}, json={}))[2]["peer"] for _ in range(5)}
    assert len(peers) == 1


async def test_the_gateway_learns_host_address_and_scheme_of_the_caller(proxy):
    """With web.visitor-address = forwarded and one hop, the gateway takes the last entry: what nginx itself saw."""
    headers = {"X-Forwarded-For": "203.0.113.9", "Host": "shop.example", "X-Request-Id": "from-the-caller"}
    seen = (await proxy.ask(params={"sessionId": "s1"}, json={}, headers=headers))[2]["headers"]
    assert seen["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["host"] == "shop.example"
    assert seen["x-request-id"] == "from-the-caller"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health", "/metrics", "/metrics/"])
async def test_the_admin_listener_is_not_to_be_reached(proxy, path):
    """gw:Q1."""
    status, _, body = await proxy.ask(path, "GET")
    assert (status, body["status"]) == (404, 404)


def test_only_public_ports_are_named():
    assert set(re.findall(r"server \S+:(\d+)", read("deploy/nginx/gateway.conf"))) == {"8080"}


async def test_the_largest_body_passes_and_a_longer_one_is_refused_in_json(proxy):
    """gw:F9: every body on the delivery path is JSON with status and message."""
    assert (await proxy.ask(data=b" " * 256 * 1024))[0] == 200
    status, headers, body = await proxy.ask(data=b" " * (256 * 1024 + 1), headers={"Origin": "https://shop.example"})
    assert (status, body) == (413, {"status": 413, "message": "the body is longer than 256 KB"})
    assert headers["Content-Type"] == "application/json"
    assert headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert headers["Access-Control-Allow-Credentials"] == "true"


async def test_with_no_gateway_left_the_answer_is_json(proxy):
    await asyncio.gather(*(backend.stop() for backend in proxy.backends.values()))
    for _ in range(3):
        status, headers, body = await proxy.ask(params={"sessionId": "s1"}, json={})
        assert (status, body) == (502, {"status": 502, "message": "no gateway answered"})
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /rest/v1/delivery HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /rest/v1/delivery?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"POST /rest/v1/delivery HTTP/1.1\r\nHost: a\r\nCookie: " + b"a" * 9000 + b"\r\n\r\n", 400),
        (b"POST /rest/v1/delivery HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
async def test_what_nginx_itself_refuses_is_answered_in_json(proxy, head, status):
    """gw:F9."""
    head_of_answer, _, body = (await ask_raw(proxy.origin, head)).partition(b"\r\n\r\n")
    assert head_of_answer.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(body)["message"]


async def test_no_log_holds_a_session_id_or_an_address(proxy):
    """gw:Q3: not of an answered request, not of one that no gateway took."""
    secret = "canary-of-a-visitor"
    await proxy.owner(secret)
    await asyncio.gather(*(backend.stop() for backend in proxy.backends.values()))
    await proxy.ask(params={"sessionId": secret}, json={}, headers={"X-Forwarded-For": "203.0.113.9"})
    log = proxy.folder / "access.log"
    await wait_until(lambda: log.read_text().count("\n") == 2)  # nginx writes after it has answered
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["http_status"], line["path"]) for line in lines] == [(200, DELIVERY), (502, DELIVERY)]
    assert lines[0]["request_id"] == "the-id-of-the-gateway"
    assert secret not in proxy.logged()
    assert "203.0.113.9" not in proxy.logged()
