"""The store on a healthy Redis: replies, errors, scripts, sharing of round trips, URLs."""

import asyncio
from types import SimpleNamespace

import pytest

from gateway.errors import ConfigError, ScriptFailed, StoreError, StoreUnreachable
from gateway.store.connection import Store, check_streams, read_url
from gateway.store.scripts import load_script
from tests.store.faults import FaultProxy
from tests.store.servers import connected, wait_until, wait_until_connected


@pytest.fixture
def count_up(tmp_path):
    """Make a script Redis does not know before it is run."""
    (tmp_path / "count_up.lua").write_text("return redis.call('INCR', KEYS[1]) + ARGV[1]")
    return load_script("count_up", tmp_path)


async def test_replies_are_raw_bytes_numbers_and_lists(store):
    assert await store.call("SET", "name", "zoë") == b"OK"
    assert await store.call("GET", b"name") == "zoë".encode()
    assert await store.call("GET", "nothing") is None
    assert await store.call("INCRBY", "n", 5) == 5
    assert await store.call("MGET", "name", "nothing") == ["zoë".encode(), None]


@pytest.mark.parametrize(("calls", "writes"), [(1, 1), (15, 1), (16, 1), (17, 2), (50, 4)])
async def test_calls_made_in_one_turn_leave_in_groups_of_sixteen(store, calls, writes):
    """So that Redis works on some while others are still being asked for."""
    before = store.counts.flushes, store.counts.sent
    replies = await asyncio.gather(*(store.call("ECHO", number) for number in range(calls)))
    assert replies == [b"%d" % number for number in range(calls)]
    assert (store.counts.flushes - before[0], store.counts.sent - before[1]) == (writes, calls)


async def test_large_values_come_back_whole(store):
    values = [bytes([number]) * 300_000 for number in range(8)]
    assert await asyncio.gather(*(store.call("ECHO", value) for value in values)) == values


async def test_an_error_reply_names_the_code_and_none_of_the_values(store):
    await store.call("SET", "secret-key", "x")
    with pytest.raises(ScriptFailed) as caught:
        await store.call("HGET", "secret-key", "secret-field")
    assert "HGET" in str(caught.value)
    assert "WRONGTYPE" in str(caught.value)
    with pytest.raises(ScriptFailed, match=r"with the error ERR$") as caught:
        await store.call("NOSUCH", "secret-value")
    assert "secret" not in str(caught.value)
    assert store.counts.failed == 2


async def test_a_script_unknown_to_redis_is_loaded_and_run_once(store, count_up):
    """NOSCRIPT means not executed: the cache is emptied by a restart or a failover."""
    assert await store.run(count_up, [b"n"], [0]) == 1
    await store.call("SCRIPT", "FLUSH")
    assert await store.run(count_up, [b"n"], ["100"]) == 102
    assert await store.run(count_up, [b"n"], [0]) == 3
    assert await store.call("GET", "n") == b"3"


async def test_a_fired_script_unknown_to_redis_is_loaded_and_run_once(store, count_up):
    store.fire(count_up, [b"n"], [0])
    await store.call("PING")  # answered with NOSCRIPT before this
    assert await store.call("GET", "n") == b"1"
    assert store.counts.failed == 0


async def test_a_failing_script_names_itself_and_none_of_the_values(store, count_up):
    with pytest.raises(ScriptFailed, match=r"count_up with the error ERR$"):
        await store.run(count_up, [b"n"], ["secret"])


async def test_what_is_sent_without_waiting_is_done_and_its_errors_are_only_counted(store):
    store.send("SET", "a", 1)
    store.send("HGET", "a", "b")
    assert await store.call("GET", "a") == b"1"
    assert store.counts.failed == 1


async def test_closing_waits_for_what_was_sent(redis_url, store):
    async with connected(redis_url) as other:
        for number in range(1000):
            other.send("SET", f"k{number}", number)
    assert await store.call("DBSIZE") == 1000
    with pytest.raises(StoreUnreachable):
        await other.call("PING")


