"""Decisions as data: short artifacts and requests to what the engine makes of them."""

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.delivery.answer import join, place_of
from gateway.delivery.artifact import Artifact, load_artifact
from gateway.delivery.decide import Case, decide
from gateway.delivery.model import DeliveryRequest
from gateway.delivery.plan import list_items
from gateway.delivery.trace import TraceFacts

CASES = Path(__file__).parent.parent / "cases" / "decisions"
NOW_MS = 1_585_180_800_000  # 2020-03-26T00:00:00Z, a Thursday
VISITOR = "4c038b35f1b1453d80a3e7da8208c617"
ON_DEVICE = {"activity.decisioningMethod": "on-device"}
FACTS = TraceFacts("demo", {"artifactVersion": "1.0.0"}, {"tntId": VISITOR}, "s1", "production")


class Decided(Struct):
    """The `execute` and `prefetch` members of the answer, and what would be told to Target."""

    response: dict[str, Any]
    notifications: list[dict[str, Any]]


def make_rule(name: str, short: dict[str, Any]) -> dict[str, Any]:
    """Give a rule of the file from `key`, `when`, `options`, `metrics`, `meta`, `properties`."""
    number = int(short["key"].partition("-")[0])
    consequence = {"name": name} | {member: short[member] for member in ("options", "metrics") if member in short}
    rule = {
        "ruleKey": short["key"],
        "activityId": number,
        "condition": short.get("when", True),
        "consequence": consequence | short.get("consequence", {}),
        "meta": {"activity.id": number, "activity.type": "ab", "experience.id": 0} | short.get("meta", {}),
    }
    return rule | ({"propertyTokens": short["properties"]} if "properties" in short else {})


def make_payload(short: dict[str, Any]) -> dict[str, Any]:
    """Give the file of a short artifact: its `mboxes` and `views` hold short rules by name."""
    maps = {
        kind: {name: [make_rule(name, rule) for rule in rules] for name, rules in short.get(kind, {}).items()}
        for kind in ("mboxes", "views")
    }
    rest = {name: value for name, value in short.items() if name not in ("mboxes", "views")}
    known = {"localMboxes": list(maps["mboxes"]), "localViews": list(maps["views"])}
    return {"version": "1.0.0", "meta": {"environment": "production"}, "rules": maps} | known | rest


def make_artifact(short: dict[str, Any]) -> Artifact:
    """Load a short artifact."""
    return load_artifact(make_payload(short))


def read_request(body: dict[str, Any]) -> tuple[DeliveryRequest, dict[str, Any]]:
    """Give the typed request of `body` and the body with a context."""
    whole = {"context": {"channel": "web"}} | body
    return msgspec.convert(whole, DeliveryRequest), whole


def decide_body(artifact: Artifact, body: dict[str, Any], **more: Any) -> Decided:
    """Decide every item of `body` on device, for `more` of a Case."""
    request, whole = read_request(body)
    items = list_items(request, whole)
    numbers = itertools.count(1)
    given = {
        "client": "demo",
        "context": request.context,
        "bucketing_id": VISITOR,
        "now_ms": NOW_MS,
        "new_id": lambda: f"id{next(numbers)}",
        "property_token": request.property.token if request.property else "",
    }
    decision = decide(artifact, Case(**(given | more)), items)
    found = {place_of(item): results for item, results in zip(items, decision.results, strict=True)}
    return Decided(join(request, items, found), decision.notifications)


def decide_mbox(artifact: Artifact, name: str = "hero", part: str = "execute", **members: Any) -> list[dict[str, Any]]:
    """Give the elements that answer one mbox."""
    answer = decide_body(artifact, {part: {"mboxes": [{"name": name} | members]}})
    return list(answer.response[part]["mboxes"])


def load_cases(name: str) -> dict[str, Any]:
    """Read one file of cases."""
    return dict(json.loads((CASES / f"{name}.json").read_text()))


def dress(expected: Any) -> Any:
    """Give every option of `expected` the one response token that is always there, unless it names its own (§11)."""
    if isinstance(expected, list):
        return [dress(inner) for inner in expected]
    if not isinstance(expected, dict):
        return expected
    dressed = {name: dress(value) for name, value in expected.items()}
    if isinstance(expected.get("options"), list):
        dressed["options"] = [{"responseTokens": ON_DEVICE} | option for option in expected["options"]]
    return dressed
