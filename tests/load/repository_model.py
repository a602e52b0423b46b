"""Random writes by several clients while Redis is killed again and again, judged against a model.

`python -m tests.load.repository_model --minutes 1` runs rounds of a few seconds, each on a new server and container,
until the time is over; `tests/store/test_repository_model.py` runs one short round. Every write is asked for until its
outcome is known. Then nothing acknowledged may be missing, nothing else may have happened, no reference may dangle, no
name be given twice, and every index must agree with the documents.
"""

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from msgspec import Struct, field

from gateway.errors import ScriptFailed, StoreError
from gateway.offers.instances import Change, Missing, Saved, Verdict
from gateway.store.embedded import EmbeddedServer
from gateway.store.entities import Entities
from gateway.store.entity_reads import Event
from gateway.store.places import PENDING, find_place
from tests.load.repository_history import Attempt, Delete, History, names_of, targets_of
from tests.store.objects import SPACE, make_change, make_container, make_entities, make_operation, new_uuid
from tests.store.servers import connected

KINDS = ("tag", "personalized-offer", "offer-filter")
TARGETS = {"tag": "", "personalized-offer": "tag", "offer-filter": "personalized-offer"}
_NAMES = [f"name {number}" for number in range(40)]
_AGAIN_S = 0.01


class Tally(Struct):
    """What was done in a round."""

    attempts: list[Attempt] = field(default_factory=list)
    deletes: list[Delete] = field(default_factory=list)
    reads: int = 0
    kills: int = 0
    saved: int = 0
    refused: int = 0

    @property
    def operations(self) -> int:
        """Give how many operations were acknowledged."""
        return len(self.attempts) + len(self.deletes) + self.reads


class World(Struct):
    """What the clients of a round share: what they were told so far."""

    container: str
    tally: Tally = field(default_factory=Tally)
    known: dict[str, tuple[str, str]] = field(default_factory=dict)  # instance id -> kind, @id
    revisions: dict[str, int] = field(default_factory=dict)  # the last one somebody was told of
    deleting: set[str] = field(default_factory=set)  # ever asked to be deleted
    gone: set[str] = field(default_factory=set)  # somebody was told so
    sequence: int = 0
    clock: int = 0
    stopped: bool = False

    def tick(self) -> int:
        """Give the next moment."""
        self.clock += 1
        return self.clock


