"""Twenty visitors who ask at the same time, and know their own data from everybody else's."""

import asyncio
import json
import secrets
import time
from typing import Any

from msgspec import Struct, field

from tests.stage import Answer, Stage

VISITORS = 20
DEADLINE_MS = 900
LATE_S = 2.0  # a busy machine is no broken promise; python -m tests.load.faults measures it to the millisecond
NAMES = ["homepage-hero", "recommendations"]  # decided here, decided by Target


class Visitor(Struct):
    """One visitor: a session, a customer id nobody else has, and every device id they were ever given."""

    session_id: str = field(default_factory=lambda: f"session-{secrets.token_hex(8)}")
    canary: str = field(default_factory=lambda: f"canary-{secrets.token_hex(8)}")
    device_ids: set[str] = field(default_factory=set)

    def ask(self) -> bytes:
        """Give a request that needs Redis (no device id is sent), a local decision and Target."""
        mboxes = [{"index": at, "name": name} for at, name in enumerate(NAMES, 1)]
        customer = {"id": self.canary, "integrationCode": "crm", "authenticatedState": "unknown"}
        body = {"id": {"customerIds": [customer]}, "context": {"channel": "web"}, "execute": {"mboxes": mboxes}}
        return json.dumps(body | {"requestId": f"request-{self.canary}"}).encode()


class Met(Struct):
    """One answer with the visitor who got it and the seconds it took."""

    visitor: Visitor
    answer: Answer
    seconds: float

    @property
    def reasons(self) -> list[str]:
        """Why it lacks something."""
        given = self.answer.headers.get("x-gateway-degraded", "")
        return [part.partition(";")[0] for part in given.split(", ") if part]

    @property
    def is_in_time(self) -> bool:
        """Whether it left by its deadline, give or take a busy machine."""
        return self.seconds <= DEADLINE_MS / 1000 + LATE_S

    @property
    def has_every_item(self) -> bool:
        """Whether each mbox is there once, in order, the local one decided."""
        found = self.answer.body.get("execute", {}).get("mboxes", [])
        return [mbox["name"] for mbox in found] == NAMES and bool(found[0].get("options"))

    @property
    def has_right_status(self) -> bool:
        """HTTP 200; 206 in the body exactly when Target's mbox is missing, which is then named (gw:F5, F9)."""
        decided = bool(self.answer.body["execute"]["mboxes"][-1].get("options"))
        named = 'missing="recommendations"' in self.answer.headers.get("x-gateway-degraded", "")
        return (self.answer.status, self.answer.body["status"], named) == (200, 200 if decided else 206, not decided)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing at all."""
        return not self.reasons and self.answer.body["status"] == 200

    def is_own(self, visitors: list[Visitor]) -> bool:
        """Whether it is this visitor's answer, and has nothing of anybody else's in it."""
        said = self.answer.raw.decode() + str(self.answer.headers)
        others = [one for one in visitors if one is not self.visitor]
        mine = self.answer.body.get("requestId") == f"request-{self.visitor.canary}" and self.visitor.canary in said
        foreign = {one.canary for one in others} | {name for one in others for name in one.device_ids}
        return mine and not any(name in said for name in foreign)


async def ask(stage: Stage, visitor: Visitor) -> Met:
    """Ask once, and note the device id that came."""
    begun = time.perf_counter()
    headers = {"X-Request-Timeout-Ms": str(DEADLINE_MS)}
    answer = await stage.post(visitor.ask(), headers, sessionId=visitor.session_id)
    seconds = time.perf_counter() - begun
    visitor.device_ids.add(device_id_of(answer.body))
    return Met(visitor, answer, seconds)


def device_id_of(body: Any) -> str:
    """Give the bare device id of an answer."""
    return str(body["id"]["tntId"]).partition(".")[0]


async def ask_all(stage: Stage, visitors: list[Visitor]) -> list[Met]:
    """Have everybody ask at once."""
    return list(await asyncio.gather(*(ask(stage, visitor) for visitor in visitors)))
