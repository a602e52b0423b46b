"""Secondary mboxes and several answers as one (gw:F4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.answer import NOTHING, Remote
from gateway.delivery.legs import combine, is_secondary, part_secondaries
from gateway.delivery.model import MboxRequest
from gateway.delivery.plan import Item


@pytest.mark.parametrize(
    ("name", "patterns", "late"),
    [
        ("footer", [], False),
        ("footer", ["footer"], True),
        ("footer-2", ["footer"], False),
        ("footer-2", ["footer-*"], True),
        ("footer-", ["footer-*"], True),
        ("footer", ["footer-*"], False),
        ("a", ["*"], True),
        ("Footer", ["footer"], False),
        ("x", ["a", "b-*", "x"], True),
    ],
)
def test_a_pattern_is_a_name_or_a_prefix(name: str, patterns: list[str], late: bool) -> None:
    assert is_secondary(name, patterns) is late


def make_item(kind: str, name: str, position: int) -> Item:
    details = MboxRequest(name=name, index=position)
    return Item("execute", kind, position, name, details, position, dict)  # type: ignore[arg-type]


ITEMS = st.lists(st.tuples(st.sampled_from(["mboxes", "views", "pageLoad"]), st.sampled_from(["a", "b-1", "b-2", ""])))


@given(ITEMS, st.lists(st.sampled_from(["a", "b-*", "*", "c"]), max_size=2))
def test_parting_loses_and_invents_nothing(asked: list[tuple[str, str]], patterns: list[str]) -> None:
    items = [make_item(kind, name, at) for at, (kind, name) in enumerate(asked)]
    first, secondary = part_secondaries(items, patterns)
    assert sorted([*first, *secondary], key=lambda item: item.position) == items
    assert all(item.kind == "mboxes" for item in secondary)
    for part in (first, secondary):
        assert [item.position for item in part] == sorted(item.position for item in part)


def test_the_first_answer_says_who_the_visitor_is() -> None:
    """And one that brings no such word, or none at all, takes nothing away."""
    one = Remote({("execute", "mboxes", 0): [{"a": 1}]}, [{"m": 1}], {"tntId": "one"}, {"edgeHost": "one"})
    two = Remote({("execute", "mboxes", 1): [{"a": 2}]}, [], {"tntId": "two"}, {"edgeHost": "two", "notifications": []})
    whole = combine([one, NOTHING, two])
    assert whole.results == {**one.results, **two.results}
    assert (whole.id, whole.members) == ({"tntId": "one"}, {"edgeHost": "one", "notifications": []})
    assert whole.prefetch_metrics == [{"m": 1}]
    assert combine([NOTHING, two]) is two
    assert combine([NOTHING]) is NOTHING
