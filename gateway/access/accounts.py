"""Who a bearer token belongs to: static tokens known by their hash, and signed ones (spec repository H1, H11)."""

import hashlib
import hmac
import math
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct

from gateway.config import StaticToken
from gateway.errors import Problem

LONGEST_TOKEN = 8192
_MOST_REMEMBERED = 4096
_CHALLENGE = {"WWW-Authenticate": "Bearer"}
_WRONG = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Account(Struct, frozen=True):
    """Whose token it is, and until when (seconds since the epoch) it is good."""

    name: str
    organizations: tuple[str, ...]
    profiles: tuple[str, ...]
    expires_s: float = float("inf")


class SignedTokens(Protocol):
    """What checks signatures: `access/signatures.py`."""

    async def verify(self, token: str) -> Account | None:
        """Give the account of a token that is good now, else None."""


class Accounts:
    """Finds the account of a bearer token; signed tokens that were good are remembered for a while."""

    def __init__(
        self,
        static: Mapping[str, StaticToken],
        signed: SignedTokens | None,
        clock: Callable[[], float],
        recheck_s: float = 300,
    ) -> None:
        """Take the static tokens that exist here, what checks signed ones, and a clock of seconds since the epoch.

        A signed token that was good is looked at again after `recheck_s` seconds, or when it expires.
        """
        self._static = [(bytes.fromhex(token.sha256), _make_account(token)) for token in static.values()]
        self._signed = signed
        self._clock = clock
        self._recheck_s = recheck_s
        self._remembered: dict[bytes, tuple[Account, float]] = {}  # and until when

    async def find(self, authorization: str | None) -> Account:
        """Give the account of an `Authorization` header.

        Raises Problem 401; it does not say whether a token is unknown, expired or badly signed.
        """
        return (await self.find_until(authorization))[0]

    async def find_until(self, authorization: str | None) -> tuple[Account, float]:
        """Give the account as `find` does, and until when (seconds since the epoch) that need not be asked again."""
        scheme, _, token = (authorization or "").strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Problem(401, "unauthenticated", "Send `Authorization: Bearer <token>`", headers=_CHALLENGE)
        found = await self._find_token(token) if len(token) <= LONGEST_TOKEN and token.isascii() else None
        if found is None:
            raise Problem(401, "unauthenticated", "The bearer token is not valid, or not any more", headers=_WRONG)
        return found

    async def _find_token(self, token: str) -> tuple[Account, float] | None:
        digest = hashlib.sha256(token.encode()).digest()
        found = None
        for known, account in self._static:  # all of them, so that time tells nothing
            if hmac.compare_digest(known, digest):
                found = account
        if found is not None:
            return found, math.inf
        if self._signed is None:
            return None
        remembered = self._remembered.get(digest)
        if remembered is not None and remembered[1] > self._clock():
            return remembered
        self._remembered.pop(digest, None)
        found = await self._signed.verify(token)
        return None if found is None else self._remember(digest, found)

    def _remember(self, digest: bytes, account: Account) -> tuple[Account, float]:
        now = self._clock()
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered = {key: known for key, known in self._remembered.items() if known[1] > now}
            while len(self._remembered) >= _MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
        known = self._remembered[digest] = account, min(account.expires_s, now + self._recheck_s)
        return known


def _make_account(token: StaticToken) -> Account:
    return Account(token.account, tuple(token.organizations), tuple(token.profiles))
