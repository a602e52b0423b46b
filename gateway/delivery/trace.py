"""Trace objects (spec on-device-decisioning §12): why each activity was or was not chosen."""

from msgspec import Struct

from gateway.delivery.artifact import Rule
from gateway.delivery.context import Scope
from gateway.delivery.model import JsonObject
from gateway.delivery.plan import Item, Part


class TraceFacts(Struct, frozen=True):
    """What a trace says that is the same for every item of a request."""

    client: str
    artifact: JsonObject
    visitor_id: JsonObject
    session_id: str
    environment: str


def describe_visitor(identity: JsonObject) -> JsonObject:
    """Give the ids of a request as a trace shows them: the device id apart from its profile location."""
    shown = {name: value for name, value in identity.items() if value is not None}
    if isinstance(shown.get("tntId"), str):
        bare, _, location = shown["tntId"].partition(".")
        shown["tntId"] = bare
        if location:
            shown["profileLocation"] = location
    return shown


class Tracer:
    """Collects over all items of one mode; `finish` gives a snapshot for one result."""

    def __init__(self, facts: TraceFacts, part: Part) -> None:
        """Start with nothing evaluated."""
        self._facts = facts
        self._part = part
        self._request: JsonObject = {}
        self._campaigns: dict[int, JsonObject] = {}
        self._targets: dict[int, JsonObject] = {}

    def enter(self, item: Item, scope: Scope, global_mbox: str) -> None:
        """Move to `item`, which `scope` has already entered."""
        shown = item.raw | {"type": self._part}
        if item.kind == "pageLoad":
            shown["name"] = global_mbox
        session = {"sessionId": self._facts.session_id} if self._facts.session_id else {}
        page = {"pageURL": scope.page["url"], "host": scope.page["domain"]}
        self._request = session | page | {"view" if item.kind == "views" else "mbox": shown}

    def add_evaluation(self, rule: Rule, scope: Scope, *, satisfied: bool) -> None:
        """Note that `rule` was tested."""
        target = self._targets.get(rule.activity_id)
        if target is None:
            target = self._targets[rule.activity_id] = {
                "context": scope.whole(),
                "campaignId": rule.activity_id,
                "campaignType": rule.meta.get("activity.type"),
                "matchedSegmentIds": {},
                "unmatchedSegmentIds": {},
                "matchedRuleConditions": [],
                "unmatchedRuleConditions": [],
            }
        kind = "matched" if satisfied else "unmatched"
        target[f"{kind}SegmentIds"] |= dict.fromkeys(rule.meta.get("audience.ids") or ())
        target[f"{kind}RuleConditions"].append(rule.condition)

    def finish(self, rule: Rule | None, notifications: list[JsonObject]) -> JsonObject:
        """Give the trace of one result: of the satisfied `rule`, or of no match."""
        if rule is not None:
            self._add_campaign(rule, notifications)
        return {
            "clientCode": self._facts.client,
            "artifact": self._facts.artifact,
            "profile": {"visitorId": self._facts.visitor_id},
            "request": self._request,
            "campaigns": [_copy(campaign) for campaign in self._campaigns.values()],
            "evaluatedCampaignTargets": [_copy(target) for target in self._targets.values()],
        }

    def _add_campaign(self, rule: Rule, notifications: list[JsonObject]) -> None:
        campaign = self._campaigns.get(rule.activity_id)
        if campaign is None:
            offer = rule.meta.get("offer.id")
            campaign = self._campaigns[rule.activity_id] = {
                "id": rule.activity_id,
                "campaignType": rule.meta.get("activity.type"),
                "branchId": rule.meta.get("experience.id"),
                "offers": [] if offer is None else [offer],
                "environment": self._facts.environment,
            }
            if self._part == "execute":
                campaign["notifications"] = []
        if self._part == "execute":
            campaign["notifications"].extend(notifications)


def _copy(entry: JsonObject) -> JsonObject:
    return {
        name: list(value) if isinstance(value, dict | list) and name != "context" else value
        for name, value in entry.items()
    }
