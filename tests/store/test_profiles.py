"""Profiles on a real server: found by any identity, written once, forgotten in time (spec profiles-api)."""

import asyncio
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import Profiles as Settings
from gateway.errors import StoreError, StoreTimeout
from gateway.offers.instances import Space
from gateway.offers.model import Identity, ProfileView
from gateway.offers.profiles import Condition, NewEvent, Stale, Taken, TooMany, Unknown, Written
from gateway.offers.providers import ProfileProvider
from gateway.store.connection import Store
from gateway.store.keys import Keys
from gateway.store.profiles import Profiles
from tests.store.faults import FaultProxy
from tests.store.people import CRM, ECID, EMAIL, SPACE, Counters, LossyStore, find_faults, make_event
from tests.store.servers import connected

DAY_MS = 86_400_000


@pytest.fixture
def profiles(store: Store, keys: Keys) -> Profiles:
    return Profiles(store, keys, Settings(durability="memory"))


async def shown(profiles: Profiles, identity: Identity) -> object:
    return (await profiles.find(SPACE, [identity])).attributes


async def test_it_is_a_profile_provider(profiles):
    """dec:PR1."""
    provider: ProfileProvider = profiles
    assert await provider.find(SPACE, [CRM], merge_policy="m") == ProfileView("CRM|c-1001")


async def test_nobody_known_is_the_first_identity_with_nothing(profiles):
    """dec:PR3."""
    assert await profiles.find(SPACE, [ECID, CRM]) == ProfileView("ECID|e-1", is_found=False)


async def test_the_first_identity_that_is_known_counts_and_profiles_are_not_merged(profiles):
    """dec:PR2."""
    await profiles.save(SPACE, EMAIL, b'{"from":"email"}')
    await profiles.save(SPACE, ECID, b'{"from":"ecid"}')
    found = await profiles.find(SPACE, [CRM, ECID, EMAIL])
    assert found == ProfileView("ECID|e-1", is_found=True, attributes={"from": "ecid"})


async def test_a_profile_has_one_canonical_id_whichever_identity_finds_it(profiles):
    """dec:PR1: one counter for one person."""
    await profiles.save(SPACE, CRM, b'{"tier":"gold"}')
    await profiles.link(SPACE, CRM, [ECID, EMAIL])
    views = [await profiles.find(SPACE, [identity]) for identity in (CRM, ECID, EMAIL)]
    assert views == [ProfileView("CRM|c-1001", is_found=True, attributes={"tier": "gold"})] * 3


async def test_a_look_up_of_known_identities_takes_one_round_trip_an_alias_two(profiles, store):
    await profiles.save(SPACE, CRM, b"{}")
    await profiles.link(SPACE, CRM, [ECID])
    before = store.counts.sent
    await profiles.find(SPACE, [CRM])
    assert store.counts.sent == before + 1
    await profiles.find(SPACE, [ECID])
    assert store.counts.sent == before + 3


async def test_attributes_are_replaced_and_events_and_identities_stay(profiles):
    """prof:U1, prof:P3."""
    assert isinstance(first := await profiles.save(SPACE, CRM, b'{"a":1}'), Written)
    assert first.is_new
    await profiles.link(SPACE, CRM, [ECID])
    await profiles.append(SPACE, CRM, [make_event(1)])
    second = await profiles.save(SPACE, ECID, b'{"b":2}')
    assert not second.is_new
    assert second.revision > first.revision
    known = await profiles.read(SPACE, CRM)
    assert (known.attributes, known.identities, known.event_count) == (b'{"b":2}', (CRM, ECID), 1)
    assert (known.revision, known.changed) == (second.revision, second.revision)


async def test_a_condition_that_does_not_hold_writes_nothing(profiles):
    """prof:P9: compare-and-set."""
    assert await profiles.save(SPACE, CRM, b"{}", Condition(revision=7)) == Unknown()
    assert await profiles.save(SPACE, CRM, b"{}", Condition(must_exist=True)) == Unknown()
    made = await profiles.save(SPACE, CRM, b'{"a":1}', Condition(revision=0))
    assert await profiles.save(SPACE, CRM, b"{}", Condition(revision=0)) == Stale(made.revision)
    assert await profiles.save(SPACE, CRM, b"{}", Condition(revision=made.revision - 1)) == Stale(made.revision)
    await profiles.append(SPACE, CRM, [make_event(1)])
    now = (await profiles.read(SPACE, CRM)).revision
    assert await profiles.save(SPACE, CRM, b"{}", Condition(revision=made.revision)) == Stale(now)
    assert isinstance(await profiles.save(SPACE, CRM, b'{"a":2}', Condition(changed=made.revision)), Written)
    assert await shown(profiles, CRM) == {"a": 2}


