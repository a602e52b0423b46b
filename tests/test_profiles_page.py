"""docs/profiles.md is true."""

import shutil
from pathlib import Path

import pytest

from tests.pages import walk
from tests.stage import run_stage


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash")
async def test_the_walk_answers_what_the_page_says(clean_url: str, tmp_path: Path):
    async with run_stage(clean_url) as stage:
        assert await walk("profiles.md", stage.running.public, tmp_path) == 9
