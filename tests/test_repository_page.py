"""docs/repository.md is true: its commands run, in their order, and answer what it says."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.stage import run_stage

PAGE = (Path(__file__).parent.parent / "docs" / "repository.md").read_text()
BLOCKS = re.findall(r"^```(sh|json|text)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
_MARK = "----next-block----"


def contains(found: Any, shown: Any) -> bool:
    """Whether everything the page shows is in what was answered."""
    if isinstance(shown, dict):
        return isinstance(found, dict) and all(name in found and contains(found[name], shown[name]) for name in shown)
    if isinstance(shown, list):
        return len(found) == len(shown) and all(map(contains, found, shown))
    return bool(found == shown)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash")
async def test_the_walk_answers_what_the_page_says(clean_url: str, tmp_path: Path):
    commands = [text for kind, text in BLOCKS if kind == "sh"]
    script = "set -eu\n" + f"echo {_MARK}\n".join(commands)
    async with run_stage(clean_url) as stage:
        process = await asyncio.create_subprocess_exec(
            "bash",
            *("-c", script),
            env=os.environ | {"GATEWAY": stage.running.public, "TMPDIR": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b""), err.decode()
    answers = iter(out.decode().split(_MARK))
    answered, compared = "", 0
    for kind, text in BLOCKS:
        if kind == "sh":
            answered = next(answers).strip()
            continue
        last = answered.splitlines()[-1]
        compared += 1
        if kind == "json":
            assert contains(json.loads(last), json.loads(text)), f"{last}\ninstead of\n{text}"
        else:
            assert last == text.strip()
    assert compared >= 12


def test_the_page_walks_through_every_schema():
    for schema in ("placement", "tag", "eligibility-rule", "personalized-offer", "fallback-offer", "offer-filter"):
        assert f"{schema} '" in PAGE or f"create {schema}" in PAGE
    assert "create offer-activity" in PAGE


def test_a_difference_would_be_seen():
    assert contains({"a": [1, {"b": 2}], "c": 3}, {"a": [1, {"b": 2}]})
    assert not contains({"a": [1]}, {"a": [1, 2]})
    assert not contains({"a": 1}, {"b": 1})
