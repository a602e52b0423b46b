"""docs/get-offers.md is true: its programs run as they stand and print what it says."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.client.options import ClientOptions
from gateway.delivery.offers_request import OffersOptions
from gateway.store.connection import Store
from tests.stage import Stage, run_stage

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "get-offers.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
RUN_S = 50


@pytest.fixture
async def stage(redis_url: str, store: Store) -> AsyncIterator[Stage]:
    """Run what `make run` runs."""
    async with run_stage(redis_url) as stage:
        yield stage


async def run(stage: Stage, command: list[str], text: str) -> str:
    """Give what `text` prints, told to another program on its standard input; the addresses are those of the stage."""
    target = stage.running.services.settings.upstream.target.url.removeprefix("http://")
    placed = text.replace("http://127.0.0.1:8080", stage.running.public).replace("127.0.0.1:8082", target)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
    )
    try:
        async with asyncio.timeout(RUN_S):
            output, _ = await process.communicate(placed.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return output.decode()


@pytest.mark.parametrize(("program", "prints"), PROGRAMS, ids=["async", "callback"])
async def test_a_program_prints_what_the_page_says(stage: Stage, program: str, prints: str) -> None:
    assert await run(stage, [sys.executable, "-W", "error", "-"], program) == prints


async def test_the_commands_get_what_the_page_says(stage: Stage) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    [block] = COMMANDS
    calls = block.strip().split("\n\n")
    offers, attributes, told = [json.loads(await run(stage, ["sh", "-e"], call)) for call in calls]
    [shown] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    example = json.loads(shown)
    assert set(example) == set(offers)
    assert example["meta"] == offers["meta"]
    assert example["response_tokens"][0]["activity.name"] == offers["response_tokens"][0]["activity.name"]
    assert offers["target_cookie"]["value"].startswith("session#docs-2#")
    assert attributes["attributes"]["homepage-hero"]["link"] == "/gold"
    assert attributes["response"]["id"] == offers["response"]["id"]
    assert told["response"]["notifications"] == [{"id": "n1"}]


@pytest.mark.parametrize(
    "name", [*ClientOptions.__struct_fields__, *OffersOptions.__struct_fields__, "visitor", "mbox_names"]
)
def test_every_option_is_named(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_files_it_points_to_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
