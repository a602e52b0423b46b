"""`gateway decide`: one decision from two files, without a server."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import main
from gateway.demo.assets import read_artifact, scramble
from gateway.offline import read_time

HERO = {
    "id": {"tntId": "abc"},
    "execute": {"mboxes": [{"index": 1, "name": "homepage-hero", "parameters": {"tier": "gold"}}]},
}


class Folder:
    """Two files and the command that reads them."""

    def __init__(self, path: Path) -> None:
        self.artifact = path / "rules.json"
        self.request = path / "request.json"
        self.artifact.write_bytes(read_artifact())
        self.ask(HERO)

    def ask(self, body: Any) -> None:
        self.request.write_text(json.dumps(body))

    def decide(self, *more: str) -> int:
        return main(["decide", "--artifact", str(self.artifact), "--request", str(self.request), *more])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_it_prints_the_response_and_nothing_else(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.decide() == 0
    printed = capsys.readouterr()
    response = json.loads(printed.out)
    assert (response["status"], response["client"], response["id"]) == (200, "demo", {"tntId": "abc"})
    assert response["execute"]["mboxes"][0]["options"]
    assert printed.err == ""


def test_explain_says_why_with_the_values_it_saw(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.decide("--explain")
    printed = capsys.readouterr()
    json.loads(printed.out)
    assert 'execute mbox "homepage-hero"' in printed.err
    assert '+ matched - rule 210001, activity 210001 "Hero for gold members"' in printed.err
    assert 'true  "gold" == mbox.tier_lc ["gold"]' in printed.err
    assert "not asked: a rule above has answered - rule 210002" in printed.err


def test_what_needs_target_is_said(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.ask({"execute": {"mboxes": [{"index": 1, "name": "recommendations"}]}})
    folder.decide("--explain")
    printed = capsys.readouterr()
    assert json.loads(printed.out)["status"] == 206
    assert "Target has a say" in printed.err


def test_a_request_can_come_from_standard_input(
    folder: Folder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(HERO).encode())))
    assert main(["decide", "--artifact", str(folder.artifact), "--request", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == 200


def test_the_client_code_takes_part_in_the_split(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    """on-device §8."""
    seen = set()
    folder.ask(HERO | {"execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}]}})
    for code in ("demo", "b", "c", "d", "e", "f"):
        folder.decide("--client", code)
        seen.add(json.dumps(json.loads(capsys.readouterr().out)["execute"]))
    assert len(seen) > 1


def test_a_scrambled_artifact_needs_its_organization(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    binary = folder.artifact.with_suffix(".bin")
    binary.write_bytes(scramble(read_artifact(), "DEMO@AdobeOrg"))
    folder.artifact = binary
    assert folder.decide("--organization", "DEMO@AdobeOrg") == 0
    assert folder.decide() == 2
    assert "unable to read artifact JSON" in capsys.readouterr().err


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no artifact": ({"artifact": "nowhere.json"}, "cannot read nowhere.json: No such file"),
    "no request": ({"request": "nowhere.json"}, "cannot read nowhere.json: No such file"),
    "a bad request": ({"body": {"execute": {"mboxes": [{"index": 1}]}}}, "$.execute.mboxes[0]"),
    "no object": ({"body": []}, "must be a JSON object"),
    "a bad time": ({"now": "yesterday"}, "2026-11-27T09:00Z"),
    "no rules": ({"artifact_body": {"version": "1.0.0"}}, "has no rules"),
}


@pytest.mark.parametrize(("given", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_and_the_status_is_2(
    folder: Folder, given: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.artifact = Path(given.get("artifact", folder.artifact))
    folder.request = Path(given.get("request", folder.request))
    if "body" in given:
        folder.ask(given["body"])
    if "artifact_body" in given:
        folder.artifact.write_text(json.dumps(given["artifact_body"]))
    assert folder.decide("--now", given.get("now", "0")) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1585180800000", 1_585_180_800_000),
        ("2020-03-26T00:00:00Z", 1_585_180_800_000),
        ("2020-03-26", 1_585_180_800_000),
        ("2020-03-26T01:00+01:00", 1_585_180_800_000),
    ],
)
def test_a_time_is_utc_unless_it_says_otherwise(written: str, expected: int) -> None:
    assert read_time(written) == expected


def test_the_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["decide", "--help"])
    text = capsys.readouterr().out
    for word in ("--explain", "gateway decide --artifact rules.json --request request.json", "tntId", "standard error"):
        assert word in text
