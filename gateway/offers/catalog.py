"""The compiled catalogue of one container: immutable, references resolved, candidates ranked (gw:R2, dec:AL2).

Steps 2 to 4 of a decision (filter, placement, status) do not depend on the profile and are done here, once per change,
so that a decision's cost grows with the candidates of its activities. `apply` makes the next catalogue from the last
one and works in slices, so that whoever drives it decides how long a piece of time each gets; the result is swapped in
whole. Only what a change can reach is made anew.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from msgspec import Struct, structs

from gateway.offers.instances import Instance
from gateway.offers.inventory import (
    FILTERS,
    ActivityRecord,
    Broken,
    Entity,
    FallbackOffer,
    OfferFilter,
    PersonalizedOffer,
    Placement,
    Rule,
    read_entity,
)
from gateway.offers.ranking import RANKINGS, Tier

Result = TypeVar("Result")
Slices = Generator[None, None, Result]
"""Work cut into pieces of about a millisecond; the result is the generator's return value."""

PROFILE, XEVENT, PROFILE_CAP = "profile", "xEvent", "profile-cap"
_SLICE_OFFERS = 64
_SLICE_SCAN = 4_000


class Gone(Struct, frozen=True):
    """The instance was deleted."""

    instance_id: str


class OfferActivity(Entity, frozen=True, eq=False, kw_only=True):
    """An offer activity with everything it refers to, and its candidates best first; `rules` are those they use.

    `reads` names what of the person its candidates depend on: PROFILE and XEVENT for rules that read attributes or
    events, PROFILE_CAP where there is a cap for each profile.
    """

    status: str
    starts: datetime
    ends: datetime
    placement: Placement
    filter: OfferFilter
    fallback: FallbackOffer
    tiers: tuple[Tier, ...]
    rules: dict[str, Rule]
    reads: frozenset[str] = frozenset()
    asks_offers: bool = False
    """Whether a rule is about the offer itself, so that it is evaluated for each of them."""
    size: int = 0
    """How many candidates there are."""
    is_deleting: bool = False

    @property
    def is_live(self) -> bool:
        """Whether it can be asked for (dec §5.1)."""
        return self.status == "live" and not self.is_deleting

    def candidates(self) -> Iterator[tuple[PersonalizedOffer, Rule | None]]:
        """Give every candidate with its rule, a higher rank first."""
        for tier in self.tiers:
            for block in tier.blocks:
                for offer in block.offers:
                    yield offer, block.rule


class Inventory(Struct):
    """The records of a container by @id, and all of them by instance id."""

    by_instance: dict[str, Entity] = {}
    placements: dict[str, Placement] = {}
    rules: dict[str, Rule] = {}
    filters: dict[str, OfferFilter] = {}
    offers: dict[str, PersonalizedOffer] = {}
    fallbacks: dict[str, FallbackOffer] = {}
    activities: dict[str, ActivityRecord] = {}
    broken: dict[str, Broken] = {}

    def copy(self) -> "Inventory":
        """Give a copy that can be changed without changing this one."""
        return Inventory(*[dict(getattr(self, name)) for name in self.__struct_fields__])

    def put(self, instance_id: str, entity: Entity | None) -> Entity | None:
        """Keep the record of an instance, or nothing, in place of the last one, which is given back."""
        last = self.by_instance.pop(instance_id, None)
        if last is not None:
            self._shelf(last).pop(last.at_id, None)
        if entity is not None:
            self.by_instance[instance_id] = entity
            self._shelf(entity)[entity.at_id] = entity
        return last

    def _shelf(self, entity: Entity) -> dict[str, Any]:
        shelf: dict[str, Any] = getattr(self, _SHELVES[type(entity)])
        return shelf


_SHELVES: dict[type[Entity], str] = {
    Placement: "placements",
    Rule: "rules",
    OfferFilter: "filters",
    PersonalizedOffer: "offers",
    FallbackOffer: "fallbacks",
    ActivityRecord: "activities",
    Broken: "broken",
}


class Catalog(Struct, frozen=True, eq=False):
    """One consistent snapshot. `compiled` is when it was made, None for a container nothing was compiled for yet.

    `activities` has a Broken record where a reference leads nowhere: such an activity cannot be asked for.
    """

    inventory: Inventory
    activities: dict[str, OfferActivity | Broken]
    compiled: datetime | None = None

    @property
    def offers(self) -> dict[str, PersonalizedOffer]:
        """Every personalized offer by @id."""
        return self.inventory.offers


EMPTY = Catalog(Inventory(), {})


class _Touched(Struct):
    """What a batch of changes has replaced: ids of everything but offers, and the offers before and after."""

    ids: set[str] = set()
    offers: list[PersonalizedOffer] = []


