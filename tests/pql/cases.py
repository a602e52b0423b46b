"""Cases as data: where they are, and the facts of the worked examples."""

import json
import tomllib
from pathlib import Path
from typing import Any

from gateway import pql

FOLDER = Path(__file__).parents[1] / "cases"
FIXTURES = tomllib.loads((FOLDER / "pql-fixtures.toml").read_text())
NOW = FIXTURES["now"]
DATA = {name: json.loads(text) for name, text in FIXTURES.items() if isinstance(text, str)}


def cases(name: str) -> list[dict[str, Any]]:
    """Give the cases of one file."""
    found = tomllib.loads((FOLDER / name).read_text())["case"]
    assert len({case["id"] for case in found}) == len(found), "case ids repeat"
    return found


def facts(fixture: str) -> pql.Facts:
    """Give the facts of a fixture of spec pql 12.1."""
    if fixture == "B":
        return pql.Facts(now=NOW, profile={}, events=[], context=[])
    context = DATA["context_2"] if fixture == "C" else DATA["context_1"]
    offer = DATA["offer"] if fixture == "O" else None
    return pql.Facts(now=NOW, profile=DATA["profile"], events=DATA["events"], context=context, offer=offer)
