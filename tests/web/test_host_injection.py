"""Nothing in a request leads the gateway to another host (gw:S9; design T1, T2, K7)."""

import asyncio
import itertools
import json
import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from msgspec import Struct

from gateway.demo.target import Trouble
from tests.stage import DELIVERY, Stage, run_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")
_FILE = Path(__file__).parent.parent / "cases" / "host_injection" / "hosts.toml"
HOSTS = tomllib.loads(_FILE.read_text(encoding="utf-8"))
CONTROLS = {chr(number) for number in range(32)} | {"\x7f"}
_SESSIONS = itertools.count()
ASKED = {"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 1, "name": "recommendations"}]}}


class Canary(Struct):
    """A listener nobody should ever talk to."""

    port: int = 0
    connections: int = 0

    async def count(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()

    def fill(self, text: str) -> str:
        """Give a text of the table with the canary's port in it."""
        return text.replace("{port}", str(self.port))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def canary() -> AsyncIterator[Canary]:
    canary = Canary()
    async with await asyncio.start_server(canary.count, "localhost", 0) as server:
        canary.port = server.sockets[0].getsockname()[1]
        yield canary


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(bundled_url: str) -> AsyncIterator[Stage]:
    """Run a gateway without edges: everything goes to the stand-in."""
    async with run_stage(bundled_url, {"GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edges(bundled_url: str, canary: Canary) -> AsyncIterator[Stage]:
    """Run a gateway with an edge on each loopback address, where nobody listens."""
    changes = {
        "GATEWAY_OUTBOX__ENABLED": "false",
        "GATEWAY_WEB__VISITOR_ADDRESS": "forwarded",
        "GATEWAY_UPSTREAM__TARGET__EDGE_URL": "http://127.0.0.{cluster}:1",
    }
    async with run_stage(bundled_url, changes) as stage:
        yield stage


async def expect_configured_host(
    edge: Stage, canary: Canary, body: object, headers: dict[str, str], query: str = ""
) -> None:
    """Post; the call reaches the stand-in or nobody, and the answer is in any case JSON without a server error."""
    session = next(_SESSIONS)  # a new one for each call: a session's edge, once learnt, is asked again
    path = f"{DELIVERY}?client=demo&sessionId=s{session}{query}"
    answer = await edge.ask("POST", path, data=json.dumps(body), headers=headers)
    assert answer.status in (200, 400), answer.raw
    assert answer.body["status"] in (200, 206, 400)
    assert canary.connections == 0


async def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(HOSTS["clusters"]) + len(HOSTS["devices"]) + len(HOSTS["headers"]) * len(HOSTS["hosts"]) >= 200


def list_devices(canary: Canary) -> list[str]:
    named = [canary.fill(text) for text in HOSTS["devices"]]
    named += [f"a.{canary.fill(text)}_0" for text in HOSTS["clusters"]]
    return named + [f"a.{canary.fill(text)}-0" for text in HOSTS["clusters"]]


def is_edge(device: str) -> bool:
    """Whether a device id names an edge by one to three digits, where the stand-in is not."""
    return re.fullmatch(r"[^.]*\.[0-9]{1,3}(_[^._]*|-[0-9]{1,3})", device, re.ASCII) is not None


async def test_no_device_id_in_the_body_chooses_a_host(edge: Stage, edges: Stage, canary: Canary) -> None:
    for device in list_devices(canary):
        for stage in (edge, edges):
            received = stage.stand_in.received
            await expect_configured_host(stage, canary, ASKED | {"id": {"tntId": device}}, {})
            if stage is edge or not is_edge(device):
                assert stage.stand_in.received == received + 1, device


async def test_no_device_id_in_the_cookie_chooses_a_host(edge: Stage, edges: Stage, canary: Canary) -> None:
    for device in list_devices(canary):
        cookie = f"mbox=session#s1#99999999999|PC#{quote(device, safe='')}#99999999999"
        for stage in (edge, edges):
            received = stage.stand_in.received
            await expect_configured_host(stage, canary, ASKED, {"Cookie": cookie})
            if stage is edge or not is_edge(device):
                assert stage.stand_in.received == received + 1, device


async def test_no_edge_cookie_chooses_a_host(edges: Stage, canary: Canary) -> None:
    texts = [canary.fill(text) for text in HOSTS["clusters"]]
    for text in [one for one in texts if not set(one) & CONTROLS]:
        received = edges.stand_in.received
        await expect_configured_host(
            edges, canary, ASKED | {"id": {"tntId": "known"}}, {"Cookie": f"mboxEdgeCluster={text}"}
        )
        if not is_edge(f"a.{text.strip()}_0"):
            assert edges.stand_in.received == received + 1, text


async def test_no_header_chooses_a_host(edge: Stage, edges: Stage, canary: Canary) -> None:
    for name in HOSTS["headers"]:
        for text in HOSTS["hosts"]:
            for stage in (edge, edges):
                received = stage.stand_in.received
                await expect_configured_host(
                    stage, canary, ASKED | {"id": {"tntId": "known"}}, {name: canary.fill(text)}
                )
                assert stage.stand_in.received == received + 1, (name, text)
                sent = stage.stand_in.requests[-1]
                assert sent.headers["Host"] == stage.running.services.settings.upstream.target.url.removeprefix(
                    "http://"
                )


async def test_no_parameter_chooses_a_host(edge: Stage, canary: Canary) -> None:
    for name in HOSTS["parameters"]:
        for text in HOSTS["hosts"] + HOSTS["clusters"]:
            query = f"&{name}={quote(canary.fill(text), safe='')}"
            await expect_configured_host(edge, canary, ASKED | {"id": {"tntId": "known"}}, {}, query)


async def test_an_absolute_request_target_does_not_make_a_proxy(edge: Stage, canary: Canary) -> None:
    """Design S9: the gateway is no open relay."""
    host, port = edge.running.public.removeprefix("http://").split(":")
    for line in (
        f"POST http://localhost:{canary.port}/rest/v1/delivery?client=demo&sessionId=s1 HTTP/1.1",
        f"GET http://localhost:{canary.port}/ HTTP/1.1",
        f"CONNECT localhost:{canary.port} HTTP/1.1",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"{line}\r\nHost: localhost:{canary.port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        status = (await reader.readline()).split()[1]
        writer.close()
        assert status in (b"400", b"404", b"405")
    assert canary.connections == 0


async def test_redirects_are_not_followed(edge: Stage, canary: Canary) -> None:
    """gw:S9."""
    edge.stand_in.trouble = Trouble(status=302, times=1)
    answer = await edge.post(ASKED)
    assert answer.body["status"] == 206
    assert answer.headers["x-gateway-degraded"].startswith("upstream-refused;")
    assert "options" not in answer.body["execute"]["mboxes"][0]