async def test_of_concurrent_writes_on_one_revision_one_wins(profiles):
    made = await profiles.save(SPACE, CRM, b"{}")
    writes = (profiles.save(SPACE, CRM, b'{"n":%d}' % n, Condition(revision=made.revision)) for n in range(20))
    outcomes = await asyncio.gather(*writes)
    assert [type(outcome) for outcome in outcomes].count(Written) == 1


async def test_another_space_sees_nothing(profiles):
    """prof:P1."""
    await profiles.save(SPACE, CRM, b'{"a":1}')
    await profiles.append(SPACE, CRM, [make_event(1)])
    for other in (Space("o", "dev"), Space("p", "prod"), Space("op", "rod")):
        assert not (await profiles.find(other, [CRM])).is_found
        assert await profiles.read(other, CRM) is None
        assert await profiles.read_events(other, CRM, 10) is None
        assert isinstance(await profiles.link(other, ECID, [CRM]), object)
        await profiles.erase(other, CRM, Counters())
    assert (await profiles.find(SPACE, [CRM])).is_found
    assert not (await profiles.find(SPACE, [ECID])).is_found


async def test_a_write_is_seen_by_the_next_look_from_another_worker(profiles, redis_url, keys):
    """prof:P8."""
    async with connected(redis_url) as other:
        elsewhere = Profiles(other, keys, Settings(durability="memory"))
        for n in range(5):
            await profiles.save(SPACE, CRM, b'{"n":%d}' % n)
            assert await shown(elsewhere, CRM) == {"n": n}


# Events


async def test_an_event_for_an_unknown_person_makes_the_profile(profiles):
    """prof:P7."""
    assert await profiles.append(SPACE, CRM, [make_event(1)]) == 1
    known = await profiles.read(SPACE, CRM)
    assert (known.attributes, known.event_count) == (b"{}", 1)


EVENTS = st.lists(
    st.lists(
        st.tuples(st.integers(-62_167_219_200_000_000, 253_402_300_799_999_999), st.sampled_from(["", "a", "b", "c"])),
        max_size=5,
    ),
    max_size=6,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=EVENTS, kept=st.integers(1, 8))
async def test_events_are_the_newest_in_order_of_time_then_of_arrival(store, keys, batches, kept):
    """prof:P4, prof:P5: against a list that is sorted and cut."""
    await store.call("FLUSHALL")
    profiles = Profiles(store, keys, Settings(durability="memory", max_events=kept))
    model: list[tuple[int, int]] = []
    ids: set[str] = set()
    number = 0
    for batch in batches:
        sent, added = [], 0
        for instant, event_id in batch:
            number += 1
            sent.append(NewEvent(instant, event_id, b'{"n":%d}' % number))
            if not event_id or event_id not in ids:
                model.append((instant, number))
                added += 1
            ids |= {event_id} - {""}
        model = sorted(model)[-kept:]
        assert await profiles.append(SPACE, CRM, sent) == added
    found = await profiles.find(SPACE, [CRM])
    assert [event["n"] for event in found.events] == [n for _, n in model]
    newest = await profiles.read_events(SPACE, CRM, 3) or []
    assert [json.loads(event)["n"] for event in newest] == [n for _, n in model[::-1]][:3]
    assert (await profiles.find(SPACE, [CRM], wants_events=False)).events == ()


async def test_an_event_id_is_forgotten_after_a_day(profiles, store):
    """prof:P4: moved back in time, the id counts no more."""
    assert await profiles.append(SPACE, CRM, [make_event(1, "x")]) == 1
    assert await profiles.append(SPACE, CRM, [make_event(2, "x")]) == 0
    (seen,) = await store.call("KEYS", "*:seen")
    (member,) = await store.call("ZRANGE", seen, 0, -1)
    assert 86_000 < await store.call("TTL", seen) <= 86_400
    await store.call("ZINCRBY", seen, -86_390, member)
    assert await profiles.append(SPACE, CRM, [make_event(3, "x")]) == 0
    await store.call("ZINCRBY", seen, -20, member)
    assert await profiles.append(SPACE, CRM, [make_event(4, "x")]) == 1


