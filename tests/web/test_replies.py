"""What becomes of Target's answers, odd ones included (gw:F5, F9; spec delivery-api §7)."""

import asyncio
import json
from typing import Any

import pytest

from tests.stage import run_stage

OUTBOX_OFF = {"GATEWAY_OUTBOX__ENABLED": "false"}
ASKED = {
    "context": {"channel": "web"},
    "id": {"tntId": "me"},
    "execute": {"mboxes": [{"index": 1, "name": "recommendations"}, {"index": 2, "name": "homepage-hero"}]},
}


class canned_target:  # noqa: N801 - used like a function
    """A Target that answers every call with `reply`; gives its origin."""

    def __init__(self, reply: Any) -> None:
        self.body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(self.body) + self.body)
        await writer.drain()
        writer.close()


async def test_click_metrics_of_no_view_come_from_target(clean_url: str) -> None:
    """delivery-api §7.2: prefetch.metrics."""
    async with (
        canned_target({"prefetch": {"views": [], "metrics": [{"type": "click", "eventToken": "t"}]}}) as origin,
        run_stage(clean_url, OUTBOX_OFF | {"GATEWAY_UPSTREAM__TARGET__URL": origin}) as stage,
    ):
        answer = await stage.post({"context": {"channel": "web"}, "prefetch": {"views": [{"name": "checkout"}]}})
        assert answer.body["prefetch"] == {"views": [], "metrics": [{"type": "click", "eventToken": "t"}]}


REPLIES: dict[str, Any] = {
    "another mbox": {"execute": {"mboxes": [{"index": 1, "name": "evil", "options": [{"content": "x"}]}]}},
    "another index": {"execute": {"mboxes": [{"index": 99, "name": "recommendations", "options": [{"content": "x"}]}]}},
    "no index": {"execute": {"mboxes": [{"name": "recommendations", "options": []}]}},
    "an index of text": {"execute": {"mboxes": [{"index": "1", "name": "recommendations"}]}},
    "a huge index": {"execute": {"mboxes": [{"index": 10**300, "name": "recommendations"}, {"index": 1.5e308}]}},
    "a true index": {"execute": {"mboxes": [{"index": [1]}, None, 7, "x"]}},
    "no execute": {},
    "null": {"execute": None, "prefetch": None, "id": None, "notifications": None, "edgeHost": None},
    "ids of the wrong kind": {"id": {"tntId": 7, "customerIds": "x"}, "edgeHost": 7},
    "an id too long": {"id": {"tntId": "x" * 5000}},
    "members of the wrong kind": {"notifications": 7, "edgeHost": [], "telemetryServerToken": {}},
    "metrics of the wrong kind": {"prefetch": {"metrics": {"a": 1}, "views": 7, "pageLoad": 7}},
    "an evil edge": {"edgeHost": "mboxedge@evil.example/#.a.b.c", "id": {"tntId": "a.@evil_0"}},
    "deep": {"x": json.loads("[" * 500 + "]" * 500)},
    "400 digits": {"x": 10**400, "execute": {"mboxes": [{"index": 1, "name": "recommendations", "options": 10**400}]}},
}


@pytest.mark.parametrize("name", REPLIES)
async def test_no_answer_of_target_breaks_ours(clean_url: str, name: str) -> None:
    """gw:F9: whatever Target says, the answer is whole, JSON, and bears only what was asked for."""
    async with (
        canned_target(REPLIES[name]) as origin,
        run_stage(clean_url, OUTBOX_OFF | {"GATEWAY_UPSTREAM__TARGET__URL": origin}) as stage,
    ):
        answer = await stage.post(ASKED | {"prefetch": {"pageLoad": {}}})
        assert answer.status == 200
        assert [one["name"] for one in answer.body["execute"]["mboxes"]] == ["recommendations", "homepage-hero"]
        assert answer.body["execute"]["mboxes"][1]["options"]
        assert answer.body["status"] == (200 if name == "400 digits" else 206)
        assert isinstance(answer.body.get("notifications", []), list)
        assert isinstance(answer.body.get("telemetryServerToken", ""), str)
        assert len(answer.body["id"]["tntId"]) <= 128
        assert b"evil.example" not in answer.raw


async def test_content_that_can_be_read_can_be_written_however_deep(clean_url: str) -> None:
    """gw:F9: what was decoded on a short stack is encoded on a longer one."""
    canned = canned_target({})
    async with (
        canned as origin,
        run_stage(clean_url, OUTBOX_OFF | {"GATEWAY_UPSTREAM__TARGET__URL": origin}) as stage,
    ):
        for depth in range(900, 1010):
            canned.body = b'{"execute":{"mboxes":[{"index":1,"name":"recommendations","options":%s}]}}' % (
                b"[" * depth + b"]" * depth
            )
            answer = await stage.post(ASKED)
            assert answer.status == 200, depth
