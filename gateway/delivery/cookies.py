"""The cookies that keep a visitor's session, device and edge (get-offers 4 and 6), and ids that name an edge."""

import math
import re
from urllib.parse import quote, unquote

from msgspec import Struct

MBOX_COOKIE = "mbox"
EDGE_COOKIE = "mboxEdgeCluster"
SESSION_LIFE_S = 1_860
DEVICE_LIFE_S = 63_244_800
EDGE_LIFE_S = 1_860

_LONGEST = 8_192
_MOST_PIECES = 100
_UNESCAPED = "-_.!~*'()"  # what encodeURIComponent leaves as it is, besides letters and digits
_INTEGER = re.compile(r"[0-9]{1,20}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NUMBER = re.compile(r"[0-9]{1,3}")
_HINTED = re.compile(r"([^.]+\.[0-9]{1,3})_([0-9]{1,3})")
_SHIELDED = re.compile(r"([^.]+\.[0-9]{1,3})-([0-9]{1,3})")
_CLUSTER = re.compile(r"[^.]*\.([0-9]{1,3})_[^._]*")
_EDGE_HOST = re.compile(r"mboxedge([0-9]{1,3})(?:\.[^.]+){3}")


class MboxCookie(Struct, frozen=True):
    """What the `mbox` cookie holds: session id and device id (tntId with its location hint), `""` when absent."""

    session_id: str = ""
    device_id: str = ""


class Cookie(Struct, frozen=True):
    """A cookie to set; `max_age` in seconds."""

    name: str
    value: str
    max_age: int


def find_cookie(header: str, name: str) -> str:
    """Give the raw value of the first cookie called `name` in a `Cookie` header, `""` when there is none."""
    if name not in header:
        return ""
    for pair in header.split(";"):
        key, equals, value = pair.partition("=")
        if equals and key.strip() == name:
            return value.strip()
    return ""


def read_mbox_cookie(value: str, now_s: float) -> MboxCookie:
    """Read the entries of an `mbox` cookie that have not expired (get-offers 4.2).

    Malformed entries are skipped; a value of more than 8 KB or 100 entries counts as empty. Never raises.
    """
    if len(value) > _LONGEST or value.count("|") >= _MOST_PIECES:
        return MboxCookie()
    if "#" not in value:
        value = decode_text(value) or ""
    entries: dict[str, str] = {}
    for piece in value.split("|"):
        parts = piece.split("#")
        if len(parts) < 3 or not _INTEGER.fullmatch(parts[2]) or int(parts[2]) < now_s:
            continue
        name, content = decode_text(parts[0]), decode_text(parts[1])
        if name is not None and content is not None:
            entries[name] = content
    return MboxCookie(entries.get("session", ""), entries.get("PC", ""))


def decode_text(text: str) -> str | None:
    """Undo encodeURIComponent; None for an escape that is malformed or not UTF-8."""
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        return None
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return None


def write_mbox_cookie(session_id: str, tnt_id: str, now_ms: int) -> Cookie:
    """Make the `mbox` cookie of a session and, unless `tnt_id` is `""`, a device (get-offers 4.3)."""
    now_s = math.ceil(now_ms / 1000)
    expires = now_s + SESSION_LIFE_S
    value = f"session#{_encoded(session_id)}#{expires}"
    if tnt_id:
        expires = now_s + DEVICE_LIFE_S
        value = f"{value}|PC#{_encoded(tnt_id)}#{expires}"
    return Cookie(MBOX_COOKIE, value, math.ceil((expires * 1000 - now_ms) / 1000))


def _encoded(text: str) -> str:
    """Do as encodeURIComponent does; half a surrogate pair, which it refuses, becomes a question mark."""
    return quote(text, safe=_UNESCAPED, errors="replace")


def is_cluster(text: str) -> bool:
    """Whether `text` can be the number of an edge cluster (gw:S9)."""
    return _NUMBER.fullmatch(text) is not None


def cluster_of(device_id: str) -> str:
    """Give the edge cluster a device id names (`35` of `<id>.35_0`), `""` for none (get-offers 6)."""
    found = _CLUSTER.fullmatch(device_id)
    return found[1] if found else ""


def cluster_of_edge_host(host: str) -> str:
    """Give the cluster of a host such as `mboxedge35.tt.omtrdc.net`, `""` for any other host."""
    found = _EDGE_HOST.fullmatch(host)
    return found[1] if found else ""


def shield_device_id(tnt_id: str) -> str:
    """Write the hint `.35_0` as `.35-0`, which no SDK takes for one, so that clients keep coming to the gateway."""
    found = _HINTED.fullmatch(tnt_id) if "_" in tnt_id else None
    return f"{found[1]}-{found[2]}" if found else tnt_id


def restore_device_id(tnt_id: str) -> str:
    """Undo `shield_device_id`."""
    found = _SHIELDED.fullmatch(tnt_id) if "-" in tnt_id else None
    return f"{found[1]}_{found[2]}" if found else tnt_id
