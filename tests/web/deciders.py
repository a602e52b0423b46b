"""Offer decisions over HTTP for tests: containers filled through the repository, and requests for them."""

import json
from typing import Any

from msgspec import Struct

from tests.stage import Answer
from tests.web.callers import NAMESPACE, Caller

ROOT = "/data/core/ode"
XDM = "application/vnd.adobe.xdm+json"
REQUEST = "https://ns.adobe.com/experience/offer-management/decision-request"
RESPONSE = "https://ns.adobe.com/experience/offer-management/decision-response"
HTML = f"{NAMESPACE}/content-component-html"


class Shop(Struct):
    """A container with a placement, a fallback offer, a tag, and what is added to it."""

    caller: Caller
    placement: str = ""
    fallback: str = ""
    tag: str = ""
    made: dict[str, dict[str, Any]] = {}

    async def open(self) -> "Shop":
        """Make the container and what every activity needs."""
        await self.caller.make_container()
        self.made = {}
        self.placement = await self.add("placement", "offer-placement", {"xdm:name": "Side panel"})
        self.tag = await self.add("tag", "tag", {"xdm:name": "all"})
        fallback = {"xdm:name": "Default", "xdm:status": "approved", "xdm:representations": self.show("<p>default</p>")}
        self.fallback = await self.add("fallback", "fallback-offer", fallback)
        return self

    def show(self, content: str, placement: str = "") -> list[dict[str, Any]]:
        """Give representations with one HTML component."""
        component = {"@type": HTML, "dc:format": "text/html", "xdm:content": content}
        return [{"xdm:placement": placement or self.placement, "xdm:components": [component]}]

    async def add(self, name: str, schema: str, instance: dict[str, Any]) -> str:
        """Create an instance, keep its receipt under `name` and give its @id."""
        self.made[name] = await self.caller.make(schema, instance)
        return str(self.made[name]["@id"])

    async def add_offer(self, name: str, priority: int = 0, **members: Any) -> str:
        """Create an approved offer; `members`: rule, global_cap, profile_cap, status, starts, ends, content, tags."""
        constraint = {
            key: value
            for key, value in (
                ("xdm:startDate", members.get("starts")),
                ("xdm:endDate", members.get("ends")),
                ("xdm:eligibilityRule", members.get("rule")),
            )
            if value is not None
        }
        capping = {
            key: value
            for key, value in (
                ("xdm:globalCap", members.get("global_cap")),
                ("xdm:profileCap", members.get("profile_cap")),
            )
            if value is not None
        }
        instance = {
            "xdm:name": name,
            "xdm:status": members.get("status", "approved"),
            "xdm:rank": {"xdm:priority": priority},
            "xdm:tags": members.get("tags", [self.tag]),
            "xdm:representations": self.show(members.get("content", f"<p>{name}</p>"), members.get("placement", "")),
        }
        if constraint:
            instance["xdm:selectionConstraint"] = constraint
        if capping:
            instance["xdm:cappingConstraint"] = capping
        return await self.add(name, "personalized-offer", instance)

    async def add_rule(self, name: str, text: str) -> str:
        """Create an eligibility rule."""
        condition = {"xdm:type": "PQL", "xdm:format": "pql/text", "xdm:value": text}
        return await self.add(name, "eligibility-rule", {"xdm:name": name, "xdm:condition": condition})

    async def add_activity(self, name: str, offers: list[str] | None = None, **members: Any) -> str:
        """Create a live activity over the given offers (None: all with the tag)."""
        collected = {"xdm:filterType": "anyTags", "ids": [self.tag]}
        if offers is not None:
            collected = {"xdm:filterType": "offers", "ids": offers}
        filtered = await self.add(f"{name} filter", "offer-filter", {"xdm:name": name} | collected)
        instance = {
            "xdm:name": name,
            "xdm:status": members.get("status", "live"),
            "xdm:placement": members.get("placement", self.placement),
            "xdm:filter": filtered,
            "xdm:fallback": members.get("fallback", self.fallback),
        }
        instance |= {key: members[key] for key in ("xdm:startDate", "xdm:endDate") if key in members}
        return await self.add(name, "offer-activity", instance)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> Answer:
        """Make a request below the container's decision paths."""
        changed = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        sent = {name: value for name, value in self.caller.headers.items() if name.lower() not in changed}
        sent |= {name: value for name, value in changed.items() if value is not None}
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = f"{ROOT}/{self.caller.container}/{path}"
        skip = ["Content-Type"]
        return await self.caller.stage.ask(method, url, data=raw, headers=sent, skip_auto_headers=skip)

    async def decide(
        self, *activities: Any, profile: str = "c-1", body: dict[str, Any] | None = None, **headers: str | None
    ) -> Answer:
        """Ask for decisions: activities are ids, or pairs of an id and an item count; `body` overrides members."""
        sent = request(*activities, profile=profile) | (body or {})
        return await self.ask("POST", "decisions", sent, **({"Content_Type": "application/json"} | headers))

    async def patch(self, name: str, *operations: dict[str, Any]) -> None:
        """Patch what was made under a name."""
        answer = await self.caller.patch(self.made[name]["instanceId"], *operations)
        assert answer.status == 200, answer.raw
        self.made[name] = answer.body


def request(*activities: Any, profile: str = "c-1", **members: Any) -> dict[str, Any]:
    """Give a request of the newer form."""
    pairs = [one if isinstance(one, tuple) else (one, 1) for one in activities]
    asks = [{"xdm:activityId": activity, "xdm:itemCount": count} for activity, count in pairs]
    person = {"xdm:identityMap": {"CRM": [{"xdm:id": profile}]}}
    return {"xdm:propositionRequests": asks, "xdm:profiles": [person]} | members


def chosen(answer: Answer) -> list[list[str]]:
    """Give the ids of the options of each proposition; an empty list where it is the fallback."""
    assert answer.status == 200, answer.raw
    return [[option["xdm:id"] for option in each.get("xdm:options", ())] for each in answer.body["xdm:propositions"]]
