"""The artifact of a client: loaded, polled, kept when a new one is bad (spec on-device-decisioning §1-§3)."""

import asyncio
import gzip
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.config import Artifact, Client
from gateway.demo.target import StandIn, Trouble
from gateway.errors import ConfigError
from gateway.upstream import artifact_feed
from gateway.upstream.artifact_feed import ArtifactFeed, find_location
from tests.store.servers import wait_until

ORGANIZATION = "DEMO@AdobeOrg"
ADOBE = Artifact()


def make_file(version: str = "1.0.0", **members: Any) -> bytes:
    return json.dumps({"version": version, "rules": {}} | members).encode()


class Site:
    """Answers one address as told, and keeps the headers of what it was asked."""

    def __init__(self) -> None:
        self.answer = web.Response
        self.answer_with(make_file())
        self.asked: list[Any] = []
        self.seen = asyncio.Event()

    def answer_with(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        self.answer = lambda: web.Response(body=body, status=status, headers=headers)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.copy()))
        self.seen.set()
        return self.answer()


class Feed:
    """A feed with what it reported."""

    def __init__(self, session: aiohttp.ClientSession, location: str, settings: Artifact, **client: Any) -> None:
        self.events: list[tuple[str, str]] = []
        made = Client(**({"organization_id": ORGANIZATION, "artifact_location": location, "poll_s": 0} | client))
        self.feed = ArtifactFeed(
            "demo", made, settings, session, lambda event, detail: self.events.append((event, detail))
        )

    async def look(self) -> list[str]:
        """Look once; give the names of what was reported."""
        self.events.clear()
        await self.feed.refresh()
        return [event for event, _ in self.events]

    @property
    def version(self) -> str:
        return self.feed.artifact.version if self.feed.artifact else ""


@pytest.fixture
async def site() -> AsyncIterator[tuple[Site, str]]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.serve)
    async with TestServer(app) as server:
        yield site, str(server.make_url("/rules.json"))


@asynccontextmanager
async def open_feed(location: str, settings: Artifact = ADOBE, **client: Any) -> AsyncIterator[Feed]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Feed(session, location, settings, **client)


LOCATIONS: list[tuple[dict[str, Any], str]] = [
    ({}, "https://assets.adobetarget.com/demo/production/v1/rules.json"),
    ({"environment": "Staging"}, "https://assets.adobetarget.com/demo/staging/v1/rules.json"),
    ({"environment": "my-own"}, "https://assets.adobetarget.com/demo/my-own/v1/rules.json"),
    ({"property_token": "abc"}, "https://assets.adobetarget.com/demo/production/v1/abc/rules.json"),
    ({"artifact_format": "bin"}, "https://assets.adobetarget.com/demo/production/v1/rules.bin"),
    ({"artifact_format": "json"}, "https://assets.adobetarget.com/demo/production/v1/rules.json"),
]


@pytest.mark.parametrize(("members", "expected"), LOCATIONS, ids=str)
def test_the_location_is_made_of_client_environment_property_and_format(members: dict[str, Any], expected: str) -> None:
    """on-device §1."""
    assert find_location("demo", Client(organization_id=ORGANIZATION, **members), ADOBE) == expected


@pytest.mark.parametrize(
    "url", ["https://a.example/{custmer}/rules.json", "https://a.example/{}/rules.json", "https://a.example/{client"]
)
def test_an_address_with_an_unknown_part_is_a_mistake_in_the_configuration(url: str) -> None:
    with pytest.raises(ConfigError, match=r"artifact\.url"):
        find_location("demo", Client(organization_id=ORGANIZATION), Artifact(url=url))


POLLS = [
    ("https://a.example/rules.json", 1, 300),
    ("http://a.example/rules.json", 299, 300),
    ("https://a.example/r", 301, 301),
    ("https://a.example/r", 0, 0),
    ("rules.json", 1, 1),
    ("rules.json", 0, 0),
]


