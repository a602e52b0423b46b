"""Logs and metrics (gw:Q1, Q3)."""

import asyncio
import io
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

import pytest
import structlog
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway import telemetry
from gateway.telemetry import SECONDS, AccessLog, CallLine, Line, Metrics, get_log, set_up_logs
from tests.store.servers import wait_until

_AT = datetime(2026, 1, 1, microsecond=250_000, tzinfo=UTC).timestamp()


def make_line(request_id: str = "r") -> Line:
    return (
        _AT,
        0.0015,
        request_id,
        "demo",
        200,
        206,
        1,
        2,
        "",
    )


def make_call(request_id: str = "c") -> CallLine:
    return (
        _AT,
        0.0015,
        request_id,
        "GET",
        "/data/core/ode/x",
        404,
        "gone",
    )


def read_metrics(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Give every sample of a scrape by name and labels."""
    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    stream = io.BytesIO()
    before = structlog.get_config()
    set_up_logs("info", stream)
    yield stream
    structlog.configure(**before)


def test_an_event_is_one_json_line_with_level_and_time(written: io.BytesIO) -> None:
    get_log().warning("store.lost", detail="a\nb \u2028 ünïcode", number=1)
    get_log().debug("store.seen")
    get_log().info("store.odd", value=object, raw=b"\xff")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["store.lost", "store.odd"]
    assert lines[0] | {"timestamp": ""} == {
        "event": "store.lost",
        "level": "warning",
        "detail": "a\nb \u2028 ünïcode",
        "number": 1,
        "timestamp": "",
    }
    assert datetime.fromisoformat(lines[0]["timestamp"]).tzinfo is not None


def test_a_failure_is_logged_with_its_traceback_in_one_line(written: io.BytesIO) -> None:
    try:
        raise ValueError("boom")
    except ValueError as error:
        get_log().error("web.failed", exc_info=error)
    (line,) = written.getvalue().splitlines()
    assert "ValueError: boom" in json.loads(line)["exception"]


def test_a_line_says_in_utc_when_it_was_and_one_that_is_odd_costs_no_other() -> None:
    """RFC 3339: no fraction where there is none."""

    class Text(str):
        __slots__ = ()

    stream = io.BytesIO()
    log = AccessLog(stream)
    times = [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, 23, 59, 59, 999_999, UTC)]
    log._lines = [(time.timestamp(), *make_line(Text("r"))[1:]) for time in times]
    log.flush()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["timestamp"] for line in lines] == ["2026-01-01T00:00:00Z", "2026-07-01T23:59:59.999999Z"]
    assert [line["request_id"] for line in lines] == ["r", "r"]


async def test_access_lines_are_gathered_and_written_soon() -> None:
    stream = io.BytesIO()
    log = AccessLog(stream)
    for number in range(3):
        log.add(make_line(str(number)))
    assert stream.getvalue() == b""
    await wait_until(lambda: bool(stream.getvalue()))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["request_id"] for line in lines] == ["0", "1", "2"]
    assert lines[0] == {
        "event": "delivery.answered",
        "level": "info",
        "timestamp": "2026-01-01T00:00:00.250000Z",
        "request_id": "0",
        "client": "demo",
        "http_status": 200,
        "status": 206,
        "local": 1,
        "remote": 2,
        "degraded": "",
        "ms": 1.5,
    }


async def test_lines_are_written_soon_also_after_others_have_been(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_FLUSH_S", 0.01)
    stream = io.BytesIO()
    log = AccessLog(stream)
    for number in (1, 2, 3):
        log.add(make_line())
        await wait_until(lambda expected=number: stream.getvalue().count(b"\n") == expected)


async def test_a_call_of_a_signed_in_endpoint_has_a_line_of_its_own() -> None:
    stream = io.BytesIO()
    log = AccessLog(stream)
    log.add(make_line("0"))
    log.add_call(make_call("1"))
    log.add(make_line("2"))
    log.flush()
    lines = {line["request_id"]: line for line in map(json.loads, stream.getvalue().splitlines())}
    assert [lines[name]["event"] for name in "012"] == ["delivery.answered", "web.answered", "delivery.answered"]
    assert lines["1"] == {
        "event": "web.answered",
        "level": "info",
        "timestamp": "2026-01-01T00:00:00.250000Z",
        "request_id": "1",
        "method": "GET",
        "route": "/data/core/ode/x",
        "http_status": 404,
        "code": "gone",
        "ms": 1.5,
    }


@pytest.mark.parametrize("kind", ["answers", "calls"])
async def test_many_access_lines_are_written_as_soon_as_they_are_many(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "_FLUSH_S", 60)
    stream = io.BytesIO()
    log = AccessLog(stream)
    for _ in range(512):
        assert stream.getvalue() == b""
        if kind == "answers":
            log.add(make_line())
        else:
            log.add_call(make_call())
    await wait_until(lambda: bool(stream.getvalue()))
    assert stream.getvalue().count(b"\n") == 512


async def test_flushing_writes_each_line_once() -> None:
    stream = io.BytesIO()
    log = AccessLog(stream)
    log.add(make_line())
    log.add_call(make_call())
    log.flush()
    log.flush()
    assert stream.getvalue().count(b"\n") == 2


def count_lines(metrics: Metrics) -> tuple[float, float]:
    """Give how many delivery requests and calls of signed-in endpoints have been counted."""
    found = read_metrics(metrics).items()
    answers = sum(value for (name, _), value in found if name == "gateway_answers_total")
    return answers, sum(value for (name, _), value in found if name == "gateway_calls_total")


@pytest.mark.parametrize("stream", [io.BytesIO(), None], ids=["on", "off"])
async def test_each_line_is_counted_once_however_often_it_is_looked_at(stream: io.BytesIO | None) -> None:
    metrics = Metrics()
    log = AccessLog(stream, metrics)
    for expected in (1, 2):
        log.add(make_line())
        log.add_call(make_call())
        log.count()
        log.count()
        assert count_lines(metrics) == (expected, expected)
    for expected in (3, 4):
        log.add(make_line())
        log.flush()
        assert count_lines(metrics) == (expected, 2)
    log.flush()
    log.count()
    assert count_lines(metrics) == (4, 2)


@pytest.fixture
def gone() -> Iterator[BinaryIO]:
    """Give a pipe that nobody reads any more."""
    end, other = os.pipe()
    os.close(end)
    with os.fdopen(other, "wb", buffering=0) as stream:
        yield stream


async def test_where_the_log_cannot_be_written_answers_are_counted_all_the_same(gone: BinaryIO) -> None:
    metrics = Metrics()
    log = AccessLog(gone, metrics)
    log.add(make_line())
    log.count()
    log.add(make_line())
    with pytest.raises(BrokenPipeError):
        log.flush()
    log.count()
    assert count_lines(metrics)[0] == 2


async def test_a_log_that_cannot_be_written_is_told_of_and_fails_no_request(gone: BinaryIO) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    log = AccessLog(gone)
    for _ in range(512):
        log.add(make_line())
    await wait_until(lambda: bool(told))
    assert isinstance(told[0], BrokenPipeError)


def test_answers_are_counted_by_client_status_and_who_decided() -> None:
    metrics = Metrics()
    times = (3.0, 0.0001, 0.001, 0.0011)
    metrics.count_answers([(0.0, seconds, "", "demo", 200, 200, 1, 0, "") for seconds in times])
    metrics.count_refused(400)
    found = read_metrics(metrics)
    assert found["gateway_answers_total", (("client", "demo"), ("decided", "local"), ("status", "200"))] == 4
    assert found["gateway_answers_total", (("client", ""), ("decided", "refused"), ("status", "400"))] == 1
    buckets = {
        dict(labels)["le"]: value for (name, labels), value in found.items() if name == "gateway_answer_seconds_bucket"
    }
    assert (buckets["0.001"], buckets["0.0025"], buckets["2.5"], buckets["+Inf"]) == (2, 3, 3, 4)
    assert len(buckets) == len(SECONDS) + 1
    assert found["gateway_answer_seconds_count", (("client", "demo"),)] == 4
    assert found["gateway_answer_seconds_sum", (("client", "demo"),)] == pytest.approx(3.0022)


def test_events_reasons_refusals_and_watched_numbers_are_shown() -> None:
    metrics = Metrics()
    metrics.count_degraded("session-store")
    metrics.count_event("artifact.swapped")
    for status in (420, 503, 999, -1):
        metrics.count_refusal(status)
    numbers = {"waiting": 1.0}
    metrics.watch(lambda: dict(numbers), kind="gauge")
    metrics.watch(lambda: {"age_seconds": {"demo": 5.0, "other": 6.0}}, kind="gauge")
    metrics.watch(lambda: {"sent": 7.0}, kind="counter")
    numbers["waiting"] = 2.0
    found = read_metrics(metrics)
    assert found["gateway_degraded_total", (("reason", "session-store"),)] == 1
    assert found["gateway_events_total", (("event", "artifact.swapped"),)] == 1
    assert found["gateway_upstream_refused_total", (("status", "420"),)] == 1
    assert found["gateway_upstream_refused_total", (("status", "other"),)] == 2
    assert found["gateway_waiting", ()] == 2
    assert found["gateway_age_seconds", (("client", "other"),)] == 6
    assert found["gateway_sent_total", ()] == 7
