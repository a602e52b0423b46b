"""What Target is told of our own speed: one entry for each download and each answer (get-offers §11, delivery-api §14).

Adobe's SDKs make a call to Target for every local decision to bring these along. Entries wait here instead, a bounded
number of them, until something else goes to Target.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.delivery.model import JsonObject

ARTIFACT_DOWNLOAD = "ArtifactDownload"
MOST_WAITING = 1000
MOST_AT_ONCE = 100
_COUNTED = (
    ("execute", "mboxes", "executeMboxCount"),
    ("prefetch", "mboxes", "prefetchMboxCount"),
    ("prefetch", "views", "prefetchViewCount"),
)


class Timing(Struct, frozen=True):
    """When something was finished (ms since the epoch), how long it took and how much of that was parsing (ms)."""

    timestamp_ms: int
    execution_ms: float
    parsing_ms: float | None = None


class TelemetryStore:
    """Entries of one client on their way; when too many wait the oldest are forgotten."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        """Keep `most` entries at most."""
        self._entries: deque[JsonObject] = deque(maxlen=most)

    def __len__(self) -> int:
        """Give how many wait."""
        return len(self._entries)

    def add(self, entry: JsonObject) -> None:
        """Keep one entry."""
        self._entries.append(entry)

    def take(self, most: int = MOST_AT_ONCE) -> list[JsonObject]:
        """Give the oldest entries and forget them, also when what they travel with is lost (§11)."""
        return [self._entries.popleft() for _ in range(min(most, len(self._entries)))]


def make_download_entry(timing: Timing) -> JsonObject:
    """Give the entry of an artifact that was downloaded, or found to be the same (200 or 304)."""
    return {"requestId": ARTIFACT_DOWNLOAD} | _describe(timing)


def make_decision_entry(request_id: str, response: JsonObject, method: str, timing: Timing) -> JsonObject:
    """Give the entry of an answer; `method` is the one that was used, never `hybrid` (§10.2)."""
    entry: JsonObject = {"requestId": request_id} | _describe(timing)
    entry["mode"] = "edge" if response.get("edgeHost") else "local"
    entry["features"] = count_features(response) | {"decisioningMethod": method}
    if token := response.get("telemetryServerToken"):
        entry["telemetryServerToken"] = token
    return entry


def _describe(timing: Timing) -> JsonObject:
    described: JsonObject = {"timestamp": timing.timestamp_ms, "execution": round(timing.execution_ms, 2)}
    if timing.parsing_ms is not None:
        described["parsing"] = round(timing.parsing_ms, 2)
    return described


def count_features(response: Mapping[str, Any]) -> JsonObject:
    """Give how much of what was answered; only what there is any of."""
    features: JsonObject = {}
    for part, kind, name in _COUNTED:
        if count := len((response.get(part) or {}).get(kind) or ()):
            features[name] = count
    for part in ("execute", "prefetch"):
        if (response.get(part) or {}).get("pageLoad"):
            features[f"{part}PageLoad"] = True
    return features


def attach_entries(body: JsonObject, entries: list[JsonObject]) -> JsonObject:
    """Give `body` with `entries` behind those the caller sent along (delivery-api §14)."""
    if not entries:
        return body
    told = body.get("telemetry") or {}
    return body | {"telemetry": told | {"entries": [*(told.get("entries") or ()), *entries]}}
