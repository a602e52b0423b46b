"""Global caps over several shards: shares whose sum never exceeds the cap (gw:C3).

The law: a claim with cap C is granted only if all shards together have then counted at most C, whatever other caps
other workers were given. One shard knows that without asking the others:

* All shards are in a *term* with a *level* L, or frozen. The ceilings of the shards in one term never add up to more
  than L (or than the total when the term began, where that was more already). So whoever was given C >= L may have what
  is below the ceiling of its shard.
* A term begins by freezing every shard: it counts no more and what was unspent is gone. Only when all are frozen is
  the total known, and only then is `C - total` given out as new ceilings. No shard of the old term is open by then, and
  a late message of an old term finds another term's maker and does nothing.
* Within a term a shard that runs dry takes from another: subtract there first, add here second, both once for each
  move. A crash between the two strands share; the next term finds it again, since terms begin from counts alone.

So a raised, lowered, removed or newly set cap needs no messages: a claim with a cap below the level begins a term at
its cap, one above it does when nothing below the level is left. An offer that never had a cap has no share at all.
"""

import asyncio
import math
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from msgspec import Struct

from gateway.errors import StoreTimeout, StoreUnreachable
from gateway.ids import new_id
from gateway.offers.counters import Claim
from gateway.store.cap_claims import DRY, FROZEN, MOST, Move
from gateway.store.cap_keys import Shard
from gateway.store.cluster import Nodes, Ran
from gateway.store.replication import Replication
from gateway.store.scripts import SCRIPTS, Script

_FREEZE, _OPEN = SCRIPTS["freeze_share"], SCRIPTS["open_share"]
_GIVE, _TAKE = SCRIPTS["give_share"], SCRIPTS["take_share"]
_NOTE_S = 600
LEASE_MS = 150
"""How long the maker of a term is left alone before another may begin one."""

_PAUSE_S = 0.004
_PATIENT_TRIES = 4
_MOST_TRIES = 3
_ENDLESS = "-"


class Seen(Struct, frozen=True):
    """One shard's share as it was a moment ago."""

    shard: Shard
    maker: str
    is_open: bool
    unspent: float
    count: int


class EscrowCounts(Struct):
    """What moving shares took, for metrics; every figure only grows."""

    moves: int = 0
    terms: int = 0


