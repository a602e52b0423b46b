"""Artifacts made for measurements, of the rules of the conformance data."""

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent.parent / "cases" / "conformance" / "artifacts"


def read_payload(name: str) -> Any:
    """Give an artifact of the conformance data, decoded."""
    return json.loads((_FOLDER / f"{name}.json").read_bytes())


def make_large_artifact(megabytes: float, version: str) -> bytes:
    """Give the JSON of an artifact with as many mboxes as it takes: parameters, time, place, browser and offers."""
    payload = read_payload("TEST_ARTIFACT_PARAMS")
    pool = [
        rule
        for name in ("TEST_ARTIFACT_PARAMS", "TEST_ARTIFACT_PAGELOAD_VEC_AB", "TEST_ARTIFACT_BROWSER")
        for rules in read_payload(name)["rules"]["mboxes"].values()
        for rule in rules
    ]
    mboxes: dict[str, Any] = {}
    size = 0
    while size < megabytes * 1_000_000:
        at = len(mboxes)
        rules = [pool[(at * 5 + number) % len(pool)] | {"ruleKey": f"{at}-{number}"} for number in range(5)]
        mboxes[f"mbox-{version}-{at}"] = rules
        size += len(json.dumps(rules, separators=(",", ":")))
    return json.dumps(
        payload | {"rules": {"mboxes": mboxes, "views": {}}, "localMboxes": list(mboxes)}, separators=(",", ":")
    ).encode()
