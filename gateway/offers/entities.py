"""The entity types: one row a type (spec offer-entities §1.1). A new business object is a new row.

Everything the repository does with a type follows from its row: REST, links, patch, revisions, search, references.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from gateway.errors import Violation
from gateway.offers import checks, schemas
from gateway.offers.documents import ITEM, Path
from gateway.offers.instances import JsonObject
from gateway.offers.neighbours import ACTIVITY_FIT, FALLBACK_FIT, Fit
from gateway.offers.schemas import NAMESPACE

VERSION = "0.1"

Transitions = Mapping[str, frozenset[str]]
"""From each status to those it may become; staying is always allowed (spec repository Y2)."""

Check = Callable[[JsonObject], list[Violation]]
"""Looks at an `_instance` and names what contradicts itself in it; pointers start at the envelope's root."""


class ForeignKey(Struct, frozen=True):
    """Where an `_instance` holds @ids of instances of one of `schemas` (short names).

    With `condition`, a property and some of its values, only while the property has one of them.
    """

    path: Path
    schemas: tuple[str, ...]
    condition: tuple[str, tuple[str, ...]] | None = None


class EntityType(Struct, frozen=True, kw_only=True, eq=False):
    """One kind of business object.

    `name` is the short name, `schema_id` carries no version. `document` is the JSON Schema of `_instance`. `parent` is
    the short name of the abstract schema it is also listed under. `at_id_prefix` is "" for a type whose instances have
    no @id. `foreign_keys` are those the JSON Schema cannot say. `lasting` are properties that cannot be removed once
    they are set. `fit` is a check that needs other instances.
    """

    name: str
    schema_id: str
    document: dict[str, Any]
    version: str = VERSION
    instantiable: bool = True
    parent: str = ""
    at_id_prefix: str = ""
    transitions: Transitions = MappingProxyType({})
    checks: tuple[Check, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    lasting: tuple[str, ...] = ()
    fit: Fit | None = None

    @property
    def versioned_id(self) -> str:
        """Give the schema id as every answer states it (spec repository S2)."""
        return f"{self.schema_id};version={self.version}"


def _row(name: str, document: dict[str, Any], **more: Any) -> EntityType:
    """Make the row of an offer type with an @id."""
    return EntityType(
        name=name,
        schema_id=f"{NAMESPACE}offer-management/{name}",
        document=document,
        at_id_prefix=f"xcore:{name}:",
        **more,
    )


def _moves(**steps: str) -> Transitions:
    return MappingProxyType({status: frozenset(targets.split()) for status, targets in steps.items()})


OFFER_MOVES = _moves(draft="approved archived", approved="archived draft", archived="draft")
ACTIVITY_MOVES = _moves(draft="live archived", live="draft complete archived", complete="archived", archived="draft")

FILTER_KEYS = tuple(
    ForeignKey((spelling, ITEM), (target,), ("xdm:filterType", kinds))
    for spelling in checks.FILTER_SPELLINGS
    for target, kinds in (("personalized-offer", ("offers",)), ("tag", ("anyTags", "allTags")))
)

CONTAINER = EntityType(name="container", schema_id=f"{NAMESPACE}xcore/container", document=schemas.CONTAINER)

ENTITY_TYPES = (
    CONTAINER,
    _row("offer-placement", schemas.PLACEMENT),
    _row("tag", schemas.TAG),
    _row("offer-filter", schemas.OFFER_FILTER, checks=(checks.check_filter,), foreign_keys=FILTER_KEYS),
    _row("eligibility-rule", schemas.ELIGIBILITY_RULE, checks=(checks.check_rule,)),
    _row("offer", schemas.OFFER, instantiable=False),
    _row(
        "personalized-offer",
        schemas.PERSONALIZED_OFFER,
        parent="offer",
        transitions=OFFER_MOVES,
        checks=(checks.check_placements, checks.check_calendar),
        lasting=("xdm:selectionConstraint",),
    ),
    _row(
        "fallback-offer",
        schemas.FALLBACK_OFFER,
        parent="offer",
        transitions=OFFER_MOVES,
        checks=(checks.check_placements, checks.check_unconstrained),
        fit=FALLBACK_FIT,
    ),
    _row(
        "offer-activity",
        schemas.OFFER_ACTIVITY,
        transitions=ACTIVITY_MOVES,
        checks=(checks.check_activity_dates,),
        fit=ACTIVITY_FIT,
    ),
)
"""The built-in types; further ones come from JSON Schema documents (`registry.py`)."""
