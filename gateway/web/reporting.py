"""What an operator learns of an answer: one log line, a few counts, no body and no id of a visitor (gw:Q3)."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from gateway.delivery.plan import Plan
from gateway.services import Services
from gateway.telemetry import Answered
from gateway.web.inbound import Inbound

_DECIDED = {(False, False): "nothing", (True, False): "local", (False, True): "remote", (True, True): "mixed"}


class Outcome(Struct, frozen=True):
    """How a request went: who decided what, and what was lost on the way."""

    plan: Plan
    lost: Sequence[str]
    request_id: str


def report(services: Services, inbound: Inbound, outcome: Outcome, http_status: int, status: int) -> None:
    """Count and log one answer."""
    plan = outcome.plan
    seconds = time.perf_counter() - inbound.started
    code = inbound.tenant.code
    services.metrics.count_answer(code, status, _DECIDED[bool(plan.local), bool(plan.remote)], seconds)
    for reason in outcome.lost:
        services.metrics.count_degraded(reason)
    if services.access_log.is_on:
        line = Answered(
            timestamp=datetime.fromtimestamp(inbound.tenant.clock(), UTC),
            request_id=outcome.request_id,
            client=code,
            http_status=http_status,
            status=status,
            local=len(plan.local),
            remote=len(plan.remote),
            degraded=",".join(outcome.lost),
            ms=round(seconds * 1000, 2),
        )
        services.access_log.add(line)
