"""Attributes (spec get-offers §14)."""

from typing import Any

import pytest

from gateway.delivery.attributes import add_mboxes, index_attributes

WEB = {"channel": "web"}


@pytest.mark.parametrize(
    ("request_", "names", "mboxes"),
    [
        (None, ["a", "b"], [{"index": 1, "name": "a"}, {"index": 2, "name": "b"}]),
        ({"context": WEB}, ["a", "a"], [{"index": 1, "name": "a"}]),
        (
            {"execute": {"mboxes": [{"index": 4, "name": "x"}, {"name": "y"}]}},
            ["y", "a", "b"],
            [{"index": 4, "name": "x"}, {"name": "y"}, {"index": 5, "name": "a"}, {"index": 6, "name": "b"}],
        ),
        (
            {"execute": {"mboxes": [{"index": -4, "name": "x"}]}},
            ["a"],
            [{"index": -4, "name": "x"}, {"index": 1, "name": "a"}],
        ),
        ({"prefetch": {"mboxes": [{"index": 9, "name": "a"}]}}, ["a", "b"], [{"index": 1, "name": "b"}]),
    ],
)
def test_names_that_are_not_asked_for_yet_are_added_to_execute(request_: Any, names: list[str], mboxes: Any) -> None:
    asked = add_mboxes(request_, names)
    assert asked["execute"]["mboxes"] == mboxes
    if request_ is None:
        assert asked["context"] == WEB
    else:
        assert asked is not request_


@pytest.mark.parametrize(
    "request_", [{"execute": 5}, {"execute": {"mboxes": 5}}, {"prefetch": {"mboxes": ["a", {"name": 5}]}}]
)
def test_a_request_of_the_wrong_kind_is_left_to_be_refused(request_: Any) -> None:
    asked = add_mboxes(request_, ["a"])
    assert {part: asked[part] for part in request_} == request_


def test_json_offers_are_merged_prefetch_first() -> None:
    def offer(content: Any, kind: str = "json") -> dict[str, Any]:
        return {"type": kind, "content": content}

    response = {
        "execute": {"mboxes": [{"name": "a", "options": [offer({"x": 1}), offer({"y": 2})]}, {"name": "b"}]},
        "prefetch": {
            "mboxes": [{"name": "a", "options": [offer({"x": 0, "z": 3}), offer("<b>", "html"), offer(None)]}]
        },
    }
    assert index_attributes(response) == {"a": {"x": 1, "y": 2, "z": 3}, "b": {}}
    assert index_attributes({}) == {}
