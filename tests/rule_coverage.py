"""Which rules of the specifications no test names: `python -m tests.rule_coverage`.

The rules are listed in `cases/rules.toml`. A test names a rule as `repo:K3` in a docstring, a name or a case; several
as `repo:K3, K4`, all of a run as `repo:L10-L13`; X1 of the repository's §14, because §0 has one too, as `repo:14X1`.
What is listed there as `argued` needs no test, and says why.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent
LIST = ROOT / "cases" / "rules.toml"
LIST_OF_IDS = re.compile(
    r"\b(repo|ent|dec|prof):((?:14)?[A-Z]{1,2}\d+(?:(?:, ?| and |/|[-\u2013])(?:14)?[A-Z]{1,2}\d+)*)"
)
RUN = re.compile(r"((?:14)?[A-Z]{1,2})(\d+)(?:[-\u2013]\1(\d+))?")
READ = {".py", ".toml", ".json", ".md"}


class Document(NamedTuple):
    """One specification: its rules, those that need no test with the reason, those whose test is still to come."""

    name: str
    rules: list[str]
    argued: dict[str, str]
    not_yet: set[str]


def read_documents() -> list[Document]:
    found = tomllib.loads(LIST.read_text())
    return [
        Document(name, table["rules"].split(), table.get("argued", {}), set(table.get("not-yet", "").split()))
        for name, table in found.items()
    ]


def expand(ids: str) -> list[str]:
    """Give every id of a list such as `K3, K5-K7`."""
    return [
        f"{letters}{number}"
        for letters, first, last in RUN.findall(ids)
        for number in range(int(first), int(last or first) + 1)
    ]


def named_rules() -> set[str]:
    """Give every rule that a file below tests/ names, as `repo:K3`."""
    files = [path for path in ROOT.rglob("*") if path.suffix in READ and path not in (LIST, Path(__file__))]
    found = [match for path in sorted(files) for match in LIST_OF_IDS.findall(path.read_text())]
    return {f"{document}:{each}" for document, ids in found for each in expand(ids)}


def untested(document: Document, named: set[str]) -> list[str]:
    """Give the rules of a document that have neither a test nor an argument."""
    return [rule for rule in document.rules if f"{document.name}:{rule}" not in named and rule not in document.argued]


def main() -> int:
    named = named_rules()
    missing = 0
    for document in read_documents():
        rules = untested(document, named)
        missing += len(rules)
        argued = f", {len(document.argued)} argued" if document.argued else ""
        print(f"{document.name}: {len(document.rules)} rules, {len(rules)} without a test{argued}")
        if rules:
            print("  " + " ".join(rules))
        done = sorted(document.not_yet - set(rules))
        if done:
            print("  no longer to be listed as not-yet: " + " ".join(done))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
