"""What one container holds, read from stored instances: the small immutable records decisions are made with.

A document that cannot be read becomes a `Broken` record: it is reported (dec:DG3) and hurts nothing else.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import msgspec
from msgspec import Struct

from gateway import pql
from gateway.errors import RuleSyntaxError
from gateway.offers.counters import SCOPES, Claim, Counter
from gateway.offers.instances import Instance, JsonObject
from gateway.pql.times import read_timestamp

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
ENDLESS = 1 << 60
"""More propositions than there will ever be."""
_UNREADABLE = (
    msgspec.MsgspecError,
    UnicodeDecodeError,
    RecursionError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
)


class Entity(Struct, frozen=True, eq=False, kw_only=True, dict=True):
    """What every record has; `revision` is the etag decisions report (dec:R3). Records compare by identity."""

    at_id: str
    instance_id: str
    revision: int
    name: str = ""

    @cached_property
    def reference(self) -> JsonObject:
        """Id and revision as answers and events name them, not to be changed; made when first asked for."""
        return {"xdm:id": self.at_id, "repo:etag": self.revision}

    @cached_property
    def written(self) -> msgspec.Raw:
        """`reference` as JSON."""
        return msgspec.Raw(msgspec.json.encode(self.reference))


class Broken(Entity, frozen=True, eq=False, kw_only=True):
    """An instance of `kind` (short schema name) that cannot be used, and why."""

    kind: str
    reason: str


class Placement(Entity, frozen=True, eq=False, kw_only=True):
    """A place an offer can be shown in."""

    channel: str | None = None
    component_type: str | None = None
    content_types: tuple[str, ...] = ()


class Rule(Entity, frozen=True, eq=False, kw_only=True):
    """An eligibility rule, compiled once per revision (pql:ST4); without `expression` it does not compile: `fault`."""

    expression: pql.Expression | None = None
    fault: str = ""
    is_per_offer: bool = False


class OfferFilter(Entity, frozen=True, eq=False, kw_only=True):
    """A collection of offers: by their ids or by their tags (`kind` is a name of FILTERS)."""

    kind: str
    ids: frozenset[str]


class FallbackOffer(Entity, frozen=True, eq=False, kw_only=True):
    """The answer of last resort; `representations` are component lists by placement.

    `shown` remembers it as an option with its content, as JSON, by placement.
    """

    status: str
    representations: Mapping[str, tuple[JsonObject, ...]]
    characteristics: JsonObject | None = None
    shown: dict[str, msgspec.Raw] = {}


class PersonalizedOffer(FallbackOffer, frozen=True, eq=False, kw_only=True):
    """An offer with its constraints, bounds of the calendar always set; `instance` is what rules see as `offer`."""

    tags: frozenset[str]
    priority: int
    starts: datetime
    ends: datetime
    rule_id: str | None
    global_cap: int | None
    profile_cap: int | None
    instance: JsonObject

    @cached_property
    def is_capped(self) -> bool:
        """Whether any cap is set."""
        return self.global_cap is not None or self.profile_cap is not None

    @cached_property
    def least_cap(self) -> int:
        """The lower cap, ENDLESS without any."""
        return min(self.global_cap or ENDLESS, self.profile_cap or ENDLESS)  # a cap is 1 or more (ent:CC2)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """What handing it out once has to claim."""
        return tuple([Claim(Counter(self.at_id, name), 1, cap(self)) for name, _, cap in SCOPES])


class ActivityRecord(Entity, frozen=True, eq=False, kw_only=True):
    """An offer activity as stored: references are ids."""

    status: str
    starts: datetime
    ends: datetime
    placement_id: str
    filter_id: str
    fallback_id: str
    is_deleting: bool = False


FILTERS: dict[str, Callable[[frozenset[str], PersonalizedOffer], bool]] = {
    "offers": lambda ids, offer: offer.at_id in ids,
    "anyTags": lambda ids, offer: not ids.isdisjoint(offer.tags),
    "allTags": lambda ids, offer: bool(ids) and ids <= offer.tags,
}
"""Whether an offer is in a collection (spec offer-entities §9); no ids match nothing (ent:OF1)."""


class _Envelope(Struct):
    instance: JsonObject = msgspec.field(name="_instance")
    schemas: list[str]


_decode = msgspec.json.Decoder(_Envelope).decode


def read_entity(stored: Instance) -> Entity | None:
    """Give the record of a stored instance; None for a schema that plays no part in decisions, such as a tag."""
    kind = ""
    try:
        envelope = _decode(stored.document)
        kind = next((name for name in map(_short_name, envelope.schemas) if name in READERS), "")
        return READERS[kind](_origin(stored, envelope.instance), envelope.instance) if kind else None
    except _UNREADABLE as error:
        reason = f"the stored document cannot be read: {type(error).__name__}"
        at_id = f"instance:{stored.instance_id}"
        return Broken(at_id=at_id, instance_id=stored.instance_id, revision=stored.revision, kind=kind, reason=reason)


def _short_name(schema: str) -> str:
    return schema.rpartition("/")[2].partition(";")[0]


def _origin(stored: Instance, instance: JsonObject) -> dict[str, Any]:
    return {
        "at_id": instance["@id"],
        "instance_id": stored.instance_id,
        "revision": stored.revision,
        "name": instance.get("xdm:name", ""),
    }


def _read_placement(origin: dict[str, Any], instance: JsonObject) -> Placement:
    return Placement(
        **origin,
        channel=instance.get("xdm:channel"),
        component_type=instance.get("xdm:componentType"),
        content_types=tuple(instance.get("xdm:contentTypes", ())),
    )


def _read_rule(origin: dict[str, Any], instance: JsonObject) -> Rule:
    try:
        expression = pql.compile(instance["xdm:condition"]["xdm:value"])
    except RuleSyntaxError as error:
        return Rule(**origin, fault=f"the rule does not compile: {error.message} (line {error.line})")
    return Rule(**origin, expression=expression, is_per_offer="offer" in expression.roots)


def _read_filter(origin: dict[str, Any], instance: JsonObject) -> OfferFilter:
    ids = instance["ids"] if "ids" in instance else instance["xdm:ids"]
    if instance["xdm:filterType"] not in FILTERS:
        raise ValueError("unknown filter type")
    return OfferFilter(**origin, kind=instance["xdm:filterType"], ids=frozenset(ids))


def _read_representations(instance: JsonObject) -> dict[str, tuple[JsonObject, ...]]:
    listed = instance.get("xdm:representations", ())
    return {each["xdm:placement"]: tuple(each.get("xdm:components", ())) for each in listed}


def _read_fallback(origin: dict[str, Any], instance: JsonObject) -> FallbackOffer:
    return FallbackOffer(
        **origin,
        status=instance.get("xdm:status", "draft"),
        representations=_read_representations(instance),
        characteristics=instance.get("xdm:characteristics"),
    )


def _read_offer(origin: dict[str, Any], instance: JsonObject) -> PersonalizedOffer:
    selection = instance.get("xdm:selectionConstraint", {})
    capping = instance.get("xdm:cappingConstraint", {})
    return PersonalizedOffer(
        **origin,
        status=instance.get("xdm:status", "draft"),
        representations=_read_representations(instance),
        characteristics=instance.get("xdm:characteristics"),
        tags=frozenset(instance.get("xdm:tags", ())),
        priority=int(instance.get("xdm:rank", {}).get("xdm:priority", 0)),
        starts=_read_instant(selection, "xdm:startDate", EARLIEST),
        ends=_read_instant(selection, "xdm:endDate", LATEST),
        rule_id=selection.get("xdm:eligibilityRule"),
        global_cap=_read_cap(capping, "xdm:globalCap"),
        profile_cap=_read_cap(capping, "xdm:profileCap"),
        instance=instance,
    )


def _read_cap(capping: JsonObject, name: str) -> int | None:
    return int(capping[name]) if name in capping else None


def _read_activity(origin: dict[str, Any], instance: JsonObject) -> ActivityRecord:
    return ActivityRecord(
        **origin,
        status=instance.get("xdm:status", "draft"),
        starts=_read_instant(instance, "xdm:startDate", EARLIEST),
        ends=_read_instant(instance, "xdm:endDate", LATEST),
        placement_id=instance["xdm:placement"],
        filter_id=instance["xdm:filter"],
        fallback_id=instance["xdm:fallback"],
    )


def _read_instant(holder: JsonObject, name: str, missing: datetime) -> datetime:
    if name not in holder:
        return missing
    instant = read_timestamp(holder[name])
    if instant is None:
        raise ValueError(f"{name} is no date-time")
    return instant


READERS: dict[str, Callable[[dict[str, Any], JsonObject], Entity]] = {
    "offer-placement": _read_placement,
    "eligibility-rule": _read_rule,
    "offer-filter": _read_filter,
    "personalized-offer": _read_offer,
    "fallback-offer": _read_fallback,
    "offer-activity": _read_activity,
}