class Escrow:
    """Moves shares between the shards of one store."""

    def __init__(self, nodes: Nodes, replication: Replication, token: Callable[[], str]) -> None:
        """Confirm every step by replicas where `replication` asks for it; `token` is the epoch's."""
        self.counts = EscrowCounts()
        self.lease_ms = LEASE_MS
        self._nodes = nodes
        self._replication = replication
        self._token = token
        self._under_way: dict[tuple[object, ...], asyncio.Task[None]] = {}
        self._seen_term: dict[tuple[str, str, str], int] = {}

    async def settle(self, shards: Sequence[Shard], at: Shard, move: Move, tries: int) -> None:
        """Do one step towards a claim's room on shard `at`; then it may be tried again. Raises StoreError.

        Callers with the same trouble share the step, which goes on when they are cancelled.
        """
        claim = move.claim
        where: tuple[object, ...]
        if move.reason == FROZEN and tries < _PATIENT_TRIES:
            await asyncio.sleep(random.uniform(0.5, 1.0) * _PAUSE_S * 2**tries)
        elif move.reason == DRY:
            where = (at, claim.counter.offer)
            await self._share(where, lambda: self._fetch(shards, at, claim))
        else:
            where = (at.space, at.container, claim.counter.offer, claim.cap)
            await self._share(where, lambda: self._begin_term(shards, at, claim))

    async def close(self) -> None:
        """Wait for the steps that are under way."""
        if self._under_way:
            await asyncio.wait(self._under_way.values())

    async def _share(self, key: tuple[object, ...], work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(work(), name="caps.escrow")
            task.add_done_callback(lambda done: self._end(key, done))
        await asyncio.shield(task)

    def _end(self, key: tuple[object, ...], done: "asyncio.Task[None]") -> None:
        del self._under_way[key]
        if not done.cancelled():
            done.exception()  # all who waited may have gone

    async def _fetch(self, shards: Sequence[Shard], at: Shard, claim: Claim) -> None:
        """Take unspent share from the shard that has most; where none has any, note the total or begin a term."""
        offer = claim.counter.offer
        looked = await asyncio.gather(*(self._look(shard, offer) for shard in shards), return_exceptions=True)
        seen = [each for each in looked if isinstance(each, Seen)]
        mine = next((each for each in seen if each.shard == at), None)
        total = sum(each.count for each in seen)
        if mine is None or not mine.is_open or mine.unspent >= claim.amount:
            return
        able = [each for each in seen if each.is_open and each.maker == mine.maker and each.shard != at]
        giver = max(able, key=lambda each: (each.unspent, random.random()), default=None)
        if giver is not None and giver.unspent >= 1:
            await self._move(giver, at, claim, total)
        elif len(seen) < len(shards):
            raise StoreUnreachable("A shard that may have room cannot be asked")
        elif total + claim.amount > (math.inf if claim.cap is None else claim.cap):
            await self._take(at, new_id(), [claim.counter.offer, mine.maker, 0, total])
        else:
            await self._begin_term(shards, at, claim)

    async def _look(self, shard: Shard, offer: str) -> Seen:
        text, count = await asyncio.gather(
            self._nodes.call("HGET", shard.shares, offer), self._nodes.call("HGET", shard.counts, offer)
        )
        counted = int(count or 0)
        if text is None:
            return Seen(shard, _ENDLESS, is_open=True, unspent=math.inf, count=counted)
        _, maker, state, _, ceiling, *_ = bytes(text).decode().split()
        unspent = math.inf if ceiling == _ENDLESS else int(ceiling) - counted
        return Seen(shard, maker, is_open=state == "open", unspent=unspent, count=counted)

    async def _move(self, giver: Seen, at: Shard, claim: Claim, total: int) -> None:
        move_id, shard, offer = new_id(), giver.shard, claim.counter.offer
        keys = [shard.epoch, shard.counts, shard.shares, shard.move(move_id, "given")]
        given = int((await self._run(_GIVE, keys, [offer, giver.maker, claim.amount, _NOTE_S])).reply)
        if given:
            await self._take(at, move_id, [offer, giver.maker, given, total])
            self.counts.moves += 1

    async def _take(self, at: Shard, move_id: str, args: list[str | int]) -> None:
        await self._run(_TAKE, [at.epoch, at.shares, at.move(move_id, "taken")], [*args, _NOTE_S])

    async def _begin_term(self, shards: Sequence[Shard], at: Shard, claim: Claim) -> None:
        """Freeze all shards, add up what they counted, and give out what is left of the claim's cap."""
        maker, offer, first = new_id(), claim.counter.offer, shards[0]
        whose = (first.space, first.container, offer)
        begun, term, count = await self._freeze(first, offer, maker, 0, self._seen_term.pop(whose, 0))
        if not begun:
            await asyncio.sleep(random.uniform(0.5, 2.0) * _PAUSE_S)
            return
        frozen = await _gather(self._freeze(shard, offer, maker, term, 0) for shard in shards[1:])
        if not all(each[0] for each in frozen):
            self._seen_term[whose] = max(each[1] for each in frozen)
            await asyncio.sleep(random.uniform(0.5, 2.0) * _PAUSE_S)
            return
        total = count + sum(each[2] for each in frozen)
        level = _ENDLESS if claim.cap is None else min(claim.cap, MOST)
        await _gather(
            self._open(shard, [offer, maker, level, part, total])
            for shard, part in zip(shards, _divide(claim.cap, total, len(shards), at.number), strict=True)
        )
        self.counts.terms += 1

    async def _freeze(self, shard: Shard, offer: str, maker: str, term: int, least: int) -> tuple[bool, int, int]:
        keys = [shard.epoch, shard.counts, shard.shares]
        joined, number, count = (await self._run(_FREEZE, keys, [offer, maker, term, least, self.lease_ms])).reply
        return bool(joined), int(number), int(count)

    async def _open(self, shard: Shard, args: list[str | int]) -> None:
        await self._run(_OPEN, [shard.epoch, shard.counts, shard.shares], args)

    async def _run(self, script: Script, keys: list[bytes], args: list[str | int]) -> Ran:
        """Run one step, again where nobody knows whether it was done: each does nothing the second time.

        In strict mode it is done when replicas have it, so that no failover undoes it.
        """
        tries = 1
        while True:
            try:
                ran = await self._nodes.run(script, keys, [self._token(), *args])
                await self._replication.confirm(ran.store, ran.connection)
            except (StoreTimeout, StoreUnreachable):
                if tries == _MOST_TRIES:
                    raise
            else:
                return ran
            tries += 1
            await asyncio.sleep(random.uniform(0.5, 1.0) * _PAUSE_S)


def _divide(cap: int | None, total: int, parts: int, first: int) -> list[int | str]:
    """Divide what is left of a cap evenly; what cannot be divided goes to the shard that asked."""
    if cap is None:
        return [_ENDLESS] * parts
    each, rest = divmod(max(0, min(cap, MOST) - total), parts)
    return [each + rest if number == first else each for number in range(parts)]


async def _gather(steps: Any) -> list[Any]:
    """Wait for all steps, also where one fails, and then raise what the first one raised."""
    done = await asyncio.gather(*steps, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException):
            raise each
    return done
