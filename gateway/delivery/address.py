"""The attributes of a URL that audiences ask for (odd 7.1)."""

import re
from functools import lru_cache

from publicsuffixlist import PublicSuffixList

_URL = re.compile(r"(?:[^:/?#.]++:)?(?://)?([^/?#]*+)([^?#]*+)(?:\?([^#]*+))?(?:#(.*+))?", re.DOTALL)
_LITERAL = re.compile(r"\[[^\]]*\]")
_LABELS = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # the separators that IDNA takes for a dot
_LONGEST_HOST = 255
_LONGEST_LABEL = 63
_LONGEST_REMEMBERED = 512  # pages repeat, but 2,048 remembered URLs must stay a few megabytes
_SUFFIXES = PublicSuffixList(accept_unknown=False)  # the list inside the package, ICANN and private sections


def url_attributes(url: str | None) -> dict[str, str]:
    """Give `url`, `path`, `query`, `fragment`, `domain`, `subdomain`, `topLevelDomain`, and each lower-cased as `_lc`.

    `domain` is the registrable domain; what is missing is `""`. Never raises, whatever the text. The result is shared:
    nobody may change it.
    """
    if not isinstance(url, str):
        url = ""
    return _read_url(url) if len(url) <= _LONGEST_REMEMBERED else _read_url.__wrapped__(url)


@lru_cache(maxsize=2048)
def _read_url(url: str) -> dict[str, str]:
    authority, path, query, fragment = _URL.match(url).groups("")  # type: ignore[union-attr] # every part may be empty
    host = _host(authority)
    domain, subdomain, suffix = _split(host) if len(host) <= _LONGEST_HOST else (host, "", "")
    return {
        "url": url,
        "url_lc": url.lower(),
        "path": path,
        "path_lc": path.lower(),
        "query": query,
        "query_lc": query.lower(),
        "fragment": fragment,
        "fragment_lc": fragment.lower(),
        "domain": domain,
        "domain_lc": domain.lower(),
        "subdomain": subdomain,
        "subdomain_lc": subdomain,
        "topLevelDomain": suffix,
        "topLevelDomain_lc": suffix,
    }


def _host(authority: str) -> str:
    """Drop user information and port; the brackets of an IPv6 literal belong to the host."""
    place = authority.rpartition("@")[2]
    if place.startswith("[") and (literal := _LITERAL.match(place)):
        return literal[0]
    return place.partition(":")[0]


@lru_cache(maxsize=4096)
def _split(host: str) -> tuple[str, str, str]:
    """Give domain, subdomain and public suffix, or the host as written when it has no listed suffix."""
    written = host.lower().removesuffix(".")
    labels = _DOTS.split(written)
    encoded = _encoded(written)
    registrable = _SUFFIXES.privatesuffix(encoded) if encoded.count(".") == len(labels) - 1 else None
    if registrable is None:
        return host, "", ""
    own = len(labels) - registrable.count(".") - 1
    before = labels[1:own] if labels[0] == "www" else labels[:own]
    return ".".join(labels[own:]), ".".join(before), ".".join(labels[own + 1 :])


def _encoded(written: str) -> str:
    """Give the ASCII form of a host, `""` when it is not a valid name."""
    try:
        ascii_form = written if written.isascii() else written.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    if not _LABELS.fullmatch(ascii_form) or max(map(len, ascii_form.split("."))) > _LONGEST_LABEL:
        return ""
    return ascii_form
