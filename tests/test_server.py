"""The gateway as a process, and its answers as bytes (gw:Q1, Q2, Q5, Q6; RFC 9112)."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from gateway.demo.target import StandIn, Trouble
from gateway.errors import ConfigError
from gateway.server import _listen, split_address
from gateway.web.response import Answer
from tests.stage import run_stage
from tests.store.servers import wait_until

ROOT = Path(__file__).parent.parent
PATH = "/rest/v1/delivery?client=demo&sessionId="
WEB = {"channel": "web"}
LOCAL = {"context": WEB, "execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}]}}
REMOTE = {"context": WEB, "execute": {"mboxes": [{"index": 1, "name": "recommendations"}]}}
MIXED = {"context": WEB, "execute": {"mboxes": [*LOCAL["execute"]["mboxes"], {"index": 2, "name": "recommendations"}]}}


class Process:
    """A gateway process: what it logged so far, and HTTP to it."""

    def __init__(self, process: asyncio.subprocess.Process, http: aiohttp.ClientSession) -> None:
        self.process, self.http = process, http
        self.lines: list[str] = []

    async def wait_for(self, event: str) -> dict[str, Any]:
        """Read its log up to `event`; AssertionError with all it said when it ends before."""
        assert self.process.stderr
        async with asyncio.timeout(20):
            while raw := await self.process.stderr.readline():
                self.lines.append(raw.decode())
                if f'"event":"{event}"' in self.lines[-1]:
                    return dict(json.loads(self.lines[-1]))
        raise AssertionError(f"it ended without {event}: {''.join(self.lines)}")

    async def read_rest(self) -> str:
        assert self.process.stderr
        async with asyncio.timeout(20):
            self.lines.append((await self.process.stderr.read()).decode())
            await self.process.wait()
        return "".join(self.lines)

    async def post(self, origin: str, body: Any, session: str = "s1") -> Any:
        async with self.http.post(f"{origin}{PATH}{session}", json=body) as answer:
            assert answer.status == 200
            return await answer.json()


@asynccontextmanager
async def start(*arguments: str, **environ: str) -> AsyncIterator[Process]:
    """Start `python -m gateway`; whatever is left of it is killed in the end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "REDIS_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        cwd=ROOT,
        env=clean | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with aiohttp.ClientSession() as http:
        try:
            yield Process(process, http)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@pytest.fixture
async def stand_in() -> AsyncIterator[tuple[StandIn, str]]:
    target = StandIn(["demo"], {"DEMO@AdobeOrg": "demo"})
    port = await target.start()
    yield target, f"http://127.0.0.1:{port}"
    await target.stop()


def write_config(folder: Path, origin: str, listen: str = "127.0.0.1:0", data: str = "data") -> str:
    path = folder / "gateway.toml"
    path.write_text(f"""
[web]
listen = "{listen}"
admin-listen = "127.0.0.1:0"
deadline-ms = 15000
[client.demo]
organization-id = "DEMO@AdobeOrg"
poll-s = 0
artifact-location = "{origin}/artifact/demo/production/v1/rules.json"
[upstream.target]
url = "{origin}"
edge-url = ""
[artifact]
geo-url = "{origin}/v1/geo"
cache-dir = "{folder / "artifacts"}"
[redis]
timeout-ms = 5000
data-dir = "{folder / data}"
""")
    return str(path)


def find_servers(folder: Path) -> list[int]:
    """Give the process ids of the Redis servers whose data are in `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            works_here = entry.readlink() == folder / "data"
            state = (entry.parent / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue  # it has just ended, or is not ours to look at
        if works_here and state not in "ZX":
            found.append(int(entry.parent.name))
    return found


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@needs_proc
async def test_it_says_where_it_listens_answers_drains_and_leaves_nothing_behind(
    tmp_path: Path, stand_in: tuple[StandIn, str]
) -> None:
    """gw:Q5, Q6: SIGTERM while a call to Target is under way."""
    async with start("run", "--config", write_config(tmp_path, stand_in[1])) as gateway:
        started = await gateway.wait_for("server.started")
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9][0-9]*", started["public"])
        assert (await gateway.post(started["public"], LOCAL))["status"] == 200
        async with gateway.http.get(started["admin"] + "/health/ready") as ready:
            assert ready.status == 200
        assert len(find_servers(tmp_path)) == 1
        before = stand_in[0].received
        stand_in[0].trouble = Trouble(delay_ms=700, mboxes=("recommendations",))
        pending = asyncio.create_task(gateway.post(started["public"], REMOTE, "slow"))
        await stand_in[0].wait_received(before + 1)
        gateway.process.send_signal(signal.SIGTERM)
        await gateway.wait_for("server.draining")
        answer = await pending
        assert answer["status"] == 200
        assert answer["execute"]["mboxes"][0]["options"]
        log = await gateway.read_rest()
        assert '"event":"server.stopped"' in log
        assert gateway.process.returncode == 0
        assert find_servers(tmp_path) == []


@needs_proc
async def test_a_killed_gateway_leaves_no_server_and_its_data_come_back(
    tmp_path: Path, stand_in: tuple[StandIn, str]
) -> None:
    """gw:Q6, S2: the session's device id is in the append-only file."""
    config = write_config(tmp_path, stand_in[1])
    async with start("run", "--config", config) as gateway:
        started = await gateway.wait_for("server.started")
        device = (await gateway.post(started["public"], LOCAL, "kept"))["id"]["tntId"]
        assert len(find_servers(tmp_path)) == 1
        gateway.process.kill()
        await gateway.read_rest()
    await wait_until(lambda: not find_servers(tmp_path))
    async with start("run", "--config", config) as gateway:
        started = await gateway.wait_for("server.started")
        assert (await gateway.post(started["public"], LOCAL, "kept"))["id"]["tntId"] == device
        assert (await gateway.post(started["public"], LOCAL, "other"))["id"]["tntId"] != device