@pytest.mark.parametrize(("location", "configured", "expected"), POLLS, ids=str)
async def test_adobes_servers_are_polled_at_most_every_300_seconds_and_never_with_0(
    location: str, configured: int, expected: int
) -> None:
    """on-device §2."""
    async with open_feed(location, poll_s=configured) as it:
        assert it.feed.poll_s == expected


async def test_with_a_poll_of_0_nobody_looks_again(site: tuple[Site, str]) -> None:
    """on-device §2."""
    async with open_feed(site[1], poll_s=0) as it:
        await it.look()
        async with asyncio.timeout(10):
            await it.feed.run()  # ends at once
        assert len(site[0].asked) == 1


async def test_a_new_artifact_is_swapped_in_and_described(site: tuple[Site, str]) -> None:
    async with open_feed(site[1]) as it:
        assert (it.feed.artifact, it.feed.retrieved, it.feed.last_retrieved) == (None, 0, "")
        assert await it.look() == ["artifact.swapped"]
        assert it.version == "1.0.0"
        assert it.feed.retrieved == 1
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", it.feed.last_retrieved)
        site[0].answer_with(make_file("1.1.0"))
        assert await it.look() == ["artifact.swapped"]
        assert (it.version, it.feed.retrieved) == ("1.1.0", 2)


async def test_an_etag_is_sent_back_and_304_keeps_what_is_in_use(site: tuple[Site, str]) -> None:
    """on-device §2."""
    async with open_feed(site[1]) as it:
        site[0].answer_with(make_file(), ETag='"one"')
        await it.look()
        site[0].answer_with(status=304)
        assert await it.look() == []
        assert (it.version, it.feed.retrieved) == ("1.0.0", 1)
        site[0].answer_with(make_file("1.1.0"))
        await it.look()
        await it.look()
        marks = [headers.get("If-None-Match") for _, headers in site[0].asked]
        assert marks == [None, '"one"', '"one"', None], "a file without an ETag has no mark"


async def test_the_mark_of_a_bad_file_is_not_remembered(site: tuple[Site, str]) -> None:
    async with open_feed(site[1]) as it:
        site[0].answer_with(make_file(), ETag='"good"')
        await it.look()
        site[0].answer_with(make_file("2.0.0"), ETag='"bad"')
        await it.look()
        await it.look()
        assert [headers.get("If-None-Match") for _, headers in site[0].asked] == [None, '"good"', '"good"']


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "not JSON": ({"body": b"<html>"}, "unable to read artifact JSON"),
    "empty": ({"body": b""}, "unable to read artifact JSON"),
    "a list": ({"body": b"[]"}, "no rules"),
    "version 2": ({"body": make_file("2.0.0")}, "version 2.0.0 is not supported"),
    "no rules": ({"body": b'{"version":"1.0.0"}'}, "no rules"),
    "options are a number": (
        {
            "body": make_file(
                rules={
                    "mboxes": {"a": [{"ruleKey": "1", "condition": True, "meta": {}, "consequence": {"options": 5}}]}
                }
            )
        },
        "",
    ),
    "403": ({"status": 403}, "not enabled for this client"),
    "404": ({"status": 404}, "status 404"),
    "500": ({"status": 500, "body": make_file("1.9.9")}, "status 500"),
    "204": ({"status": 204}, "status 204"),
    "206": ({"status": 206, "body": make_file("1.9.9")}, "status 206"),
    "a redirect": ({"status": 302, "Location": "/elsewhere"}, "status 302"),
    "too long": ({"body": make_file("1.9.9") + b" " * 1_100_000}, "longer than"),
    "a bomb": ({"body": gzip.compress(b" " * 3_000_000), "Content-Encoding": "gzip"}, "longer than"),
    "not gzip": ({"body": b"plain", "Content-Encoding": "gzip"}, "cannot download"),
}


