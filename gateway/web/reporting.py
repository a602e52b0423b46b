"""What an operator learns of an answer: one log line, a few counts, no body and no id of a visitor (gw:Q3)."""

import time
from datetime import UTC, datetime

from gateway.telemetry import Answered
from gateway.web.walk import Walk

_DECIDED = {(False, False): "nothing", (True, False): "local", (False, True): "remote", (True, True): "mixed"}


def report(walk: Walk, http_status: int, status: int) -> None:
    """Count and log one answer."""
    services, inbound, plan = walk.services, walk.inbound, walk.plan
    seconds = time.perf_counter() - inbound.started
    code = inbound.tenant.code
    services.metrics.count_answer(code, status, _DECIDED[bool(plan.local), bool(plan.remote)], seconds)
    for reason in walk.lost:
        services.metrics.count_degraded(reason)
    if services.access_log.is_on:
        line = Answered(
            timestamp=datetime.fromtimestamp(inbound.tenant.clock(), UTC),
            request_id=walk.request_id,
            client=code,
            http_status=http_status,
            status=status,
            local=len(plan.local),
            remote=len(plan.remote),
            degraded=",".join(walk.lost),
            ms=round(seconds * 1000, 2),
        )
        services.access_log.add(line)
