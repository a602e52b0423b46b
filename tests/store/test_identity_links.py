"""Several identities of one person: linked, taken, erased, also where a write was cut off (prof:U4, U7)."""

import asyncio
import random

import pytest

from gateway.config import Profiles as Settings
from gateway.errors import StoreError
from gateway.offers.model import Identity
from gateway.offers.profiles import Taken, TooMany
from gateway.store.connection import Store
from gateway.store.keys import Keys
from gateway.store.profiles import Profiles
from tests.store.people import CRM, ECID, EMAIL, SPACE, Counters, LossyStore, find_faults, make_event


async def shown(profiles: Profiles, identity: Identity) -> object:
    return (await profiles.find(SPACE, [identity])).attributes


async def test_linking_makes_the_profile_and_may_be_repeated(profiles, store, keys):
    """prof:U7: what stood in the map stays; the profile's own identity may stand in it."""
    first = await profiles.link(SPACE, CRM, [ECID, CRM, ECID])
    assert first.identities == (CRM, ECID)
    again = await profiles.link(SPACE, ECID, [CRM, ECID, EMAIL])
    assert again.identities == (CRM, ECID, EMAIL)
    assert (await profiles.read(SPACE, EMAIL)) == again
    assert again.revision > first.revision
    assert await find_faults(store, keys) == []


async def test_whoever_comes_by_another_identity_sees_the_events_where_they_are_wanted(profiles):
    """dec:PR2: rules about events look at them whichever identity the caller has."""
    await profiles.link(SPACE, CRM, [ECID])
    await profiles.append(SPACE, CRM, [make_event(2), make_event(1)])
    for lookups in ([CRM], [ECID], [EMAIL, ECID], [ECID, EMAIL]):
        for wants_events, seen in (True, ({"at": 1}, {"at": 2})), (False, ()):
            found = await profiles.find(SPACE, lookups, wants_events=wants_events)
            assert (found.canonical_id, found.events) == (CRM.canonical_id, seen)


async def test_an_identity_of_another_profile_links_nothing(profiles, store, keys):
    """prof:U7: 409, all or none; an identity with a profile of its own, one linked elsewhere, and either way round."""
    await profiles.link(SPACE, CRM, [ECID])
    for other in (CRM, ECID):
        assert await profiles.link(SPACE, EMAIL, [Identity("CRM", "free"), other]) == Taken(other)
    await profiles.save(SPACE, EMAIL, b"{}")
    assert await profiles.link(SPACE, ECID, [EMAIL]) == Taken(EMAIL)
    assert await profiles.read(SPACE, Identity("CRM", "free")) is None
    assert (await profiles.read(SPACE, CRM)).identities == (CRM, ECID)
    assert (await profiles.read(SPACE, EMAIL)).identities == (EMAIL,)
    assert await find_faults(store, keys) == []


async def test_a_person_has_fifty_identities_at_most(profiles, store, keys):
    many = [Identity("N", str(n)) for n in range(49)]
    assert len((await profiles.link(SPACE, CRM, many)).identities) == 50
    assert await profiles.link(SPACE, CRM, [ECID]) == TooMany()
    assert await profiles.read(SPACE, ECID) is None
    assert await find_faults(store, keys) == []


async def test_of_two_profiles_that_want_one_identity_one_gets_it(profiles, store, keys):
    """prof:U7: also when they ask at the same instant; the loser links none of its own."""
    for n in range(10):
        wanted, a, b = (Identity("W", f"{n}{name}") for name in "wab")
        extra = [Identity("X", f"{n}a"), Identity("X", f"{n}b")]
        outcomes = await asyncio.gather(
            profiles.link(SPACE, a, [extra[0], wanted]), profiles.link(SPACE, b, [extra[1], wanted])
        )
        winners = [i for i, outcome in enumerate(outcomes) if not isinstance(outcome, Taken)]
        assert len(winners) <= 1
        for i, outcome in enumerate(outcomes):
            assert (await profiles.find(SPACE, [extra[i]])).is_found is not isinstance(outcome, Taken)
    assert await find_faults(store, keys) == []


