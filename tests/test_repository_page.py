"""docs/repository.md is true: its commands run, in their order, and answer what it says."""

import shutil
from pathlib import Path

import pytest

from tests.pages import contains, walk
from tests.stage import run_stage

PAGE = (Path(__file__).parent.parent / "docs" / "repository.md").read_text()


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash")
async def test_the_walk_answers_what_the_page_says(clean_url: str, tmp_path: Path):
    async with run_stage(clean_url) as stage:
        assert await walk("repository.md", stage.running.public, tmp_path) >= 12


def test_the_page_walks_through_every_schema():
    for schema in ("placement", "tag", "eligibility-rule", "personalized-offer", "fallback-offer", "offer-filter"):
        assert f"{schema} '" in PAGE or f"create {schema}" in PAGE
    assert "create offer-activity" in PAGE


def test_a_difference_would_be_seen():
    assert contains({"a": [1, {"b": 2}], "c": 3}, {"a": [1, {"b": 2}]})
    assert not contains({"a": [1]}, {"a": [1, 2]})
    assert not contains({"a": 1}, {"b": 1})
