"""What operators ask, and how the gateway goes down (gw:Q1, Q5)."""

import asyncio
import json
import os
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gateway.demo.target import Trouble
from gateway.telemetry import AccessLog
from tests.stage import DELIVERY, Stage, run_stage
from tests.store.servers import connected
from tests.web.processes import run_process

MIXED = {
    "context": {"channel": "web"},
    "execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}, {"index": 2, "name": "recommendations"}]},
}


async def read_metrics(stage: Stage) -> dict[str, float]:
    """Give every sample by its name and labels; the text is read by Prometheus' own parser."""
    answer = await stage.admin("/metrics")
    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    samples = [one for family in text_string_to_metric_families(answer.raw.decode()) for one in family.samples]
    return {one.name + json.dumps(one.labels, sort_keys=True): one.value for one in samples}


async def test_a_gateway_that_runs_is_live_and_ready(clean_url: str) -> None:
    async with run_stage(clean_url) as stage:
        live, ready = await stage.admin("/health/live"), await stage.admin("/health/ready")
        assert (live.status, live.body) == (200, {"status": "live"})
        assert ready.status == 200
        assert ready.body == {
            "status": "ready",
            "draining": False,
            "store_connected": True,
            "artifacts": {"demo": True},
        }


async def test_while_draining_it_is_live_but_not_ready(clean_url: str) -> None:
    """gw:Q5."""
    async with run_stage(clean_url) as stage:
        stage.running.services.draining = True
        assert ((await stage.admin("/health/live")).status, (await stage.admin("/health/ready")).status) == (200, 503)


async def test_an_on_device_client_without_artifact_is_not_ready(clean_url: str) -> None:
    """gw:Q1: it could not answer; a hybrid one could."""
    nowhere = {"GATEWAY_CLIENT__DEMO__ARTIFACT_LOCATION": "file:///nowhere"}
    async with run_stage(clean_url, nowhere | {"GATEWAY_CLIENT__DEMO__METHOD": "on-device"}) as stage:
        answer = await stage.admin("/health/ready")
        assert (answer.status, answer.body["artifacts"]) == (503, {"demo": False})
    async with run_stage(clean_url, nowhere) as stage:
        assert (await stage.admin("/health/ready")).status == 200


async def test_trouble_at_target_does_not_make_it_unready(clean_url: str) -> None:
    """gw:Q1, P13: ready means it can answer."""
    async with run_stage(clean_url) as stage:
        stage.stand_in.trouble = Trouble(status=500)
        await stage.post(MIXED)
        assert (await stage.admin("/health/ready")).status == 200