@pytest.mark.parametrize(("answer", "reason"), BAD.values(), ids=BAD)
async def test_a_bad_answer_is_reported_and_the_artifact_in_use_is_kept(
    site: tuple[Site, str], answer: dict[str, Any], reason: str
) -> None:
    """on-device §2: nothing but a good new one takes its place."""
    async with open_feed(site[1], Artifact(max_mb=1)) as it:
        site[0].answer_with(**answer)
        assert await it.look() == ["artifact.failed"]
        assert it.feed.artifact is None
        assert reason in it.events[0][1]
        site[0].answer_with(make_file())
        await it.look()
        kept = it.feed.artifact
        site[0].answer_with(**answer)
        assert await it.look() == ["artifact.failed"]
        assert it.feed.artifact is kept
        assert it.feed.retrieved == 1


async def test_redirects_are_not_followed(site: tuple[Site, str]) -> None:
    """gw:S9: hosts come from the configuration only."""
    async with open_feed(site[1]) as it:
        site[0].answer_with(status=302, Location="/elsewhere")
        await it.look()
        assert [path for path, _ in site[0].asked] == ["/rules.json"]


async def test_a_304_without_anything_in_use_is_a_failure(site: tuple[Site, str]) -> None:
    async with open_feed(site[1]) as it:
        site[0].answer_with(status=304)
        assert await it.look() == ["artifact.failed"]


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(drop=True, on="artifact"),
        Trouble(truncate=True, on="artifact"),
        Trouble(garbage=True, on="artifact"),
        Trouble(hang=True, on="artifact"),
    ],
    ids=lambda trouble: trouble.kind,
)
async def test_a_broken_download_is_a_failure_and_the_next_one_counts(trouble: Trouble) -> None:
    stand_in = StandIn(["demo"], {ORGANIZATION: "demo"})
    port = await stand_in.start()
    try:
        location = f"http://127.0.0.1:{port}/artifact/demo/production/v1/rules.json"
        async with open_feed(location, Artifact(timeout_ms=150)) as it:
            stand_in.trouble = trouble
            assert await it.look() == ["artifact.failed"]
            stand_in.trouble = None
            assert await it.look() == ["artifact.swapped"]
    finally:
        await stand_in.stop()


async def test_nobody_listening_is_a_failure() -> None:
    async with open_feed("http://127.0.0.1:9/rules.json") as it:
        assert await it.look() == ["artifact.failed"]
        assert "cannot download" in it.events[0][1]


async def test_a_client_adobe_does_not_know_is_told_why() -> None:
    stand_in = StandIn(["demo"])
    port = await stand_in.start()
    try:
        async with open_feed(f"http://127.0.0.1:{port}/artifact/other/production/v1/rules.json") as it:
            await it.look()
            assert it.events == [
                ("artifact.failed", "on-device decisioning is not enabled for this client (status 403)")
            ]
    finally:
        await stand_in.stop()


@pytest.mark.parametrize(
    ("file", "client", "organization"),
    [
        ("rules.bin", {}, ORGANIZATION),
        ("rules.bin", {"artifact_format": "bin"}, ORGANIZATION),
        ("rules.BIN", {}, ORGANIZATION),
        ("rules.bin", {}, "OTHER@AdobeOrg"),
        ("rules.bin", {"artifact_format": "json"}, ORGANIZATION),
    ],
    ids=str,
)
async def test_a_scrambled_artifact_is_read_by_its_organization(
    file: str, client: dict[str, Any], organization: str, tmp_path: Path
) -> None:
    """on-device §1 last paragraph and §3."""
    stand_in = StandIn(["demo"], {ORGANIZATION: "demo"})
    port = await stand_in.start()
    try:
        address = f"http://127.0.0.1:{port}/artifact/demo/production/v1/rules.bin"
        async with open_feed(address, organization_id=organization, **client) as it:
            if file != "rules.bin":
                async with aiohttp.ClientSession() as session, session.get(address) as answer:
                    (tmp_path / file).write_bytes(await answer.read())
                it.feed.location = str(tmp_path / file)
            good = organization == ORGANIZATION and client != {"artifact_format": "json"}
            assert await it.look() == (["artifact.swapped"] if good else ["artifact.failed"])
            assert bool(it.feed.artifact and it.feed.artifact.mboxes["homepage-hero"]) is good
    finally:
        await stand_in.stop()


