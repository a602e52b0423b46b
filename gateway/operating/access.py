"""The store that a command works on: the one the gateway of a configuration would use."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from gateway.config import Settings
from gateway.errors import ConfigError
from gateway.store.counting import Counting, open_counting

_SOCKET = "redis.sock"


@asynccontextmanager
async def reach_counting(settings: Settings, environ: Mapping[str, str] = os.environ) -> AsyncIterator[Counting]:
    """Give caps and events of the Redis of caps, or of a private server whose gateway is running.

    Raises ConfigError where there is neither, and for a missing key secret.
    """
    url, secret, record = _find(settings, environ)
    async with open_counting(settings, url, secret, record, writes=False) as counting:
        if not any(store.connected for store in counting.nodes.primaries()):
            raise ConfigError("the Redis of caps cannot be reached; `gateway run` would say why in its log")
        yield counting


def _find(settings: Settings, environ: Mapping[str, str]) -> tuple[str, bytes, str]:
    """Give the URL, the key secret and the default record."""
    redis, folder = settings.redis, Path(settings.redis.data_dir).resolve()
    url = environ.get(settings.caps.url_env) or environ.get(redis.url_env, "")
    secret = environ.get(redis.key_secret_env, "").encode()
    if not url:
        if not (folder / _SOCKET).exists():
            raise ConfigError(
                f"no private server runs in redis.data-dir = {redis.data_dir}: start its gateway, or set "
                f"{settings.caps.url_env} or {redis.url_env}"
            )
        url = f"unix://{quote(str(folder / _SOCKET))}"
        return url, secret or (folder / "key-secret").read_bytes(), str(folder / "caps-epoch")
    return url, secret, ""
