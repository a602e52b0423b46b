"""The repository over HTTP: create, read, list page and search page, with 1,000 and with 100,000 offers in a container.

One gateway process on a core of its own. Requests arrive by a constant schedule, far below the peak, from eight
connections; the peak is what the same connections reach without pausing.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import aiohttp
from msgspec import Struct, structs

from gateway.ids import OrderedIds, new_digits
from gateway.offers.instances import Change, Saved, Space
from gateway.offers.registry import Registry
from gateway.offers.repository import Author, Draft, create, settle
from gateway.store.connection import Store
from gateway.store.entities import Entities
from tests.load.bench import Bench
from tests.load.delivery import run_gateway, run_target
from tests.load.generator import BenchError, Load
from tests.load.processes import Server
from tests.load.report import Goal, Row, middle, percentile

SIZES = (1_000, 100_000)
_SPACE = Space("DEMO@AdobeOrg", "prod")
_SCHEMA = "https://ns.adobe.com/experience/offer-management/personalized-offer"
_ROOT = "/data/core/xcore"
_HAL = f'application/vnd.adobe.platform.xcore.hal+json; schema="{_SCHEMA}"'
_HEADERS = {
    "Authorization": "Bearer demo-editor",
    "x-api-key": "demo-console",
    "x-gw-ims-org-id": _SPACE.organization,
    "x-sandbox-name": _SPACE.sandbox,
}
_CONNECTIONS = 8
_AT_ONCE = 64
_WORDS = (
    *("winter", "summer", "boots", "jacket", "sale", "gold", "silver", "rain", "trail", "running", "shoes", "tent"),
    *("light", "warm", "dry", "soft", "blue", "green"),
)
_FAST, _PAGES = Goal("p99_ms", at_most=10.0), Goal("p99_ms", at_most=50.0)


class Task(Struct, frozen=True):
    """One kind of request: how many a second are asked for, and what its answer begins with."""

    name: str
    about: str
    per_s: int
    begins: bytes
    goal: Goal
    good: bytes = b"HTTP/1.1 200 "


_TASKS = (
    Task("create", "POST of an offer of 700 bytes", 100, b'{"instanceId"', _FAST, b"HTTP/1.1 201 "),
    Task("read", "GET of an offer", 200, b'{"instanceId"', _FAST),
    Task("list", "50 of them, filtered by status and priority, sorted by name", 8, b'{"requestTime"', _PAGES),
    Task("search", "50 of them, with one of two words", 8, b'{"requestTime"', _PAGES),
)


async def give_rows(bench: Bench) -> list[Row]:
    """Give four rows a size, and one for the start of a worker with the larger one; raises BenchError."""
    rows: list[Row] = []
    store = await Store.connect(bench.redis_url, timeout_ms=20_000, connect_timeout_ms=5000, max_waiting=100_000)
    try:
        await store.call("FLUSHALL")
        with run_target(bench) as target:
            for size in SIZES:
                container, known = await _fill(bench, Entities(store), size)
                with run_gateway(bench, target) as gateway:
                    begun = await _begin(gateway, container, size)
                    rows += [await _measure(bench, gateway, task, (container, known, size)) for task in _TASKS]
                    rows.append(begun)
    finally:
        await store.close()
    return rows


async def _fill(bench: Bench, entities: Entities, size: int) -> tuple[str, list[str]]:
    """Make a container with `size` offers and give their ids; the same offers every time."""
    begun, registry, chance = time.perf_counter(), Registry(), Random(size)
    ids = OrderedIds(lambda: time.time_ns() // 1_000_000)
    author = Author("bench", "bench", time.time_ns() // 1_000_000)
    record = registry.find("https://ns.adobe.com/experience/xcore/container")
    offer = registry.find(_SCHEMA)
    if record is None or offer is None:
        raise BenchError("the schemas of the benchmark are not known")
    container = ids.make()
    draft = Draft(author=author, types=(record,), instance_id=container)
    body = {"_instance": {"repo:name": f"{size} offers"}, "_links": {}}
    made = settle(registry, create(registry, draft, body))
    owned = json.loads(made.document) | {"owners": ["editors"]}
    await _save(entities.save_container(_SPACE, structs.replace(made, document=json.dumps(owned).encode())))
    known: list[str] = []

    def changes() -> Iterator[Change]:
        for number in range(size):
            known.append(ids.make())
            draft = Draft(
                author=author,
                types=(offer,),
                instance_id=known[-1],
                at_id_digits=new_digits(),
                container=container,
                product_contexts=("dma_offers", "acp"),
            )
            yield settle(registry, create(registry, draft, {"_instance": make_offer(chance, number), "_links": {}}))

    left = changes()
    while batch := list(islice(left, _AT_ONCE)):
        await asyncio.gather(*(_save(entities.save(_SPACE, container, change)) for change in batch))
    bench.say(f"{size:,} offers written in {time.perf_counter() - begun:.1f} s")
    return container, known


async def _save(saving: Any) -> None:
    verdict = await saving
    if not isinstance(verdict, Saved):
        raise BenchError(f"an offer of the benchmark was not saved: {verdict}")


def make_offer(chance: Random, number: int) -> dict[str, Any]:
    """Give an offer of about 700 bytes as stored."""
    words = " ".join(chance.choices(_WORDS, k=3))
    return {
        "xdm:name": f"{words} {number}",
        "xdm:status": chance.choice(("draft", "approved", "archived")),
        "xdm:characteristics": {"season": chance.choice(_WORDS[:2]), "colour": chance.choice(_WORDS[-2:])},
        "xdm:rank": {"xdm:priority": chance.randrange(100)},
        "xdm:selectionConstraint": {
            "xdm:startDate": "2026-01-01T00:00:00.000Z",
            "xdm:endDate": f"2027-{chance.randrange(1, 13):02}-01T00:00:00.000Z",
        },
    }


async def _begin(gateway: Server, container: str, size: int) -> Row:
    """Ask a fresh worker for its first page, which makes its index, and see what that takes."""
    before = _read_memory(gateway)
    begun = time.perf_counter()
    url = f"http://127.0.0.1:{gateway.port}{_ROOT}/{container}/instances?schema={_SCHEMA}&limit=1"
    async with aiohttp.ClientSession() as http, http.get(url, headers=_HEADERS) as answer:
        page = json.loads(await answer.read())
    took = time.perf_counter() - begun
    if page.get("_embedded", {}).get("total") != size:
        raise BenchError(f"the first page does not count {size} offers: {str(page)[:500]}")
    return Row(
        name=f"index-{size // 1000}k",
        about=f"first page of a fresh worker: {before:.0f} MB before, the index included after",
        per_s=size / took,
        p50_ms=took * 1000,
        mb=_read_memory(gateway),
    )


def _read_memory(server: Server) -> float:
    """Give the resident memory of a process in MB."""
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


async def _measure(bench: Bench, gateway: Server, task: Task, place: tuple[str, Sequence[str], int]) -> Row:
    container, known, size = place
    requests = _make_requests(task, container, known)
    load = Load(lambda _: next(requests), task.begins, task.good)
    await load.connect("127.0.0.1", gateway.port, _CONNECTIONS)
    peaks, p50s, p99s, failed = [], [], [], 0
    try:
        await load.run_closed(bench.seconds)
        for _ in range(max(2, bench.rounds // 4)):
            peak = await load.run_closed(bench.seconds)
            calm = await load.run_open(max(1.0, 40 / task.per_s), task.per_s)
            peaks.append(peak.good / peak.elapsed)
            p50s.append(percentile(calm.latencies, 0.5) * 1000)
            p99s.append(percentile(calm.latencies, 0.99) * 1000)
            failed += peak.failed + calm.failed
    finally:
        load.close()
        await asyncio.sleep(0)
    name = f"{task.name}-{size // 1000}k"
    bench.say(f"{name}: p99 in ms {', '.join(format(p99, '.1f') for p99 in p99s)}")
    return Row(
        name=name,
        about=task.about,
        per_s=middle(peaks),
        p50_ms=middle(p50s),
        p99_ms=middle(p99s),
        best_p99_ms=min(p99s),
        failed=failed,
        goals=(task.goal,),
    )


def _make_requests(task: Task, container: str, known: Sequence[str]) -> Iterator[bytes]:
    chance = Random(1)
    for number in count():
        first, second = chance.choices(_WORDS, k=2)
        base = f"{_ROOT}/{container}"
        if task.name == "create":
            body = json.dumps({"_instance": make_offer(chance, number), "_links": {}}).encode()
            yield _lay_out("POST", f"{base}/instances", body)
        elif task.name == "read":
            yield _lay_out("GET", f"{base}/instances/{chance.choice(known)}")
        elif task.name == "list":
            least = chance.randrange(80)
            filters = ("_instance.xdm:status==approved", f"_instance.xdm:rank.xdm:priority>{least}")
            query = "".join(f"&property={quote(one)}" for one in filters)
            yield _lay_out("GET", f"{base}/instances?schema={_SCHEMA}{query}&orderBy=-_instance.xdm:name,instanceId")
        else:
            query = f"&q={first}+{second}&orderBy=-repo:createdDate,instanceId"
            yield _lay_out("GET", f"{base}/queries/core/search?schema={_SCHEMA}{query}")


def _lay_out(method: str, path: str, body: bytes = b"") -> bytes:
    headers = _HEADERS | {"Host": "gateway"}
    if body:
        headers |= {"Content-Type": _HAL, "Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body
