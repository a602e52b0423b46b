"""What is wrong, or looks wrong, in a compiled catalogue (dec §11)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from gateway.offers.catalog import Catalog, OfferActivity, Slices
from gateway.offers.eligibility import write_instant
from gateway.offers.instances import JsonObject
from gateway.offers.inventory import Broken, Entity, FallbackOffer, Placement

MOST_LISTED = 1000
_SLICE = 200

Finding = tuple[Entity, str, tuple[str, ...]]
"""What is concerned, what is wrong with it, and the causes."""


def diagnose(catalog: Catalog, container_id: str) -> Slices[JsonObject]:
    """Give the state of the catalogue, in slices; nothing but an empty object for one never compiled (dec:DG1)."""
    if catalog.compiled is None:
        return {"xdm:operations": {}}
    date = write_instant(catalog.compiled)
    operations = {}
    for name, find in (("xdm:offerCatalogUpdate", _offer_errors), ("xdm:activitiesUpdate", _activity_errors)):
        errors = yield from _write_all(find(catalog), container_id)
        operations[name] = {"xdm:date": date, "xdm:errors": errors}
    warnings: list[JsonObject] = []
    for code, warn in WARNINGS.items():
        listed = yield from _write_all(warn(catalog), container_id)
        warnings += [{"gw:code": code, **each} for each in listed]
    return {"xdm:operations": operations, "gw:warnings": warnings[:MOST_LISTED]}


def _write_all(findings: Iterable[Finding | None], container_id: str) -> Slices[list[JsonObject]]:
    """Write what is found; a None is a step on which nothing was."""
    written = []
    for at, finding in enumerate(findings):
        if finding is not None:
            written.append(_write(finding, container_id))
        if len(written) == MOST_LISTED:
            break
        if at % _SLICE == _SLICE - 1:
            yield
    yield
    return written


def _write(finding: Finding, container_id: str) -> JsonObject:
    entity, description, causes = finding
    details = {"instanceId": entity.instance_id, "href": f"/{container_id}/instances/{entity.instance_id}"}
    if not isinstance(entity, Broken) or not entity.at_id.startswith("instance:"):
        details = {"@id": entity.at_id, **details}
    written: JsonObject = {"xdm:description": description, "xdm:details": {**details, "etag": str(entity.revision)}}
    if causes:
        written["xdm:causes"] = [{"xdm:description": cause} for cause in causes]
    return written


def _offer_errors(catalog: Catalog) -> Iterator[Finding | None]:
    inventory = catalog.inventory
    for broken in inventory.broken.values():
        if broken.kind != "offer-activity":
            yield broken, f"this {broken.kind or 'instance'} cannot be used", (broken.reason,)
    for rule in inventory.rules.values():
        yield (rule, "offers with this rule are not eligible", (rule.fault,)) if rule.fault else None
    for offer in inventory.offers.values():
        lost = offer.rule_id is not None and offer.rule_id not in inventory.rules
        yield (offer, "this offer is not eligible", ("its rule cannot be found or read",)) if lost else None


def _activity_errors(catalog: Catalog) -> Iterator[Finding | None]:
    unreadable = [each for each in catalog.inventory.broken.values() if each.kind == "offer-activity"]
    for activity in (*unreadable, *catalog.activities.values()):
        yield (
            (activity, "this offer activity cannot be asked for", (activity.reason,))
            if isinstance(activity, Broken)
            else None
        )


def _live(catalog: Catalog) -> list[OfferActivity]:
    return [each for each in catalog.activities.values() if isinstance(each, OfferActivity) and each.is_live]


def _offers(catalog: Catalog) -> Iterator[FallbackOffer]:
    yield from catalog.inventory.offers.values()
    yield from catalog.inventory.fallbacks.values()


def _unapproved_fallbacks(catalog: Catalog) -> Iterator[Finding | None]:
    for activity in _live(catalog):
        status = activity.fallback.status
        told = (activity, f"its fallback offer {activity.fallback.at_id} is {status}, not approved", ())
        yield None if status == "approved" else told


def _empty_activities(catalog: Catalog) -> Iterator[Finding | None]:
    for activity in _live(catalog):
        told = (activity, "no approved offer is in its filter and has content for its placement", ())
        yield None if activity.tiers else told


def _mismatched_components(catalog: Catalog) -> Iterator[Finding | None]:
    for offer in _offers(catalog):
        yield None
        for placement_id, components in offer.representations.items():
            placement = catalog.inventory.placements.get(placement_id)
            for component in components if placement is not None else ():
                yield from _mismatches(offer, placement, component)


def _mismatches(offer: FallbackOffer, placement: Placement | None, component: JsonObject) -> Iterator[Finding]:
    if placement is None:
        return
    kind, media = component.get("@type"), component.get("dc:format")
    if placement.component_type is not None and kind != placement.component_type:
        yield offer, f"a component of type {kind} stands where {placement.at_id} expects {placement.component_type}", ()
    if placement.content_types and media not in placement.content_types:
        expected = " or ".join(dict.fromkeys(placement.content_types))
        yield offer, f"a component of format {media} stands where {placement.at_id} expects {expected}", ()


def _repeated_names(catalog: Catalog) -> Iterator[Finding | None]:
    named: dict[str, list[FallbackOffer]] = defaultdict(list)
    for offer in _offers(catalog):
        named[offer.name].append(offer)
        yield None
    for offers in named.values():
        for offer in islice(offers, 1, None):
            yield offer, f"it has the same name as {offers[0].at_id}", ()


def _recovered_rules(catalog: Catalog) -> Iterator[Finding | None]:
    for rule in catalog.inventory.rules.values():
        recovered = rule.expression.recovered if rule.expression is not None else ()
        told = (rule, "an aggregate inside `where` was read as standing after it", recovered)
        yield told if recovered else None


WARNINGS: dict[str, Callable[[Catalog], Iterator[Finding | None]]] = {
    "fallback-not-approved": _unapproved_fallbacks,
    "no-candidates": _empty_activities,
    "component-mismatch": _mismatched_components,
    "repeated-name": _repeated_names,
    "recovered-aggregate": _recovered_rules,
}
"""What only looks wrong, by its code (dec:DG4)."""
