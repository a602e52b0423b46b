"""Caps: a claim means `judge` plus counting, once for each id, for any edits, shards, retries and crashes (dec §7)."""

import asyncio
import os
import sys
from collections import Counter as Tally

import pytest

from gateway.errors import StoreError
from gateway.ids import new_id
from gateway.offers.capping import Granted, Refused, Selection, Unavailable
from gateway.offers.counters import Claim, Counter
from gateway.offers.instances import Space
from gateway.store.cap_claims import read_outcome
from gateway.store.caps import Claimant
from tests.store.cap_stage import SPACE, claim_one, claims_of, open_caps, somebody

SHARDED = pytest.mark.parametrize("shards", [1, 4])
SOON = 30.0


@pytest.fixture
async def empty(store):
    """Leave nothing of another test in this Redis."""
    return store


def soon():
    return asyncio.get_running_loop().time() + SOON


async def claim(caps, selection, claim_id=None, whom=None):
    return await caps.claim(whom or somebody(), selection, claim_id or new_id(), soon())


@SHARDED
async def test_all_are_counted_or_none_is(redis_url, empty, shards):
    """dec:CA8, gw:C1: b has no room for 2, so a is not counted either, and what is left of b is told."""
    async with open_caps(redis_url, shards=shards) as caps:
        assert await claim(caps, claim_one("b", 3, 2)) == Granted()
        both = Selection(claims=claims_of([("a", 1, 9, None), ("b", 2, 3, None)]))
        verdict = await claim(caps, both)
        assert isinstance(verdict, Refused)
        assert verdict.room == {Counter("b", "global"): 1}
        counts = await caps.read(somebody(), [claim.counter for claim in both.claims])
        assert [counts[claim.counter] for claim in both.claims] == [0, 0, 2, 2]


@SHARDED
async def test_an_offer_is_out_after_as_many_propositions_as_its_cap(redis_url, empty, shards):
    """dec:CA1, CA3, CA4: over all profiles together, however they are spread over shards."""
    async with open_caps(redis_url, shards=shards) as caps:
        verdicts = await asyncio.gather(*(claim(caps, claim_one("o", 7), whom=somebody(f"p{n}")) for n in range(30)))
        assert Tally(type(verdict) for verdict in verdicts) == {Granted: 7, Refused: 23}


@SHARDED
async def test_a_profile_cap_counts_one_profile_only(redis_url, empty, shards):
    """dec:CA3."""
    async with open_caps(redis_url, shards=shards) as caps:
        one = claim_one("o", None, profile_cap=1)
        assert await claim(caps, one, whom=somebody("x")) == Granted()
        assert await claim(caps, one, whom=somebody("x")) == Refused({Counter("o", "profile"): 0})
        assert await claim(caps, one, whom=somebody("y")) == Granted()


@SHARDED
async def test_the_story_of_an_edited_cap(redis_url, empty, shards):
    """Dec §7.3 to the letter: cap 3, raised to 5, lowered to 1, removed, set to 12, set to 13. Counters run (CA6)."""
    async with open_caps(redis_url, shards=shards) as caps:

        async def count_grants(cap, attempts):
            verdicts = [await claim(caps, claim_one("o", cap), whom=somebody(f"p{n}")) for n in range(attempts)]
            return sum(isinstance(verdict, Granted) for verdict in verdicts)

        assert await count_grants(3, 2) == 2
        assert [await count_grants(cap, attempts) for cap, attempts in ((3, 5), (5, 5), (1, 5))] == [1, 2, 0]
        assert [await count_grants(cap, attempts) for cap, attempts in ((None, 7), (12, 5), (13, 5))] == [7, 0, 1]
        assert await caps.show(SPACE, "shop") == {"o": 13}
        last = await claim(caps, claim_one("o", 1))
        assert isinstance(last, Refused)
        assert shards > 1 or last.room == {Counter("o", "global"): -12}


@SHARDED
async def test_a_claim_id_that_comes_again_gets_its_first_verdict(redis_url, empty, shards):
    """gw:C2, also where the cap was used up or raised since."""
    async with open_caps(redis_url, shards=shards) as caps:
        assert await claim(caps, claim_one("o", 1), "first") == Granted()
        assert await claim(caps, claim_one("o", 1), "second") == Refused({Counter("o", "global"): 0})
        assert await claim(caps, claim_one("o", 1), "first") == Granted()
        assert await claim(caps, claim_one("o", 9), "second") == Refused({Counter("o", "global"): 0})
        assert await caps.show(SPACE, "shop") == {"o": 1}


async def test_a_hundred_replays_of_one_claim_id_from_two_processes_count_once(redis_url, empty):
    """gw:C2, reliability C4."""
    program = (
        "import asyncio, sys\n"
        "from tests.store.test_caps import replay\n"
        "sys.exit(asyncio.run(replay(sys.argv[1], 'same', 100)))\n"
    )
    command = [sys.executable, "-c", program, redis_url]
    workers = [await asyncio.create_subprocess_exec(*command, env={**os.environ}) for _ in range(2)]
    assert [await worker.wait() for worker in workers] == [0, 0]
    async with open_caps(redis_url) as caps:
        assert await caps.show(SPACE, "shop") == {"o": 1}


