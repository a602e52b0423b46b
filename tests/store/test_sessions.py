"""Session records: one visitor has one device id, answers win, no life gets shorter (gw:S1, S2, S3, S7)."""

import asyncio
import itertools
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import ScriptFailed
from gateway.store.scripts import SCRIPTS
from gateway.store.sessions import Sessions, StoredSession
from tests.store.servers import connected

NOTHING = StoredSession(device_id="", location_hint="")


@pytest.fixture
def sessions(store, keys):
    return Sessions(store, keys, note_every_s=0)


@pytest.fixture
def record(store, keys):
    """Read the raw record of session `s`, with its time to live."""

    async def read():
        key = keys.session("acme", "s")
        flat = await store.call("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2], strict=True)), await store.call("TTL", key)

    return read


async def test_a_new_session_gets_the_candidate(sessions, record):
    assert await sessions.open("acme", "s", "abc.35_0") == StoredSession("abc.35_0", "")
    fields, life = await record()
    assert fields.keys() == {b"device", b"seen"}
    assert 1855 <= life <= 1860


async def test_a_known_session_keeps_its_device_id(sessions):
    await sessions.open("acme", "s", "abc.35_0")
    assert await sessions.open("acme", "s", "other.38_0") == StoredSession("abc.35_0", "")


async def test_an_empty_candidate_creates_nothing(sessions, store):
    assert await sessions.open("acme", "s", "") == NOTHING
    assert await store.call("DBSIZE") == 0


async def test_clients_and_sessions_do_not_share_records(sessions):
    await sessions.open("acme", "s", "abc")
    assert await sessions.open("other", "s", "") == NOTHING
    assert await sessions.open("acme", "t", "") == NOTHING


async def test_the_first_of_concurrent_opens_wins_and_all_get_its_id(redis_url, store, keys):
    """gw:S2, K1: 200 candidates at once over four connections, for each of 100 sessions."""
    async with AsyncExitStack() as stack:
        workers = [Sessions(await stack.enter_async_context(connected(redis_url)), keys) for _ in range(4)]
        for number in range(100):
            opened = await asyncio.gather(
                *(workers[n % 4].open("acme", f"s{number}", f"candidate-{n}") for n in range(200))
            )
            assert len(set(opened)) == 1
            assert (
                await store.call("HGET", keys.session("acme", f"s{number}"), "device") == opened[0].device_id.encode()
            )


async def test_the_answer_moves_the_suffix_and_brings_a_hint(sessions, record):
    await sessions.open("acme", "s", "abc.35_0")
    sessions.save("acme", "s", "abc.38_0", "38")
    assert await sessions.open("acme", "s", "") == StoredSession("abc.38_0", "38")
    fields, _ = await record()
    assert int(fields[b"hint_expires"]) - int(fields[b"seen"]) == 1860


async def test_an_answer_without_id_or_hint_leaves_both(sessions):
    sessions.save("acme", "s", "abc.38_0", "38")
    sessions.save("acme", "s", "", "")
    assert await sessions.open("acme", "s", "") == StoredSession("abc.38_0", "38")


async def test_an_expired_hint_is_not_given(sessions, store, keys):
    sessions.save("acme", "s", "abc.38_0", "38")
    now = int((await store.call("TIME"))[0])
    await store.call("HSET", keys.session("acme", "s"), "hint_expires", now)
    assert await sessions.open("acme", "s", "") == StoredSession("abc.38_0", "")


async def test_no_life_gets_shorter(sessions, store, keys, record):
    """gw:S7, K5: the longest expiry is kept, whatever comes in after it."""
    sessions.save("acme", "s", "abc.38_0", "38")
    await store.call("EXPIRE", keys.session("acme", "s"), 9000)
    later = int((await store.call("TIME"))[0]) + 9000
    await store.call("HSET", keys.session("acme", "s"), "hint_expires", later)
    sessions.refresh("acme", "s", "abc.35_0")
    sessions.save("acme", "s", "abc.35_0", "35")
    await sessions.open("acme", "s", "abc.35_0")
    fields, life = await record()
    assert life > 8900
    assert fields[b"hint_expires"] == b"%d" % later


@pytest.mark.parametrize("step", ["open", "refresh", "save"])
async def test_every_visit_begins_the_life_anew(sessions, store, keys, record, step):
    key = keys.session("acme", "s")
    await sessions.open("acme", "s", "abc")
    await store.call("EXPIRE", key, 100)
    await store.call("HSET", key, "seen", 1)
    if step == "open":
        await sessions.open("acme", "s", "")
    elif step == "refresh":
        sessions.refresh("acme", "s", "abc")
    else:
        sessions.save("acme", "s", "", "")
    fields, life = await record()
    assert life >= 1855
    assert int(fields[b"seen"]) > 1


async def test_another_visitors_id_takes_the_hint_away(sessions):
    """K3: a hint belongs to the visitor."""
    sessions.save("acme", "s", "abc.38_0", "38")
    sessions.refresh("acme", "s", "other.35_0")
    assert await sessions.open("acme", "s", "") == StoredSession("other.35_0", "")


@pytest.mark.parametrize(("device", "hint"), [("x" * 257, ""), ("abc", "1" * 257)])
async def test_oversized_values_are_refused_and_change_nothing(sessions, store, keys, device, hint):
    with pytest.raises(ScriptFailed, match="save_session with the error TOOLONG"):
        await store.run(SCRIPTS["save_session"], [keys.session("acme", "s")], [device, hint, 100])
    if not hint:
        with pytest.raises(ScriptFailed, match="TOOLONG"):
            await sessions.open("acme", "s", device)
        sessions.refresh("acme", "s", device)
    assert await store.call("DBSIZE") == 0


async def test_a_key_of_another_type_is_an_error_and_stays(sessions, store, keys):
    await store.call("SET", keys.session("acme", "s"), "text")
    with pytest.raises(ScriptFailed, match="WRONGTYPE"):
        await sessions.open("acme", "s", "abc")
    assert await store.call("GET", keys.session("acme", "s")) == b"text"


class Model:
    """What a session record must do, in a few lines of Python."""

    def __init__(self):
        self.device = self.hint = ""

    def open(self, candidate):
        self.device = self.device or candidate
        return StoredSession(self.device, self.hint)

    def refresh(self, device):
        same = self.device.partition(".")[0] == device.partition(".")[0]
        if not (same and "." in self.device):
            self._set(device)

    def save(self, device, hint):
        self._set(device)
        self.hint = hint or self.hint

    def _set(self, device):
        if device:
            if self.device and self.device.partition(".")[0] != device.partition(".")[0]:
                self.hint = ""
            self.device = device


DEVICES = st.sampled_from(["", "a", "a.35_0", "a.38_0", "b", "b.35_0"])
HINTS = st.sampled_from(["", "35", "38"])
STEPS = st.one_of(
    st.tuples(st.just("open"), DEVICES),
    st.tuples(st.just("refresh"), DEVICES),
    st.tuples(st.just("save"), DEVICES, HINTS),
)
SERIAL = itertools.count()


@pytest.mark.parametrize("note_every_s", [0, 30])
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12))
async def test_records_do_what_the_model_does(store, keys, note_every_s, steps):
    """gw:S2, S3: any sequence of steps, each example in a session of its own, left-out notes or not."""
    sessions = Sessions(store, keys, note_every_s)
    session_id, model = f"model-{next(SERIAL)}", Model()
    for name, *arguments in [*steps, ("open", "")]:
        expected = getattr(model, name)(*arguments)
        outcome = getattr(sessions, name)("acme", session_id, *arguments)
        if name == "open":
            assert await outcome == expected


async def test_what_is_known_is_not_written_again_for_a_while_and_costs_no_life(store, keys, record):
    """gw:S7: the record lives longer by the time for which notes may be left out."""
    sessions = Sessions(store, keys, note_every_s=30)
    sessions.refresh("acme", "s", "abc.35_0")
    await sessions.open("acme", "s", "")
    sent = store.counts.sent
    for _ in range(10):
        sessions.refresh("acme", "s", "abc.35_0")
    assert store.counts.sent == sent
    assert (await record())[1] > 1880
