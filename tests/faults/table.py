"""Each fault once, with what was observed of every promise; and the page that shows it."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct, field

from tests.faults.proxy import Fault, Proxy
from tests.faults.visitors import VISITORS, Met, Visitor, ask_all
from tests.stage import Stage, run_stage
from tests.store.servers import wait_until

PAGE = Path(__file__).parent.parent.parent / "docs" / "faults.md"
_CASES = Path(__file__).parent.parent / "cases" / "faults.toml"
_AGAIN_S = 15.0
# Late enough to be given up, soon enough to arrive while the next wave waits for replies of its own.
_REDIS_DELAY_S, _TARGET_DELAY_S = 0.4, 1.3
SETTINGS = {
    "GATEWAY_UPSTREAM__TARGET__RETRY_PERCENT": "10",
    "GATEWAY_UPSTREAM__TARGET__BREAKER_PERCENT": "50",
    "GATEWAY_REDIS__TIMEOUT_MS": "250",
    "GATEWAY_REDIS__CONNECT_TIMEOUT_MS": "500",
    "GATEWAY_OUTBOX__ENABLED": "false",
}


class Case(Struct, frozen=True):
    """A fault, where it is, what it is in words, and the reason visitors are given."""

    at: str
    name: Fault
    reason: str
    says: str


class Observation(Struct):
    """What was seen of one fault: the statuses and reasons while it lasted, and whether each promise was kept."""

    case: Case
    reasons: set[str] = field(default_factory=set)
    statuses: set[int] = field(default_factory=set)
    kept: dict[str, bool] = field(default_factory=dict)


PROMISES = {
    "in time": "every answer leaves by its deadline",
    "every item": "every requested mbox is in the answer, and what is decided here is decided",
    "status": "HTTP 200; in the body 200, or 206 where something is missing, which is then named",
    "own data": "nobody gets anything of another visitor's",
    "well again": "when the fault is over, answers are whole again, with nothing to do for anybody",
    "no leak": "afterwards no task, no connection, no place in line and no command is left over",
}


def read_cases() -> list[Case]:
    """Give every fault of tests/cases/faults.toml."""
    return msgspec.convert(tomllib.loads(_CASES.read_text(encoding="utf-8"))["fault"], list[Case])


class Scene(Struct, frozen=True):
    """A gateway with a proxy on its way to Redis and one on its way to Target."""

    stage: Stage
    redis: Proxy
    target: Proxy

    @property
    def busy(self) -> dict[str, int]:
        """Give what a gateway at rest has none of, and what must not grow: tasks and connections."""
        fanout = self.stage.running.services.fanout
        return count_unfinished(self.stage) | {
            "Redis connections beyond one": self.redis.connections - 1,
            "Target connections beyond the kept ones": self.target.connections - fanout.edges.idle,
        }

    async def rest(self) -> bool:
        """Wait for all of it to end; gives whether it did."""
        try:
            await wait_until(lambda: not any(self.busy.values()))
        except TimeoutError:
            return False
        return True


def count_unfinished(stage: Stage) -> dict[str, int]:
    """Give what a gateway has under way, by kind."""
    services = stage.running.services
    fanout, store = services.fanout, services.store
    return {
        "requests": services.under_way,
        "calls": fanout.under_way,
        "places": fanout._sending + len(fanout._line),
        "commands": store._pipeline.waiting if store._pipeline else 1,
    }


def count_tasks() -> int:
    """Give how many tasks there are, apart from the proxies' own."""
    return sum(task.get_name() != "proxy" for task in asyncio.all_tasks())


@asynccontextmanager
async def open_scene(redis_url: str) -> AsyncIterator[Scene]:
    """Give a running scene; `redis_url` is a unix socket's."""
    async with (
        Proxy(unquote(redis_url.removeprefix("unix://")), _REDIS_DELAY_S) as redis,
        Proxy("", _TARGET_DELAY_S) as target,
    ):
        ways = {"GATEWAY_UPSTREAM__TARGET__URL": f"http://127.0.0.1:{target.port}"}
        # What is looked at is the connection that visitors need.
        apart = {f"{name}_REDIS_URL": redis_url for name in ("REPOSITORY", "PROFILES", "CAPS")}
        async with run_stage(f"redis://127.0.0.1:{redis.port}/0", SETTINGS | ways, apart) as stage:
            place = urlsplit(stage.running.services.settings.artifact.geo_url)
            target.upstream = ("127.0.0.1", place.port or 0)
            yield Scene(stage, redis, target)


