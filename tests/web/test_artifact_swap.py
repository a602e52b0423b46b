"""An artifact is swapped whole, under load and with bad ones in between (spec on-device-decisioning §2).

No answer fails, none mixes two artifacts, and of many clients each keeps to its own.
"""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.delivery.decisions import make_payload
from tests.stage import Stage, run_stage

NAMES = [f"place-{at}" for at in range(8)]
CALLERS = 8
SWAPS = 30
BULK = "x" * 3000


def make_marked(mark: str, bulk: int = 150) -> bytes:
    """Give an artifact that says `mark` in every option, large enough to be loaded in slices."""
    option = {"type": "html", "content": mark, "eventToken": mark}
    mboxes = {name: [{"key": str(at + 1), "options": [option]}] for at, name in enumerate(NAMES)}
    rest = {f"other-{at}": [{"key": "9", "options": [{"type": "html", "content": mark + BULK}]}] for at in range(bulk)}
    everywhere = {"target-global-mbox": [{"key": "77", "options": [option]}]}
    views = {"home": [{"key": "88", "options": [option]}]}
    return json.dumps(make_payload({"mboxes": mboxes | rest | everywhere, "views": views})).encode()


BODY = {
    "context": {"channel": "web"},
    "id": {"tntId": "visitor"},
    "execute": {"mboxes": [{"index": at, "name": name} for at, name in enumerate(NAMES)], "pageLoad": {}},
    "prefetch": {"mboxes": [{"index": at, "name": name} for at, name in enumerate(NAMES)], "views": [{"name": "home"}]},
}
MARKS_PER_ANSWER = 2 * len(NAMES) + 2
POISON = [
    b"",
    b"[1,",
    b'{"version":"2.0.0","rules":{}}',
    make_marked("poison")[:-1],
    b'{"version":"1.0.0"}',
    b"[" * 100_000,
]


def marks_of(answer: Any) -> list[str]:
    """Give what every option of an answer says."""
    execute, prefetch = answer["execute"], answer["prefetch"]
    shown = [*execute["mboxes"], execute["pageLoad"], *prefetch["mboxes"], *prefetch["views"]]
    return [option["content"] for one in shown for option in one["options"]]


async def test_swapping_under_load_fails_no_request_and_mixes_no_two_artifacts(clean_url: str) -> None:
    async with run_stage(clean_url, {"GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        feed = stage.running.services.tenants["demo"].feed
        stage.stand_in.artifact = make_marked("one")
        await feed.refresh()
        over = asyncio.Event()
        seen: Counter[str] = Counter()
        callers = [asyncio.create_task(call_until(stage, over, seen)) for _ in range(CALLERS)]
        try:
            for swap in range(SWAPS):
                if swap % 3 == 2:
                    stage.stand_in.artifact = POISON[swap // 3 % len(POISON)]
                    kept = feed.artifact
                    await feed.refresh()
                    assert feed.artifact is kept
                stage.stand_in.artifact = make_marked("one" if swap % 2 else "two")
                await feed.refresh()
        finally:
            over.set()
            await asyncio.gather(*callers)
        assert feed.retrieved == SWAPS + 2
        assert seen.keys() == {"one", "two"}
        assert sum(seen.values()) > CALLERS


async def call_until(stage: Stage, over: asyncio.Event, seen: "Counter[str]") -> None:
    while not over.is_set():
        answer = await stage.post(BODY)
        assert answer.status == 200
        marks = marks_of(answer.body)
        assert len(marks) == MARKS_PER_ANSWER
        assert len(set(marks)) == 1, "one answer, one artifact"
        seen[marks[0]] += 1


async def test_many_clients_side_by_side_each_decide_by_their_own_artifact(clean_url: str, tmp_path: Path) -> None:
    codes = [f"client{at}" for at in range(12)]
    changes: dict[str, str] = {}
    for code in codes:
        (tmp_path / code).write_bytes(make_marked(code, bulk=0))
        table = f"GATEWAY_CLIENT__{code.upper()}__"
        changes |= {
            f"{table}ORGANIZATION_ID": f"{code}@AdobeOrg",
            f"{table}ARTIFACT_LOCATION": str(tmp_path / code),
            f"{table}POLL_S": "0",
        }
    async with run_stage(clean_url, changes) as stage:
        answers = await asyncio.gather(*(stage.post(BODY, client=code) for code in codes * 3))
        for code, answer in zip(codes * 3, answers, strict=True):
            assert answer.body["client"] == code
            assert set(marks_of(answer.body)) == {code}
        (tmp_path / codes[0]).write_bytes(make_marked("renewed", bulk=0))
        (tmp_path / codes[1]).write_bytes(b"broken")
        await asyncio.gather(*(tenant.feed.refresh() for tenant in stage.running.services.tenants.values()))
        renewed = [set(marks_of((await stage.post(BODY, client=code)).body)) for code in codes]
        assert renewed == [{"renewed"}, *({code} for code in codes[1:])]
