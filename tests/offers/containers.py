"""Containers for tests: stored instances made from a few words, a catalogue of them, and decisions on it."""

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from gateway.offers.capping import Granted, Selection, Verdict, judge
from gateway.offers.catalog import EMPTY, Catalog, Gone, apply, run_through
from gateway.offers.counters import Counter
from gateway.offers.decide import Decision, Surroundings, resolve
from gateway.offers.decision_requests import read_request
from gateway.offers.instances import Instance
from gateway.offers.inventory import PersonalizedOffer, Rule
from gateway.offers.model import ProfileView

NOW = datetime(2024, 5, 15, 10, 30, tzinfo=UTC)
SCHEMAS = "https://ns.adobe.com/experience/offer-management/"
HTML = f"{SCHEMAS}content-component-html"
NAMES = ("offer-placement", "tag", "eligibility-rule", "personalized-offer", "fallback-offer", "offer-filter")


class Gate(Struct):
    """What `RankedOrder` asks, made of two functions."""

    admits: Callable[[Rule | None], bool]
    passes: Callable[[PersonalizedOffer, Rule | None], bool]


def at_id(schema: str, name: str) -> str:
    return f"xcore:{schema}:{name}"


def offer_id(name: str) -> str:
    return at_id("personalized-offer", name)


def stored(schema: str, name: str, instance: dict[str, Any], revision: int = 1, operation: str = "") -> Instance:
    document = {
        "instanceId": f"{schema}-{name}",
        "schemas": [f"{SCHEMAS}{schema};version=0.1"],
        "repo:etag": revision,
        "_instance": {"@id": at_id(schema, name), "xdm:name": name, **instance},
    }
    return Instance(f"{schema}-{name}", revision, msgspec.json.encode(document), operation)


def gone(schema: str, name: str) -> Gone:
    return Gone(f"{schema}-{name}")


def placement(name: str = "web", **members: Any) -> Instance:
    return stored("offer-placement", name, {f"xdm:{key}": value for key, value in members.items()})


def rule(name: str, text: str, revision: int = 1) -> Instance:
    condition = {"xdm:type": "PQL", "xdm:format": "pql/text", "xdm:value": text}
    return stored("eligibility-rule", name, {"xdm:condition": condition}, revision)


