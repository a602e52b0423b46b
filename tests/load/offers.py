"""How much processor time an offer decision takes, and how long making its catalogue holds the event loop.

`python -m tests.load.offers` prints two tables: one decision (activity of a twentieth of the container, one option, one
capped claim) on containers of 100, 1,000 and 10,000 offers, and the making of those catalogues. Times are the best of
several rounds. A catalogue is made without garbage collection, as whoever drives it for a server does.
"""

import gc
import random
import time
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.offers.capping import Granted
from gateway.offers.catalog import EMPTY, Catalog, apply
from gateway.offers.decide import Decision, Surroundings, resolve
from gateway.offers.decision_requests import read_request
from gateway.offers.instances import Instance
from gateway.offers.model import ProfileView
from gateway.offers.response import respond
from tests.offers import containers
from tests.offers.containers import NOW

SIZES = (100, 1_000, 10_000)
ACTIVITIES = 20
RULES = 50
SOURCE = random.Random(1)
PROFILE = ProfileView(
    "CRM|c-1001",
    is_found=True,
    attributes={"loyalty": {"tier": "gold", "points": 5400}, "homeAddress": {"city": "Uppsala"}},
    events=tuple({"type": "purchase", "timestamp": f"2024-05-{day:02}T08:00:00Z"} for day in range(1, 15)),
)
BODY = containers.body("a3", **{"xdm:responseFormat": {"xdm:includeContent": True}})
RAW = msgspec.json.encode(BODY)


def container(size: int) -> list[Instance]:
    """Give the instances of a container: priorities 0 to 9, every second offer with a rule, every third with caps."""
    made = [containers.placement(), containers.fallback()]
    made += [
        containers.rule(f"r{at}", f'loyalty.points > {at * 200} and homeAddress.city = "Uppsala"')
        for at in range(RULES)
    ]
    for at in range(size):
        more: dict[str, Any] = {"rule": f"r{at % RULES}"} if at % 2 else {}
        more |= {"global_cap": 10_000, "profile_cap": 5} if at % 3 == 0 else {}
        made.append(
            containers.offer(
                f"o{at}", SOURCE.randrange(10), tags=[f"t{at % ACTIVITIES}"], ends="2024-12-31T23:59:59Z", **more
            )
        )
    for at in range(ACTIVITIES):
        made.append(containers.collection(f"f{at}", [f"t{at}"], "anyTags"))
        made.append(containers.activity(f"a{at}", f"f{at}"))
    return made


def decide(catalog: Catalog, body: Any) -> bytes:
    """Decide one request from its decoded body to the bytes of its answer, everything granted."""
    plan = resolve(catalog, read_request(body))
    decision = Decision(plan, PROFILE, Surroundings(NOW, SOURCE.random))
    decision.select()
    decision.settle(Granted())
    return respond(decision, "7d0f7c9a-30a1-4f63-9a5e-1c8a1d2d7b20", 1715769000000)


def core(catalog: Catalog, body: Any) -> Callable[[], object]:
    """Make the decision alone: the request is read, the answer is not written."""
    request = read_request(body)
    surroundings = Surroundings(NOW, SOURCE.random)

    def run() -> object:
        decision = Decision(resolve(catalog, request), PROFILE, surroundings)
        decision.select()
        return decision.settle(Granted())

    return run


def best(action: Callable[[], object], seconds: float = 0.5) -> float:
    """Give the shortest mean time of one call, in microseconds of processor time."""
    action()
    shortest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.process_time()
        for _ in range(20):
            action()
        shortest = min(shortest, (time.process_time() - start) / 20)
    return shortest * 1e6


def pieces(catalog: Catalog, changes: list[Instance]) -> tuple[Catalog, list[float]]:
    """Make the next catalogue; give it with the time of every slice, in milliseconds of processor time."""
    slices, times = apply(catalog, changes, NOW), []
    while True:
        start = time.thread_time()
        try:
            next(slices)
        except StopIteration as end:
            times.append((time.thread_time() - start) * 1e3)
            return end.value, times
        times.append((time.thread_time() - start) * 1e3)


def measure(size: int) -> dict[str, Any]:
    """Measure one size of container."""
    instances = container(size)
    gc.collect()
    gc.freeze()
    gc.disable()
    catalog, times = pieces(EMPTY, instances)
    one = containers.offer("o0", 5, revision=2, tags=["t0"])
    again = min((pieces(catalog, [one])[1] for _ in range(5)), key=sum)
    gc.enable()
    traced = BODY | {"gw:trace": True, "xdm:dryRun": True}
    return {
        "offers": size,
        "candidates": sum(1 for _ in catalog.activities[containers.at_id("offer-activity", "a3")].candidates()),
        "decide_us": round(best(core(catalog, BODY)), 1),
        "decoded_to_bytes_us": round(best(lambda: decide(catalog, BODY)), 1),
        "with_trace_us": round(best(lambda: decide(catalog, traced)), 1),
        "build_ms": round(sum(times), 1),
        "longest_slice_ms": round(max(times), 2),
        "one_change_ms": round(sum(again), 2),
        "its_longest_slice_ms": round(max(again), 2),
    }


def main() -> None:
    """Print the table."""
    rows = [measure(size) for size in SIZES]
    for name in rows[0]:
        print(f"{name:24}" + "".join(f"{row[name]:>12}" for row in rows))


if __name__ == "__main__":
    main()
