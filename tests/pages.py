"""Pages of the documentation, run: their commands in order, compared with the answers they show."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

from tests.stage import Stage

DOCS = Path(__file__).parent.parent / "docs"
_MARK = "----next-block----"


def contains(found: Any, shown: Any) -> bool:
    """Whether everything the page shows is in what was answered."""
    if isinstance(shown, dict):
        return isinstance(found, dict) and all(name in found and contains(found[name], shown[name]) for name in shown)
    if isinstance(shown, list):
        return len(found) == len(shown) and all(map(contains, found, shown))
    return bool(found == shown)


async def run_page(name: str, stage: Stage, folder: Path) -> int:
    """Run every command of a page against a stage; give how many answers were compared."""
    blocks = re.findall(r"^```(sh|json|text)\n(.*?)^```", (DOCS / name).read_text(), re.DOTALL | re.MULTILINE)
    commands = [text for kind, text in blocks if kind == "sh"]
    process = await asyncio.create_subprocess_exec(
        "bash",
        *("-c", "set -eu\n" + f"echo {_MARK}\n".join(commands)),
        env=os.environ | {"GATEWAY": stage.running.public, "TMPDIR": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b""), err.decode()
    answers = iter(out.decode().split(_MARK))
    answered, compared = "", 0
    for kind, text in blocks:
        if kind == "sh":
            answered = next(answers).strip()
            continue
        last = answered.splitlines()[-1]
        compared += 1
        if kind == "json":
            assert contains(json.loads(last), json.loads(text)), f"{last}\ninstead of\n{text}"
        else:
            assert last == text.strip()
    return compared