class Client:
    """One gateway: writes at random, on a connection of its own."""

    def __init__(self, entities: Entities, world: World, chance: random.Random) -> None:
        self._entities = entities
        self._world = world
        self._chance = chance

    async def run(self) -> None:
        """Do one thing after the other until the round is over."""
        acts = [*(self._create,) * 3, *(self._replace,) * 4, self._delete_now, self._delete, self._read]
        while not self._world.stopped:
            await self._chance.choice(acts)()

    def _pick(self, kind: str = "") -> str:
        """Give an instance id: a recent one, for those are fought over, any other, or now and then one that is gone."""
        world, chance = self._world, self._chance
        ghosts = chance.random() < 0.05
        ids = [one for one, (its, _) in world.known.items() if kind in ("", its) and (ghosts or one not in world.gone)]
        return chance.choice(ids[-8:] if chance.random() < 0.3 else ids[-200:]) if ids else ""

    def _draw(self, instance_id: str, kind: str, at_id: str, revision: int) -> Change:
        wanted, chance = TARGETS[kind], self._chance
        targets = [self._pick(wanted) for _ in range(chance.randint(0, 3))] if wanted else []
        references = tuple((self._world.known[target][1], wanted) for target in targets if target)
        guards = ()
        if chance.random() < 0.1 and (guarded := self._pick()):
            guards = ((self._world.known[guarded][1], self._world.revisions.get(guarded, 1)),)
        name = chance.choice(_NAMES) if kind == "tag" and chance.random() < 0.7 else ""
        facts = {"schema": kind, "revision": revision, "references": references, "name": name}
        return make_change(instance_id, at_id, note=str(chance.random()), guards=guards, **facts)

    async def _create(self) -> None:
        kind, instance_id = self._chance.choice(KINDS), new_uuid()
        change = self._draw(instance_id, kind, f"xcore:{kind}:{self._chance.getrandbits(64):016x}", 1)
        self._world.known[instance_id] = (kind, change.at_id)
        await self._save(change)

    async def _replace(self) -> None:
        if instance_id := self._pick():
            kind, at_id = self._world.known[instance_id]
            revision = self._world.revisions.get(instance_id, 1)
            await self._save(self._draw(instance_id, kind, at_id, revision + 1))

    async def _save(self, change: Change) -> None:
        container, write_id = self._world.container, new_uuid()
        await self._attempt(
            change.instance_id,
            change,
            change.expected,
            lambda: self._entities.save(SPACE, container, change, write_id),
        )

    async def _delete_now(self) -> None:
        if instance_id := self._pick("offer-filter" if self._chance.random() < 0.8 else ""):
            expected = self._world.revisions.get(instance_id) if self._chance.random() < 0.5 else None
            container, write_id = self._world.container, new_uuid()
            self._world.deleting.add(instance_id)
            await self._attempt(
                instance_id,
                None,
                expected,
                lambda: self._entities.delete_now(SPACE, container, instance_id, expected, write_id),
            )

    async def _attempt(
        self, instance_id: str, change: Change | None, expected: int | None, write: Callable[[], Awaitable[Verdict]]
    ) -> None:
        world = self._world
        low, start = world.sequence, world.tick()
        verdict = await persist(write)
        end = world.tick()
        if isinstance(verdict, Saved):
            world.sequence = max(world.sequence, verdict.sequence)
            if change is None:
                world.gone.add(instance_id)
            else:
                world.revisions[instance_id] = max(change.revision, world.revisions.get(instance_id, 0))
            high = verdict.sequence
        else:
            high = await persist(lambda: self._entities.sequence(SPACE, world.container))
            if isinstance(verdict, Missing) or expected == 0:
                world.gone.add(instance_id)
        world.tally.attempts.append(Attempt(instance_id, change, expected, verdict, low, high, (start, end)))

    async def _delete(self) -> None:
        world, instance_id = self._world, self._pick()
        if not instance_id:
            return
        container, operation = world.container, make_operation(instance_id)
        world.deleting.add(instance_id)
        low, start = world.sequence, world.tick()
        verdict = await persist(lambda: self._entities.ask_delete(SPACE, container, None, operation))
        if isinstance(verdict, Saved):
            outcome = await persist(lambda: self._entities.decide(SPACE, container, operation.operation_id))
            assert outcome is not None, "an accepted delete was lost"
            high = await persist(lambda: self._entities.sequence(SPACE, container))
            if outcome.state == "deleted":
                world.gone.add(instance_id)
            world.tally.deletes.append(Delete(instance_id, outcome, low, high, (start, world.tick())))

    async def _read(self) -> None:
        """Every read shows what anybody was told before it was asked (repo:Z1)."""
        world, instance_id = self._world, self._pick()
        floor = world.revisions.get(instance_id, 0)
        found = await persist(lambda: self._entities.read(SPACE, world.container, instance_id))
        assert found is not None or not floor or instance_id in world.deleting, "acknowledged and not there"
        assert found is None or found.revision >= floor, "an older state than an acknowledged one"
        world.tally.reads += 1


