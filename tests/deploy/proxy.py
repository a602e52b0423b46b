"""A real nginx over the shipped configuration, in front of servers that say who they are."""

import asyncio
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from msgspec import Struct

from tests.deploy.places import read
from tests.store.servers import wait_until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
DELIVERY = "/rest/v1/delivery"
_MAIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/main.log;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/gateway.conf;
}}
"""


class Backend(Struct):
    """A server that answers with its name and what it was sent; `/gone` it takes and hangs up."""

    name: str
    taken: list[str]
    runner: web.AppRunner
    port: int

    async def stop(self) -> None:
        """End it: connections to it are refused from now on."""
        await self.runner.cleanup()


class Proxy(Struct):
    """A running nginx and what stands behind it."""

    origin: str
    folder: Path
    backends: dict[str, Backend]
    http: aiohttp.ClientSession

    async def ask(self, path: str = DELIVERY, method: str = "POST", **options: Any) -> tuple[int, Any, Any]:
        """Give status, headers and decoded body of one request."""
        async with self.http.request(method, self.origin + path, **options) as response:
            return response.status, response.headers.copy(), await response.json()

    async def owner(self, session_id: str) -> str:
        """Give the name of the server that a call of this session reaches."""
        status, _, body = await self.ask(params={"client": "demo", "sessionId": session_id}, json={})
        assert status == 200, body
        return str(body["name"])

    def logged(self) -> str:
        """Give everything nginx has written."""
        return "".join(path.read_text() for path in self.folder.glob("*.log"))


@asynccontextmanager
async def run_proxy(folder: Path) -> AsyncIterator[Proxy]:
    """Give nginx with the shipped configuration: two servers behind it, only its ports and log files replaced."""
    assert NGINX is not None
    async with AsyncExitStack() as stack:
        backends = {}
        for name in ("gateway-1", "gateway-2"):
            backends[name] = await start_backend(name)
            stack.push_async_callback(backends[name].stop)
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        port = find_free_port()
        write_configuration(folder, port, backends)
        process = start(folder)
        stack.callback(end, process)
        await wait_until(lambda: process.poll() is not None or (folder / "nginx.pid").exists())
        assert process.poll() is None, (folder / "main.log").read_text()
        yield Proxy(f"http://127.0.0.1:{port}", folder, backends, http)


def write_configuration(folder: Path, port: int, backends: dict[str, Backend]) -> None:
    """Write a main configuration around the shipped one."""
    text = read("deploy/nginx/gateway.conf").replace("listen 80;", f"listen 127.0.0.1:{port};")
    for name, backend in backends.items():
        text = text.replace(f"{name}:8080", f"127.0.0.1:{backend.port}")
    text = text.replace("/var/log/nginx", str(folder))
    (folder / "gateway.conf").write_text(text)
    (folder / "nginx.conf").write_text(_MAIN.format(folder=folder))


def start(folder: Path) -> "subprocess.Popen[bytes]":
    """Start nginx with what `write_configuration` wrote."""
    command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "main.log")]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End nginx and wait for it."""
    process.send_signal(signal.SIGTERM)
    _, words = process.communicate(timeout=10)
    assert process.returncode in {0, -signal.SIGTERM}, words


async def start_backend(name: str) -> Backend:
    """Start a server on a free port."""
    taken: list[str] = []

    async def say(request: web.Request) -> web.Response:
        taken.append(request.path)
        assert request.transport is not None
        if request.path == "/gone":
            request.transport.abort()
        headers = {key.lower(): value for key, value in request.headers.items()}
        body = {"name": name, "headers": headers, "peer": str(request.transport.get_extra_info("peername"))}
        return web.json_response(body, headers={"X-Request-Id": "the-id-of-the-gateway"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", say)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return Backend(name, taken, runner, runner.addresses[0][1])


def find_free_port() -> int:
    """Give a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ask_raw(origin: str, raw: bytes) -> bytes:
    """Send bytes to nginx and give all it answers."""
    host, _, port = origin.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer
