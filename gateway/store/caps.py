"""Caps in Redis: one atomic claim for all counters of a response, counted once for each claim id (dec §7, gw:C1-C8).

Claims of concurrent decisions travel together: whatever is asked in one turn of the loop leaves in one write (gw:C8).
A claim whose reply did not come is asked again with its id, so that it counts once whether or not it had been done.
"""

import asyncio
import math
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from gateway.config import Caps as CapSettings
from gateway.errors import (
    ConfigError,
    CountsLost,
    GatewayError,
    ScriptFailed,
    StoreTimeout,
    StoreUnreachable,
)
from gateway.offers.capping import Granted, Refused, Selection, Unavailable, Verdict, judge
from gateway.offers.counters import Counter
from gateway.offers.instances import Space
from gateway.store.cap_claims import BAD_EPOCH, CLAIM, Form, Lost, Move, Moves, Outcome, make_form, read_outcome
from gateway.store.cap_keys import FORMER, SHARDS, CapKeys, Shard, read_name
from gateway.store.cluster import Nodes, Single
from gateway.store.connection import Store
from gateway.store.epoch import Epoch
from gateway.store.escrow import Escrow
from gateway.store.places import digest_space
from gateway.store.replication import Replication
from gateway.store.scripts import SCRIPTS
from gateway.telemetry import get_log

CLAIM_LIFE_S = 600
"""How long a claim id gets its first verdict again (gw:C2)."""

_READ = SCRIPTS["read_caps"]
_PAUSE_S = 0.002
_LOOKS = 3.1
_MOST_FORMS = 1024
_SCAN_COUNT = 1_000


class Claimant(Struct, frozen=True):
    """Who a claim counts for: the canonical profile id in a container of a space; no key holds it raw (gw:S6).

    Where only `digest` is known, what `Caps.digest_profile` gives for a profile, that is enough.
    """

    space: Space
    container: str
    profile_id: str = ""
    digest: str = ""


class CapCounts(Struct):
    """What became of claims, for metrics; every figure only grows."""

    granted: int = 0
    refused: int = 0
    unavailable: int = 0
    repeated: int = 0


class _Place(Struct, frozen=True):
    """Where a claimant's counters are, and the digest of the profile."""

    shards: Sequence[Shard]
    at: Shard
    profile: str


class _Asked(Struct, frozen=True):
    """What one claim asks, and by when its verdict has to be known (of the loop's clock)."""

    place: _Place
    selection: Selection
    claim_id: str
    limit: float


_VERDICTS = (Granted, Refused)


