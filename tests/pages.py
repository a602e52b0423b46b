"""Pages of docs/ are true: their commands run, in their order, and answer what they say."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).parent.parent / "docs"
_MARK = "----next-block----"


def read_blocks(name: str) -> list[tuple[str, str]]:
    """Give kind and text of every block of commands and answers on a page."""
    return re.findall(r"^```(sh|json|text)\n(.*?)^```", (_DOCS / name).read_text(), re.DOTALL | re.MULTILINE)


def contains(found: Any, shown: Any) -> bool:
    """Whether everything the page shows is in what was answered."""
    if isinstance(shown, dict):
        return isinstance(found, dict) and all(name in found and contains(found[name], shown[name]) for name in shown)
    if isinstance(shown, list):
        return len(found) == len(shown) and all(map(contains, found, shown))
    return bool(found == shown)


async def walk(name: str, gateway: str, folder: Path) -> int:
    """Run a page's commands against a gateway, compare what they answer, and give how many answers were compared."""
    blocks = read_blocks(name)
    script = "set -eu\n" + f"echo {_MARK}\n".join(text for kind, text in blocks if kind == "sh")
    process = await asyncio.create_subprocess_exec(
        "bash",
        *("-c", script),
        env=os.environ | {"GATEWAY": gateway, "TMPDIR": str(folder)},
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