async def replay(url, claim_id, times):
    """Claim again and again, all at once; gives how many were not granted."""
    async with open_caps(url) as caps:
        verdicts = await asyncio.gather(*(claim(caps, claim_one("o", 5), claim_id) for _ in range(times)))
        return sum(verdict != Granted() for verdict in verdicts)


@SHARDED
async def test_a_dry_run_reads_and_counts_nothing(redis_url, empty, shards):
    """dec:CA12."""
    async with open_caps(redis_url, shards=shards) as caps:
        assert await claim(caps, claim_one("o", 2)) == Granted()
        dry = Selection(claims=claims_of([("o", 2, 2, None)]), is_dry=True)
        assert await claim(caps, dry, "dry") == Refused({Counter("o", "global"): 1})
        assert await caps.show(SPACE, "shop") == {"o": 1}


async def test_no_container_and_no_space_sees_counters_of_another(redis_url, empty):
    async with open_caps(redis_url) as caps:
        one = claim_one("o", 1, profile_cap=1)
        for whom in (
            somebody(),
            somebody(container="other"),
            Claimant(Space("org", "dev"), "shop", "p"),
            Claimant(Space("org2", "prod"), "shop", "p"),
        ):
            assert await claim(caps, one, whom=whom) == Granted()
        assert isinstance(await claim(caps, one), Refused)


async def test_no_key_holds_a_raw_profile_id(redis_url, empty):
    """gw:S6."""
    async with open_caps(redis_url, shards=2) as caps:
        for number in range(4):
            await claim(caps, claim_one("o", 9), f"claim-{number}", somebody(f"canary-profile-{number}"))
        names = await empty.call("KEYS", "*")
        assert len(names) > 6
        assert not [name for name in names if b"canary" in name]


async def test_a_container_id_that_could_choose_a_slot_is_refused(redis_url, empty):
    """A brace would move the hash tag. Nothing raises: such a claim is what a failed store gives."""
    async with open_caps(redis_url) as caps:
        assert await claim(caps, claim_one("o", 1), whom=somebody(container="a}{b")) == Unavailable("closed")


@SHARDED
async def test_counters_of_a_deleted_offer_are_freed(redis_url, empty, shards):
    """Dec §7.3, reliability E6: the global counter and those of every profile; other offers keep theirs."""
    async with open_caps(redis_url, shards=shards) as caps:
        for number in range(6):
            both = Selection(claims=claims_of([("o", 1, 9, 1), ("kept", 1, 9, 1)]))
            assert await claim(caps, both, whom=somebody(f"p{number}")) == Granted()
        assert await caps.forget_offer(SPACE, "shop", "o") >= 7
        assert await caps.show(SPACE, "shop") == {"kept": 6}
        assert await claim(caps, claim_one("o", 1, profile_cap=1), whom=somebody("p0")) == Granted()
        assert isinstance(await claim(caps, claim_one("kept", 9, profile_cap=1), whom=somebody("p0")), Refused)


@SHARDED
async def test_counters_of_an_erased_profile_are_freed_in_every_container(redis_url, empty, shards):
    """Profiles U4: global counters keep what was counted."""
    async with open_caps(redis_url, shards=shards) as caps:
        for container in ("shop", "news"):
            for profile in ("gone", "kept"):
                await claim(caps, claim_one("o", 9, profile_cap=1), whom=somebody(profile, container))
        assert await caps.forget_profile(SPACE, "gone") == 2
        assert await caps.forget_profile(SPACE, "gone") == 0
        mine = [await caps.read(somebody(who), [Counter("o", "profile")]) for who in ("gone", "kept")]
        assert [counts[Counter("o", "profile")] for counts in mine] == [0, 1]
        assert await caps.show(SPACE, "shop") == {"o": 2}


async def test_two_workers_with_different_caps_never_exceed_their_own(redis_url, empty):
    """gw:C3: a worker that was given the lower cap is granted nothing once so many were counted, whoever did."""
    async with open_caps(redis_url, shards=4) as old, open_caps(redis_url, shards=4) as new:

        async def attempt(caps, cap, number):
            return cap, await claim(caps, claim_one("o", cap), whom=somebody(f"p{number}"))

        tasks = [attempt(caps, cap, n) for n in range(120) for caps, cap in ((old, 60), (new, 20))]
        done = await asyncio.gather(*tasks)
        grants = Tally(cap for cap, verdict in done if isinstance(verdict, Granted))
        assert not [verdict for _, verdict in done if isinstance(verdict, Unavailable)]
        assert grants[20] <= 20
        assert sum(grants.values()) == 60
        assert await old.show(SPACE, "shop") == {"o": 60}
        assert isinstance(await claim(new, claim_one("o", 20)), Refused)


@pytest.mark.parametrize("reply", [b"", b"x", b"7", b"0 1", b"2 9 1", None])
def test_a_verdict_that_cannot_be_is_told_as_the_stores_fault(reply):
    selection = Selection(claims=(Claim(Counter("o", "global"), 1, 2),))
    with pytest.raises(StoreError):
        read_outcome(reply, selection)