class Caps:
    """The counters of all containers of one Redis, or one Redis Cluster."""

    def __init__(self, nodes: Nodes, keys: CapKeys, epoch: Epoch, settings: CapSettings) -> None:
        """Use open connections; `epoch` tells whether they lead to the store that counted so far."""
        strict = settings.safety == "strict"
        self.counts = CapCounts()
        self.epoch = epoch
        self._nodes = nodes
        self._keys = keys
        self._replication = Replication(settings.replicas if strict else 0, settings.timeout_ms // 2)
        self.escrow = Escrow(nodes, self._replication, lambda: epoch.token)
        self._mode: Literal["closed", "open"] = settings.when_store_fails
        self._is_blamed = False
        self._patience_s = settings.patience_ms / 1000
        # Of one Redis a claim is asked at most twice (it may have to be told the script), then its replicas: each of
        # these ends by itself. A cluster may send on from node to node.
        longest = _LOOKS * settings.timeout_ms / 1000
        self._ample_s = longest if isinstance(nodes, Single) else math.inf
        self._clock = asyncio.get_running_loop().time
        self._forms: dict[bytes, Form] = {}

    async def claim(self, claimant: Claimant, selection: Selection, claim_id: str, deadline: float) -> Verdict:
        """Count all claims of a selection, or none; the verdict means `judge` (dec:CA8). Raises nothing of the store.

        A claim id that comes again within 10 minutes gets its first verdict and counts nothing (gw:C2): each selection
        of a decision needs an id of its own, and names each counter once. With `selection.is_dry` the counters are only
        read and the id is not used. `deadline` is of the loop's clock; what the store has not confirmed by then, or
        within `caps.patience-ms`, is Unavailable, perhaps counted. With several shards what is told to be left of a
        global cap may be more than there is, never less, and less than was claimed where it was refused for that.
        """
        if selection.is_empty:
            return Granted()
        now = self._clock()
        limit = min(deadline, now + self._patience_s)
        try:
            if selection.is_dry:
                verdict = await self._judge(claimant, selection, limit)
            else:
                asked = self._address(claimant, selection, claim_id, limit)
                if limit - now > self._ample_s and self.epoch.is_admitted(asked.place.at):
                    outcome = await self._try(asked, is_first=True)  # the store gives up long before: no timer
                    verdict = outcome if isinstance(outcome, _VERDICTS) else await self._go_on(asked, outcome)
                else:
                    verdict = await self._begin(asked)
        except ConfigError as error:
            self._blame(error)
            verdict = Unavailable("closed")
        except CountsLost:
            verdict = Unavailable("closed")
        except (GatewayError, TimeoutError):
            verdict = Unavailable(self._mode)
        self._count(verdict)
        return verdict

    def _address(self, claimant: Claimant, selection: Selection, claim_id: str, limit: float) -> _Asked:
        return _Asked(self._find(claimant), selection, claim_id, limit)

    async def _begin(self, asked: _Asked) -> Verdict:
        """Claim within the limit, in a shard that may have to be admitted first."""
        async with asyncio.timeout_at(asked.limit):
            if not await self.epoch.admit(asked.place.at):
                return Unavailable("closed")
            return await self._insist(asked, await self._try(asked, is_first=True))

    async def _go_on(self, asked: _Asked, outcome: Outcome | None) -> Verdict:
        async with asyncio.timeout_at(asked.limit):
            return await self._insist(asked, outcome)

    async def _insist(self, asked: _Asked, outcome: Outcome | None) -> Verdict:
        """Ask again and again until there is a verdict; `outcome` is what the first time gave."""
        place, tries = asked.place, 0
        while not isinstance(outcome, _VERDICTS):
            if isinstance(outcome, Moves):
                if not await self._settle(place, outcome.moves, tries):
                    return Unavailable("closed")
            elif isinstance(outcome, Lost) and not await self.epoch.readmit(place.at):
                return Unavailable("closed")
            elif outcome is None:
                self.counts.repeated += 1
                await asyncio.sleep(random.uniform(0.5, 1.0) * _PAUSE_S * 2 ** min(tries, 4))
            tries += 1
            if not await self.epoch.admit(place.at):
                return Unavailable("closed")
            outcome = await self._try(asked)
        return outcome

    async def _try(self, asked: _Asked, *, is_first: bool = False) -> Outcome | None:
        """Ask once; None where nobody knows whether it was done. Raises StoreError where it was not."""
        form = self._find_form(asked.place)
        if is_first and not self._nodes.node_of(form.epoch_key).connected:
            raise StoreUnreachable("There is no connection to Redis")
        command = form.fill(asked.claim_id, asked.place.profile, asked.selection)
        try:
            if not self._replication.replicas:
                return read_outcome(await self._nodes.ask_packed(CLAIM, form.epoch_key, command), asked.selection)
            ran = await self._nodes.run_packed(CLAIM, form.epoch_key, command)
            outcome = read_outcome(ran.reply, asked.selection)
            if isinstance(outcome, Granted):
                await self._replication.confirm(ran.store, ran.connection)
        except (StoreTimeout, StoreUnreachable):
            return None
        return outcome

    def _find_form(self, place: _Place) -> Form:
        """Give the form of a shard's claims in this epoch."""
        form = self._forms.get(place.at.epoch)
        if form is None or form.token != self.epoch.token:
            form = make_form(place.at, self.epoch.token, is_sharded=len(place.shards) > 1, life_s=CLAIM_LIFE_S)
            if len(self._forms) >= _MOST_FORMS:
                self._forms.clear()
            self._forms[place.at.epoch] = form
        return form

    async def _settle(self, place: _Place, moves: tuple[Move, ...], tries: int) -> bool:
        """Do one step for every claim that needs it; False where a shard has lost its counts."""
        for shard in place.shards:
            if not await self.epoch.admit(shard):
                return False
        try:
            for move in moves:
                await self.escrow.settle(place.shards, place.at, move, tries)
        except (StoreTimeout, StoreUnreachable):
            await asyncio.sleep(_PAUSE_S)
        except ScriptFailed as error:
            if BAD_EPOCH not in error.message:
                raise
            return all([await self.epoch.readmit(shard) for shard in place.shards])
        return True

    async def _judge(self, claimant: Claimant, selection: Selection, limit: float) -> Verdict:
        counters = [claim.counter for claim in (*selection.claims, *selection.probes)]
        async with asyncio.timeout_at(limit):
            return judge(selection, await self.read(claimant, counters))

    async def read(self, claimant: Claimant, counters: Iterable[Counter]) -> Mapping[Counter, int]:
        """Give the counts of some counters, over all shards; raises StoreError, also where counts were lost."""
        place, asked = self._find(claimant), list(dict.fromkeys(counters))
        everywhere = [counter for counter in asked if counter.scope == "global"]
        replies = await asyncio.gather(
            *(
                self._read(shard, shard.profile(place.profile) if shard == place.at else shard.counts, wanted)
                for shard in place.shards
                if (wanted := asked if shard == place.at else everywhere)
            )
        )
        totals: dict[Counter, int] = defaultdict(int)
        for reply in replies:
            for counter, count in reply.items():
                totals[counter] += count
        return totals

    async def _read(self, shard: Shard, profile: bytes, counters: list[Counter]) -> dict[Counter, int]:
        is_right = await self.epoch.admit(shard)
        args = [part for counter in counters for part in (counter.scope[0], counter.offer)]
        while is_right:
            try:
                ran = await self._nodes.run(_READ, [shard.epoch, shard.counts, profile], [self.epoch.token, *args])
                break
            except ScriptFailed as error:
                if BAD_EPOCH not in error.message:
                    raise
                is_right = await self.epoch.readmit(shard)
        else:
            raise CountsLost("Counts of caps were lost in Redis")
        return {counter: int(count or 0) for counter, count in zip(counters, ran.reply, strict=True)}

    async def show(self, space: Space, container: str) -> dict[str, int]:
        """Give the global count of every offer of a container, over all shards; raises StoreError."""
        totals: dict[str, int] = defaultdict(int)
        for shard in self._keys.all_shards(space, container):
            flat = await self._nodes.call("HGETALL", shard.counts)
            for offer, count in zip(flat[::2], flat[1::2], strict=True):
                totals[bytes(offer).decode("utf-8", "replace")] += int(count)
        return dict(totals)

    async def forget_offer(self, space: Space, container: str, offer: str) -> int:
        """Delete the counters of a deleted offer (dec §7.3); gives how many there were; raises StoreError.

        Looks at every profile that was counted in the container, in slices: it may take seconds, and can be repeated.
        """
        shards = self._keys.all_shards(space, container)
        gone = 0
        for shard in shards:
            await self._nodes.call("HDEL", shard.shares, offer)
            gone += int(await self._nodes.call("HDEL", shard.counts, offer))
        for store in self._nodes.primaries():
            async for names in scan(store, shards[0].profile_pattern):
                gone += sum(await asyncio.gather(*(self._nodes.call("HDEL", name, offer) for name in names)))
        return gone

    async def forget_profile(self, space: Space, profile_id: str) -> int:
        """Delete the counters of an erased profile in every container of its space (profiles U4).

        Gives in how many containers it had any; raises StoreError.
        """
        names = [bytes(name).decode() for name in await self._nodes.call("SUNION", SHARDS, FORMER)]
        begun = [shard for name in names if (shard := read_name(name)) and shard.space == digest_space(space)]
        gone = 0
        for container in {shard.container for shard in begun}:
            digest = self._keys.digest_profile(container, profile_id)
            shard = self._keys.shard(space, container, self._keys.place(digest))
            gone += int(await self._nodes.call("DEL", shard.profile(digest)))
        return gone

    async def close(self) -> None:
        """Finish moving shares, then end the connections."""
        await self.escrow.close()
        await self._nodes.close()

    def digest_profile(self, container: str, profile_id: str) -> str:
        """Give what stands for a profile where its id must not be shown."""
        return self._keys.digest_profile(container, profile_id)

    def _find(self, claimant: Claimant) -> _Place:
        digest = claimant.digest or self.digest_profile(claimant.container, claimant.profile_id)
        shards = self._keys.all_shards(claimant.space, claimant.container)
        at = shards[self._keys.place(digest)]
        return _Place(shards, at, digest)

    def _blame(self, error: ConfigError) -> None:
        if not self._is_blamed:
            get_log().error("caps.unusable", detail=error.message)
        self._is_blamed = True

    def _count(self, verdict: Verdict) -> None:
        if isinstance(verdict, Granted):
            self.counts.granted += 1
        elif isinstance(verdict, Refused):
            self.counts.refused += 1
        else:
            self.counts.unavailable += 1


async def scan(store: Store, pattern: bytes) -> AsyncIterator[list[bytes]]:
    """Give the keys of one node that match a pattern, some at a time; raises StoreError."""
    cursor = b"0"
    while True:
        cursor, names = await store.call("SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT)
        yield names
        if cursor == b"0":
            return
