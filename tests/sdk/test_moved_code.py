"""A program written for Adobe's SDK for Python sees the same once it imports our client instead (get-offers §16)."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec import Struct
from msgspec.json import decode, encode

from gateway.demo.target import StandIn
from tests.sdk.install import NotInstallableError, install_python_sdk
from tests.stage import ORGANIZATION

pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]  # the first run installs the SDK
PROGRAM = Path(__file__).parent / "moved_program.py"
ROOT = Path(__file__).parent.parent.parent
RUN_S = 60
SDK, OURS = "target_python_sdk", "gateway.client"
MADE = [(re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}"), "<id>")]


class Seen(Struct):
    """What a program got to see, and what it told Target."""

    told: dict[str, Any]
    displayed: list[str]
    channels: set[str]


async def run(command: list[str], client: str, models: str, path: str = "") -> Seen:
    """Run the program against a stand-in of its own."""
    stand_in = StandIn(["demo"], {ORGANIZATION: "demo"})
    stand_in.artifact = encode(decode(stand_in.artifact) | {"geoTargetingEnabled": False})
    port = await stand_in.start()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            str(PROGRAM),
            client,
            models,
            str(port),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PYTHONPATH": path},
        )
        try:
            async with asyncio.timeout(RUN_S):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = output.decode().strip().rpartition("\n")[2]
        assert process.returncode == 0, output[-2000:]
        text = text.replace(f":{port}", ":<port>")
        for pattern, name in MADE:
            text = pattern.sub(name, text)
        shown = [one["mbox"]["name"] for one in stand_in.notifications]
        return Seen(json.loads(text), sorted(shown), {call.body["context"]["channel"] for call in stand_in.requests})
    finally:
        await stand_in.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def adobe() -> AsyncIterator[tuple[Seen, str]]:
    """Give what the program sees with Adobe's SDK, and where its packages are; or skip where it cannot be had."""
    try:
        python = install_python_sdk().command[0]
    except NotInstallableError as error:
        pytest.skip(f"Adobe's SDK for Python cannot be installed here: {error}")
    asking = await asyncio.create_subprocess_exec(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", stdout=asyncio.subprocess.PIPE
    )
    place, _ = await asking.communicate()
    yield await run([python, "-W", "ignore"], SDK, "delivery_api_client"), place.decode().strip()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["delivery_api_client", "gateway.client.models"])
async def moved(adobe: tuple[Seen, str], request: pytest.FixtureRequest) -> Seen:
    """Give what it sees with ours: with the request objects it has, and with ours."""
    path = os.pathsep.join([str(ROOT), adobe[1]]) if request.param == "delivery_api_client" else str(ROOT)
    return await run([sys.executable, "-W", "ignore"], OURS, request.param, path)


def strip(value: Any) -> Any:
    """Leave out what is there in one of them only and says nothing: empty members, and what the SDK does not know."""
    ours_alone = ["visitor_state", "telemetry_server_token", "degraded"]
    if isinstance(value, dict):
        inner = {name: strip(member) for name, member in value.items() if name not in ours_alone}
        return {name: member for name, member in inner.items() if member not in (None, [], {})}
    if isinstance(value, list):
        return [strip(member) for member in value if member not in ours_alone]
    return value


CALLS = [
    "offers",
    "objects",
    "json",
    "session",
    "views",
    "page",
    "traced",
    "callback",
    "failed",
    "attributes",
    "notified",
    "refused",
]


@pytest.mark.parametrize("name", CALLS)
async def test_a_moved_program_sees_what_it_saw(adobe: tuple[Seen, str], moved: Seen, name: str) -> None:
    """Objects, cookies, tokens, details, callbacks, attributes, refusals."""
    assert strip(moved.told[name]) == strip(adobe[0].told[name])


async def test_the_program_saw_something(adobe: tuple[Seen, str]) -> None:
    """Two programs that see nothing see the same."""
    told = adobe[0].told
    assert told["offers"]["response"]["execute"]["mboxes"][0]["options"]
    assert told["traced"]["trace"] == len(told["traced"]["analytics"]) == 1
    assert told["callback"][1:] == [True, True]
    assert told["failed"] == [["error", True], True, False]
    assert set(told["refused"]) == {"raised"}
    assert set(told) == {*CALLS, "local", "local_events"}


async def test_local_decisions_are_the_same(adobe: tuple[Seen, str], moved: Seen) -> None:
    """The same variants for the same visitor. The SDK also answers a page load that nobody asked for."""
    found = []
    for seen in (adobe[0], moved):
        local = strip(seen.told["local"])
        found.append([local["response"]["execute"]["mboxes"], local["meta"], local["cookie"], local["hint"]])
    assert found[0] == found[1]
    assert moved.told["local_events"] == adobe[0].told["local_events"]


async def test_what_was_displayed_reaches_target(adobe: tuple[Seen, str], moved: Seen) -> None:
    """on-device §13; apart from the page load again."""
    assert moved.displayed == [name for name in adobe[0].displayed if name != "target-global-mbox"]
    assert moved.channels == adobe[0].channels == {"web"}
