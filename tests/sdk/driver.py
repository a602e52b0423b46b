"""An SDK at work in a process of its own, told what to do line by line."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.sdk.install import Program
from tests.stage import ORGANIZATION, Stage

ANSWER_S = 30
_LONGEST_LINE = 4 * 1024 * 1024


class Sdk:
    """One client object of an SDK in a fresh process; `hosts` are those it asked during the latest line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.hosts: set[str] = set()

    async def get_offers(self, request: dict[str, Any], **options: Any) -> Any:
        """Give what the SDK gives for a call for offers."""
        return _succeeded(await self.tell({"call": "getOffers", "options": {"request": request} | options}))

    async def send_notifications(self, request: dict[str, Any], **options: Any) -> Any:
        """Give what the SDK gives for sending notifications."""
        return _succeeded(await self.tell({"call": "sendNotifications", "options": {"request": request} | options}))

    async def fail_offers(self, request: dict[str, Any], **options: Any) -> str:
        """Give the message of the error that the SDK raises, or rejects with, for a call for offers."""
        answer = await self.tell({"call": "getOffers", "options": {"request": request} | options})
        assert "error" in answer, f"the SDK got an answer: {answer}"
        return str(answer["error"])

    async def tell(self, message: dict[str, Any]) -> Any:
        """Hand over one line and give the answer to it; fails when none comes within 30 s."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        stdin.write(json.dumps(message).encode() + b"\n")
        await stdin.drain()
        async with asyncio.timeout(ANSWER_S):
            line = await stdout.readline()
        assert line, "the SDK's process ended"
        answer = json.loads(line)
        self.hosts = set(answer["hosts"])
        return answer


@asynccontextmanager
async def run_sdk(program: Program, stage: Stage, **changes: Any) -> AsyncIterator[Sdk]:
    """Give an SDK whose client object points at the stage's gateway; `changes` are options of the client object."""
    process = await asyncio.create_subprocess_exec(
        *program.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | program.environment | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
        limit=_LONGEST_LINE,
    )
    try:
        sdk = Sdk(process)
        options = {"client": "demo", "organizationId": ORGANIZATION, "secure": False, "telemetryEnabled": False}
        options |= {"serverDomain": host_of(stage), "decisioningMethod": "server-side", "timeout": 10_000}
        _succeeded(await sdk.tell({"create": options | changes}))
        yield sdk
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def host_of(stage: Stage) -> str:
    """Give host and port of the stage's gateway."""
    return stage.running.public.removeprefix("http://")


def _succeeded(answer: Any) -> Any:
    assert "error" not in answer, f"the SDK failed: {answer}"
    return answer