def apply(catalog: Catalog, changes: Sequence[Instance | Gone], now: datetime) -> Slices[Catalog]:
    """Give the catalogue after `changes`, in slices; an older revision than the known one changes nothing.

    The first catalogue of a container is `apply(EMPTY, every instance, now)`.
    """
    inventory, touched = catalog.inventory.copy(), _Touched(set(), [])
    yield
    for at, change in enumerate(changes):
        _note(inventory, change, touched)
        is_rule = isinstance(inventory.by_instance.get(change.instance_id), Rule)  # it may have taken long to compile
        if is_rule or at % _SLICE_OFFERS == _SLICE_OFFERS - 1:
            yield
    activities: dict[str, OfferActivity | Broken] = {}
    members = _Members(inventory)
    for at_id, record in inventory.activities.items():
        linked = catalog.activities.get(at_id)
        if linked is None or _reaches(touched, record, linked, inventory):
            linked = yield from _link(record, inventory, members)
        activities[at_id] = linked
        yield
    return Catalog(inventory, activities, now)


def run_through(slices: Slices[Result]) -> Result:
    """Give the result of `slices`, driven without a pause."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            result: Result = end.value
            return result


def _note(inventory: Inventory, change: Instance | Gone, touched: _Touched) -> None:
    known = inventory.by_instance.get(change.instance_id)
    entity = None
    if isinstance(change, Instance):
        if known is not None and change.revision < known.revision:
            return
        entity = read_entity(change)
        if isinstance(entity, ActivityRecord) and change.operation:
            entity = structs.replace(entity, is_deleting=True)
    inventory.put(change.instance_id, entity)
    for each in (known, entity):
        if isinstance(each, PersonalizedOffer):
            touched.offers.append(each)
        elif each is not None:
            touched.ids.add(each.at_id)


def _reaches(touched: _Touched, record: ActivityRecord, linked: OfferActivity | Broken, inventory: Inventory) -> bool:
    """Whether a batch of changes can have changed what the activity proposes."""
    needed = {record.at_id, record.placement_id, record.filter_id, record.fallback_id}
    if isinstance(linked, Broken) or not touched.ids.isdisjoint(needed) or not touched.ids.isdisjoint(linked.rules):
        return True
    included, ids = FILTERS[linked.filter.kind], inventory.filters[record.filter_id].ids
    return any(included(ids, offer) for offer in touched.offers)


class _Members:
    """The offers of each filter, found once for all activities that use it."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._found: dict[str, list[PersonalizedOffer]] = {}

    def of(self, wanted: OfferFilter) -> Slices[list[PersonalizedOffer]]:
        found = self._found.get(wanted.at_id)
        if found is None:
            found = self._found[wanted.at_id] = []
            included, ids = FILTERS[wanted.kind], wanted.ids
            offers = list(self._inventory.offers.values())
            for start in range(0, len(offers), _SLICE_SCAN):
                found += [offer for offer in offers[start : start + _SLICE_SCAN] if included(ids, offer)]
                yield
        return found


def _link(record: ActivityRecord, inventory: Inventory, members: _Members) -> Slices[OfferActivity | Broken]:
    placement = inventory.placements.get(record.placement_id)
    wanted = inventory.filters.get(record.filter_id)
    fallback = inventory.fallbacks.get(record.fallback_id)
    if placement is None or wanted is None or fallback is None:
        return _missing(record, {"placement": placement, "filter": wanted, "fallback": fallback})
    listed = yield from members.of(wanted)
    offers = [each for each in listed if each.status == "approved" and placement.at_id in each.representations]
    rules = {each.rule_id: _rule(inventory, each.rule_id) for each in offers if each.rule_id}
    yield
    return OfferActivity(
        at_id=record.at_id,
        instance_id=record.instance_id,
        revision=record.revision,
        name=record.name,
        status=record.status,
        starts=record.starts,
        ends=record.ends,
        placement=placement,
        filter=wanted,
        fallback=fallback,
        tiers=RANKINGS["priority"](offers, rules),
        rules=rules,
        reads=_list_reads(offers, rules.values()),
        asks_offers=any(rule.is_per_offer for rule in rules.values()),
        size=len(offers),
        is_deleting=record.is_deleting,
    )


def _list_reads(offers: Iterable[PersonalizedOffer], rules: Iterable[Rule]) -> frozenset[str]:
    roots = {root for rule in rules if rule.expression is not None for root in rule.expression.roots}
    capped = {PROFILE_CAP} if any(each.profile_cap is not None for each in offers) else set()
    return frozenset(roots & {PROFILE, XEVENT} | capped)


def _rule(inventory: Inventory, at_id: str) -> Rule:
    found = inventory.rules.get(at_id)
    return found or Rule(at_id=at_id, instance_id="", revision=0, fault="the rule does not exist")


def _missing(record: ActivityRecord, references: dict[str, Entity | None]) -> Broken:
    lost = " and ".join(name for name, entity in references.items() if entity is None)
    return Broken(
        at_id=record.at_id,
        instance_id=record.instance_id,
        revision=record.revision,
        name=record.name,
        kind="offer-activity",
        reason=f"the {lost} it refers to cannot be found or read",
    )
