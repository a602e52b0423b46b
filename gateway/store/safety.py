"""Is this Redis fit to keep what must not be lost? Asked once at start, answered in sentences for the log."""

from gateway.store.connection import Store

# field of INFO, the value it should have, what it means when it has another
_WISHES = (
    ("maxmemory_policy", "noeviction", "it may evict keys when memory is short, which silently resets caps"),
    ("role", "master", "it is a replica, which takes no writes"),
    ("aof_enabled", "1", "it keeps no append-only file: what was written since the last snapshot is lost with it"),
)


async def inspect(store: Store) -> list[str]:
    """Give one sentence for each setting of this Redis that the gateway would not choose; raises StoreError."""
    facts = read_info(bytes(await store.call("INFO")))
    return [
        f"Redis has {name}={facts[name]} instead of {wish}: {meaning}"
        for name, wish, meaning in _WISHES
        if name in facts and facts[name] != wish
    ]


async def find_policy(store: Store) -> str:
    """Give what this Redis does when memory is short: its maxmemory-policy; raises StoreError."""
    facts = read_info(bytes(await store.call("INFO", "memory")))
    return facts.get("maxmemory_policy", "noeviction")


def read_info(text: bytes) -> dict[str, str]:
    """Read the reply to INFO: `name:value` a line."""
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}