async def test_an_erased_person_is_gone_whichever_identity_is_named(profiles, store, keys):
    """prof:U4: attributes, events, identities, and the counters of every canonical id."""
    for named in (CRM, ECID):
        counters = Counters()
        await profiles.save(SPACE, CRM, b'{"a":1}')
        await profiles.append(SPACE, CRM, [make_event(1, "x")])
        await profiles.link(SPACE, CRM, [ECID, EMAIL])
        before = (await profiles.read(SPACE, CRM)).revision
        await profiles.erase(SPACE, named, counters)
        for identity in (CRM, ECID, EMAIL):
            assert await profiles.read(SPACE, identity) is None
        assert counters.forgotten == {(SPACE, name) for name in ("CRM|c-1001", "ECID|e-1", f"Email|{EMAIL.id}")}
        left = [key for key in await store.call("KEYS", "*") if not key.endswith(b":erased") and b":write:" not in key]
        assert left == []
        assert await profiles.append(SPACE, CRM, [make_event(1, "x")]) == 1
        assert (await profiles.read(SPACE, CRM)).revision > before
        await profiles.erase(SPACE, CRM, counters)


async def test_erasing_somebody_unknown_forgets_their_counters(profiles):
    """prof:U4, dec:PR3."""
    counters = Counters()
    await profiles.erase(SPACE, ECID, counters)
    assert counters.forgotten == {(SPACE, "ECID|e-1")}


async def test_an_erasure_that_was_cut_off_is_finished_by_the_next_one(store, keys):
    """prof:U4: cut off at any of its steps, erased again by another identity, nothing leads anywhere."""
    whole = Profiles(store, keys, Settings(durability="memory"))
    for step in range(1, 12):
        await store.call("FLUSHALL")
        await whole.save(SPACE, CRM, b'{"a":1}')
        await whole.link(SPACE, CRM, [ECID, EMAIL])
        cut = Profiles(LossyStore(store, stop_at=step), keys, Settings(durability="memory"))
        try:
            await cut.erase(SPACE, CRM, Counters())
        except asyncio.CancelledError:
            assert await find_faults(store, keys) == []
        await whole.erase(SPACE, EMAIL, Counters())
        await whole.erase(SPACE, CRM, Counters())
        assert [key for key in await store.call("KEYS", "*") if key.endswith((b":alias", b":home"))] == []


async def test_a_link_that_was_cut_off_harms_nobody(store, keys):
    """prof:U7: cut off at any of its steps, a repetition makes it whole."""
    whole = Profiles(store, keys, Settings(durability="memory"))
    for step in range(1, 14):
        await store.call("FLUSHALL")
        await whole.save(SPACE, CRM, b'{"a":1}')
        cut = Profiles(LossyStore(store, stop_at=step), keys, Settings(durability="memory"))
        try:
            await cut.link(SPACE, CRM, [ECID, EMAIL])
        except asyncio.CancelledError:
            assert await find_faults(store, keys) == []
        assert (await whole.link(SPACE, CRM, [ECID, EMAIL])).identities == (CRM, ECID, EMAIL)
        for identity in (ECID, EMAIL):
            assert await shown(whole, identity) == {"a": 1}
        assert await find_faults(store, keys) == []


def meddled(store: Store, keys: Keys) -> tuple[LossyStore, Profiles]:
    """Give profiles between whose steps somebody else can do something."""
    lossy = LossyStore(store)
    return lossy, Profiles(lossy, keys, Settings(durability="memory", patience_ms=10_000))


async def test_a_link_that_is_undone_leaves_the_alias_that_another_link_made_meanwhile(profiles, store, keys):
    """prof:U7: the identity was off the list, listed anew by the other link, and linked."""
    lossy, loser = meddled(store, keys)
    lossy.before["claim_alias"] = lambda: profiles.save(SPACE, EMAIL, b"{}")
    lossy.before["drop_alias"] = lambda: profiles.link(SPACE, CRM, [ECID])
    assert await loser.link(SPACE, CRM, [ECID, EMAIL]) == Taken(EMAIL)
    assert (await profiles.read(SPACE, ECID)).identities == (CRM, ECID)
    assert await find_faults(store, keys) == []


async def test_a_link_that_is_undone_leaves_what_another_link_has_listed_since(profiles, store, keys):
    """prof:U7: both have listed and claimed the identity, the one that is undone claimed it last."""
    first, winner = meddled(store, keys)
    second, loser = meddled(store, keys)

    listed, claimed = asyncio.Event(), asyncio.Event()

    async def lose() -> None:
        claimed.set()
        assert await losing == Taken(EMAIL)

    async def win() -> None:
        await profiles.save(SPACE, EMAIL, b"{}")
        listed.set()
        await claimed.wait()

    first.before["settle_identities"] = lose
    second.before["claim_alias"] = win
    losing = asyncio.ensure_future(loser.link(SPACE, CRM, [ECID, EMAIL]))
    await listed.wait()
    winning = asyncio.ensure_future(winner.link(SPACE, CRM, [ECID]))
    assert (await winning).identities == (CRM, ECID)
    assert (await profiles.read(SPACE, ECID)).identities == (CRM, ECID)
    assert await find_faults(store, keys) == []


