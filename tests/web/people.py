"""Callers of the profile endpoints for tests."""

import io
import json
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from tests.stage import Answer, Stage
from tests.web.callers import SIGNED_IN

MERGE = "application/merge-patch+json"


class Person(Struct):
    """One identity, and somebody who asks for it."""

    stage: Stage
    namespace: str = "CRM"
    id: str = "c-1001"
    token: str = "demo-editor"

    async def ask(self, method: str, rest: str = "", body: Any = None, **headers: str | None) -> Answer:
        """Make a request; `rest` follows the identity. Headers of None are left out; `_` in names means `-`."""
        given = {"Authorization": f"Bearer {self.token}"}
        given |= {} if body is None else {"Content-Type": "application/json"}
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in (SIGNED_IN | given | changed).items() if value is not None}
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/v1/profiles/{quote(self.namespace, safe='')}/{quote(self.id, safe='')}{rest}"
        data = None if raw is None else io.BytesIO(raw)
        return await self.stage.ask(method, path, data=data, headers=sent, skip_auto_headers=["Content-Type"])

    async def put(self, attributes: Any, **headers: str | None) -> Answer:
        """Replace the attributes."""
        return await self.ask("PUT", "", attributes, **headers)

    async def patch(self, patch: Any, **headers: str | None) -> Answer:
        """Merge into the attributes."""
        return await self.ask("PATCH", "", patch, **({"Content_Type": MERGE} | headers))

    async def read(self, **headers: str | None) -> Answer:
        """Read the profile."""
        return await self.ask("GET", **headers)

    async def add(self, events: Any, **headers: str | None) -> Answer:
        """Append events."""
        return await self.ask("POST", "/events", events, **headers)

    async def events(self, query: str = "") -> Any:
        """List events."""
        answer = await self.ask("GET", f"/events{query}")
        assert answer.status == 200, answer.raw
        return answer.body["events"]

    async def link(self, **ids: str) -> Answer:
        """Add identities, one a namespace."""
        shown = {namespace: [{"xdm:id": each}] for namespace, each in ids.items()}
        return await self.ask("PUT", "/identities", {"identityMap": shown})
