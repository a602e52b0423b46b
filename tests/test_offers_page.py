"""docs/offers.md is true: its commands run, in their order, and answer what it says."""

import re
import shutil
from pathlib import Path

import pytest

from tests.pages import walk
from tests.stage import run_stage

PAGE = Path(__file__).parent.parent / "docs" / "offers.md"


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash")
async def test_ten_commands_bring_a_capped_targeted_offer_to_a_page(clean_url: str, tmp_path: Path):
    """gw:O1, dec:D1, D3, CA3."""
    async with run_stage(clean_url, {"GATEWAY_OFFERS__CONTAINERS": '["*"]'}) as stage:
        assert await walk("offers.md", stage.running.public, tmp_path) == 4


def test_they_are_ten():
    numbers = re.findall(r"^\*\*(\d+)\*\*", PAGE.read_text(), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 11)]
