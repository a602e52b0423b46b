"""The current decisioning artifact of one client: from a file or a URL, polled, checked, compiled, swapped whole.

A failed poll, an unreadable body or an unsupported version never takes away the artifact in use (spec on-device §2).
The last good one is kept on disk: a gateway that starts while its source cannot be reached starts with that.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import aiohttp
from msgspec import Struct

from gateway.config import Artifact as ArtifactSettings
from gateway.config import Client
from gateway.delivery.artifact import Artifact
from gateway.errors import ArtifactError, ArtifactMissing, ArtifactUnsupported, ConfigError, UpstreamGarbled
from gateway.upstream.artifact_cache import ArtifactCache, Kept
from gateway.upstream.artifact_loading import LARGE, let_go, load
from gateway.upstream.download import read_bounded

SHORTEST_POLL_S = 300  # on-device §2: a positive interval is never shorter, so that Adobe's servers are spared
_JITTER = 0.1
MOST_ATTEMPTS = 11  # on-device §2: one, and up to ten more
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_FIRST_LOOK_MS = 1000
_RATIO = 100
_MOST_FAULTS = 20


class Fetched(Struct, frozen=True):
    """What came of one look: the bytes and their version mark."""

    raw: bytes
    mark: str


class ArtifactFeed:
    """`artifact` is always whole: None until the first good one, then the newest good one."""

    def __init__(
        self,
        code: str,
        client: Client,
        settings: ArtifactSettings,
        session: aiohttp.ClientSession,
        report: Callable[[str, str], None],
    ) -> None:
        """Know where to look; `report(event, detail)` is told of every success and failure."""
        self.location = client.artifact_location or find_location(code, client, settings)
        self.artifact: Artifact | None = None
        self.retrieved = 0
        self.last_retrieved = ""
        self.swapped_s = 0.0
        self.on_look: Callable[[float, float | None], None] | None = None  # (seconds in all, seconds of it parsing)
        self._client = client
        self._settings = settings
        self._session = session
        self._report = report
        self._mark = ""
        self._digest = ""
        self._size = 0
        self._missed = False
        self._looking = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()
        self._code = code
        self._cache: ArtifactCache | None = None

    def __repr__(self) -> str:
        """Say what is loaded."""
        version = self.artifact.version if self.artifact else "none"
        return f"<ArtifactFeed version {version}, retrieved {self.retrieved} times>"

    @property
    def poll_s(self) -> int:
        """Seconds between polls; 0 means never. Files are looked at as often as the configuration says."""
        seconds = self._client.poll_s
        return max(seconds, SHORTEST_POLL_S) if seconds and self._is_remote else seconds

    @property
    def _is_remote(self) -> bool:
        return self.location.startswith(("http://", "https://"))

    @property
    def _is_binary(self) -> bool:
        return (self._client.artifact_format or self.location.rpartition(".")[2].lower()) == "bin"

    async def start(self) -> None:
        """Take the last good artifact from disk, then look for a newer one: for a second at most where there is one."""
        if self._settings.cache_dir:
            self._cache = ArtifactCache(self._settings.cache_dir, self._code, self.location, self._most_bytes)
            with self._reporting():
                if kept := await asyncio.to_thread(self._cache.read):
                    await self._swap(kept)
        most = self._settings.timeout_ms
        await self.refresh(most if self.artifact is None else min(most, _FIRST_LOOK_MS))

    async def adopt(self, raw: bytes) -> None:
        """Use an artifact that is at hand until a poll finds another one (on-device §2)."""
        async with self._looking:
            with self._reporting():
                await self._take(Fetched(raw, ""))

    async def run(self) -> None:
        """Poll for ever, each wait a little longer or shorter so that gateways do not march in step."""
        begun = time.monotonic()
        while True:
            await self._try_again()
            if not self.poll_s:
                return
            rest_s = self.poll_s * random.uniform(1 - _JITTER, 1 + _JITTER) - (time.monotonic() - begun)
            await asyncio.sleep(max(rest_s, 0))
            begun = time.monotonic()
            await self.refresh()

    async def _try_again(self) -> None:
        """After a look that failed look again, up to ten times, each pause longer and none longer than a poll."""
        for attempt in range(MOST_ATTEMPTS - 1):
            if not self._missed:
                return
            pause_s = min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S, self.poll_s or _LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))
            await self.refresh()

    async def refresh(self, timeout_ms: int | None = None) -> bool:
        """Look once; swap in what is new and good. Gives whether an artifact is in use afterwards."""
        async with self._looking:
            self._missed = False
            with self._reporting():
                await self._look(timeout_ms or self._settings.timeout_ms)
        return self.artifact is not None

    async def close(self) -> None:
        """Wait no longer for requests that use an artifact of the past."""
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """Report what is wrong with an artifact; a source that could not be read is asked again soon."""
        try:
            yield
        except ArtifactError as error:
            self._missed = isinstance(error, ArtifactMissing)
            self._report("artifact.failed", str(error))

    async def _look(self, timeout_ms: int) -> None:
        begun = time.perf_counter()
        fetched = await self._fetch(timeout_ms)
        if fetched is not None:
            fetched_s = time.perf_counter()
            await self._take(fetched)
        if self.on_look is not None and self._is_remote:
            now = time.perf_counter()
            self.on_look(now - begun, now - fetched_s if fetched is not None else None)

    async def _take(self, fetched: Fetched) -> None:
        """Swap in what differs from what is in use, and keep it for the next start."""
        digest = await asyncio.to_thread(lambda: sha256(fetched.raw).hexdigest())
        if digest == self._digest:
            self._mark = fetched.mark
            return
        kept = Kept(fetched.raw, fetched.mark if self._is_remote else "", digest, time.time())
        await self._swap(kept)
        self._mark = fetched.mark
        if self._cache is not None:
            try:
                await asyncio.to_thread(self._cache.write, kept)
            except ArtifactError as error:
                self._report("artifact.not_kept", str(error))

    async def _swap(self, kept: Kept) -> None:
        artifact = await asyncio.to_thread(
            load, kept.raw, self._client.organization_id, binary=self._is_binary, gently=self.artifact is not None
        )
        past = [self.artifact] if self.artifact is not None and self._size > LARGE else []
        self.artifact = artifact
        if past:
            self._leaving.add(task := asyncio.create_task(let_go(past), name="artifact.leave"))
            task.add_done_callback(self._leaving.discard)
        self._mark, self._digest, self._size = kept.mark, kept.digest, len(kept.raw)
        self.retrieved += 1
        self.swapped_s = kept.retrieved_s
        self.last_retrieved = (
            datetime.fromtimestamp(self.swapped_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
        self._report_swap(artifact)

    def _report_swap(self, artifact: Artifact) -> None:
        self._report("artifact.swapped", f"version {artifact.version}, {len(artifact.mboxes)} mboxes")
        for fault in artifact.faults[:_MOST_FAULTS]:
            self._report("artifact.rule_ignored", fault)
        if len(artifact.faults) > _MOST_FAULTS:
            self._report("artifact.rule_ignored", f"and {len(artifact.faults) - _MOST_FAULTS} rules more")

    async def _fetch(self, timeout_ms: int) -> Fetched | None:
        if not self._is_remote:
            return await asyncio.to_thread(self._read_file)
        try:
            return await self._download(timeout_ms)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ArtifactMissing(f"cannot download the artifact: {type(error).__name__}") from error

    def _read_file(self) -> Fetched | None:
        path = Path(self.location.removeprefix("file://"))
        try:
            status = path.stat()
            mark = f"{status.st_mtime_ns}-{status.st_size}"
            if mark == self._mark:
                return None
            if status.st_size > self._most_bytes:
                raise ArtifactUnsupported(f"the artifact is longer than artifact.max-mb = {self._settings.max_mb}")
            return Fetched(path.read_bytes(), mark)
        except OSError as error:
            raise ArtifactMissing(f"cannot read the artifact file {path}: {error.strerror}") from error

    async def _download(self, timeout_ms: int) -> Fetched | None:
        headers = {"If-None-Match": self._mark} if self._mark else {}
        timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        async with self._session.get(
            self.location, headers=headers, timeout=timeout, allow_redirects=False
        ) as response:
            if response.status == 304 and self.artifact is not None:
                return None
            if response.status == 403:
                raise ArtifactMissing("on-device decisioning is not enabled for this client (status 403)")
            if response.status != 200:
                raise ArtifactMissing(f"the artifact's server answered with status {response.status}")
            try:
                raw = await read_bounded(response, self._most_bytes, _RATIO)
            except UpstreamGarbled as error:
                raise ArtifactUnsupported(str(error)) from error
            return Fetched(raw, response.headers.get("ETag", ""))

    @property
    def _most_bytes(self) -> int:
        return self._settings.max_mb * 1024 * 1024


def find_location(code: str, client: Client, settings: ArtifactSettings) -> str:
    """Give Adobe's address of the artifact (on-device §1)."""
    parts = {
        "client": code,
        "environment": client.environment.lower(),
        "property": f"{client.property_token}/" if client.property_token else "",
        "file": "rules.bin" if client.artifact_format == "bin" else "rules.json",
    }
    try:
        return settings.url.format(**parts)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        known = ", ".join(f"{{{name}}}" for name in parts)
        raise ConfigError(f"artifact.url = {settings.url} has a part that is none of {known}") from error