async def observe(case: Case, redis_url: str) -> Observation:
    """Have twenty visitors ask before, while and after the fault, and note what becomes of every promise."""
    seen = Observation(case)
    visitors = [Visitor() for _ in range(VISITORS)]
    async with open_scene(redis_url) as scene:
        before: list[Met] = []
        for _ in range(2):
            met, well = await _ask_until_well(scene, visitors)
            assert well, "it does not even work without a fault"
            before += met
        await scene.rest()
        tasks = count_tasks()
        proxy = scene.redis if case.at == "Redis" else scene.target
        await proxy.begin(case.name)
        during = await ask_all(scene.stage, visitors)
        seen.reasons = {reason for met in during for reason in met.reasons}
        seen.statuses = {met.answer.body["status"] for met in during}
        # In another order, so that a late reply on a kept connection would meet somebody else than its own caller.
        during += await ask_all(scene.stage, [*visitors[7:], *visitors[:7]])
        await proxy.end()
        after, again = await _ask_until_well(scene, visitors)
        everything = [*before, *during, *after]
        seen.kept = {
            "in time": all(met.is_in_time for met in everything),
            "every item": all(met.has_every_item for met in everything),
            "status": all(met.has_right_status for met in everything),
            "own data": all(met.is_own(visitors) for met in everything),
            "well again": again,
            "no leak": await scene.rest() and await _tasks_end(tasks),
        }
    return seen


async def _ask_until_well(scene: Scene, visitors: list[Visitor]) -> tuple[list[Met], bool]:
    """Ask until an answer is whole; then everybody's must be. Gives all answers, and whether that came to be."""
    answers: list[Met] = []
    try:
        async with asyncio.timeout(_AGAIN_S):
            while True:
                met = await ask_all(scene.stage, visitors)
                answers += met
                if all(one.is_whole for one in met):
                    return answers, True
                await asyncio.sleep(0.02)
    except TimeoutError:
        return answers, False


async def _tasks_end(most: int) -> bool:
    try:
        await wait_until(lambda: count_tasks() <= most)
    except TimeoutError:
        return False
    return True


async def observe_all(redis_url: str) -> list[Observation]:
    """Give an observation of every fault, each with a gateway of its own on an emptied Redis."""
    return [await observe(case, redis_url) for case in read_cases()]


def write_page(observations: list[Observation]) -> str:
    """Give docs/faults.md."""
    heads = ["between the gateway and", "fault", "answers meanwhile", *PROMISES]
    rows = [_write_row(one) for one in observations]
    table = "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows])
    promises = "\n".join(f"- **{name}**: {says}" for name, says in PROMISES.items())
    return _TEXT.format(table=table, promises=promises, visitors=VISITORS)


def _write_row(one: Observation) -> list[str]:
    case = one.case
    statuses = " and ".join(str(status) for status in sorted(one.statuses))
    meanwhile = f"status {statuses}: {', '.join(f'`{reason}`' for reason in sorted(one.reasons)) or 'nothing missing'}"
    return [case.at, f"{case.name}: {case.says}", meanwhile, *("yes" if one.kept[name] else "NO" for name in PROMISES)]


_TEXT = """\
# Faults and promises

What becomes of answers when the connection to Redis or to Target goes wrong. This page is written from what was
observed, by `python -m tests.faults`; the tests observe it again, and fail when they see anything else.

Between a gateway and a real Redis, and between it and a stand-in Target, stands a TCP proxy
(`tests/faults/proxy.py`). {visitors} visitors ask at the same time, each for an mbox that is decided here and one that
Target decides, before, while and after the fault. Each brings an id that nobody else has, and is looked for in
everybody else's answers: a reply that reached the wrong caller would show.

{table}

{promises}

`session-store` in an answer means that everything was decided, but a visitor whom only the session record knows got a
new device id for this call. [What the other reasons mean](operate.md#reasons-for-degraded-answers), and what to do.

How late answers are at the deadline, how many calls an outage sees, and what the gateway adds to a call:
`python -m tests.load.faults`.
"""
