"""Where a container is kept: the names of its keys, all in one slot (gw:R1, S6).

An organisation's sandbox is a digest in key names. It has no secret: the repository must be found again when the
secret of session keys is changed. Container ids are UUIDs and may be seen.
"""

import hashlib
import re

from msgspec import Struct

from gateway.offers.instances import Space

_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)

PENDING = b"repo:pending"
"""Sorted set of deletes that may be undecided, as `<space digest> <container> <operation>`, by when they were asked."""


class Place(Struct, frozen=True):
    """A container of a space."""

    space: str
    """digest of organisation and sandbox"""
    container: str

    def key(self, name: str) -> bytes:
        """Give the key of one of the container's parts."""
        return f"repo:{self.space}:{{{self.container}}}:{name}".encode()

    def keys(self) -> list[bytes]:
        """Give the keys of all that a change touches, in the order in which scripts take them."""
        return [self.key(name) for name in _PARTS]

    def verdict(self, write_id: str) -> bytes:
        """Give the key of what became of a write."""
        return self.key(f"write:{write_id}")

    def operation(self, operation_id: str) -> bytes:
        """Give the key of a delete operation."""
        return self.key(f"operation:{operation_id}")


_PARTS = ("documents", "records", "marks", "at_ids", "names", "referrers", "listing", "changes")


def find_place(space: Space, container: str) -> Place | None:
    """Give the place of a container; None where the id is none, however hostile."""
    return Place(digest_space(space), container) if is_id(container) else None


def digest_space(space: Space) -> str:
    """Give 32 hexadecimal digits that stand for an organisation's sandbox."""
    parts = [text.encode("utf-8", "surrogatepass") for text in (space.organization, space.sandbox)]
    return hashlib.blake2b(b"".join(len(part).to_bytes(8, "big") + part for part in parts), digest_size=16).hexdigest()


def name_containers(space: str) -> bytes:
    """Give the key of the ids of a space's containers; a container's own record says whether it exists."""
    return f"repo:{space}:containers".encode()


def is_id(text: str) -> bool:
    """Whether `text` can be an id that the gateway made."""
    return _ID.fullmatch(text) is not None
