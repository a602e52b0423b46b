"""Any history of claims, edits, retries, deletions and crashes gives what one plain counter gives (dec §7, gw:C1-C3).

Offers have caps that are edited while some workers have not seen the edit; a crash does the first half of what moves
shares, and nobody ever comes to do the second.
"""

import asyncio
import itertools
from collections import Counter as Tally

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ids import new_id
from gateway.offers.capping import Granted, Selection, judge
from gateway.offers.counters import Counter
from gateway.store.cap_keys import CapKeys
from gateway.store.scripts import SCRIPTS
from tests.store.cap_stage import SPACE, claims_of, open_caps, somebody
from tests.store.servers import connected

OFFERS, PROFILES = ["a", "b", "c"], [f"p{number}" for number in range(9)]
CAPS = st.sampled_from([None, *range(1, 25)])
RARELY = st.sampled_from([False] * 7 + [True])
ASKS = st.dictionaries(st.sampled_from(OFFERS), st.sampled_from([1, 1, 1, 2, 3]), min_size=1, max_size=2)
STEPS_OF = {
    "claim": (12, st.tuples(st.sampled_from(PROFILES), ASKS, st.sampled_from([False, False, True]), RARELY)),
    "edit": (3, st.tuples(st.sampled_from(OFFERS), CAPS, CAPS)),
    "retry": (1, st.tuples(st.integers(0, 100))),
    "delete": (1, st.tuples(st.sampled_from(["a", "c"]))),
    "crash": (2, st.tuples(st.sampled_from(OFFERS), st.integers(0, 2), st.integers(0, 3))),
}
"""What can happen, how often among the others, and its arguments."""

KINDS = [kind for kind, (weight, _) in STEPS_OF.items() for _ in range(weight)]
STEPS = st.lists(
    st.sampled_from(KINDS).flatmap(lambda kind: STEPS_OF[kind][1].map(lambda args: (kind, *args))),
    min_size=40,
    max_size=80,
)
GIVE = SCRIPTS["give_share"]
_containers = (f"model-{number}" for number in itertools.count())


class Oracle:
    """Plain counts, and `judge`."""

    def __init__(self):
        self.counts = Tally()
        self.caps = {"a": (4, None), "b": (12, 5), "c": (None, None)}
        self.stale = dict(self.caps)

    def select(self, asks, *, is_stale, is_dry):
        caps = self.stale if is_stale else self.caps
        claims = claims_of([(offer, amount, *caps[offer]) for offer, amount in asks.items()])
        probes = claims_of([(offer, 0, *caps[offer]) for offer in OFFERS])
        return Selection(claims=claims, probes=probes, is_dry=is_dry)

    def judge(self, profile, selection):
        known = {each.counter: self.counts[own(profile, each.counter)] for each in selection.probes}
        verdict = judge(selection, known)
        if isinstance(verdict, Granted) and not selection.is_dry:
            for each in selection.claims:
                self.counts[own(profile, each.counter)] += each.amount
        return verdict

    def forget(self, offer):
        for key in [key for key in self.counts if key[0].offer == offer]:
            del self.counts[key]


def own(profile, counter):
    return counter, "" if counter.scope == "global" else profile


class History:
    """One history in a container of its own."""

    def __init__(self, caps, shards):
        self.caps, self.oracle, self.container = caps, Oracle(), next(_containers)
        self.shards = CapKeys(b"a secret of the tests", shards).all_shards(SPACE, self.container)
        self.verdicts = []

    async def live(self, steps):
        for name, *args in steps:
            await getattr(self, name)(*args)
        shown = await self.caps.show(SPACE, self.container)
        for offer in OFFERS:
            assert shown.get(offer, 0) == self.oracle.counts[Counter(offer, "global"), ""]

    async def claim(self, profile, asks, is_stale, is_dry):
        selection = self.oracle.select(asks, is_stale=is_stale, is_dry=is_dry)
        expected, claim_id, whom = self.oracle.judge(profile, selection), new_id(), somebody(profile, self.container)
        given = await self.ask(whom, selection, claim_id)
        assert type(given) is type(expected)
        if len(self.shards) == 1 or is_dry:
            assert given.room == expected.room
        assert all(given.room.get(counter, left) >= left for counter, left in expected.room.items())
        if not is_dry:
            self.verdicts.append((whom, selection, claim_id, given))

    async def ask(self, whom, selection, claim_id):
        return await self.caps.claim(whom, selection, claim_id, asyncio.get_running_loop().time() + 30)

    async def edit(self, offer, everyone, each):
        self.oracle.stale[offer], self.oracle.caps[offer] = self.oracle.caps[offer], (everyone, each)

    async def retry(self, number):
        if self.verdicts:
            whom, selection, claim_id, first = self.verdicts[number % len(self.verdicts)]
            assert await self.ask(whom, selection, claim_id) == first

    async def delete(self, offer):
        await self.caps.forget_offer(SPACE, self.container, offer)
        self.oracle.forget(offer)

    async def crash(self, offer, kind, number):
        if len(self.shards) == 1:
            return
        for shard in self.shards:
            await self.caps.epoch.admit(shard)
        escrow, shard = self.caps.escrow, self.shards[number % len(self.shards)]
        if kind == 0:  # a term that was only begun
            await escrow._freeze(self.shards[0], offer, new_id(), 0, 0)
        elif kind == 1:  # a move whose share was given and never taken
            maker = (await escrow._look(shard, offer)).maker
            keys = [shard.epoch, shard.counts, shard.shares, shard.move(new_id(), "given")]
            await escrow._run(GIVE, keys, [offer, maker, 2, 60])
        else:  # a term that all shards have joined, and that none was opened in
            maker = new_id()
            _, term, _ = await escrow._freeze(self.shards[0], offer, maker, 0, 0)
            for each in self.shards[1:]:
                await escrow._freeze(each, offer, maker, term, 0)


@pytest.mark.parametrize("shards", [1, 3])
def test_any_history_is_the_oracles(redis_url, shards):
    """Verdicts and counts are equal; over shards what is told to be left may be more than there is, never less."""

    async def empty():
        async with connected(redis_url) as store:
            await store.call("FLUSHALL")

    async def open_all():
        await empty()
        caps = await stage.__aenter__()
        caps.escrow.lease_ms = 1  # nobody is at work in what was left by a crash
        return caps

    @settings(max_examples=40, deadline=None)
    @given(STEPS)
    def play(steps):
        runner.run(History(caps, shards).live(steps))

    stage = open_caps(redis_url, shards=shards)
    with asyncio.Runner() as runner:
        caps = runner.run(open_all())
        try:
            play()
        finally:
            runner.run(stage.__aexit__(None, None, None))
            runner.run(empty())
