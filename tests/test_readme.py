"""The README is true: its commands exist and its requests get what it says."""

import json
import re
import shlex
import tomllib
from pathlib import Path

from gateway.demo.offers import seed_offers
from gateway.store.connection import Store
from tests.stage import Stage, run_stage

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
REQUESTS = [shlex.split(block, comments=True) for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)]
DELIVERIES = [words[words.index("-d") + 1] for words in REQUESTS if any("rest/v1" in word for word in words)]


async def ask_each(stage: Stage) -> list[dict]:
    answers = [await stage.post(body.encode()) for body in DELIVERIES]
    assert [answer.status for answer in answers] == [200, 200, 200]
    return [answer.body for answer in answers]


async def test_the_first_requests_get_a_local_a_remote_and_a_mixed_answer(redis_url: str, store: Store) -> None:
    """gw:O1: three kinds of mboxes in one answer."""
    demo = tomllib.loads((ROOT / "config" / "demo.toml").read_text())
    mboxes = ", ".join(
        f'{name} = {{ container = "{one["container"]}", activity = "{one["activity"]}" }}'
        for name, one in demo["offers"]["mboxes"].items()
    )
    async with run_stage(redis_url, {"GATEWAY_OFFERS__MBOXES": f"{{ {mboxes} }}"}) as stage:
        await seed_offers(stage.running.services)
        await seed_offers(stage.running.services)
        answers = await ask_each(stage)
        again = [await stage.post(DELIVERIES[2].encode()) for _ in range(3)]
    decided = [
        [mbox["options"][0]["responseTokens"]["activity.decisioningMethod"] for mbox in answer["execute"]["mboxes"]]
        for answer in answers
    ]
    assert decided == [["on-device"], ["server-side"], ["on-device", "server-side", "offer"]]
    assert len({answer["id"]["tntId"].split(".")[0] for answer in answers}) == 1
    shown = json.loads(re.search(r"```json\n(.*?)```", README, re.DOTALL)[1])  # type: ignore[index]
    told = shown["execute"]["mboxes"][0]["options"][0]["content"]
    assert answers[2]["execute"]["mboxes"][0]["options"][0]["content"] == told
    offers = [
        one["execute"]["mboxes"][2]["options"][0]["content"] for one in (shown, answers[2], *(a.body for a in again))
    ]
    assert offers[:4] == [offers[0]] * 4
    assert offers[4] != offers[0], "its profile cap is three"


async def test_the_home_document_is_there_for_the_demonstration(redis_url: str, store: Store) -> None:
    (words,) = [words for words in REQUESTS if any("/data/core/xcore" in word for word in words)]
    headers = dict(words[at + 1].split(": ") for at, word in enumerate(words) if word == "-H")
    async with run_stage(redis_url) as stage:
        answer = await stage.ask("GET", "/data/core/xcore/", headers=headers)
    assert (answer.status, list(answer.body["_embedded"].values())) == (200, [[]])


def test_files_it_points_to_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_make_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
