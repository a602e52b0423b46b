"""Logs and metrics: one JSON line per fact, no body, no raw id, no secret (gw:Q3).

Event names read `<room>.<past participle>`. Requests are logged by `AccessLog`, which gathers lines and writes them
together, because a log call per request would cost a third of the gateway's throughput.
"""

import asyncio
import logging
import sys
from bisect import bisect_right
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, BinaryIO

import msgspec
import structlog
from msgspec import Struct, field
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_encode = msgspec.json.Encoder(enc_hook=str).encode
_encode_lines = msgspec.json.Encoder(enc_hook=str).encode_lines
_time = datetime.fromtimestamp
_FLUSH_S = 0.25
_MOST_LINES = 512
_DECIDED = {(False, False): "nothing", (True, False): "local", (False, True): "remote", (True, True): "mixed"}
Watched = float | Mapping[str, float]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


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


# Seconds since the epoch, seconds taken, then request_id, client, http_status, status, local, remote, degraded.
Line = tuple[float, float, str, str, int, int, int, int, str]
# Seconds since the epoch, seconds taken, then request_id, method, route, http_status, code.
CallLine = tuple[float, float, str, str, str, int, str]


class AccessLog:
    """What is known of answered requests, counted, and written as log lines, many at once a few times a second."""

    def __init__(self, stream: BinaryIO | None, metrics: "Metrics | None" = None) -> None:
        """Write to `stream`, None writes nothing; count in `metrics`."""
        self._stream = stream
        self._metrics = metrics
        self._lines: list[Line] = []
        self._calls: list[CallLine] = []
        self._counted = self._counted_calls = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, line: Line) -> None:
        """Take the facts of a delivery request; it is counted and written within a quarter of a second."""
        self._lines.append(line)
        if self._timer is None or len(self._lines) == _MOST_LINES:
            self._plan_flush()

    def add_call(self, line: CallLine) -> None:
        """Take the facts of a call of a signed-in endpoint; as `add`."""
        self._calls.append(line)
        if self._timer is None or len(self._calls) == _MOST_LINES:
            self._plan_flush()

    def count(self) -> None:
        """Count what has been gathered and is not counted yet; nothing is written, which may fail."""
        if self._metrics is not None:
            self._metrics.count_answers(self._lines[self._counted :])
            self._metrics.count_calls(self._calls[self._counted_calls :])
            self._counted, self._counted_calls = len(self._lines), len(self._calls)

    def flush(self) -> None:
        """Count and write what has been gathered, requests before calls; raises OSError where it cannot be written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.count()
        lines, self._lines, self._counted = self._lines, [], 0
        calls, self._calls, self._counted_calls = self._calls, [], 0
        if self._stream is not None and (lines or calls):
            answered = [_Answered(_time(line[0], UTC), *line[2:], ms=round(line[1] * 1000, 2)) for line in lines]
            called = [_Called(_time(line[0], UTC), *line[2:], ms=round(line[1] * 1000, 2)) for line in calls]
            self._stream.write(_encode_lines([*answered, *called]))
            self._stream.flush()

    def _plan_flush(self) -> None:
        """Have the event loop flush soon, or at once where that was planned: no request fails where a log does."""
        seconds = _FLUSH_S
        if self._timer is not None:
            self._timer.cancel()
            seconds = 0
        self._timer = asyncio.get_running_loop().call_later(seconds, self.flush)


class Metrics:
    """Every metric of the process; what is counted for each answer are plain numbers that a scrape reads."""

    def __init__(self) -> None:
        """Make a registry of its own."""
        self.registry = CollectorRegistry()
        self._answers: dict[tuple[str, int, str], int] = {}
        self._times: dict[str, Times] = {}
        self._degraded = Counter(
            "gateway_degraded", "Answers that lack something, by reason", ["reason"], registry=self.registry
        )
        self._refusals = Counter(
            "gateway_upstream_refused", "Calls that Target refused, by its status", ["status"], registry=self.registry
        )
        self._calls: dict[tuple[str, int], int] = {}
        self._events = Counter("gateway_events", "Facts that operators watch", ["event"], registry=self.registry)
        self.registry.register(_Answers(self._answers, self._times, self._calls))

    def count_refused(self, status: int) -> None:
        """Count one delivery request that was refused."""
        self._count("", status, "refused", 1)

    def count_answers(self, lines: Sequence[Line]) -> None:
        """Count answered delivery requests, many at once: by themselves they would cost a twentieth of a decision."""
        for facts, number in Tally((line[3], line[5], line[6] > 0, line[7] > 0) for line in lines).items():
            client, status, here, there = facts
            self._count(client, status, _DECIDED[here, there], number)
        for client in {line[3] for line in lines}:
            self._times.setdefault(client, Times()).add(sorted(line[1] for line in lines if line[3] == client))

    def _count(self, client: str, status: int, decided: str, number: int) -> None:
        key = (client, status, decided)
        self._answers[key] = self._answers.get(key, 0) + number

    def count_degraded(self, reason: str) -> None:
        """Count one reason why an answer lacked something."""
        self._degraded.labels(reason).inc()

    def count_calls(self, lines: Sequence[CallLine]) -> None:
        """Count answered calls of signed-in endpoints, by method and HTTP status."""
        for key, number in Tally((line[3], line[5]) for line in lines).items():
            self._calls[key] = self._calls.get(key, 0) + number

    def count_event(self, event: str) -> None:
        """Count one fact by its event name."""
        self._events.labels(event).inc()

    def count_refusal(self, status: int) -> None:
        """Count one call that Target refused, by its status."""
        self._refusals.labels(str(status) if 300 <= status < 600 else "other").inc()

    def watch(self, read: "Callable[[], dict[str, Watched]]", *, kind: str) -> None:
        """Show what `read` gives at every scrape, a number or one for each client; `kind` is gauge or counter."""
        self.registry.register(_Watch(read, kind))

    def watch_sizes(
        self, name: str, bounds: Sequence[float], read: "Callable[[], tuple[Sequence[int], float]]"
    ) -> None:
        """Show a histogram: `read` gives how many in each bucket of `bounds`, the last one for more, and the sum."""
        self.registry.register(_Sizes(name, bounds, read))


class Times(Struct):
    """How long answers took: how many in each bucket of `SECONDS`, the last one for longer, and the sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total_s: float = 0.0

    def add(self, seconds: Sequence[float]) -> None:
        """Take further ones, in ascending order."""
        below = 0
        for bucket, end in enumerate([*(bisect_right(seconds, bound) for bound in SECONDS), len(seconds)]):
            self.counts[bucket] += end - below
            below = end
        self.total_s += sum(seconds)


