"""Where the files under test are, and how a test reads them."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
OPERATE = ROOT / "docs" / "operate.md"


def read(path: str) -> str:
    """Give the text of a file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")