async def test_ids_of_events_are_bounded(profiles, monkeypatch):
    monkeypatch.setattr("gateway.store.profiles._MOST_SEEN", 3)
    assert await profiles.append(SPACE, CRM, [make_event(n, str(n)) for n in range(3)]) == 3
    assert await profiles.append(SPACE, CRM, [make_event(9, "9")]) == TooMany()
    assert (await profiles.read(SPACE, CRM)).event_count == 3


# Life


@pytest.mark.parametrize("days", [90, 1, 0])
async def test_a_profile_lives_so_long_after_its_last_write_and_no_longer_than_its_aliases(store, keys, days):
    """prof:P6."""
    profiles = Profiles(store, keys, Settings(durability="memory", ttl_days=days))
    await profiles.save(SPACE, CRM, b"{}")
    await profiles.append(SPACE, CRM, [make_event(1)])
    await profiles.link(SPACE, CRM, [ECID])
    await profiles.append(SPACE, ECID, [make_event(2)])
    life = days * DAY_MS or -1
    for part in ("home", "identities", "events"):
        (key,) = await store.call("KEYS", f"*:{part}")
        assert life - 60_000 < await store.call("PTTL", key) <= life
    (alias,) = await store.call("KEYS", "*:alias")
    assert (await store.call("PTTL", alias) > life) is (days > 0)


async def test_a_write_begins_the_life_anew_and_renews_aliases_when_they_grow_old(store, keys):
    """prof:P6: the home never outlives an alias; a write late in the aliases' life gives both their whole life."""
    profiles = Profiles(store, keys, Settings(durability="memory", ttl_days=1))
    await profiles.save(SPACE, CRM, b"{}")
    await profiles.link(SPACE, CRM, [ECID])
    (home,) = await store.call("KEYS", "*:home")
    (alias,) = await store.call("KEYS", "*:alias")
    soon = int((await store.call("TIME"))[0]) * 1000 + 3_600_000
    await store.call("HSET", home, "until", soon)
    await store.call("PEXPIREAT", alias, soon)
    await store.call("PEXPIRE", home, 60_000)
    await profiles.append(SPACE, ECID, [make_event(1)])
    assert await store.call("PTTL", home) > DAY_MS - 60_000
    assert await store.call("PTTL", alias) > 2 * DAY_MS


async def test_a_home_whose_aliases_were_not_renewed_dies_with_them(store, keys):
    """prof:P6: else an identity would be a stranger's while its person lives. The write is cut off before it renews."""
    whole = Profiles(store, keys, Settings(durability="memory", ttl_days=1))
    await whole.link(SPACE, CRM, [ECID])
    (home,) = await store.call("KEYS", "*:home")
    await store.call("HSET", home, "until", int((await store.call("TIME"))[0]) * 1000 + 3_600_000)
    cut = Profiles(LossyStore(store, stop_at=1), keys, Settings(durability="memory", ttl_days=1))
    with pytest.raises(asyncio.CancelledError):
        await cut.append(SPACE, CRM, [make_event(1)])
    assert 0 < await store.call("PTTL", home) <= 3_600_000
    await whole.append(SPACE, CRM, [make_event(2)])
    assert await store.call("PTTL", home) > DAY_MS - 60_000


async def test_a_changed_life_is_that_of_the_next_write(store, keys):
    for days, least in ((1, DAY_MS - 60_000), (0, -1), (3, 3 * DAY_MS - 60_000)):
        profiles = Profiles(store, keys, Settings(durability="memory", ttl_days=days))
        await profiles.link(SPACE, CRM, [ECID])
        await profiles.append(SPACE, ECID, [make_event(days)])
        (home,) = await store.call("KEYS", "*:home")
        (alias,) = await store.call("KEYS", "*:alias")
        lives = await store.call("PTTL", home), await store.call("PTTL", alias)
        assert lives == (-1, -1) if days == 0 else min(lives) >= least


