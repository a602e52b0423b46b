"""What an operator learns of an answer: one log line, a few counts, no body and no id of a visitor (gw:Q3)."""

import time

from gateway.walk.walk import Walk

_DECIDED = {(False, False): "nothing", (True, False): "local", (False, True): "remote", (True, True): "mixed"}


def report(walk: Walk, http_status: int, status: int) -> None:
    """Count and log one answer."""
    services, inbound, plan = walk.services, walk.inbound, walk.plan
    seconds = time.perf_counter() - inbound.started
    code = inbound.tenant.code
    services.metrics.count_answer(code, status, _DECIDED[bool(plan.ours), bool(plan.remote)], seconds)
    degraded = ",".join(walk.lost) if walk.lost else ""
    for reason in walk.lost:
        services.metrics.count_degraded(reason)
    log = services.access_log
    if log.is_on:
        counts = (len(plan.ours), len(plan.remote))
        now = inbound.tenant.clock()
        log.add((now, seconds * 1000, walk.request_id, code, http_status, status, *counts, degraded))
