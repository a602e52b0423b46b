"""Logs and metrics: one JSON line per fact, no body, no raw id, no secret (gw:Q3).

Event names read `<room>.<past participle>`. Requests are logged by `AccessLog`, which gathers lines and writes them
together, because a log call per request would cost a third of the gateway's throughput.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec
import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_encode = msgspec.json.Encoder(enc_hook=str).encode
_FLUSH_S = 0.25
_MOST_LINES = 512
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


def set_up_logs(level: str, stream: BinaryIO | None = None) -> None:
    """Send structlog's events as JSON lines to `stream` (standard error by default)."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=lambda event, **_: _encode(event)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.BytesLoggerFactory(file=stream or sys.stderr.buffer),
        cache_logger_on_first_use=False,
    )


def get_log() -> Any:
    """Give the logger of the process."""
    return structlog.get_logger()


class Answered(Struct, frozen=True, kw_only=True):
    """One answered delivery request, as it is logged."""

    event: str = "delivery.answered"
    level: str = "info"
    timestamp: str
    request_id: str
    client: str
    http_status: int
    status: int
    local: int
    remote: int
    degraded: str
    ms: float


class AccessLog:
    """Lines of answered requests, written together a few times a second."""

    def __init__(self, stream: BinaryIO | None) -> None:
        """Write to `stream`; None writes nothing."""
        self._stream = stream
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_on(self) -> bool:
        """Whether lines are written at all."""
        return self._stream is not None

    def add(self, line: Answered) -> None:
        """Take a line; it is written within a quarter of a second."""
        self._lines.append(_encode(line))
        if len(self._lines) >= _MOST_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)

    def flush(self) -> None:
        """Write what has been gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._stream is not None and self._lines:
            self._stream.write(b"\n".join(self._lines) + b"\n")
            self._stream.flush()
        self._lines.clear()


class Metrics:
    """Every metric of the process; children are made once, so that counting costs well under a microsecond."""

    def __init__(self) -> None:
        """Make a registry of its own."""
        self.registry = CollectorRegistry()
        self._answers = Counter(
            "gateway_answers", "Answered delivery requests", ["client", "status", "decided"], registry=self.registry
        )
        self._seconds = Histogram(
            "gateway_answer_seconds", "Time to answer", ["client"], buckets=_SECONDS, registry=self.registry
        )
        self._degraded = Counter(
            "gateway_degraded", "Answers that lack something, by reason", ["reason"], registry=self.registry
        )
        self._events = Counter("gateway_events", "Facts that operators watch", ["event"], registry=self.registry)
        self._children: dict[tuple[str, int, str], Counter] = {}
        self._timers: dict[str, Histogram] = {}

    def count_answer(self, client: str, status: int, decided: str, seconds: float) -> None:
        """Count one answer; `client` is a configured client code or "", never a caller's text."""
        key = (client, status, decided)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._answers.labels(client, str(status), decided)
            self._timers.setdefault(client, self._seconds.labels(client))
        child.inc()
        self._timers[client].observe(seconds)

    def count_degraded(self, reason: str) -> None:
        """Count one reason why an answer lacked something."""
        self._degraded.labels(reason).inc()

    def count_event(self, event: str) -> None:
        """Count one fact by its event name."""
        self._events.labels(event).inc()

    def watch(self, read: Callable[[], dict[str, float]], *, kind: str) -> None:
        """Show the numbers `read` gives under their names at every scrape; `kind` is gauge or counter."""
        self.registry.register(_Watch(read, kind))


class _Watch(Collector):
    """Numbers that others keep, read when asked for."""

    def __init__(self, read: Callable[[], dict[str, float]], kind: str) -> None:
        self._read = read
        self._family = GaugeMetricFamily if kind == "gauge" else CounterMetricFamily

    def collect(self) -> Iterable[Metric]:
        """Give the current numbers."""
        return [self._family(f"gateway_{name}", name.replace("_", " "), value=v) for name, v in self._read().items()]


def format_time(seconds: float) -> str:
    """Give a time (seconds since the epoch) as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