async def test_metrics_count_answers_and_losses_without_ids(clean_url: str) -> None:
    """gw:Q1, Q3, T17: labels are configured names only."""
    async with run_stage(clean_url, {"GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        await stage.post(MIXED, sessionId="visible-session")
        await stage.post(b"[", client="visible-client")
        stage.stand_in.trouble = Trouble(status=500)
        await stage.post(MIXED, sessionId="visible-session")
        found = await read_metrics(stage)
        assert found['gateway_answers_total{"client": "demo", "decided": "mixed", "status": "200"}'] == 1
        assert found['gateway_answers_total{"client": "demo", "decided": "mixed", "status": "206"}'] == 1
        assert found['gateway_answers_total{"client": "", "decided": "refused", "status": "400"}'] == 1
        assert found['gateway_degraded_total{"reason": "upstream-refused"}'] == 1
        assert found["gateway_upstream_calls_total{}"] == 2
        assert found["gateway_requests_under_way{}"] == 0
        assert found["gateway_store_connected{}"] == 1
        assert not [name for name in found if "visible" in name]


async def test_metrics_are_told_also_when_nobody_takes_the_log(clean_url: str) -> None:
    """gw:Q1: what has been answered is counted for a scrape without being written."""
    end, other = os.pipe()
    os.close(end)
    with os.fdopen(other, "wb", buffering=0) as gone:
        async with run_stage(clean_url) as stage:
            services = stage.running.services
            services.access_log = AccessLog(gone, services.metrics)
            await stage.post(MIXED)
            found = await read_metrics(stage)
            assert found['gateway_answers_total{"client": "demo", "decided": "mixed", "status": "200"}'] == 1


async def test_any_number_of_wrong_requests_makes_no_new_series(clean_url: str) -> None:
    """Design T17: labels never come from a caller."""
    async with run_stage(clean_url) as stage:
        await stage.post(b"[")
        before = len(await read_metrics(stage))
        for at in range(50):
            await stage.post(
                b"[", {"X-Request-Id": f"r{at}", "X-Consumer-Id": f"c{at}"}, client=f"c{at}", sessionId=f"s{at}"
            )
        assert len(await read_metrics(stage)) == before


async def test_the_admin_listener_decides_nothing(clean_url: str) -> None:
    """gw:Q1: two listeners, each with its own routes."""
    async with run_stage(clean_url) as stage:
        async with stage.http.post(
            f"{stage.running.admin}{DELIVERY}?client=demo&sessionId=s1", data=json.dumps(MIXED)
        ) as answer:
            assert answer.status == 404
        for path in ("/health/live", "/health/ready", "/metrics"):
            async with stage.http.post(stage.running.admin + path) as answer:
                assert answer.status == 405
        assert stage.running.admin != stage.running.public


async def test_a_stopped_gateway_finishes_what_is_under_way(clean_url: str, tmp_path: Path) -> None:
    """gw:Q5: SIGTERM: not ready, the request under way is answered, exit status 0."""
    async with run_process(clean_url, tmp_path, {"GATEWAY_WEB__DRAIN_MS": "10000"}) as gateway:
        gateway.stand_in.trouble = Trouble(delay_ms=1500, mboxes=("recommendations",))
        asked = asyncio.create_task(gateway.post(json.dumps(MIXED).encode(), {"X-Request-Timeout-Ms": "8000"}))
        await gateway.stand_in.wait_received(1)
        gateway.process.terminate()
        async with asyncio.timeout(10):
            while (await gateway.get(f"{gateway.admin}/health/ready")).status == 200:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        answer = await asked
        assert (answer.status, answer.body["status"]) == (200, 200)
        assert await gateway.stop() == 0
        assert '"server.stopped"' in gateway.log.read_text(encoding="utf-8")


async def test_a_gateway_that_goes_down_sends_its_notifications_or_keeps_them(clean_url: str, tmp_path: Path) -> None:
    """gw:F8: what a local decision displayed survives a restart."""
    async with connected(clean_url) as store, run_process(clean_url, tmp_path) as gateway:
        gateway.stand_in.trouble = Trouble(status=503)
        body = {"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}]}}
        assert (await gateway.post(json.dumps(body).encode())).body["status"] == 200
        await gateway.stop()
        assert not gateway.stand_in.notifications
        kept = await store.call("XLEN", "{outbox}:notifications")
        assert kept == 1


async def test_bodies_that_trickle_in_do_not_switch_target_off_for_others(bundled_url: str) -> None:
    """gw:F7: only requests that are being answered count against web.max-waiting."""
    async with run_stage(bundled_url, {"GATEWAY_WEB__MAX_WAITING": "2"}) as stage:
        host, port = stage.running.public.removeprefix("http://").split(":")
        slow = [await asyncio.open_connection(host, int(port)) for _ in range(5)]
        head = b"POST /rest/v1/delivery?client=demo&sessionId=s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        for _, writer in slow:
            writer.write(head)
            await writer.drain()
        answer = await stage.post({"context": {}, "execute": {"mboxes": [{"index": 1, "name": "recommendations"}]}})
        assert (answer.body["status"], answer.headers.get("x-gateway-degraded")) == (200, None)
        for _, writer in slow:
            writer.close()


async def test_of_several_forwarded_lines_the_last_hop_counts(clean_url: str) -> None:
    """RFC 9110 §5.3: lines of one header are one list; a balancer may append its own line."""
    async with run_stage(clean_url, {"GATEWAY_WEB__VISITOR_ADDRESS": "forwarded"}) as stage:
        headers = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "203.0.113.9")]
        body = {"context": {}, "execute": {"mboxes": [{"index": 1, "name": "recommendations"}]}}
        await stage.post(body, headers)
        assert stage.stand_in.requests[0].body["context"]["geo"]["ipAddress"] == "203.0.113.9"
