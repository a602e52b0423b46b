"""The engine alone: a request as decoded JSON in, the response out; no HTTP, no event loop, one core.

Prints a JSON line of decisions a second for each artifact named: `python -m tests.load.engine [SECONDS]`.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gateway.delivery.answer import join, place_of
from gateway.delivery.artifact import Artifact, load_artifact
from gateway.delivery.decide import Case, decide
from gateway.delivery.plan import find_needs, list_items
from gateway.delivery.session import read_visitor
from gateway.delivery.validation import Leniency, check_request
from gateway.ids import new_id

CONFORMANCE = Path(__file__).parent.parent / "cases" / "conformance"
ARTIFACTS = ("AB_SIMPLE", "PARAMS", "PAGELOAD_VEC_AB")
SIZES = (10, 1_000, 10_000)
ROUNDS = 3
_LENIENT = Leniency()


def read_case(name: str) -> tuple[Any, Any]:
    """Give the artifact and the request of the first case of a suite, without members that are null."""
    suite = json.loads((CONFORMANCE / "suites" / f"TEST_SUITE_{name}.json").read_bytes())
    case = next(iter(suite["test"].values()))
    artifact = json.loads((CONFORMANCE / "artifacts" / f"TEST_ARTIFACT_{name}.json").read_bytes())
    artifact["geoTargetingEnabled"] = False  # a look-up is no part of what is measured
    return artifact, _drop_nulls(case["input"]["request"])


def _drop_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _drop_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_drop_nulls(inner) for inner in value] if isinstance(value, list) else value


def answer(artifact: Artifact, body: Any) -> Any:
    """Check, plan, decide and join: everything between decoding and encoding."""
    request = check_request(body, _LENIENT)
    items = list_items(request, body)
    needs = find_needs(artifact, request, items)
    visitor = read_visitor(body.get("id"), "")
    case = Case("bench", request.context, visitor.bucketing, int(time.time() * 1000), new_id)
    decision = decide(artifact, case, items)
    found = {place_of(item): results for item, results in zip(items, decision.results, strict=True)}
    return {
        "status": 206 if needs else 200,
        "requestId": request.request_id or new_id(),
        "id": visitor.id,
        "client": "bench",
        **join(request, items, found),
    }, decision.notifications


def count_rate(work: Callable[[], object], seconds: float) -> float:
    """Give how often `work` can be done a second."""
    for _ in itertools.repeat(None, 20):
        work()
    done, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        for _ in itertools.repeat(None, 10):
            work()
        done += 10
    return done / elapsed


def add_rules(artifact: Any, count: int) -> Any:
    """Give the artifact with `count` more rules, at mboxes that nobody asks for."""
    rules = next(iter(artifact["rules"]["mboxes"].values()))
    more = {f"other-{at}": [rules[at % len(rules)]] for at in range(count)}
    whole = artifact["rules"]["mboxes"] | more
    return artifact | {"rules": {"mboxes": whole, "views": {}}, "localMboxes": list(whole)}


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
    rates: dict[str, list[float]] = {}
    for name in ARTIFACTS:
        payload, body = read_case(name)
        artifact = load_artifact(payload)
        assert answer(artifact, body)[0]["status"] == 200
        rates[name] = [count_rate(partial(answer, artifact, body), seconds) for _ in range(ROUNDS)]
    payload, body = read_case("AB_SIMPLE")
    costs: dict[str, float] = {}
    for size in SIZES:
        artifact = load_artifact(add_rules(payload, size))
        costs[str(size)] = 1e6 / max(count_rate(partial(answer, artifact, body), seconds) for _ in range(ROUNDS))
    print(json.dumps({"rates": rates, "microseconds": costs}))


if __name__ == "__main__":
    main()
