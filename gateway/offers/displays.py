"""Event tokens of prefetched offers: what a display notification has to be counted for (gw:O2, dec:X2).

A token is signed, so that nobody can use up a cap with made-up ones, and says whose profile it was made for by a keyed
hash, never by an id.
"""

import base64
import hashlib
import hmac

import msgspec
from msgspec import Struct

from gateway.offers.capping import Selection, claim_options
from gateway.offers.catalog import Catalog

MOST_TOKEN = 1024
_MAC_BYTES = 16


class Display(Struct, frozen=True, array_like=True):
    """One prefetched option: a unique `id` (the claim id: counted once per token), where and for whom it was decided.

    `profile` is the store's key of the canonical profile, `issued_ms` milliseconds since 1970.
    """

    id: str
    container: str
    activity: str
    offer: str
    profile: str
    issued_ms: int


_decode = msgspec.json.Decoder(Display).decode


def write_token(display: Display, secret: bytes) -> str:
    """Give the event token of a display."""
    payload = msgspec.json.encode(display)
    return base64.urlsafe_b64encode(_sign(payload, secret) + payload).decode().rstrip("=")


def read_token(text: str, secret: bytes) -> Display | None:
    """Give what a token was made for; None for one that is not ours."""
    if not text.isascii() or len(text) > MOST_TOKEN:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        payload = raw[_MAC_BYTES:]
        return _decode(payload) if hmac.compare_digest(raw[:_MAC_BYTES], _sign(payload, secret)) else None
    except (ValueError, msgspec.MsgspecError):
        return None


def select_display(catalog: Catalog, display: Display) -> Selection:
    """Give what a display has to count, with the caps of now; nothing for an offer that is gone."""
    offer = catalog.offers.get(display.offer)
    return Selection(claim_options((offer,))) if offer is not None else Selection()


def _sign(payload: bytes, secret: bytes) -> bytes:
    key = hashlib.blake2b(secret, person=b"display token").digest()
    return hashlib.blake2b(payload, key=key, digest_size=_MAC_BYTES).digest()
