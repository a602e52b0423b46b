"""What a rule may look at, and what one evaluation uses up."""

from datetime import UTC, datetime
from typing import Any

from gateway.pql.faults import EvaluationError
from gateway.pql.limits import FUEL
from gateway.pql.patterns import Pattern

Json = Any
"""A JSON value as decoded: None, bool, int, float, str, list or dict."""


UNSET = object()
"""What a slot holds before anything was put in it."""


class Facts:
    """The inputs of one decision call, shared by all its rules (spec pql §1).

    `profile` is the profile's attributes, `events` the experience events, `context` the context data items with their
    `@type` and `xdm:data`, `offer` the instance of the offer under test and `now` an aware datetime. Facts belong to
    one thread: they also carry the scratch space of the evaluation under way.
    """

    __slots__ = ("bound", "events", "found", "fuel", "indexed", "now", "offer", "patterns", "profile")

    def __init__(
        self,
        *,
        now: datetime,
        profile: dict[str, Json] | None = None,
        events: list[Json] | None = None,
        context: list[Json] | None = None,
        offer: dict[str, Json] | None = None,
    ) -> None:
        """Keep the inputs; they are never changed. Raises ValueError when `now` has no time zone."""
        if now.tzinfo is None:
            raise ValueError("`now` needs a time zone")
        self.profile = {} if profile is None else profile
        self.events = [] if events is None else events
        self.offer = offer
        self.now = now if now.tzinfo is UTC else now.astimezone(UTC)
        self.found: dict[str, tuple[int, Json]] = {}
        self.indexed = index(context) if context else {}
        self.fuel = FUEL
        self.bound: list[Any] = []
        self.patterns: dict[str, Pattern] = {}

    def about(self, offer: dict[str, Json]) -> "Facts":
        """Give the same facts with another offer under test."""
        facts = Facts(now=self.now, profile=self.profile, events=self.events, offer=offer)
        facts.indexed, facts.found = self.indexed, self.found
        return facts

    def begin(self, fuel: int, slots: int) -> None:
        """Make the scratch space ready."""
        self.fuel = fuel
        if slots:
            self.bound = [UNSET] * slots
            self.patterns = {}

    def spend(self, steps: int) -> None:
        """Use up fuel. Raises EvaluationError when none is left (pql:ST3)."""
        self.fuel -= steps
        if self.fuel < 0:
            raise EvaluationError(f"the rule took more than {FUEL} steps")

    def schema(self, reference: str) -> Json:
        """Give what `@{reference}` stands for: null, an object or a list of objects (pql:CX1, CX2)."""
        found = self.found.get(reference)
        if found is None:
            wanted, _, version = reference.partition(";version=")
            items = self.indexed.get(wanted, [])
            matching = [data for given, data in items if not version or not given or given == version]
            found = 2 * len(items), matching[0] if len(matching) == 1 else matching or None
            self.found[reference] = found
        steps, data = found
        self.spend(steps)
        return data


def index(context: list[Json]) -> dict[str, list[tuple[str, Json]]]:
    """Give version and data of the context items, by schema id."""
    indexed: dict[str, list[tuple[str, Json]]] = {}
    for item in context:
        kind = item.get("@type") if isinstance(item, dict) else None
        if isinstance(kind, str):
            schema, _, version = kind.partition(";version=")
            indexed.setdefault(schema, []).append((version, item.get("xdm:data")))
    return indexed
