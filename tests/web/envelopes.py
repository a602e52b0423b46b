"""Calls of `/v1/get-offers` and its like, and what is read of their envelopes."""

import json
from typing import Any

from tests.stage import Answer, Stage

HERO: dict[str, Any] = {"request": {"execute": {"mboxes": [{"name": "homepage-hero"}]}}}
BOTH: dict[str, Any] = {"request": {"execute": {"mboxes": [{"name": "homepage-hero"}, {"name": "recommendations"}]}}}
FAR = 99_999_999_999


async def call(stage: Stage, body: Any, endpoint: str = "get-offers", **more: Any) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await stage.ask("POST", f"/v1/{endpoint}", data=raw, **more)


async def get(stage: Stage, body: Any, endpoint: str = "get-offers", **more: Any) -> Any:
    answer = await call(stage, body, endpoint, **more)
    assert answer.status == 200, answer.raw[:300]
    return answer.body


def decided(envelope: Any) -> dict[str, str]:
    return {
        mbox["name"]: mbox["options"][0]["responseTokens"]["activity.decisioningMethod"]
        for mbox in envelope["response"]["execute"]["mboxes"]
    }