async def test_more_commands_than_may_wait_are_refused_at_once(redis_url):
    async with connected(redis_url, max_waiting=5) as store:
        results = await asyncio.gather(*(store.call("PING") for _ in range(8)), return_exceptions=True)
        assert results[:5] == [b"PONG"] * 5
        assert [type(result) for result in results[5:]] == [StoreError] * 3
        assert store.counts.dropped == 3
        assert await store.call("PING") == b"PONG"


async def test_sending_more_than_may_wait_is_counted_and_never_raises(redis_url, count_up):
    async with connected(redis_url, max_waiting=5) as store:
        for _ in range(4):
            store.send("PING")
            store.fire(count_up, [b"n"], [0])
        assert store.counts.dropped == 3


async def test_half_a_surrogate_pair_is_refused_and_disturbs_nobody(store):
    with pytest.raises(StoreError, match="surrogate"):
        await store.call("GET", "\ud800")
    store.send("GET", "\ud800")
    assert store.counts.dropped == 2
    assert await store.call("PING") == b"PONG"


async def test_without_a_server_it_starts_and_every_call_fails_at_once(tmp_path):
    async with connected(f"unix://{tmp_path}/nobody.sock") as store:
        assert not store.connected
        with pytest.raises(StoreUnreachable):
            await store.call("PING")
        store.send("PING")
        assert store.counts.dropped == 2
        assert "not connected" in repr(store)
        assert store.last_error


async def test_a_cancelled_start_leaves_nothing_behind(redis_url, tmp_path):
    async with FaultProxy(redis_url, tmp_path) as proxy:
        proxy.black_hole = True
        starting = asyncio.create_task(
            Store.connect(proxy.url, timeout_ms=40, connect_timeout_ms=60_000, max_waiting=5)
        )
        await wait_until(lambda: proxy.connections > 0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await wait_until(lambda: "store.keep-connected" not in {task.get_name() for task in asyncio.all_tasks()})


async def test_password_and_database_of_the_url_are_used_and_the_password_is_never_shown(redis_url, store):
    url = redis_url.replace("unix://", "unix://:pass%20word@") + "?db=3"
    await store.call("CONFIG", "SET", "requirepass", "pass word")
    try:
        async with connected(url) as other, connected(redis_url.replace("unix://", "unix://:wrong-one@")) as wrong:
            await other.call("SET", "where", "third")
            assert await store.call("GET", "where") is None
            assert "/3, 0 waiting" in repr(other)
            assert not wrong.connected
            assert "pass" not in repr(other)
            assert "wrong-one" not in repr(wrong)
            await store.call("CONFIG", "SET", "requirepass", "wrong-one")
            await wait_until_connected(wrong)
    finally:
        await store.call("CONFIG", "SET", "requirepass", "")


@pytest.mark.parametrize(
    ("url", "blamed"),
    [
        ("http://host", "redis://"),
        ("redis://host/0?db=x", "valid parts"),
        ("redis://host/0?protocol=3", "protocol"),
        ("redis://:secret@host/0?max_connections=3&retry_on_timeout=yes", "max_connections, retry_on_timeout"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_configuration_error(url, blamed):
    with pytest.raises(ConfigError, match=blamed) as caught:
        read_url(url)
    assert "secret" not in str(caught.value)


def test_a_rediss_url_speaks_tls():
    parts = read_url("rediss://host:7000/2?ssl_ca_certs=ca.pem")
    assert parts["connection_class"].__name__ == "SSLConnection"
    assert (parts["host"], parts["port"], parts["db"], parts["ssl_ca_certs"]) == ("host", 7000, 2, "ca.pem")


def test_a_redis_py_that_keeps_its_streams_elsewhere_is_refused_at_start():
    check_streams(SimpleNamespace(_reader=None, _writer=None))
    with pytest.raises(StoreError, match=r"install redis>=8\.1,<8\.2"):
        check_streams(SimpleNamespace(_streams=None))
