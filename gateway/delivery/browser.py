"""Browser and platform of a visitor, by the rules of the decision engine rather than those of a library (odd 7.2).

Every search below is linear: no repeated group sits inside another, runs are possessive, and rules of several parts
look for each part once, after the one before.
"""

import re
from functools import lru_cache

from msgspec import Struct

_LONGEST = 2_048
_FLAGS = re.ASCII | re.IGNORECASE
_VERSION = r"([A-Za-z0-9_.]++)"
_LEADING_INTEGER = re.compile(r"[0-9]{1,15}")

_EDGE = re.compile(rf"(?:edge|edgios|edga|edg)/{_VERSION}", _FLAGS)
_CHROME = re.compile(rf"chrome/v?{_VERSION}", _FLAGS)
_FIREFOX = re.compile(r"firefox/([A-Za-z0-9_.-]++)\Z", _FLAGS)
_IE = re.compile(rf"(?:msie|\(ie)\s{_VERSION}", _FLAGS)
_NUMBERED = re.compile(rf"version/{_VERSION}", _FLAGS)
_MOBILE_SAFARI = re.compile(r"mobile/[A-Za-z0-9_]++\ssafari", _FLAGS)
_SAFARI = re.compile(r"safari", _FLAGS)
_TRIDENT = re.compile(r"trident", _FLAGS)
_REVISION = re.compile(rf"rv[:\s]{_VERSION}", _FLAGS)
_LIKE_GECKO = re.compile(r"like gecko", _FLAGS)

_USER_AGENTS: tuple[tuple[str, tuple[re.Pattern[str], ...]], ...] = (
    ("edge", (_EDGE,)),
    ("mobile safari", (_NUMBERED, _MOBILE_SAFARI)),
    ("safari", (_NUMBERED, _SAFARI)),
    ("chrome", (_CHROME,)),
    ("firefox", (_FIREFOX,)),
    ("ie", (_IE,)),
    ("ie", (_TRIDENT, _REVISION, _LIKE_GECKO)),
)
_BRANDS = tuple(
    (name, re.compile(rf'{name}";v="([0-9.]++)"', _FLAGS)) for name in ("chrome", "edge", "safari", "firefox")
)
_PLATFORMS = (
    ("iOS", re.compile(r"iPhone|iPad|iPod")),
    ("Android", re.compile(r"Android [0-9.]++;")),
    ("Linux", re.compile(r" Linux ")),
    ("Unix", re.compile(r"FreeBSD|OpenBSD|CrOS")),
    ("Windows", re.compile(r"[( ]Windows ")),
    ("Mac OS", re.compile(r"Macintosh;")),
)
_KNOWN_AS = {"Windows": "windows", "Macintosh": "mac", "Mac OS": "mac", "macOS": "mac", "Linux": "linux"}


class Browser(Struct, frozen=True):
    """What audiences can ask about a browser: `name` (lower case), major `version` (-1 unknown), `platform`."""

    name: str
    version: int
    platform: str


def read_browser(user_agent: str, platform_hint: str | None = None, brands_hint: str | None = None) -> Browser:
    """Give browser and platform of a user agent; client hints, where given, win over it.

    `brands_hint` is the list of brands with full versions or, failing that, with major ones. Only the first 2,048
    characters of each are looked at.
    """
    platform = None if platform_hint is None else platform_hint[:_LONGEST]
    return _read(user_agent[:_LONGEST], platform, (brands_hint or "")[:_LONGEST])


@lru_cache(maxsize=2048)
def _read(user_agent: str, platform_hint: str | None, brands: str) -> Browser:
    name, version = _by_user_agent(user_agent)
    for brand, pattern in _BRANDS:
        if found := pattern.search(brands):
            name, hinted = brand, _major(found[1])
            version = hinted if hinted >= 0 else version
            break
    platform = _platform(user_agent) if platform_hint is None else platform_hint
    return Browser(name, version, _KNOWN_AS.get(platform, platform))


def _by_user_agent(user_agent: str) -> tuple[str, int]:
    for name, parts in _USER_AGENTS:
        for line in user_agent.splitlines() if len(parts) > 1 else [user_agent]:
            if found := _follow(parts, line):
                return name, _major(found)
    return "unknown", -1


def _follow(parts: tuple[re.Pattern[str], ...], line: str) -> str:
    """Find `parts` one after another with something between, and give the version one of them holds.

    The first place of each part is enough: a later one leaves less room for the rest.
    """
    version, start = "", 0
    for part in parts:
        found = part.search(line, start)
        if not found:
            return ""
        version, start = version or "".join(found.groups()), found.end() + 1
    return version


def _major(version: str) -> int:
    """Give the integer a version starts with, -1 for none; 15 digits are more than any browser has counted to."""
    found = _LEADING_INTEGER.match(version)
    return int(found[0]) if found else -1


def _platform(user_agent: str) -> str:
    return next((name for name, pattern in _PLATFORMS if pattern.search(user_agent)), "unknown")
