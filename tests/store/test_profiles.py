"""Profiles on a real server: found by any identity, written once, forgotten in time (spec profiles-api)."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import Profiles as Settings
from gateway.errors import StoreError, StoreTimeout
from gateway.offers.instances import Space
from gateway.offers.model import Identity, ProfileView
from gateway.offers.profiles import Condition, NewEvent, Stale, TooMany, Unknown, Written
from gateway.offers.providers import ProfileProvider
from gateway.store.profiles import Profiles
from tests.store.faults import FaultProxy
from tests.store.people import CRM, ECID, EMAIL, SPACE, Counters, LossyStore, make_event
from tests.store.servers import connected

DAY_MS = 86_400_000


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
    await store.call("HDEL", home, "attributes")
    with pytest.raises(StoreError):
        await profiles.find(SPACE, [CRM])
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
