"""The current decisioning artifact of one client: from a file or a URL, polled, checked, compiled, swapped whole.

A failed poll, an unreadable body or an unsupported version never takes away the artifact in use (spec on-device §2).
"""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from msgspec import Struct

from gateway.config import Artifact as ArtifactSettings
from gateway.config import Client
from gateway.delivery.artifact import Artifact, read_artifact
from gateway.errors import ArtifactError, ArtifactMissing, ArtifactUnsupported, ConfigError, UpstreamGarbled
from gateway.upstream.download import read_bounded

SHORTEST_POLL_S = 300  # on-device §2: a positive interval is never shorter, so that Adobe's servers are spared
_JITTER = 0.1
_FIRST_PAUSE_S = 1.0
_FIRST_TRIES = 10
_RATIO = 100


class Fetched(Struct, frozen=True):
    """What came of one look: the bytes and their version mark, or nothing new."""

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
        self._client = client
        self._settings = settings
        self._session = session
        self._report = report
        self._mark = ""
        self._looking = asyncio.Lock()

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

    async def run(self) -> None:
        """Poll for ever, each wait a little longer or shorter so that gateways do not march in step."""
        failures = 0
        while self.poll_s or (self.artifact is None and failures < _FIRST_TRIES):
            pause_s: float = self.poll_s or SHORTEST_POLL_S
            if self.artifact is None:  # a hiccup at start must not cost a whole interval of local decisions
                pause_s = min(pause_s, _FIRST_PAUSE_S * 2 ** min(failures, 10))
                failures += 1
            await asyncio.sleep(pause_s * random.uniform(1 - _JITTER, 1 + _JITTER))
            await self.refresh()

    async def refresh(self) -> bool:
        """Look once; swap in what is new and good. Gives whether an artifact is in use afterwards."""
        try:
            async with self._looking:  # a signal and a poll must not overtake each other
                fetched = await self._fetch()
                if fetched is not None:
                    await self._swap(fetched)
        except ArtifactError as error:
            self._report("artifact.failed", str(error))
        return self.artifact is not None

    async def _swap(self, fetched: Fetched) -> None:
        organization = self._client.organization_id
        artifact = await asyncio.to_thread(
            read_artifact, fetched.raw, organization_id=organization, binary=self._is_binary
        )
        self.artifact = artifact
        self._mark = fetched.mark
        self.retrieved += 1
        self.swapped_s = time.time()
        self.last_retrieved = (
            datetime.fromtimestamp(self.swapped_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
        self._report("artifact.swapped", f"version {artifact.version}, {len(artifact.mboxes)} mboxes")
        for fault in artifact.faults:
            self._report("artifact.rule_ignored", fault)

    async def _fetch(self) -> Fetched | None:
        if not self._is_remote:
            return await asyncio.to_thread(self._read_file)
        try:
            return await self._download()
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

    async def _download(self) -> Fetched | None:
        headers = {"If-None-Match": self._mark} if self._mark else {}
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_ms / 1000)
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