@pytest.mark.parametrize("was_known", [True, False])
async def test_a_link_to_a_person_who_is_erased_meanwhile_makes_them_anew(profiles, store, keys, was_known):
    """prof:U4, prof:U7: at every step; an erased birth never comes again, also where the reply to a step was lost."""
    for script in ("list_identities", "claim_alias", "settle_identities"):
        for moment in ("before", "after"):
            await store.call("FLUSHALL")
            if was_known:
                await profiles.link(SPACE, CRM, [EMAIL])
            lossy, linking = meddled(store, keys)
            getattr(lossy, moment)[script] = lambda: profiles.erase(SPACE, CRM, Counters())
            known = await linking.link(SPACE, CRM, [ECID])
            assert known.identities in ((CRM, ECID), (CRM,))
            (home,) = await store.call("KEYS", "*:home")
            born = await store.call("HGET", home, "born")
            for erased in await store.call("KEYS", "*:erased"):
                assert not any(member.endswith(born) for member in await store.call("SMEMBERS", erased))
            assert await find_faults(store, keys) == []
            assert (await profiles.link(SPACE, CRM, [ECID])).identities == (CRM, ECID)


async def test_what_is_linked_while_a_person_is_erased_is_erased_too(profiles, store, keys):
    """prof:U4: or its counters would be forgotten by nobody."""
    await profiles.save(SPACE, CRM, b"{}")
    lossy, erasing = meddled(store, keys)
    lossy.before["erase_profile"] = lambda: profiles.link(SPACE, CRM, [ECID])
    counters = Counters()
    await erasing.erase(SPACE, CRM, counters)
    assert counters.forgotten == {(SPACE, "CRM|c-1001"), (SPACE, "ECID|e-1")}
    assert await store.call("KEYS", "*:alias") == []


async def test_an_alias_counts_only_where_its_birth_lives_and_lists_it(profiles, store, keys):
    """What a crash may leave behind leads nowhere, is removed when it is seen, and is in nobody's way."""
    await profiles.link(SPACE, CRM, [ECID])
    (home,) = await store.call("KEYS", "*:home")
    (alias,) = await store.call("KEYS", "*:alias")
    digest, born = home.decode().split("{")[1].split("}")[0], (await store.call("HGET", home, "born")).decode()
    stranger = alias.replace(alias.split(b"{")[1].split(b"}")[0], keys.digest(*_texts(EMAIL)).encode())
    for key, identity, left in ((alias, ECID, f"{digest} {'0' * 32} l"), (stranger, EMAIL, f"{digest} {born} l")):
        await store.call("SET", key, left)
        assert not (await profiles.find(SPACE, [identity])).is_found
        assert await profiles.read(SPACE, identity) is None
        assert await store.call("EXISTS", key) == 0
        await store.call("SET", key, left)
        assert (await profiles.save(SPACE, identity, b"{}")).is_new
        await profiles.erase(SPACE, identity, Counters())
        await store.call("SET", key, left)
        assert (await profiles.link(SPACE, Identity("Q", identity.id), [identity])).identities[1:] == (identity,)


def _texts(identity: Identity) -> tuple[str, ...]:
    return ("profile", SPACE.organization, SPACE.sandbox, identity.namespace, identity.id)


@pytest.mark.parametrize("seed", range(6))
async def test_concurrent_links_and_erasures_leave_every_identity_with_one_person(store, keys, seed):
    """prof:U4, prof:U7: random tasks, some cut off, replies lost; then each listed identity leads home."""
    chance = random.Random(seed)
    people = [Identity("P", str(n)) for n in range(4)]

    async def live(worker: random.Random) -> None:
        for _ in range(12):
            lossy = LossyStore(store, worker, lose=0.1, stop_at=worker.choice([None, None, worker.randint(1, 12)]))
            profiles = Profiles(lossy, keys, Settings(durability="memory", patience_ms=10_000))
            one, *others = worker.sample(people, 3)
            step = worker.choice(["link", "link", "link", "erase", "save", "append"])
            try:
                if step == "link":
                    await profiles.link(SPACE, one, others)
                elif step == "erase":
                    await profiles.erase(SPACE, one, Counters())
                elif step == "save":
                    await profiles.save(SPACE, one, b"{}")
                else:
                    await profiles.append(SPACE, one, [make_event(1)])
            except (asyncio.CancelledError, StoreError):
                pass  # nobody knows what became of it; the laws hold all the same

    await asyncio.gather(*(live(random.Random(chance.random())) for _ in range(6)))
    assert await find_faults(store, keys) == []
