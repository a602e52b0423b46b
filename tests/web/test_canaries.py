"""Nothing a caller says reaches a log, a metric or the name of a key (gw:Q3, S6; design T13)."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from gateway.demo.target import Trouble
from tests.stage import DELIVERY
from tests.store.servers import connected
from tests.web.bodies import put, whole_body
from tests.web.processes import Gateway, run_process

_FIXED = {"channel", "deviceType", "platformType", "orientation", "authenticatedState", "logging", "type"}
_PEER = "127.0.0.77"  # every address 127.x.x.x is this machine's own, on Linux


class Canaries:
    """Unique texts, and where each was put."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {_PEER: "the peer's address", "203.0.113.77": "$.context.geo.ipAddress"}

    def make(self, place: str, length: int = 0) -> str:
        """Give a new text for `place`, of at least `length` characters."""
        text = f"Cnry{len(self.places):04d}x".ljust(length, "y")
        self.places[text] = place
        return text

    def fill(self, value: Any, path: str = "$") -> Any:
        """Give a body with every free text and every free name replaced."""
        if isinstance(value, dict):
            free = path.endswith(("arameters", ".usage"))
            return {
                (self.make(f"{path} name") if free else name): self.fill(inner, f"{path}.{name}")
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.fill(inner, f"{path}[{at}]") for at, inner in enumerate(value)]
        if not isinstance(value, str) or path.rpartition(".")[2] in _FIXED:
            return value
        if path.endswith("ipAddress"):
            return "203.0.113.77"
        if path.endswith("supplementalDataId"):
            return self.make(path, 33)[:33]
        return self.make(path, 0) if not path.endswith("zip") else self.make(path)[:12]

    def find(self, text: str) -> set[str]:
        """Give the places whose canaries are in `text`."""
        return {
            self.places.get(found, found) for found in re.findall(r"Cnry\d{4}xy*|127\.0\.0\.77|203\.0\.113\.77", text)
        }


def make_headers(canaries: Canaries) -> dict[str, str]:
    names = ["User-Agent", "Referer", "Sec-CH-UA", "Sec-CH-UA-Platform", "Authorization", "X-Consumer-Id",
             "X-Forwarded-For", "Forwarded", "Accept-Language", "X-Exc-Sdk", "X-Evil"]  # fmt: skip
    headers = {name: canaries.make(f"header {name}") for name in names}
    session, device, other = (canaries.make(f"cookie {name}") for name in ("session", "PC", "other"))
    cookie = f"mbox=session#{session}#99999999999|PC#{device}.35_0#99999999999; other={other}"
    return headers | {
        "Cookie": cookie,
        "Origin": f"https://{canaries.make('Origin')}.example",
        "Content-Type": f"text/plain; {canaries.make('Content-Type')}=1",
    }


def make_query(canaries: Canaries) -> dict[str, str]:
    return {
        "sessionId": canaries.make("sessionId"),
        "version": canaries.make("version"),
        "other": canaries.make("another parameter"),
    }


def list_bodies(canaries: Canaries) -> dict[str, bytes]:
    """Give a body of each kind: decided here, there, in both places, refused."""
    whole = canaries.fill(whole_body())
    whole["execute"]["mboxes"][0]["name"] = "homepage-hero"
    local = {name: whole[name] for name in ("context", "id", "requestId", "impressionId", "property", "trace")}
    local["execute"] = {"mboxes": whole["execute"]["mboxes"][:1], "pageLoad": whole["execute"]["pageLoad"]}
    secret = canaries.make("a malformed body")
    return {
        "mixed": json.dumps(whole).encode(),
        "local": json.dumps(local).encode(),
        "without ids": json.dumps({**local, "id": None}).encode(),
        "remote": json.dumps(whole | {"qaMode": {"token": canaries.make("$.qaMode.token")}}).encode(),
        "notifications": json.dumps({name: whole[name] for name in ("context", "id", "notifications")}).encode(),
        "ping": json.dumps({name: whole[name] for name in ("context", "id", "requestId")}).encode(),
        "malformed": f'{{"context":{{"userAgent":"{secret}"'.encode(),
        "a word": secret.encode(),
        "twice": f'{{"context":{{}},"{secret}":1,"{secret}":2}}'.encode(),
        "too long": json.dumps(put(whole, "$.requestId", canaries.make("a long id", 200))).encode(),
        "a wrong choice": json.dumps(put(whole, "$.notifications[0].type", canaries.make("a wrong choice"))).encode(),
        "a reserved name": json.dumps(
            put(whole, "$.execute.mboxes[0].parameters", {f"profile.{canaries.make('a name')}": "a"})
        ).encode(),
        "too large": secret.encode() * 50_000,
        "an odd channel": json.dumps(put(whole, "$.context.channel", canaries.make("a channel"))).encode(),
        "no number": json.dumps(put(whole, "$.notifications[0].timestamp", canaries.make("a timestamp"))).encode(),
    }


TROUBLES = [
    None,
    Trouble(status=500),
    Trouble(status=400),
    Trouble(garbage=True),
    Trouble(wrong_shape=True),
    Trouble(drop=True),
    Trouble(hang=True),
    Trouble(hang=True, on="geo"),
]


