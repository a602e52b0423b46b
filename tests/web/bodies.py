"""Bodies made from the tables in `tests/cases/bad_bodies`: one wrong or odd member in an otherwise whole request."""

import copy
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

FOLDER = Path(__file__).parent.parent / "cases" / "bad_bodies"
ABSENT = object()
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


class Case(Struct):
    """One body; `says` is what the message must contain when it is to be refused."""

    name: str
    raw: bytes
    says: str = ""
    status: int = 400


def read_table(name: str) -> Any:
    """Give one of the tables."""
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))


def whole_body() -> Any:
    """Give a request with every member there is, apart from `qaMode` and `preview`."""
    return json.loads((FOLDER / "body.json").read_bytes())


def put(body: Any, path: str, value: Any) -> Any:
    """Give `body` with `value` (or nothing: ABSENT) at `path`, such as `$.execute.mboxes[0].name`."""
    changed = copy.deepcopy(body)
    steps: list[Any] = [name or int(number) for name, number in _STEP.findall(path)]
    place = changed
    for step in steps[:-1]:
        place = place[step]
    if value is ABSENT:
        del place[steps[-1]]
    else:
        place[steps[-1]] = value
    return changed


def list_refused() -> list[Case]:
    """Give every body that must be refused."""
    wrong = [make_case(path, value) for path, values in each_member(_WRONG) for value in values]
    return list(read_raw()) + list(_many_items()) + wrong + _make_parameters("refused")


def list_taken() -> list[Case]:
    """Give every odd body that must be accepted."""
    right = [make_case(path, value) for path, values in each_member(_RIGHT) for value in values]
    return right + _make_parameters("taken") + _unknown_members()


def each_member(makers: dict[str, Callable[[Any], list[Any]]]) -> Iterator[tuple[str, list[Any]]]:
    for kind, rows in read_table("members.toml").items():
        for path, row in rows.items():
            yield path, makers[kind](row)


def make_case(path: str, value: Any) -> Case:
    shown = "absent" if value is ABSENT else json.dumps(value)
    shown = shown if len(shown) < 40 else f"{shown[:12]}...{len(value)} long"
    blamed = path.rpartition(".")[2] if value is ABSENT else path
    return Case(f"{path} = {shown}", json.dumps(put(whole_body(), path, value)).encode(), says=blamed)


def read_raw() -> Iterator[Case]:
    for row in read_table("raw.toml")["body"]:
        raw = bytes.fromhex(row["hex"]) if "hex" in row else row["text"].encode()
        raw += row.get("repeat", "").encode() * row.get("times", 0) + row.get("end", "").encode()
        yield Case(row["rule"], raw, says=f"(byte {row['byte']})" if "byte" in row else row["says"])


def _many_items() -> Iterator[Case]:
    for part in ("execute", "prefetch"):
        for count in (51, 52, 500):
            mboxes = [{"index": at, "name": f"m{at}"} for at in range(count)]
            raw = json.dumps({"context": {"channel": "web"}, part: {"mboxes": mboxes}}).encode()
            yield Case(f"{count} mboxes in {part}", raw, says="size must be between 0 and 50")
    yield Case("one byte too long", pad(256 * 1024 + 1), says="256 KB", status=413)
    yield Case("1 MB", pad(1024 * 1024), says="256 KB", status=413)


def pad(length: int) -> bytes:
    """Give a valid request of exactly `length` bytes."""
    frame = b'{"context":{"channel":"web"},"x":"%s"}'
    return frame % (b"x" * (length - len(frame) + 2))


def _make_parameters(outcome: str) -> list[Case]:
    cases = []
    for row in read_table("parameters.toml")[outcome]:
        name = row.get("name", "n" * row.get("name_length", 4))
        value = row.get("value", "v" * row.get("value_length", 4))
        entries = {name: value} | {f"n{at}": value for at in range(1, row.get("entries", 1))}
        path = f"$.execute.mboxes[0].{row['member']}"
        raw = json.dumps(put(whole_body(), path, entries)).encode()
        cases.append(Case(f"{row['member']}: {row['rule']}", raw, says=path))
    return cases


def _unknown_members() -> list[Case]:
    """Give a body for each object of the request, with a member in it that nobody knows."""
    cases = []
    for path in read_table("members.toml")["object"]:
        if path not in ("$.qaMode", "$.preview") and not path.endswith("arameters"):
            raw = json.dumps(put(whole_body(), f"{path}.$_type", [{"x": None}])).encode()
            cases.append(Case(f"{path} with an unknown member", raw))
    return cases


def _wrong_text(row: dict[str, Any]) -> list[Any]:
    values = [1, True, ["a"], {"a": "b"}] + ([None] if row.get("required") else [])
    if "most" in row:
        values += ["x" * (row["most"] + 1), "ü" * (row["most"] + 1)]
    if row.get("least"):
        values += ["", "x" * (row["least"] - 1)] if row["least"] > 1 else [""]
    return values + ([] if row.get("blank", True) else [" ", "\t\n"])


def _wrong_whole(row: dict[str, Any]) -> list[Any]:
    return [1.5, *_wrong_number(row)] + ([row["most"] + 1] if "most" in row else [])


def _wrong_number(row: dict[str, Any]) -> list[Any]:
    values = ["1", "", True, [1], {}] + ([None] if row.get("required") else [])
    return values + ([row["least"] - 1] if "least" in row else [])


def _wrong_choice(row: dict[str, Any]) -> list[Any]:
    return ["", "other", "WEB", 1, True, [], {}] + ([None, ABSENT] if row.get("required") else [])


def _wrong_object(row: dict[str, Any]) -> list[Any]:
    return [1, "a", "", True, [], [{}]] + ([None] if row.get("required") else [])


def _wrong_list(_row: dict[str, Any]) -> list[Any]:
    return [1, "a", True, {}, {"0": {}}]


_WRONG: dict[str, Callable[[Any], list[Any]]] = {
    "text": _wrong_text,
    "whole": _wrong_whole,
    "number": _wrong_number,
    "flag": lambda _row: [0, 1, "true", "", [], {}],
    "choice": _wrong_choice,
    "object": _wrong_object,
    "list": _wrong_list,
}


def _right(row: dict[str, Any], *values: Any) -> list[Any]:
    return [*values] if row.get("required") else [None, *values]


_RIGHT: dict[str, Callable[[Any], list[Any]]] = {
    "text": lambda row: _right(
        row, *(["x" * row["most"], "ü" * row["most"]] if "most" in row else ["\u0000 \U0001f600"])
    ),
    "whole": lambda row: _right(row, 1.0, 100_000_000_000.0) if "most" not in row else _right(row, 1.0, row["most"]),
    "number": lambda row: _right(row, 0, 1e10, 0.1),
    "flag": lambda row: _right(row, False),
    "choice": _right,
    "object": _right,
    "list": lambda row: _right(row, []),
}