_CALLS = "Answered calls of signed-in endpoints"


class _Answers(Collector):
    """The plain numbers of answers, as Prometheus wants them."""

    def __init__(
        self, answers: dict[tuple[str, int, str], int], times: dict[str, Times], calls: dict[tuple[str, int], int]
    ) -> None:
        self._answers = answers
        self._times = times
        self._calls = calls

    def collect(self) -> Iterable[Metric]:
        """Give the current numbers; dictionaries are copied because a scrape runs in a thread."""
        labels = ["client", "status", "decided"]
        answers = CounterMetricFamily("gateway_answers", "Answered delivery requests", labels=labels)
        for (client, status, decided), count in dict(self._answers).items():
            answers.add_metric([client, str(status), decided], count)
        seconds = HistogramMetricFamily("gateway_answer_seconds", "Time to answer", labels=["client"])
        for client, times in dict(self._times).items():
            seconds.add_metric([client], _accumulate(SECONDS, times.counts), times.total_s)
        calls = CounterMetricFamily("gateway_calls", _CALLS, labels=["method", "status"])
        for (method, status), count in dict(self._calls).items():
            calls.add_metric([method, str(status)], count)
        return [answers, seconds, calls]


def _accumulate(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Give the buckets of a histogram, each with all that the ones before it hold."""
    return list(zip((*map(str, bounds), "+Inf"), map(float, accumulate(counts)), strict=True))


class _Sizes(Collector):
    """A histogram that others keep, read when asked for."""

    def __init__(self, name: str, bounds: Sequence[float], read: Callable[[], tuple[Sequence[int], float]]) -> None:
        self._name = name
        self._bounds = bounds
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Give the current numbers."""
        counts, total = self._read()
        buckets = _accumulate(self._bounds, counts)
        return [HistogramMetricFamily(f"gateway_{self._name}", self._name.replace("_", " "), buckets, total)]


class _Watch(Collector):
    """Numbers that others keep, read when asked for."""

    def __init__(self, read: Callable[[], dict[str, Watched]], kind: str) -> None:
        self._read = read
        self._family = GaugeMetricFamily if kind == "gauge" else CounterMetricFamily

    def collect(self) -> Iterable[Metric]:
        """Give the current numbers."""
        return [self._show(name, value) for name, value in self._read().items()]

    def _show(self, name: str, value: Watched) -> Metric:
        about = name.replace("_", " ")
        if not isinstance(value, Mapping):
            return self._family(f"gateway_{name}", about, value=value)
        family = self._family(f"gateway_{name}", about, labels=["client"])
        for client, number in value.items():
            family.add_metric([client], number)
        return family


class _Fact(Struct, tag_field="event", gc=False):
    """A log line; gathered ones are many, and hold nothing that could come back to them."""

    timestamp: datetime


class _Called(_Fact, tag="web.answered", gc=False):
    """One answered call of a signed-in endpoint as it is logged."""

    request_id: str
    method: str
    route: str
    http_status: int
    code: str
    ms: float
    level: str = "info"


class _Answered(_Fact, tag="delivery.answered", gc=False):
    """One answered delivery request as it is logged."""

    request_id: str
    client: str
    http_status: int
    status: int
    local: int
    remote: int
    degraded: str
    ms: float
    level: str = "info"