async def test_a_second_gateway_is_told_what_is_in_its_way(tmp_path: Path, stand_in: tuple[StandIn, str]) -> None:
    config = write_config(tmp_path, stand_in[1])
    async with start("run", "--config", config) as gateway:
        started = await gateway.wait_for("server.started")
        async with start("run", "--config", config) as second:
            log = await second.read_rest()
            assert second.process.returncode == 2
            assert re.search(r"^gateway: Another gateway .*redis\.data-dir", log, re.MULTILINE)
        address = started["public"].removeprefix("http://")
        async with start("run", "--config", write_config(tmp_path, stand_in[1], address, "other")) as third:
            log = await third.read_rest()
            assert third.process.returncode == 2
            assert re.search(rf"^gateway: cannot listen on {re.escape(address)}: .*in use", log, re.MULTILINE)
            assert "Traceback" not in log
        assert (await gateway.post(started["public"], LOCAL))["status"] == 200


async def test_sighup_looks_at_the_artifact_at_once(tmp_path: Path, stand_in: tuple[StandIn, str]) -> None:
    """gw:Q5."""
    async with start("run", "--config", write_config(tmp_path, stand_in[1])) as gateway:
        started = await gateway.wait_for("server.started")
        assert stand_in[0].artifact_downloads == 1
        stand_in[0].artifact = stand_in[0].artifact.replace(b'"1.0.0"', b'"1.7.0"', 1)
        await gateway.post(started["public"], LOCAL)  # by then the signal is listened for
        gateway.process.send_signal(signal.SIGHUP)
        assert "1.7.0" in (await gateway.wait_for("artifact.swapped"))["detail"]
        assert stand_in[0].artifact_downloads == 2


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_the_demonstration_answers_local_remote_and_mixed_requests(tmp_path: Path) -> None:
    target = f"http://127.0.0.1:{free_port()}"
    text = (ROOT / "config" / "demo.toml").read_text()
    text = (
        text.replace("http://127.0.0.1:8082", target)
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:8081", "127.0.0.1:0")
    )
    (tmp_path / "demo.toml").write_text(text.replace("var/demo", str(tmp_path / "data")))
    async with start("demo", "--config", str(tmp_path / "demo.toml")) as demo:
        origin = (await demo.wait_for("server.started"))["public"]
        for body, count in ((LOCAL, 1), (REMOTE, 1), (MIXED, 2)):
            answer = await demo.post(origin, body)
            assert answer["status"] == 200
            assert len(answer["execute"]["mboxes"]) == count
            assert all(element["options"] for element in answer["execute"]["mboxes"])
        demo.process.send_signal(signal.SIGINT)
        await demo.read_rest()
        assert demo.process.returncode == 0
        assert demo.process.stdout
        greeting = (await demo.process.stdout.read()).decode()
        assert origin in greeting
        assert "curl" in greeting


async def test_an_address_of_the_sixth_version_is_listened_on_and_told_as_a_url() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    runner = web.ServerRunner(web.Server(lambda _: asyncio.sleep(0)))
    try:
        assert re.fullmatch(r"http://\[::1\]:[0-9]+", await _listen(runner, "[::1]:0"))
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
        (":8080", ("", 8080)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ],
)
def test_an_address_is_host_and_port(text: str, expected: tuple[str, int]) -> None:
    assert split_address(text) == expected


