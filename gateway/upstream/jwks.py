"""Published keys for signed tokens (RFC 7517), from a file or a URL of the configuration."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import msgspec

from gateway.config import Jwt
from gateway.errors import UpstreamError, UpstreamGarbled
from gateway.upstream.download import read_bounded

_MOST_BYTES = 262_144
_MOST_KEYS = 100
_RATIO = 20
_KEY_TYPES = {"RS256": "RSA", "ES256": "EC"}


class KeySet:
    """The keys as last read: again after `recheck-s`, and when a token names another one, at most every `refetch-s`.

    When they cannot be read the ones in use stay in use.
    """

    def __init__(
        self,
        settings: Jwt,
        session: aiohttp.ClientSession,
        report: Callable[[str, str], None],
        clock: Callable[[], float],
    ) -> None:
        """Read from `settings.jwks`; `clock` counts seconds and never goes back."""
        self._settings = settings
        self._session = session
        self._report = report
        self._clock = clock
        self._keys: list[tuple[str, str | None, Any]] = []  # algorithm, kid, key
        self._tried_s = float("-inf")
        self._read_s = float("-inf")
        self._reading = asyncio.Lock()

    async def find(self, algorithm: str, kid: str | None) -> Sequence[Any]:
        """Give the keys a token of `algorithm` and `kid` may be signed with: mostly one, or none."""
        found = self._select(algorithm, kid)
        if not self._may_read() or (found and (self._is_fresh() or self._reading.locked())):
            return found
        async with self._reading:
            if self._may_read() and not (self._is_fresh() and self._select(algorithm, kid)):
                await self._read()
            return self._select(algorithm, kid)

    def _select(self, algorithm: str, kid: str | None) -> list[Any]:
        fitting = [(key_id, key) for made_for, key_id, key in self._keys if made_for == algorithm]
        if kid is None:  # without a name it must be clear which key is meant
            return [key for _, key in fitting] if len(fitting) == 1 else []
        return [key for key_id, key in fitting if key_id == kid]

    def _is_fresh(self) -> bool:
        return self._clock() - self._read_s < self._settings.recheck_s

    def _may_read(self) -> bool:
        return self._clock() - self._tried_s >= self._settings.refetch_s

    async def _read(self) -> None:
        self._tried_s = self._clock()
        try:
            async with asyncio.timeout(self._settings.timeout_ms / 1000):
                raw = await self._fetch()
            self._keys, self._read_s = read_keys(raw), self._clock()
        except (UpstreamError, aiohttp.ClientError, OSError, TimeoutError) as error:
            self._report("access.keys_failed", f"{type(error).__name__}: the keys of access.jwt.jwks cannot be read")

    async def _fetch(self) -> bytes:
        place = self._settings.jwks
        if "://" not in place or place.startswith("file://"):
            return await asyncio.to_thread(Path(place.removeprefix("file://")).read_bytes)
        async with self._session.get(place, allow_redirects=False) as response:
            if response.status != 200:
                raise UpstreamError(f"the keys were answered with status {response.status}")
            return await read_bounded(response, _MOST_BYTES, _RATIO)


def read_keys(raw: bytes) -> list[tuple[str, str | None, Any]]:
    """Give algorithm, id and key of each usable key of a JSON Web Key Set; others are passed over (RFC 7517 §5)."""
    try:
        keys = msgspec.json.decode(raw)["keys"]
        entries = [entry for entry in keys[:_MOST_KEYS] if isinstance(entry, dict)]
    except (msgspec.DecodeError, KeyError, TypeError, RecursionError) as error:
        raise UpstreamGarbled("the keys are not a JSON Web Key Set") from error
    return [read for entry in entries for read in _read_key(entry)]


def _read_key(entry: dict[str, Any]) -> list[tuple[str, str | None, Any]]:
    """Give the key, or nothing for one that is secret, not for signatures, of another kind, or damaged."""
    if entry.get("use", "sig") != "sig" or "verify" not in (entry.get("key_ops") or ["verify"]):
        return []
    for algorithm, kind in _KEY_TYPES.items():
        if entry.get("kty") == kind and entry.get("alg", algorithm) == algorithm:
            try:
                key = jwt.PyJWK(entry, algorithm).key
            except jwt.PyJWTError:
                return []
            kid = entry.get("kid")
            return [(algorithm, kid if isinstance(kid, str) else None, key)]
    return []
