"""`python -m gateway.demo.target` as a process of its own."""

import asyncio
import json
import sys
import urllib.request


async def test_it_prints_its_port_answers_and_stops_on_sigterm():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.demo.target", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    port = json.loads(await process.stdout.readline())["port"]

    def look() -> dict[str, object]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/control", timeout=10) as answer:
            return json.load(answer)

    assert (await asyncio.to_thread(look))["received"] == 0
    process.terminate()
    assert await process.wait() == 0


async def test_help_teaches_what_it_can_do():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.demo.target", "--help", stdout=asyncio.subprocess.PIPE
    )
    text, _ = await process.communicate()
    assert process.returncode == 0
    for word in (b"/rest/v1/delivery", b"/control", b"gzip_bomb", b"--port"):
        assert word in text
