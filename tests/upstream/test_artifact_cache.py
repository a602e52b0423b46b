"""The last good artifact on disk: a gateway starts with it when its source cannot be reached."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.config import Artifact, Client
from gateway.errors import ArtifactMissing
from gateway.upstream.artifact_cache import ArtifactCache, Kept
from gateway.upstream.artifact_feed import ArtifactFeed

NOWHERE = "http://127.0.0.1:9/rules.json"
MOST = 1_000_000


def make_file(version: str = "1.0.0") -> bytes:
    return json.dumps({"version": version, "rules": {}}).encode()


def read_all(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir()]


def rewrite(folder: Path, change: Any) -> None:
    """Change the one file there is."""
    (path,) = folder.iterdir()
    path.write_bytes(change(path.read_bytes()))


class Site:
    """Answers with a file and its ETag, or fails; counts what it was asked."""

    def __init__(self) -> None:
        self.version: str | None = "1.0.0"
        self.etag = True
        self.asked: list[str | None] = []

    async def serve(self, request: web.Request) -> web.Response:
        mark = request.headers.get("If-None-Match")
        self.asked.append(mark)
        if self.version is None:
            return web.Response(status=503)
        etag = {"ETag": f'"{self.version}"'} if self.etag else {}
        return (
            web.Response(status=304)
            if mark in etag.values()
            else web.Response(body=make_file(self.version), headers=etag)
        )


@pytest.fixture
async def site() -> AsyncIterator[tuple[Site, str]]:
    site = Site()
    app = web.Application()
    app.router.add_get("/rules.json", site.serve)
    async with TestServer(app) as server:
        yield site, str(server.make_url("/rules.json"))


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def open_feed(
    http: aiohttp.ClientSession, location: str, folder: Path, **client: Any
) -> tuple[ArtifactFeed, list[tuple[str, str]]]:
    """Give a feed as a newly started gateway has it, and the list of what it reports."""
    events: list[tuple[str, str]] = []
    made = Client(**({"organization_id": "DEMO@AdobeOrg", "artifact_location": location, "poll_s": 0} | client))
    settings = Artifact(cache_dir=str(folder), timeout_ms=2000)
    return ArtifactFeed("demo", made, settings, http, lambda event, detail: events.append((event, detail))), events


async def test_a_gateway_starts_from_disk_when_its_source_is_gone(
    site: tuple[Site, str], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    before, _ = open_feed(http, site[1], tmp_path)
    await before.start()
    site[0].version = None
    after, events = open_feed(http, site[1], tmp_path)
    await after.start()
    assert after.artifact is not None
    assert after.artifact.version == "1.0.0"
    assert after.last_retrieved == before.last_retrieved, "its age is that of the download"
    assert [event for event, _ in events] == ["artifact.swapped", "artifact.failed"]


async def test_the_etag_is_kept_with_the_file_and_304_means_no_second_swap(
    site: tuple[Site, str], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    for _ in range(2):
        feed, events = open_feed(http, site[1], tmp_path)
        await feed.start()
        assert [event for event, _ in events] == ["artifact.swapped"]
    assert site[0].asked == [None, '"1.0.0"']


async def test_equal_bytes_without_an_etag_are_not_swapped_again(
    site: tuple[Site, str], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    site[0].etag = False
    feed, events = open_feed(http, site[1], tmp_path)
    await feed.start()
    used = feed.artifact
    await feed.refresh()
    assert (feed.artifact is used, feed.retrieved, len(events)) == (True, 1, 1)
    again, _ = open_feed(http, site[1], tmp_path)
    await again.start()
    assert again.retrieved == 1, "what came from disk and what came from the source are the same"


async def test_a_newer_artifact_takes_the_place_of_the_one_from_disk(
    site: tuple[Site, str], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    first, _ = open_feed(http, site[1], tmp_path)
    await first.start()
    site[0].version = "1.1.0"
    second, _ = open_feed(http, site[1], tmp_path)
    await second.start()
    third, _ = open_feed(http, site[1], tmp_path)
    site[0].version = None
    await third.start()
    assert [feed.artifact and feed.artifact.version for feed in (second, third)] == ["1.1.0", "1.1.0"]


async def test_a_bad_artifact_is_never_kept(
    site: tuple[Site, str], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    feed, _ = open_feed(http, site[1], tmp_path)
    await feed.start()
    kept = read_all(tmp_path)
    site[0].version = "2.0.0"
    await feed.refresh()
    assert read_all(tmp_path) == kept


DAMAGE = {
    "cut": lambda raw: raw[:-1],
    "one byte changed": lambda raw: raw[:-1] + b"]",
    "no head": lambda raw: raw.partition(b"\n")[2],
    "empty": lambda _: b"",
    "another source": lambda raw: raw.replace(b'"source":"', b'"source":"f', 1),
    "garbage": lambda _: os.urandom(5000),
    "an endless first line": lambda _: b"[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
async def test_a_damaged_or_foreign_file_is_reported_and_not_used(
    damage: Any, site: tuple[Site, str], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    before, _ = open_feed(http, site[1], tmp_path)
    await before.start()
    rewrite(tmp_path, damage)
    site[0].version = None
    after, events = open_feed(http, site[1], tmp_path)
    await after.start()
    assert after.artifact is None
    assert "kept artifact" in events[0][1]
    site[0].version = "1.2.0"
    await after.refresh()
    assert after.artifact is not None


async def test_a_folder_that_cannot_be_written_costs_a_log_line_only(
    site: tuple[Site, str], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    feed, events = open_feed(http, site[1], tmp_path / "taken")
    await feed.start()
    assert feed.artifact is not None
    assert [event for event, _ in events] == ["artifact.failed", "artifact.swapped", "artifact.not_kept"]


async def test_clients_and_sources_have_files_of_their_own(tmp_path: Path) -> None:
    caches = [ArtifactCache(str(tmp_path), code, source, MOST) for code in ("a", "b") for source in ("x", "y")]
    for at, cache in enumerate(caches):
        cache.write(Kept(b"%d" % at, "", sha256(b"%d" % at).hexdigest(), 1.0))
    assert [kept.raw for cache in caches if (kept := cache.read())] == [b"0", b"1", b"2", b"3"]


def test_a_file_longer_than_allowed_is_not_read(tmp_path: Path) -> None:
    ArtifactCache(str(tmp_path), "a", "x", MOST).write(Kept(b"12345", "", "", 1.0))
    with pytest.raises(ArtifactMissing, match="damaged"):
        ArtifactCache(str(tmp_path), "a", "x", 4).read()


async def test_a_look_that_failed_is_repeated_up_to_ten_times_and_then_given_up_until_the_next_poll(
    site: tuple[Site, str], http: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """on-device §2: eleven attempts, each reported; with `poll-s` 0 that is the end of it."""
    monkeypatch.setattr("gateway.upstream.artifact_feed._LONGEST_PAUSE_S", 0.001)
    site[0].version = None
    feed, events = open_feed(http, site[1], tmp_path)
    await feed.start()
    await feed.run()
    assert len(site[0].asked) == 11
    assert [event for event, _ in events] == ["artifact.failed"] * 11


async def test_the_first_attempt_that_succeeds_ends_the_repeating(
    site: tuple[Site, str], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    site[0].version = None
    feed, _ = open_feed(http, site[1], tmp_path)
    await feed.start()
    assert feed.artifact is None
    site[0].version = "1.0.0"
    await feed.run()
    assert feed.artifact is not None
    assert len(site[0].asked) == 2


async def test_with_one_from_disk_a_source_that_hangs_holds_the_start_up_no_longer_than_a_second(
    site: tuple[Site, str], http: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = open_feed(http, site[1], tmp_path)
    await before.start()
    hung = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hung.wait()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        location = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/rules.json"
        other = ArtifactCache(str(tmp_path), "demo", location, MOST)
        raw = make_file()
        other.write(Kept(raw, "", sha256(raw).hexdigest(), 1.0))
        after, events = open_feed(http, location, tmp_path)
        monkeypatch.setattr("gateway.upstream.artifact_feed._FIRST_LOOK_MS", 20)
        await after.start()  # its own limit for a download is 2 s, and the site never answers
        hung.set()
    assert after.artifact is not None
    assert [event for event, _ in events] == ["artifact.swapped", "artifact.failed"]
