"""A Redis that may lose what it keeps is named at start."""

from gateway.store.safety import inspect


async def test_the_embedded_server_is_what_the_gateway_would_choose(store):
    assert await inspect(store) == []


async def test_a_redis_that_may_evict_is_named_with_what_it_means(store):
    await store.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        warnings = await inspect(store)
    finally:
        await store.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert len(warnings) == 1
    assert "maxmemory_policy=allkeys-lru instead of noeviction" in warnings[0]
    assert "caps" in warnings[0]
