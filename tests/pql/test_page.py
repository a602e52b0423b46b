"""The page for people who write rules says what is so."""

import json
import re
from pathlib import Path

import pytest

from gateway import pql
from gateway.errors import RuleSyntaxError
from gateway.pql.library import TABLE
from gateway.pql.limits import FUEL, MAX_DEPTH, MAX_SOURCE_BYTES, MAX_TOKENS
from gateway.pql.operators import SIGNS
from gateway.pql.operators import TABLE as OPERATOR_TABLE
from tests.pql.cases import NOW

PAGE = (Path(__file__).parents[2] / "docs" / "pql.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
PROFILE, EVENTS, CONTEXT, OFFER = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
EXAMPLES = [line for kind, text in BLOCKS if kind == "pql" for line in text.splitlines()]


def facts() -> pql.Facts:
    return pql.Facts(now=NOW, profile=PROFILE, events=EVENTS, context=CONTEXT, offer=OFFER)


def blocks(kind: str) -> list[str]:
    return [text.rstrip("\n") for given, text in BLOCKS if given == kind]


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_has_the_value_beside_it(line: str) -> None:
    rule, value = line.split(" → ")
    outcome = pql.compile(rule.rstrip()).evaluate(facts())
    assert outcome.fault is None
    assert outcome.value == json.loads(value)


@pytest.mark.parametrize("block", blocks("error"))
def test_a_refused_example_has_the_message_under_it(block: str) -> None:
    rule, caret, message = block.split("\n")
    with pytest.raises(RuleSyntaxError) as caught:
        pql.compile(rule)
    assert caught.value.excerpt == f"{rule}\n{caret}"
    assert caught.value.message == message


@pytest.mark.parametrize("block", blocks("fault"))
def test_a_failing_example_has_the_fault_under_it(block: str) -> None:
    rule, message = block.split("\n")
    assert str(pql.compile(rule).test(facts()).fault) == message


def operator_table() -> str:
    """Write the table of operators, loosest first; `!` and `-` before an operand bind tighter than all between two."""
    rows = [(operator.level, symbols, operator.meaning) for symbols, operator in OPERATOR_TABLE]
    rows += [(sign.level, (sign.name,), sign.meaning) for sign in SIGNS.values()]
    lines = []
    for _, symbols, meaning in sorted(rows, key=lambda row: row[0]):
        shown = " ".join(f"`{symbol}`".replace("|", "\\|") for symbol in symbols)
        lines.append(f"| {shown.replace('notin', 'notIn')} | {meaning} |")
    return "\n".join(["| Operator | Gives |", "| --- | --- |", *lines])


def test_the_table_of_operators_is_that_in_force() -> None:
    assert operator_table() in PAGE


def function_table() -> str:
    rows = [f"| `{row.form}` | {row.meaning} |" for row in TABLE]
    return "\n".join(["| Function | Gives |", "| --- | --- |", *rows])


def test_the_table_of_functions_is_that_of_the_library() -> None:
    assert function_table() in PAGE


def test_the_limits_are_those_in_force() -> None:
    assert f"more than {MAX_SOURCE_BYTES // 1024} KB" in PAGE
    assert f"more than {MAX_TOKENS} words and signs or {MAX_DEPTH} levels" in PAGE
    assert f"{FUEL} steps" in PAGE


def test_the_page_shows_something_of_everything() -> None:
    assert len(EXAMPLES) >= 50
    assert len(blocks("error")) >= 4