async def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_bytes(make_file())
    async with open_feed(str(path)) as it:
        assert await it.look() == ["artifact.swapped"]
        assert await it.look() == []
        path.write_bytes(make_file("1.10.0"))
        assert await it.look() == ["artifact.swapped"]
        path.write_bytes(make_file("1.20.0"))  # as long as the one before
        os.utime(path, ns=(1, 1))
        assert await it.look() == ["artifact.swapped"]
        path.write_bytes(b"half of a fi")
        assert await it.look() == ["artifact.failed"]
        path.unlink()
        assert await it.look() == ["artifact.failed"]
        assert "No such file" in it.events[0][1]
        assert (it.version, it.feed.retrieved) == ("1.20.0", 3)


async def test_a_folder_or_a_file_too_long_is_refused(tmp_path: Path) -> None:
    for location, reason in ((tmp_path, "cannot read"), (tmp_path / "long.json", "max-mb = 1")):
        if location != tmp_path:
            location.write_bytes(make_file() + b" " * 1_100_000)
        async with open_feed(str(location), Artifact(max_mb=1)) as it:
            assert await it.look() == ["artifact.failed"]
            assert reason in it.events[0][1]


async def test_each_rule_that_is_ignored_is_reported_once_an_artifact(site: tuple[Site, str]) -> None:
    """on-device §9.3 GATEWAY."""
    rule = {"ruleKey": "7", "condition": {"starts_with": [1]}, "consequence": {"name": "a"}, "meta": {}}
    async with open_feed(site[1]) as it:
        site[0].answer_with(make_file(rules={"mboxes": {"a": [rule]}}), ETag='"one"')
        assert await it.look() == ["artifact.swapped", "artifact.rule_ignored"]
        site[0].answer_with(status=304)
        assert await it.look() == []


async def test_polling_goes_on_whatever_an_artifact_is(site: tuple[Site, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """on-device §2: a failed poll is followed by the next one; no file may end the polling."""
    monkeypatch.setattr(artifact_feed, "SHORTEST_POLL_S", 0.01)
    async with open_feed(site[1], poll_s=1) as it:
        monkeypatch.setattr(ArtifactFeed, "poll_s", 0.01)
        await it.look()
        polling = asyncio.create_task(it.feed.run())
        try:
            for answer, _ in BAD.values():
                if len(answer.get("body", b"")) < 100_000:
                    site[0].answer_with(**answer)
                    site[0].seen.clear()
                    await asyncio.wait(
                        [polling, waiter := asyncio.create_task(site[0].seen.wait())], return_when="FIRST_COMPLETED"
                    )
                    waiter.cancel()
                    assert not polling.done(), polling.exception()
            site[0].answer_with(make_file("1.2.3"))
            await wait_until(lambda: it.version == "1.2.3")
        finally:
            polling.cancel()
            await asyncio.wait([polling])


async def test_a_first_load_that_failed_is_tried_again_before_the_next_poll(site: tuple[Site, str]) -> None:
    """on-device §2: immediate retries, with back-off here: a hiccup at start must not cost 300 s."""
    async with open_feed(site[1], poll_s=300) as it:
        site[0].answer_with(status=503)
        await it.look()
        site[0].answer_with(make_file())
        polling = asyncio.create_task(it.feed.run())
        try:
            async with asyncio.timeout(3):
                await wait_until(lambda: it.feed.artifact is not None)
        except TimeoutError:
            pytest.fail("no second attempt within 3 s")
        finally:
            polling.cancel()
            await asyncio.wait([polling])
