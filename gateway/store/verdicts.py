"""What a script answers to a write, as a verdict."""

from collections.abc import Callable
from typing import Any

from gateway.errors import StoreError
from gateway.offers.instances import Conflict, Deleting, Missing, Refused, Saved, Stale, Verdict


def read_verdict(reply: Any) -> Verdict:
    """Give the verdict of a reply: its name, then what belongs to it; raises StoreError for anything else."""
    try:
        name, *rest = [part.decode() for part in reply]
        return _VERDICTS[name](rest)
    except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        raise StoreError("What Redis answered to a write cannot be read") from error


_VERDICTS: dict[str, Callable[[list[str]], Verdict]] = {
    "saved": lambda rest: Saved(int(rest[0])),
    "conflict": lambda rest: Conflict(int(rest[0])),
    "missing": lambda _: Missing(),
    "deleting": lambda rest: Deleting(rest[0]),
    "stale": lambda _: Stale(),
    "refused": lambda rest: Refused(tuple(zip(rest[::2], rest[1::2], strict=True))),
}