async def persist(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until there is an answer; raises ScriptFailed, which a server that is killed has no part in."""
    while True:
        try:
            return await ask()
        except ScriptFailed:
            raise
        except StoreError:
            await asyncio.sleep(_AGAIN_S)


async def run_round(folder: Path, seed: int, *, seconds: float, server: str = "", clients: int = 8) -> Tally:
    """Let clients write for some seconds while the server is killed, then judge; raises AssertionError."""
    chance = random.Random(seed)
    with EmbeddedServer(folder, server) as redis:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(connected(redis.url)) for _ in range(clients)]
            gateways = [make_entities(store, changes_kept=1_000_000) for store in stores]
            world = World(await make_container(gateways[0]))
            first = world.sequence = await gateways[0].sequence(SPACE, world.container)
            async with asyncio.TaskGroup() as group:
                for entities in gateways:
                    group.create_task(Client(entities, world, random.Random(chance.random())).run())
                group.create_task(kill_again_and_again(redis, world, chance))
                await asyncio.sleep(seconds)
                world.stopped = True
            await judge(gateways[0], world, first)
    return world.tally


async def kill_again_and_again(redis: EmbeddedServer, world: World, chance: random.Random) -> None:
    """Kill the server without warning, start it again, let it live for a moment."""
    while not world.stopped:
        await asyncio.sleep(chance.uniform(0.05, 0.5))
        os.kill(redis.pid, signal.SIGKILL)
        while not redis.revive():  # noqa: ASYNC110 - a process has no Event
            await asyncio.sleep(0.001)
        world.tally.kills += 1


async def judge(entities: Entities, world: World, first: int) -> None:
    """Replay what happened and compare the outcome with all that is stored."""
    events: list[Event] = []
    last = first
    while some := await persist(partial(entities.changes, SPACE, world.container, last)):
        events += some
        last = some[-1].sequence
    assert some is not None, "the stream has forgotten its beginning"
    tally = world.tally
    history = History(events, tally.attempts, tally.deletes)
    tally.refused = history.judge_refusals()
    tally.saved = len(tally.attempts) + len(tally.deletes) - tally.refused
    await persist(partial(entities.decide_pending, forget_after_s=-1))  # those that were refused
    await compare(entities, world.container, history.now)


async def compare(entities: Entities, container: str, model: dict[str, Change]) -> None:
    """Compare documents and every index with the model."""
    stored = [one async for batch in entities.snapshot(SPACE, container) for one in batch]
    assert {one.instance_id: (one.revision, one.document) for one in stored} == {
        one.instance_id: (one.revision, one.document) for one in model.values()
    }
    place = find_place(SPACE, container)
    assert place is not None
    call = entities._store.call
    own = {container.encode()}
    for part in ("documents", "records"):
        assert set(await call("HKEYS", place.key(part))) == own | {one.encode() for one in model}
    assert await call("EXISTS", place.key("marks"), PENDING) == 0
    at_ids = await call("HGETALL", place.key("at_ids"))
    assert dict(zip(at_ids[::2], at_ids[1::2], strict=True)) == {
        one.at_id.encode(): " ".join((one.instance_id, *one.schemas)).encode() for one in model.values()
    }
    assert sorted(await call("HVALS", place.key("names"))) == sorted(
        one.instance_id.encode() for one in model.values() if names_of(one)
    )
    assert await call("ZRANGE", place.key("referrers"), 0, -1) == sorted(
        f"{target} {one.instance_id}".encode() for one in model.values() for target in targets_of(one)
    )
    assert await call("ZRANGE", place.key("listing"), 0, -1) == sorted(
        f"{schema} {one.instance_id}".encode() for one in model.values() for schema in (*one.schemas, "")
    )


def main(arguments: list[str] | None = None) -> int:
    """Run rounds until the time is over and print what was done; gives 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.repository_model", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a round")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--server", default="", help="a server binary; the installed one by default")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # every kill is an event
    end, seed, rounds = time.monotonic() + 60 * options.minutes, options.seed, []
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory(prefix="model-") as folder:
            todo = run_round(
                Path(folder), seed, seconds=options.seconds, server=options.server, clients=options.clients
            )
            try:
                rounds.append(asyncio.run(todo))
            except AssertionError as error:
                print(f"round {len(rounds) + 1}, seed {seed}: {error}", file=sys.stderr)
                raise
        seed += 1
    for name in ("operations", "saved", "refused", "reads", "kills"):
        print(f"{name:<12}{sum(getattr(one, name) for one in rounds):>10}")
    print(f"{'rounds':<12}{len(rounds):>10}   seeds {options.seed} to {seed - 1}; every promise held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