@pytest.mark.parametrize(
    "text", ["", "8080", "host", "host:", "host:-1", "host:65536", "host:80x", "host:²", "host: 80", "host:1_0"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        split_address(text)


@given(st.text(max_size=12))
def test_no_text_raises_anything_but_config_error(text: str) -> None:
    try:
        host, port = split_address(text)
    except ConfigError:
        return
    assert 0 <= port <= 65535
    assert isinstance(host, str)


@pytest.fixture(scope="module")
def body_bytes() -> bytes:
    return json.dumps(LOCAL).encode()


class Wire:
    """One connection to a listening gateway, as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(
        self, *headers: str, method: str = "POST", version: str = "1.1", body: bytes = b"", session: str = "wire"
    ) -> None:
        lines = [f"{method} {PATH}{session} HTTP/{version}", "Host: gateway", f"Content-Length: {len(body)}", *headers]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def read(self, *, has_body: bool = True) -> tuple[str, dict[str, str], bytes]:
        """Give the status line, headers (names in lower case) and body of the next answer."""
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n")
            line, *rest = head.split("\r\n")
            headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
            assert len(headers) == len(rest), "no header comes twice"
            length = int(headers.get("content-length", 0)) if has_body else 0
            return line, headers, await self.reader.readexactly(length)

    async def is_closed(self) -> bool:
        async with asyncio.timeout(10):
            return await self.reader.read(1) == b""


@pytest.fixture
async def wire(redis_url: str) -> AsyncIterator[Wire]:
    async with run_stage(redis_url, {"GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        host, port = stage.running.public.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        yield Wire(reader, writer)
        writer.close()
        await writer.wait_closed()


async def test_a_connection_is_kept_and_every_answer_is_dated(wire: Wire, body_bytes: bytes) -> None:
    for _ in range(3):
        wire.send(body=body_bytes)
        line, headers, body = await wire.read()
        assert line == "HTTP/1.1 200 OK"
        assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", headers["date"])
        assert headers["content-type"] == "application/json;charset=UTF-8"
        assert "connection" not in headers
        assert json.loads(body)["status"] == 200


async def test_a_caller_may_close_the_connection(wire: Wire, body_bytes: bytes) -> None:
    wire.send("Connection: close", body=body_bytes)
    _, headers, body = await wire.read()
    assert headers["connection"] == "close"
    assert json.loads(body)["status"] == 200
    assert await wire.is_closed()


async def test_http_1_0_is_closed_unless_it_asks_to_stay(wire: Wire, body_bytes: bytes) -> None:
    wire.send("Connection: keep-alive", version="1.0", body=body_bytes)
    line, headers, _ = await wire.read()
    assert (line, headers["connection"]) == ("HTTP/1.0 200 OK", "keep-alive")
    wire.send(version="1.0", body=body_bytes)
    line, headers, body = await wire.read()
    assert line == "HTTP/1.0 200 OK"
    assert json.loads(body)["status"] == 200
    assert await wire.is_closed()


async def test_requests_sent_at_once_are_answered_in_order(wire: Wire, body_bytes: bytes) -> None:
    for number in range(5):
        wire.send(f"X-Request-Id: r{number}", body=body_bytes if number != 2 else b"not JSON")
    found = [await wire.read() for _ in range(5)]
    assert [headers["x-request-id"] for _, headers, _ in found] == ["r0", "r1", "r2", "r3", "r4"]
    assert [line.split()[1] for line, _, _ in found] == ["200", "200", "400", "200", "200"]


async def test_204_has_neither_body_nor_content_type(wire: Wire, body_bytes: bytes) -> None:
    """RFC 9110 15.3.5: and the connection stays usable."""
    wire.send(body=json.dumps({"context": WEB | {"beacon": True}, "execute": LOCAL["execute"]}).encode())
    wire.send("Origin: https://shop.example", "Access-Control-Request-Method: POST", method="OPTIONS")
    wire.send(body=body_bytes)
    for _ in range(2):
        line, headers, body = await wire.read()
        assert (line, body) == ("HTTP/1.1 204 No Content", b"")
        assert not {"content-type", "content-length"} & set(headers)
        assert "date" in headers
    assert (await wire.read())[0] == "HTTP/1.1 200 OK"


async def test_the_answer_to_head_has_no_body(wire: Wire, body_bytes: bytes) -> None:
    """RFC 9110 9.3.2: else its body would be taken for the next answer."""
    wire.send(method="HEAD")
    wire.send(body=body_bytes)
    line, _, _ = await wire.read(has_body=False)
    assert line == "HTTP/1.1 405 Method Not Allowed"
    assert (await wire.read())[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1", "\r\n", "a\r\n\r\nbody"], ids=repr)
@pytest.mark.parametrize("place", ["name", "value"])
async def test_a_header_with_a_line_break_is_never_sent(value: str, place: str) -> None:
    header = ("X-Ours", value) if place == "value" else (value, "ours")
    with pytest.raises(ValueError, match="line break"):
        await Answer(200, b"{}", [("X-Good", "1"), header]).prepare(make_mocked_request("GET", "/"))
