"""Telemetry on its way to Target: with the next call, else once a minute (spec get-offers §11, delivery-api §14)."""

import asyncio
from typing import Any

import pytest

from tests.stage import Stage, run_stage

ON = {"GATEWAY_CLIENT__DEMO__TELEMETRY": "true"}
WEB = {"channel": "web"}
LOCAL = {"context": WEB, "requestId": "r-local", "prefetch": {"mboxes": [{"index": 1, "name": "homepage-hero"}]}}
REMOTE = {"context": WEB, "requestId": "r-remote", "execute": {"mboxes": [{"index": 1, "name": "recommendations"}]}}


def entries_of(stage: Stage, at: int = -1) -> list[Any]:
    return list(stage.stand_in.requests[at].body.get("telemetry", {}).get("entries", []))


async def test_entries_wait_for_the_next_call_to_target(clean_url: str) -> None:
    async with run_stage(clean_url, ON) as stage:
        await stage.post(LOCAL)
        assert not stage.stand_in.requests, "a local decision alone makes no call"
        await stage.post(REMOTE)
        download, local = entries_of(stage)
        assert download["requestId"] == "ArtifactDownload"
        assert (local["requestId"], local["mode"]) == ("r-local", "local")
        assert local["features"] == {"prefetchMboxCount": 1, "decisioningMethod": "on-device"}
        await stage.post(REMOTE | {"telemetry": {"entries": [{"requestId": "theirs"}]}})
        theirs, remote = entries_of(stage)
        assert theirs == {"requestId": "theirs"}
        assert (remote["requestId"], remote["features"]["decisioningMethod"]) == ("r-remote", "server-side")


async def test_entries_travel_with_the_notifications_of_local_decisions(clean_url: str) -> None:
    """on-device §13: the background call carries them."""
    async with run_stage(clean_url, ON) as stage:
        await stage.post({"context": WEB, "requestId": "r1", "execute": LOCAL["prefetch"]})
        async with asyncio.timeout(10):
            await stage.stand_in.wait_received(1)
        assert stage.stand_in.requests[-1].body["notifications"]
        assert "ArtifactDownload" in [entry["requestId"] for entry in entries_of(stage)]


async def test_what_nothing_takes_along_is_sent_by_itself(clean_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.services._TELEMETRY_S", 0.01)
    async with run_stage(clean_url, ON) as stage:
        async with asyncio.timeout(10):
            await stage.stand_in.wait_received(1)
        body = stage.stand_in.requests[0].body
        assert [entry["requestId"] for entry in body["telemetry"]["entries"]] == ["ArtifactDownload"]
        assert "notifications" not in body


async def test_nothing_is_recorded_by_default(clean_url: str) -> None:
    async with run_stage(clean_url) as stage:
        await stage.post(LOCAL)
        await stage.post(REMOTE)
        assert "telemetry" not in stage.stand_in.requests[-1].body
