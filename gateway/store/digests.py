"""Keyed hashes that stand for texts in key names: without the secret nobody can tell whose they are (gw:S6)."""

import hashlib
import struct

from gateway.errors import ConfigError

_MOST_BEGUN = 1024
_pack_length = struct.Struct(">Q").pack
_LONGEST_KEY = 64  # of BLAKE2b; a longer secret counts whole


class Digests:
    """Hashes with one secret; what many have in common is hashed once."""

    def __init__(self, secret: bytes) -> None:
        """Take the secret all gateways of one Redis share; raises ConfigError when it is empty."""
        if not secret:
            raise ConfigError("The key secret is empty: set the variable that redis.key-secret-env names")
        key = secret if len(secret) <= _LONGEST_KEY else hashlib.blake2b(secret).digest()
        self._empty = hashlib.blake2b(digest_size=16, key=key)
        self._begun: dict[tuple[str, ...], hashlib.blake2b] = {}

    def of(self, *texts: str) -> str:
        """Give 32 hexadecimal digits that stand for texts; no text can run into the next."""
        return self.after((), *texts)

    def after(self, begin: tuple[str, ...], *texts: str) -> str:
        """Give `of(*begin, *texts)`; what it begins with should be the same for many, and no one's own."""
        begun = self._begun.get(begin)
        digest = begun.copy() if begun is not None else self._begin(begin).copy()
        _add(digest, texts)
        return digest.hexdigest()

    def _begin(self, texts: tuple[str, ...]) -> hashlib.blake2b:
        begun = self._empty.copy()
        _add(begun, texts)
        if len(self._begun) >= _MOST_BEGUN:
            self._begun.clear()
        self._begun[texts] = begun
        return begun


def _add(digest: hashlib.blake2b, texts: tuple[str, ...]) -> None:
    """Add texts, each after its length."""
    for text in texts:
        part = text.encode("utf-8", "surrogatepass")
        digest.update(_pack_length(len(part)) + part)
