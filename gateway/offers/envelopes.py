"""The envelope around an `_instance`: what a body may have in it, and the links (spec repository §6, §7, §9.1)."""

from itertools import islice
from typing import Any

from gateway.errors import Problem, Violation
from gateway.offers.documents import equal, point
from gateway.offers.instances import JsonObject

MAX_LINKS = 200
"""Custom links of an instance, and those of one relation."""

MOST_MEMBERS = 200
"""Members of an envelope that are looked at; one with more has wrong ones among them."""

CONTENT = ("_instance", "_links")
CONTEXTS = "productContexts"
DEFAULT_CONTEXTS = ("dma_offers", "acp")
"""Product contexts of a container that was created without any (C4)."""

SHOWN_ONLY = ("_score", "sandboxName")
"""What only answers have; a PUT may send it back (P2)."""

SERVER_MEMBERS = (
    "instanceId",
    "schemas",
    CONTEXTS,
    "repo:etag",
    "repo:createdDate",
    "repo:lastModifiedDate",
    "repo:createdBy",
    "repo:lastModifiedBy",
    "repo:createdByClientId",
    "repo:lastModifiedByClientId",
    *SHOWN_ONLY,
)


def check_members(body: JsonObject, stored: JsonObject | None, *, contexts: bool) -> list[Violation]:
    """Check the members of a body's envelope (K3 to K5, P2); `contexts`: product contexts may be set (C10).

    `stored` is the envelope as stored, None for a create.
    """
    found = [_missing(name) for name in CONTENT if name not in body]
    for name, value in islice(body.items(), MOST_MEMBERS):
        if name in CONTENT:
            if not isinstance(value, dict):
                found.append(Violation("type", point(name), "must be an object"))
        elif name == CONTEXTS and contexts:
            found += _check_contexts(value)
        elif name not in SERVER_MEMBERS:
            found.append(Violation("additional-property", point(name), "is not a member of the envelope"))
        elif not _is_unchanged(name, value, stored):
            found.append(Violation("not-editable", point(name), "is set by the repository; leave it out"))
    return found


def _missing(name: str) -> Violation:
    return Violation("required", point(name), "is required and must be an object; it may be empty")


def _is_unchanged(name: str, value: object, stored: JsonObject | None) -> bool:
    """Say whether a server-managed member may stay in a body: it is the stored one, or only ever shown (P2, W1)."""
    if stored is None:
        return False
    return name in SHOWN_ONLY or (name in stored and equal(value, stored[name]))


def _check_contexts(value: object) -> list[Violation]:
    if not isinstance(value, list):
        return [Violation("type", point(CONTEXTS), "must be an array of strings")]
    wrong = [index for index, context in enumerate(value) if not isinstance(context, str)]
    return [Violation("type", point(CONTEXTS, index), "must be a string") for index in wrong]


def check_links(links: JsonObject, made: JsonObject, *, is_new: bool) -> list[Violation]:
    """Check custom links (E11), and that the repository's own (`made`) are absent, unchanged, or sent on POST (E12).

    Raises Problem 413 where there are too many.
    """
    if len(links) > MAX_LINKS:
        raise Problem(413, "too-large", f"An instance may have {MAX_LINKS} links")
    found = []
    for relation, value in links.items():
        if relation not in made:
            found += _check_relation(relation, value)
        elif not is_new and not equal(value, made[relation]):
            detail = "is made by the repository; leave it out or send it as it is"
            found.append(Violation("not-editable", point("_links", relation), detail))
    return found


def _check_relation(relation: str, value: Any) -> list[Violation]:
    if not isinstance(value, list):
        return _check_link(value, ("_links", relation))
    if len(value) > MAX_LINKS:
        raise Problem(413, "too-large", f"A relation may have {MAX_LINKS} links")
    return [wrong for index, link in enumerate(value) for wrong in _check_link(link, ("_links", relation, index))]


def _check_link(link: Any, at: tuple[str | int, ...]) -> list[Violation]:
    if not isinstance(link, dict):
        return [Violation("type", point(*at), "must be a link object or an array of them")]
    if "href" not in link:
        return [Violation("required", point(*at, "href"), "is required in a link")]
    if not isinstance(link["href"], str):
        return [Violation("type", point(*at, "href"), "must be a string")]
    return []
