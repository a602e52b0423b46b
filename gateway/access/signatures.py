"""Signed tokens: JSON Web Tokens by HS256 with a shared secret, or by RS256 and ES256 with published keys (RFC 7519).

The algorithm picks the kind of key, never the other way round: a public key is never taken for a shared secret, and
`none` is no algorithm.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jwt

from gateway.access.accounts import Account
from gateway.config import Jwt
from gateway.errors import ConfigError
from gateway.telemetry import get_log
from gateway.upstream.jwks import KeySet

_PUBLISHED = ("RS256", "ES256")
_SHORTEST_SECRET = 32
_LONGEST_NAME = 256
_MOST_NAMES = 100


class Signatures:
    """Checks signed tokens as `[access.jwt]` says."""

    def __init__(self, settings: Jwt, secret: str, keys: KeySet | None, clock: Callable[[], float]) -> None:
        """Take the shared secret ("" takes no HS256 tokens) and the published keys (None takes none of those)."""
        if secret and len(secret.encode()) < _SHORTEST_SECRET:
            raise ConfigError(f"The secret in {settings.secret_env} is shorter than {_SHORTEST_SECRET} bytes")
        self._settings = settings
        self._secret = secret
        self._keys = keys
        self._clock = clock

    async def verify(self, token: str) -> Account | None:
        """Give the account of a token that is good now, else None."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            return None
        algorithm, kid = header.get("alg"), header.get("kid")
        if header.get("crit") is not None or not isinstance(kid, str | None) or not isinstance(algorithm, str):
            return None
        for key in await self._find_keys(algorithm, kid):
            claims = self._read_claims(token, key, algorithm)
            if claims is not None:
                return self._make_account(claims)
        return None

    async def _find_keys(self, algorithm: str, kid: str | None) -> Sequence[Any]:
        if algorithm == "HS256":
            return [self._secret] if self._secret else []
        if algorithm in _PUBLISHED and self._keys is not None:
            return await self._keys.find(algorithm, kid)
        return []

    def _read_claims(self, token: str, key: Any, algorithm: str) -> dict[str, Any] | None:
        settings = self._settings
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                options={"require": ["exp"], "verify_aud": bool(settings.audience)},
                audience=settings.audience or None,
                issuer=settings.issuer or None,
                leeway=settings.clock_skew_s,
            )
        except jwt.PyJWTError as error:
            get_log().debug("access.token_refused", error=type(error).__name__)
            return None

    def _make_account(self, claims: dict[str, Any]) -> Account | None:
        settings = self._settings
        name = claims.get(settings.account_claim)
        if not _is_name(name) or not isinstance(claims["exp"], int | float):
            return None
        organizations = _read_names(claims.get(settings.organizations_claim))
        profiles = _read_names(claims.get(settings.profiles_claim))
        return Account(str(name), organizations, profiles, claims["exp"] + settings.clock_skew_s)


def _read_names(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(name for name in names[:_MOST_NAMES] if _is_name(name))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()
