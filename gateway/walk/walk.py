"""A request on its way through the steps of `delivery.py`, and what gets lost on that way (gw:F5)."""

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from msgspec import Struct, field

from gateway.delivery.artifact import DEFAULT_GLOBAL_MBOX, Artifact
from gateway.delivery.plan import NO_NEEDS, Item, Plan
from gateway.delivery.session import Visitor
from gateway.services import Services
from gateway.walk.inbound import Inbound

NO_PLAN = Plan((), (), NO_NEEDS, ask_target=False)
_MOST_NAMED = 1000  # characters of a header
_NAMELESS = {"pageLoad": DEFAULT_GLOBAL_MBOX, "views": "*"}


class Walk(Struct, kw_only=True):
    """One request under way.

    `artifact` is one snapshot for all of it, `sdid` the one for its call to Target. `lost` gives the reasons why its
    answer will lack something, `missing` what is missing for each of them.
    """

    services: Services
    inbound: Inbound
    request_id: str
    visitor: Visitor
    artifact: Artifact | None = None
    plan: Plan = NO_PLAN
    sdid: str = ""
    lost: list[str] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)

    def lose(self, reason: str, names: Iterable[str]) -> None:
        """Note that the answer will be partial: why, and which items it cannot decide."""
        if reason not in self.missing:
            self.lost.append(reason)
        self.missing.setdefault(reason, []).extend(names)

    @property
    def is_partial(self) -> bool:
        """Whether something that was asked or told has been lost."""
        return bool(self.missing)


def names_of(items: Iterable[Item]) -> list[str]:
    """Give the names of items, as they are shown to callers; a page load has the global mbox's, all views are `*`."""
    return [item.name or _NAMELESS.get(item.kind, "") for item in items]


def describe_losses(walk: Walk) -> str:
    """Give the value of `X-Gateway-Degraded`: reasons, each with the names of what is missing (RFC 9651 §3.1).

    Names are percent-encoded, separated by blanks and bounded: `upstream-timeout;missing="cart-upsell footer +12"`.
    """
    said: list[str] = []
    room = _MOST_NAMED
    for reason in dict.fromkeys(walk.lost):
        named = _name(list(dict.fromkeys(walk.missing.get(reason, ()))), room)
        room -= len(named)
        said.append(f'{reason};missing="{named}"' if named else reason)
    return ", ".join(said)


def _name(names: Sequence[str], room: int) -> str:
    shown: list[str] = []
    for at, name in enumerate(names):
        text = quote(name, safe="*", errors="replace")
        room -= len(text) + 1
        if room < 0:
            shown.append(f"+{len(names) - at}")
            break
        shown.append(text)
    return " ".join(shown)
