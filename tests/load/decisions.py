"""Offer decisions over HTTP, with 100, 1,000 and 10,000 offers in a container, beside the bare handler in the same run.

The container has 50 rules and 20 activities, each over a twentieth of the offers; a decision hands out one capped offer
with its content, for one of a thousand known profiles. The dry run brings the profile along and picks an offer without
a cap, so that nothing is asked of Redis.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec import Struct, field

from gateway.offers.instances import Change, Instance, Saved, Space
from gateway.offers.model import Identity
from gateway.store.connection import Store
from gateway.store.entities import Entities
from gateway.store.keys import Keys
from gateway.store.profiles import Profiles
from tests.load.bench import Bench
from tests.load.delivery import run_bare, run_gateway, run_target
from tests.load.generator import BenchError, Load
from tests.load.processes import Server
from tests.load.report import Goal, Row, middle, percentile
from tests.offers import containers

SIZES = (100, 1_000, 10_000)
_SPACE = Space("DEMO@AdobeOrg", "prod")
_ACTIVITIES, _RULES, _PEOPLE = 20, 50, 1_000
_CONNECTIONS, _AT_ONCE = 32, 64
_WARM_UP_S = 1.0
_MANY = 1_000_000_000
_CHANCE = random.Random(1)
_HEADERS = {
    "Host": "gateway",
    "Authorization": "Bearer demo-editor",
    "x-api-key": "demo-console",
    "x-gw-ims-org-id": _SPACE.organization,
    "x-sandbox-name": _SPACE.sandbox,
    "Content-Type": "application/json",
}
_ATTRIBUTES = {"loyalty": {"tier": "gold", "points": 5400}, "homeAddress": {"city": "Uppsala"}}
_GOALS = {
    "decide": (Goal("p99_ms", at_most=5.0), Goal("ratio", at_least=0.35)),
    "decide-dry": (Goal("ratio", at_least=0.5),),
}


class Trial(Struct):
    """One kind of request under load: what was found, a round an element."""

    name: str
    about: str
    load: Load
    server: Server
    peaks: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    elapsed: float = 0.0
    good: int = 0
    calms: list[tuple[float, float]] = field(default_factory=list)
    failed: int = 0


async def give_rows(bench: Bench) -> list[Row]:
    """Give three rows a size: the bare handler, decisions, dry runs; raises BenchError."""
    rows: list[Row] = []
    async with _connected(bench) as store:
        await store.call("FLUSHALL")
        await _add_people(Profiles(store, Keys(b"a secret of the benchmark")))
        with run_target(bench) as target, run_bare(bench) as bare:
            for size in SIZES:
                container = f"018f7a60-0000-7000-8000-{size:012}"
                await _fill(Entities(store), container, size)
                with run_gateway(bench, target) as gateway:
                    rows += await _measure(bench, (bare, gateway), container, size)
    return rows


@asynccontextmanager
async def _connected(bench: Bench) -> AsyncIterator[Store]:
    store = await Store.connect(bench.redis_url, timeout_ms=20_000, connect_timeout_ms=5000, max_waiting=100_000)
    try:
        yield store
    finally:
        await store.close()


async def _add_people(profiles: Profiles) -> None:
    for number in range(_PEOPLE):
        await profiles.save(_SPACE, Identity("CRM", f"c-{number}"), msgspec.json.encode(_ATTRIBUTES))


async def _fill(entities: Entities, container: str, size: int) -> None:
    own = {"instanceId": container, "owners": ["editors"], "_instance": {"repo:name": f"{size} offers"}}
    record = Change(
        instance_id=container, at_id="", schemas=("container",), document=_encode(own), expected=0, revision=1
    )
    await _check(entities.save_container(_SPACE, record))
    changes = [_make_change(one) for one in make_instances(size)]
    for first in range(0, len(changes), _AT_ONCE):
        some = changes[first : first + _AT_ONCE]
        await asyncio.gather(*(_check(entities.save(_SPACE, container, change)) for change in some))


def make_instances(size: int) -> list[Instance]:
    """Give a container: every second offer has a rule, all but the least of each activity a cap."""
    made = [containers.placement(), containers.fallback()]
    made += [
        containers.rule(f"r{at}", f'loyalty.points > {at * 200} and homeAddress.city = "Uppsala"')
        for at in range(_RULES)
    ]
    for at in range(size):
        more: dict[str, Any] = {"rule": f"r{at % _RULES}"} if at % 2 else {}
        is_plain = at >= size - _ACTIVITIES
        more |= {} if is_plain else {"global_cap": _MANY, "profile_cap": _MANY}
        tags = [f"t{at % _ACTIVITIES}", *([f"p{at % _ACTIVITIES}"] if is_plain else ())]
        priority = 0 if is_plain else 1 + _CHANCE.randrange(10)
        made.append(containers.offer(f"o{at}", priority, tags=tags, ends="2124-12-31T23:59:59Z", **more))
    for at in range(_ACTIVITIES):
        for kind in "tp":
            made.append(containers.collection(f"{kind}{at}", [f"{kind}{at}"], "anyTags"))
            made.append(containers.activity(f"{kind}{at}", f"{kind}{at}"))
    return made


def _make_change(stored: Instance) -> Change:
    document = json.loads(stored.document)
    at_id = document["_instance"]["@id"]
    return Change(
        instance_id=stored.instance_id,
        at_id=at_id,
        schemas=(at_id.split(":")[1],),
        document=stored.document,
        expected=0,
        revision=1,
    )


async def _check(saving: Any) -> None:
    verdict = await saving
    if not isinstance(verdict, Saved):
        raise BenchError(f"an object of the benchmark was not saved: {verdict}")


async def _measure(bench: Bench, servers: tuple[Server, Server], container: str, size: int) -> list[Row]:
    bare, gateway = servers
    path = f"/data/core/ode/{container}/decisions"
    begins = b'{"xdm:propositionId"'
    trials = [
        Trial("bare", "aiohttp alone: the same body decoded and encoded", _load("/rest/v1/delivery", False), bare),
        Trial("decide", f"one capped option out of {size // 20:,}, counted", _load(path, False, begins), gateway),
        Trial("decide-dry", "a dry run with its own profile, no Redis", _load(path, True, begins), gateway),
    ]
    try:
        for trial in trials:
            await trial.load.connect("127.0.0.1", trial.server.port, _CONNECTIONS)
            await trial.load.run_closed(_WARM_UP_S)
        for _ in range(bench.rounds):
            for trial in trials:
                await _run_round(bench, trial)
    finally:
        for trial in trials:
            trial.load.close()
        await asyncio.sleep(0)
    return [_make_row(trial, trials[0], size) for trial in trials]


async def _run_round(bench: Bench, trial: Trial) -> None:
    cpu_s = trial.server.cpu_seconds()
    peak = await trial.load.run_closed(bench.seconds)
    trial.cpu_s += trial.server.cpu_seconds() - cpu_s
    trial.elapsed += peak.elapsed
    trial.good += peak.good
    per_s = peak.good / peak.elapsed
    if not per_s:
        raise BenchError(f"{trial.name}: no reply was good")
    calm = await trial.load.run_open(bench.seconds, per_s / 2)
    trial.peaks.append(per_s)
    trial.calms.append((percentile(calm.latencies, 0.5) * 1000, percentile(calm.latencies, 0.99) * 1000))
    trial.failed += peak.failed + calm.failed


def _make_row(trial: Trial, bare: Trial, size: int) -> Row:
    ratios = [ours / theirs for ours, theirs in zip(trial.peaks, bare.peaks, strict=True)]
    return Row(
        name=f"{trial.name}-{size}",
        about=trial.about,
        per_s=middle(trial.peaks),
        ratio=middle(ratios),
        cpu_us=1e6 * trial.cpu_s / trial.good,
        cpu_ratio=(bare.cpu_s / bare.good) / (trial.cpu_s / trial.good),
        busy=trial.cpu_s / trial.elapsed,
        p50_ms=middle([p50 for p50, _ in trial.calms]),
        p99_ms=middle([p99 for _, p99 in trial.calms]),
        best_p99_ms=min(p99 for _, p99 in trial.calms),
        failed=trial.failed,
        goals=_GOALS.get(trial.name, ()) if size == 1_000 else (),
    )


def _load(path: str, is_dry: bool, begins: bytes = b"{") -> Load:
    return Load(_make_requests(path, is_dry=is_dry), begins)


def _make_requests(path: str, *, is_dry: bool) -> Callable[[int], bytes]:
    made = [_lay_out(path, make_body(number, is_dry=is_dry)) for number in range(_PEOPLE)]
    return lambda number: made[number % _PEOPLE]


def make_body(number: int, *, is_dry: bool) -> dict[str, Any]:
    """Give the body of request `number`."""
    person: dict[str, Any] = {"xdm:identityMap": {"CRM": [{"xdm:id": f"c-{number}"}]}}
    if is_dry:
        person |= {"gw:profile": _ATTRIBUTES, "gw:events": []}
    activity = containers.at_id("offer-activity", f"{'p' if is_dry else 't'}{number % _ACTIVITIES}")
    return {
        "xdm:propositionRequests": [{"xdm:activityId": activity}],
        "xdm:profiles": [person],
        "xdm:dryRun": is_dry,
        "xdm:responseFormat": {"xdm:includeContent": True},
    }


def _lay_out(path: str, body: dict[str, Any]) -> bytes:
    raw = _encode(body)
    headers = _HEADERS | {"Content-Length": str(len(raw))}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + raw


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
