"""Key names of visitors and their times to live. A key holds no raw id of a visitor, session or customer (gw:S6).

All keys of one session share the hash tag `{<client>:<hash>}`, so that a script may take several of them in a cluster.
"""

from gateway.delivery.cookies import SESSION_LIFE_S as COOKIE_LIFE_S
from gateway.store.digests import Digests

SESSION_LIFE_S = COOKIE_LIFE_S
"""Sliding life of a session's record, and life of a location hint (gw:S1): as long as the cookie's session."""


class Keys:
    """Key names, made with a secret: without it nobody can tell whether a known id has a key."""

    def __init__(self, secret: bytes) -> None:
        """Take the secret all gateways of one Redis share; raises ConfigError when it is empty."""
        self._digests = Digests(secret)

    def session(self, client: str, session_id: str) -> bytes:
        """Give the key of a session's record."""
        return f"{self._tag(client, session_id)}:session".encode()

    def answer(self, digest: bytes) -> bytes:
        """Give the key of a decision's answer, kept for those who ask the same again (dec:CA13)."""
        return f"answer:{self.digest(digest.hex())}".encode()

    def consumer(self, consumer: str) -> str:
        """Give the mark under which a session's record remembers a consumer: 16 hexadecimal digits."""
        return self.digest(consumer)[:16]

    def display(self, token_id: str) -> bytes:
        """Give the key that says that the display of a prefetched offer was counted (gw:O2)."""
        return f"display:{self.digest(token_id)}".encode()

    def _tag(self, client: str, *ids: str) -> str:
        return f"{{{client}:{self.digest(client, *ids)}}}"

    def digest(self, *texts: str) -> str:
        """Give 32 hexadecimal digits that stand for texts; the first one says what they are, so that kinds differ."""
        return self._digests.of(*texts)

    def digest_in(self, begin: tuple[str, ...], *texts: str) -> str:
        """Give `digest(*begin, *texts)`, faster where many begin alike."""
        return self._digests.after(begin, *texts)
