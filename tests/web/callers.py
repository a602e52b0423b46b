"""Callers of the repository for tests: the editor of the demonstration, and an activity with all it needs."""

import asyncio
import io
import json
from typing import Any

from msgspec import Struct, field

from tests.stage import Answer, Stage

ROOT = "/data/core/xcore"
NAMESPACE = "https://ns.adobe.com/experience/offer-management"
FAMILY = "application/vnd.adobe.platform.xcore"
RECEIPT = f"{FAMILY}.xdm.receipt+json"
RESULTS = f'{FAMILY}.hal+json; schema="https://ns.adobe.com/experience/xcore/hal/results"'
CONTAINER = "https://ns.adobe.com/experience/xcore/container"
PROBLEM = "application/problem+json"
PATCH = f"{FAMILY}.patch.hal+json"
SIGNED_IN = {
    "Authorization": "Bearer demo-editor",
    "x-api-key": "demo-console",
    "x-gw-ims-org-id": "DEMO@AdobeOrg",
    "x-sandbox-name": "prod",
}


def media_type(schema: str) -> str:
    """Give the media type of an envelope; `schema` is a short name or an id."""
    return f'{FAMILY}.hal+json; schema="{schema_id(schema)}"'


def schema_id(schema: str) -> str:
    """Give the id of a schema by its short name."""
    if schema == "container":
        return CONTAINER
    return schema if ":" in schema else f"{NAMESPACE}/{schema}"


class Caller(Struct):
    """Somebody who calls the repository, in one container if one is given."""

    stage: Stage
    container: str = ""
    headers: dict[str, str] = field(default_factory=SIGNED_IN.copy)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> Answer:
        """Make a request; `path` is repository-relative. Headers of None are left out; `_` in names means `-`."""
        changed = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        sent = {name: value for name, value in self.headers.items() if name.lower() not in changed}
        sent |= {name: value for name, value in changed.items() if value is not None}
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        data = raw if raw is None else io.BytesIO(raw)
        return await self.stage.ask(method, ROOT + path, data=data, headers=sent, skip_auto_headers=["Content-Type"])

    def locate(self, instance_id: str = "") -> str:
        """Give the path of an instance, or of all."""
        return f"/{self.container}/instances{'/' + instance_id if instance_id else ''}"

    async def make_container(self, name: str = "Outdoor shop offers") -> str:
        """Create a container, go on in it and give its id."""
        body = {"_instance": {"repo:name": name}, "_links": {}}
        answer = await self.ask("POST", "/containers", body, Content_Type=media_type("container"))
        assert answer.status == 201, answer.raw
        self.container = answer.body["instanceId"]
        return self.container

    async def post(self, schema: str, instance: Any, **headers: str | None) -> Answer:
        """Post an instance."""
        body = {"_instance": instance, "_links": {}}
        return await self.ask("POST", self.locate(), body, **({"Content_Type": media_type(schema)} | headers))

    async def make(self, schema: str, instance: Any) -> dict[str, Any]:
        """Create an instance and give its receipt."""
        answer = await self.post(schema, instance)
        assert answer.status == 201, answer.raw
        return answer.body

    async def read(self, instance_id: str, **headers: str | None) -> Answer:
        """Read an instance."""
        return await self.ask("GET", self.locate(instance_id), **headers)

    async def put(self, instance_id: str, body: Any, **headers: str | None) -> Answer:
        """Replace an instance by an envelope."""
        return await self.ask("PUT", self.locate(instance_id), body, **({"Content_Type": "application/json"} | headers))

    async def patch(self, instance_id: str, *operations: Any, **headers: str | None) -> Answer:
        """Patch an instance."""
        return await self.ask("PATCH", self.locate(instance_id), operations, **({"Content_Type": PATCH} | headers))

    async def delete(self, instance_id: str, **headers: str | None) -> Answer:
        """Ask for a delete."""
        return await self.ask("DELETE", self.locate(instance_id), **headers)

    async def delete_and_wait(self, instance_id: str) -> Answer:
        """Delete, and give the decided outcome."""
        answer = await self.delete(instance_id)
        return await self.wait_for(answer.headers["Location"]) if answer.status == 202 else answer

    async def wait_for(self, location: str) -> Answer:
        """Poll an operation until it is decided."""
        async with asyncio.timeout(20):
            while True:
                answer = await self.ask("GET", location)
                if answer.status != 202:
                    return answer
                await asyncio.sleep(0.01)

    async def list(self, schema: str, query: str = "", **headers: str | None) -> Answer:
        """List instances of a schema; `query` is added as it is."""
        return await self.ask("GET", f"{self.locate()}?schema={schema_id(schema)}{query}", **headers)

    async def search(self, schema: str, query: str) -> Answer:
        """Search instances of a schema."""
        return await self.ask("GET", f"/{self.container}/queries/core/search?schema={schema_id(schema)}{query}")


async def make_activity(caller: Caller) -> dict[str, dict[str, Any]]:
    """Create one activity with everything it needs, in the order of ent:§11; gives receipts by short name."""
    made: dict[str, dict[str, Any]] = {}
    made["offer-placement"] = await caller.make("offer-placement", {"xdm:name": "Checkout side panel"})
    made["tag"] = await caller.make("tag", {"xdm:name": "winter footwear"})
    rule = {"xdm:type": "PQL", "xdm:format": "pql/text", "xdm:value": 'loyalty.tier = "gold"'}
    made["eligibility-rule"] = await caller.make("eligibility-rule", {"xdm:name": "Gold", "xdm:condition": rule})
    html = {"@type": f"{NAMESPACE}/content-component-html", "dc:format": "text/html", "xdm:content": "<p>Hi</p>"}
    shown = [{"xdm:placement": made["offer-placement"]["@id"], "xdm:components": [html]}]
    offer = {
        "xdm:name": "Boots -20 %",
        "xdm:status": "approved",
        "xdm:tags": [made["tag"]["@id"]],
        "xdm:representations": shown,
        "xdm:selectionConstraint": {"xdm:eligibilityRule": made["eligibility-rule"]["@id"]},
    }
    made["personalized-offer"] = await caller.make("personalized-offer", offer)
    fallback = {"xdm:name": "Default panel", "xdm:status": "approved", "xdm:representations": shown}
    made["fallback-offer"] = await caller.make("fallback-offer", fallback)
    filtered = {"xdm:name": "Winter", "xdm:filterType": "anyTags", "ids": [made["tag"]["@id"]]}
    made["offer-filter"] = await caller.make("offer-filter", filtered)
    activity = {
        "xdm:name": "Side panel, summer",
        "xdm:placement": made["offer-placement"]["@id"],
        "xdm:filter": made["offer-filter"]["@id"],
        "xdm:fallback": made["fallback-offer"]["@id"],
    }
    made["offer-activity"] = await caller.make("offer-activity", activity)
    return made
