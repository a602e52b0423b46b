"""Macros (spec on-device-decisioning §11.1)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.content import fill_in_macros, read_key
from tests.delivery.decisions import decide_body, load_cases, make_artifact

TABLE = load_cases("macros")


def show(options: list[dict[str, Any]], **more: Any) -> list[Any]:
    """Give the contents of one mbox with these options, after a whole decision."""
    artifact = make_artifact({"mboxes": {"m1": [{"key": "7", "meta": TABLE["meta"], "options": options}]}})
    decided = decide_body(artifact, {"execute": {"mboxes": [TABLE["item"]]}}, **more)
    return [option.get("content") for option in decided.response["execute"]["mboxes"][0]["options"]]


@pytest.mark.parametrize(("text", "expected"), TABLE["examples"].items())
def test_a_macro_is_filled_in_or_left_as_it_is(text: str, expected: str | None) -> None:
    """The examples of §11.1, in a decision: html content and the content of actions."""
    wanted = text if expected is None else expected
    actions = [{"type": "setHtml", "content": text}, {"type": "setJson", "content": {"a": text}}, text]
    given = [{"type": "html", "content": text}, {"type": "actions", "content": actions}]
    assert show(given) == [
        wanted,
        [{"type": "setHtml", "content": wanted}, {"type": "setJson", "content": {"a": text}}, text],
    ]


@pytest.mark.parametrize(
    "option",
    [
        {"type": "json", "content": "${user}"},
        {"type": "json", "content": {"a": "${user}"}},
        {"type": "html", "content": ["${user}"]},
        {"type": "dynamic", "content": "${user}"},
        {"content": "${user}"},
        {"type": "actions", "content": "${user}"},
    ],
    ids=json.dumps,
)
def test_other_options_are_untouched(option: dict[str, Any]) -> None:
    assert show([option]) == [option["content"]]


def test_the_first_source_that_has_the_key_wins_even_with_null() -> None:
    """§11.1 point 3: the rule's meta, the item, the item's parameters."""
    option = {"type": "html", "content": "${k}"}
    assert fill_in_macros(option, ({"k": None}, {"k": 1}, {"k": 2}))["content"] == "null"
    assert fill_in_macros(option, ({}, {"k": 1}, {"k": 2}))["content"] == "1"
    assert fill_in_macros(option, ({}, {}, {"k": 2}))["content"] == "2"


def test_values_are_escaped_for_html_only_where_that_is_configured() -> None:
    """§11.1 GATEWAY: off for compatibility."""
    text = "${activity.name}\"'"
    assert show([{"type": "html", "content": text}]) == ["Nils & <Co>\"'"]
    assert show([{"type": "html", "content": text}], escape_macros=True) == ["Nils &amp; &lt;Co&gt;\"'"]
    assert show([{"type": "actions", "content": [{"content": text}]}], escape_macros=True) == [
        [{"content": "Nils &amp; &lt;Co&gt;\"'"}]
    ]


@pytest.mark.parametrize("part", ["execute", "prefetch"])
def test_the_name_in_a_page_load_is_the_global_mbox(part: str) -> None:
    short = {
        "globalMbox": "everywhere",
        "mboxes": {"everywhere": [{"key": "1", "options": [{"type": "html", "content": "${mbox.name}"}]}]},
    }
    found = decide_body(make_artifact(short), {part: {"pageLoad": {"name": "mine"}}}).response[part]["pageLoad"]
    assert found["options"][0]["content"] == "everywhere"


def test_a_view_is_an_item_too() -> None:
    short = {
        "views": {"home": [{"key": "1", "options": [{"type": "actions", "content": [{"content": "${mbox.name}"}]}]}]}
    }
    for view, expected in (({"name": "home"}, "home"), ({}, "${mbox.name}")):
        (found,) = decide_body(make_artifact(short), {"prefetch": {"views": [view]}}).response["prefetch"]["views"]
        assert found["options"][0]["content"] == [{"content": expected}]


texts = st.text(alphabet="ab.{}$ <&", max_size=30)


@given(texts)
def test_without_sources_no_text_changes(text: str) -> None:
    assert fill_in_macros({"type": "html", "content": text}, ({}, {}, {}))["content"] == text


@given(texts, st.text(max_size=10))
def test_what_is_filled_in_is_not_searched_again(prefix: str, value: str) -> None:
    before = prefix.replace("$", "")
    filled = fill_in_macros({"type": "html", "content": before + "${k}"}, ({"k": value + "${k}"},))
    assert filled["content"] == before + value + "${k}"


@given(st.text(alphabet="abmbox.ig", max_size=20))
def test_a_key_has_at_most_two_pieces(inside: str) -> None:
    assert read_key(inside).count(".") <= 1


def test_the_option_of_the_artifact_is_not_changed() -> None:
    option = {"type": "actions", "content": [{"content": "${k}"}]}
    fill_in_macros(option, ({"k": 1},))
    assert option == {"type": "actions", "content": [{"content": "${k}"}]}