async def send_raw(gateway: Gateway, sent: bytes, *, vanish: bool = False) -> None:
    """Send bytes from the peer's address and read what comes, or go away at once."""
    host, port = gateway.public.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(_PEER, 0))
    writer.write(sent)
    if vanish:
        writer.write_eof()
    async with asyncio.timeout(10):
        await reader.read(65_536)
    writer.close()


def list_broken(canaries: Canaries) -> list[bytes]:
    """Give requests that never become one."""
    head = f"POST {DELIVERY}?client=demo&sessionId={canaries.make('sessionId of broken HTTP')}"
    cookie = f"Cookie: mbox={canaries.make('a cookie of broken HTTP')}"
    rest = f"Host: a\r\nConnection: close\r\n{cookie}\r\nContent-Length: 2\r\n"
    long = canaries.make("a long text of broken HTTP", 9000)
    return [
        f"{head}&x={long} HTTP/1.1\r\n{rest}\r\n{{}}".encode(),
        f"{head} HTTP/1.1\r\n{rest}X: {long}\r\n\r\n{{}}".encode(),
        f"{head} HTTP/1.1\r\n{rest}X: {canaries.make('a header with NUL')}\x00\r\n\r\n{{}}".encode(),
        f"{head} HTTP/1.1\r\n{rest}Content-Encoding: br\r\n\r\n{{}}".encode(),
        f"{head} HTTP/1.1\r\n{rest}Content-Encoding: gzip\r\n\r\n{{}}".encode(),
        f"{head} HTTP/1.1\r\n{rest}Expect: {canaries.make('Expect')}\r\n\r\n{{}}".encode(),
        f"{head}é HTTP/1.1\r\n{rest}\r\n{{}}".encode(),
        f"{canaries.make('a method')} / HTTP/1.1\r\n{rest}\r\n{{}}".encode(),
        f"POST /{canaries.make('a path')} HTTP/1.1\r\n{rest}\r\n{{}}".encode(),
        f"{head} HTTP/1.1\r\n{rest}User-Agent: {canaries.make('a bad user agent')}".encode()
        + b"\xff\r\nOrigin: https://a.example\r\n\r\n{}",
    ]


async def test_nothing_a_caller_says_reaches_logs_metrics_or_keys(clean_url: str, tmp_path: Path) -> None:
    canaries = Canaries()
    changes = {
        "GATEWAY_LOG__LEVEL": "debug",
        "GATEWAY_LOG__ACCESS": "true",
        "GATEWAY_WEB__ORIGINS": '["*"]',
        "PYTHONASYNCIODEBUG": "1",
    }
    async with run_process(clean_url, tmp_path, changes) as gateway:
        outcomes = set()
        for trouble in TROUBLES:
            gateway.stand_in.trouble = trouble
            for name, raw in list_bodies(canaries).items():
                headers = make_headers(canaries) | {"X-Request-Timeout-Ms": "200"}
                answer = await gateway.post(raw, headers if name != "without ids" else {}, **make_query(canaries))
                outcomes.add(answer.status)
        for wrong in (
            {"client": canaries.make("client")},
            {"imsOrgId": canaries.make("imsOrgId")},
            {"sessionId": f"{canaries.make('a bad session')} /"},
        ):
            outcomes.add((await gateway.post(b'{"context":{}}', **wrong)).status)
        for sent in list_broken(canaries):
            await send_raw(gateway, sent)
            await send_raw(gateway, sent[:-1], vanish=True)
        gateway.stand_in.trouble = None
        metrics = (await gateway.get(f"{gateway.admin}/metrics")).raw.decode()
        async with connected(clean_url) as store:
            keys = b"\n".join(await store.call("KEYS", "*")).decode()
        assert await gateway.stop() == 0
        log = gateway.log.read_text(encoding="utf-8", errors="replace")
    assert {200, 400, 413, 502} <= outcomes
    assert log.count("delivery.answered") > 20
    assert canaries.find(metrics) == set()
    assert canaries.find(keys) == set()
    assert canaries.find(log) == set()
    for line in log.splitlines():
        is_slow = line.startswith("Executing <") and line.endswith(" seconds")  # asyncio, on a busy machine
        assert line.startswith("{") or is_slow, f"not one JSON event a line: {line[:100]}"


async def test_a_request_can_be_found_in_the_log_by_its_id(clean_url: str, tmp_path: Path) -> None:
    """gw:Q2: the caller's own x-request-id."""
    async with run_process(clean_url, tmp_path, {"GATEWAY_LOG__ACCESS": "true"}) as gateway:
        await gateway.post(
            b'{"context":{},"execute":{"mboxes":[{"name":"homepage-hero"}]}}', {"X-Request-Id": "find-me"}
        )
        await gateway.stop()
        lines = [json.loads(line) for line in gateway.log.read_text(encoding="utf-8").splitlines()]
    found = [line for line in lines if line.get("request_id") == "find-me"]
    assert [(line["event"], line["status"], line["local"]) for line in found] == [("delivery.answered", 200, 1)]
