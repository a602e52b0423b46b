"""Which share of an activity's traffic a visitor falls into (odd 8)."""

from mmh3 import mmh3_32_sintdigest

_SALT = "0"


def hash_text(text: str) -> int:
    """Give the signed MurmurHash3 (x86, 32 bits, seed 0) of the UTF-16 little-endian units of `text`."""
    return mmh3_32_sintdigest(text.encode("utf-16-le", "surrogatepass"))


def allocate(client: str, activity_id: int | str, visitor_id: str) -> float:
    """Give the visitor's place in an activity, 0 to 99.99 in steps of a hundredth; the same for ever."""
    return abs(hash_text(f"{client}.{activity_id}.{visitor_id}.{_SALT}")) % 10_000 / 100


def bucketing_id(ecid: str | None, tnt_id: str | None, third_party_id: str | None) -> str:
    """Give the id a visitor is allocated by: ECID, else tntId up to its first dot, else third-party id, else `""`."""
    return ecid or (tnt_id or "").partition(".")[0] or third_party_id or ""