def representations(places: Iterable[str], components: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    shown = [{"@type": HTML, "dc:format": "text/html", "xdm:content": "<p>"}] if components is None else components
    return [{"xdm:placement": at_id("offer-placement", each), "xdm:components": shown} for each in places]


def offer(name: str, priority: int = 0, *, revision: int = 1, operation: str = "", **more: Any) -> Instance:
    """Make a personalized offer; `more`: status, places, components, tags, starts, ends, rule, caps, extra."""
    selection = {
        "xdm:startDate": more.get("starts"),
        "xdm:endDate": more.get("ends"),
        "xdm:eligibilityRule": at_id("eligibility-rule", more["rule"]) if "rule" in more else None,
    }
    caps = {"xdm:globalCap": more.get("global_cap"), "xdm:profileCap": more.get("profile_cap")}
    instance = {
        "xdm:status": more.get("status", "approved"),
        "xdm:tags": [at_id("tag", tag) for tag in more.get("tags", ())],
        "xdm:representations": representations(more.get("places", ("web",)), more.get("components")),
        "xdm:rank": {"xdm:priority": priority},
        "xdm:selectionConstraint": {key: value for key, value in selection.items() if value is not None},
        "xdm:cappingConstraint": {key: value for key, value in caps.items() if value is not None},
        **more.get("extra", {}),
    }
    return stored("personalized-offer", name, instance, revision, operation)


def fallback(name: str = "default", places: Iterable[str] = ("web",), **extra: Any) -> Instance:
    instance = {"xdm:status": "approved", "xdm:representations": representations(places), **extra}
    return stored("fallback-offer", name, instance)


def collection(name: str, ids: Iterable[str], kind: str = "offers", revision: int = 1) -> Instance:
    schema = "personalized-offer" if kind == "offers" else "tag"
    instance = {"xdm:filterType": kind, "ids": [at_id(schema, each) for each in ids]}
    return stored("offer-filter", name, instance, revision)


def activity(name: str, filtered: str, place: str = "web", *, revision: int = 1, **more: Any) -> Instance:
    instance = {
        "xdm:status": more.get("status", "live"),
        "xdm:placement": at_id("offer-placement", place),
        "xdm:filter": at_id("offer-filter", filtered),
        "xdm:fallback": at_id("fallback-offer", more.get("fallback", "default")),
    }
    instance |= {f"xdm:{key}": more[key] for key in ("startDate", "endDate") if key in more}
    return stored("offer-activity", name, instance, revision, more.get("operation", ""))


def compiled(*changes: Instance | Gone, base: Catalog = EMPTY) -> Catalog:
    return run_through(apply(base, changes, NOW))


def one_activity(*offers: Instance, **more: Any) -> Catalog:
    """Make a container with one activity, `A`, whose filter takes every offer given."""
    names = [each.instance_id.removeprefix("personalized-offer-") for each in offers]
    return compiled(*offers, placement(), fallback(), collection("F", names), activity("A", "F", **more))


def body(*names: str, **members: Any) -> dict[str, Any]:
    """Make a request for activities named like `A` or `A*3` (three items)."""
    asks = []
    for name in names:
        plain, _, count = name.partition("*")
        asks.append({"xdm:activityId": at_id("offer-activity", plain), "xdm:itemCount": int(count or 1)})
    profile = {"xdm:identityMap": {"CRM": [{"xdm:id": "c-1001", "primary": True}]}}
    return {"xdm:propositionRequests": asks, "xdm:profiles": [profile], **members}


def begin(catalog: Catalog, request: dict[str, Any], **more: Any) -> Decision:
    """Begin a decision; `more`: clock, seed or chance, known, attributes, events."""
    view = ProfileView(
        "CRM|c-1001", is_found=True, attributes=more.get("attributes", {}), events=more.get("events", ())
    )
    chance = more.get("chance") or random.Random(more.get("seed", 1)).random
    surroundings = Surroundings(more.get("clock", NOW), chance, more.get("known", {}))
    return Decision(resolve(catalog, read_request(request)), view, surroundings)


Counts = dict[Counter, int]


def count(selection: Selection, counts: Counts) -> Verdict:
    """Do what a claim means: judge, and count when granted, unless it is a dry run."""
    verdict = judge(selection, counts)
    if isinstance(verdict, Granted) and not selection.is_dry:
        for claim in selection.claims:
            counts[claim.counter] = counts.get(claim.counter, 0) + claim.amount
    return verdict


def finish(decision: Decision, counts: Counts | None = None) -> Decision:
    """Drive a decision against counters until it is settled."""
    counts = {} if counts is None else counts
    return drive(decision, lambda selection: count(selection, counts))


def drive(decision: Decision, answer: Callable[[Selection], Verdict]) -> Decision:
    selection: Selection | None = decision.select()
    while selection is not None:
        selection = decision.settle(answer(selection))
    return decision


def decide(catalog: Catalog, request: dict[str, Any], counts: Counts | None = None, **more: Any) -> Decision:
    return finish(begin(catalog, request, **more), counts)


def names(decision: Decision) -> list[list[str]]:
    """Give the names of the options of each entry; an empty list is the fallback."""
    return [[option.name for option in each.options] for each in decision.propositions]


def counts_of(catalog: Catalog, scope: str = "global", **given: int) -> Counts:
    return {Counter(offer_id(name), scope): number for name, number in given.items()}


def scopes(counts: Mapping[Counter, int], name: str) -> dict[str, int]:
    return {counter.scope: number for counter, number in counts.items() if counter.offer == offer_id(name)}
