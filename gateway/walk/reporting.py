"""What an operator learns of an answer: one log line, a few counts, no body and no id of a visitor (gw:Q3)."""

import time

from gateway.walk.walk import Walk


def report(walk: Walk, http_status: int, status: int) -> None:
    """Count and log one answer."""
    services, inbound, plan = walk.services, walk.inbound, walk.plan
    for reason in walk.lost:
        services.metrics.count_degraded(reason)
    degraded = ",".join(walk.lost) if walk.lost else ""
    tenant, seconds = inbound.tenant, time.perf_counter() - inbound.started
    counts = (len(plan.ours), len(plan.remote))
    services.access_log.add(
        (tenant.clock(), seconds, walk.request_id, tenant.code, http_status, status, *counts, degraded)
    )