async def test_a_profile_that_died_of_age_is_unknown_and_its_alias_leads_nowhere(profiles, store):
    """prof:P6: and whoever makes the profile again gets none of the old identities or events."""
    await profiles.link(SPACE, CRM, [ECID])
    (home,) = await store.call("KEYS", "*:home")
    await profiles.append(SPACE, CRM, [make_event(1)])
    await store.call("DEL", home)
    assert not (await profiles.find(SPACE, [ECID])).is_found
    await profiles.save(SPACE, CRM, b'{"new":1}')
    assert (await profiles.read(SPACE, CRM)).identities == (CRM,)
    assert (await profiles.read(SPACE, CRM)).event_count == 0
    assert not (await profiles.find(SPACE, [ECID])).is_found
    assert isinstance(await profiles.save(SPACE, ECID, b"{}"), Written)


# Faults


async def test_a_write_whose_reply_was_lost_happens_once(store, keys, redis_url, tmp_path):
    """prof:P4: an event without an id could not be told from its repetition."""
    async with FaultProxy(redis_url, tmp_path) as proxy, connected(proxy.url, timeout_ms=2_000) as far:
        profiles = Profiles(far, keys, Settings(durability="memory", patience_ms=10_000))
        for n in range(1, 4):
            proxy.cut_after = 0
            assert await profiles.append(SPACE, CRM, [make_event(n)]) == 1
            proxy.cut_after = 0
            written = await profiles.save(SPACE, EMAIL, b'{"n":%d}' % n)
            assert written.is_new is (n == 1)
        assert (await profiles.read(SPACE, CRM)).event_count == 3


async def test_a_redis_that_does_not_answer_is_a_store_error(keys, redis_url, tmp_path):
    """dec:PR4: the decision endpoint answers it with 503."""
    async with FaultProxy(redis_url, tmp_path) as proxy, connected(proxy.url, timeout_ms=50) as far:
        profiles = Profiles(far, keys, Settings(durability="memory", patience_ms=0))
        proxy.black_hole = True
        with pytest.raises(StoreTimeout):
            await profiles.find(SPACE, [CRM])
        for attempt in (profiles.save(SPACE, CRM, b"{}"), profiles.erase(SPACE, CRM, Counters())):
            with pytest.raises(StoreError):
                await attempt


async def test_what_is_no_profile_is_a_store_error(profiles, store):
    await profiles.save(SPACE, CRM, b"{}")
    (home,) = await store.call("KEYS", "*:home")
    await store.call("HSET", home, "attributes", "[")
    with pytest.raises(StoreError):
        await profiles.find(SPACE, [CRM])
    await store.call("HSET", home, "attributes", "{}", "revision", "x")
    with pytest.raises(StoreError):
        await profiles.read(SPACE, CRM)


async def test_no_key_holds_an_id_and_every_key_of_a_person_dies(profiles, store):
    """prof:P10, gw:S6: neither namespaces nor ids are in a key."""
    canary = Identity("CANARYSPACE", "canary-id-é")
    await profiles.save(SPACE, canary, b'{"canary":1}')
    await profiles.append(SPACE, canary, [make_event(1, "canary-event")])
    await profiles.link(SPACE, canary, [Identity("CANARYSPACE", "canary-two"), EMAIL])
    await profiles.find(SPACE, [Identity("CANARYSPACE", "canary-two")])
    taken = await store.call("KEYS", "*")
    assert len(taken) >= 6
    await profiles.erase(SPACE, EMAIL, Counters())
    for key in {*taken, *await store.call("KEYS", "*")}:
        assert b"canary" not in key.lower()
        assert EMAIL.id.encode() not in key
        assert await store.call("TTL", key) != -1


# Several identities


async def test_linking_makes_the_profile_and_may_be_repeated(profiles, store, keys):
    """prof:U7: what stood in the map stays; the profile's own identity may stand in it."""
    first = await profiles.link(SPACE, CRM, [ECID, CRM, ECID])
    assert first.identities == (CRM, ECID)
    again = await profiles.link(SPACE, ECID, [CRM, ECID, EMAIL])
    assert again.identities == (CRM, ECID, EMAIL)
    assert (await profiles.read(SPACE, EMAIL)) == again
    assert again.revision > first.revision
    assert await find_faults(store, keys) == []


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
