"""Parameters as conditions see them: on-device-decisioning 7.3."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.parameters import DEEPEST_NAME, UNSURE, expand_parameters, find_parameter


@pytest.mark.parametrize(
    ("parameters", "expanded"),
    [
        (None, {}),
        ({}, {}),
        (
            {"favorite.pizza": "PINE", "just..text": "Oh", "a.b": 1},
            {
                "favorite": {"pizza": "PINE", "pizza_lc": "pine"},
                "just..text": "Oh",
                "just..text_lc": "oh",
                "a": {"b": 1},
            },
        ),
        ({"a.b.c": True}, {"a": {"b": {"c": True}}}),
        ({"a.b": 1, "a.c": 2, "a.b2.d": 3}, {"a": {"b": 1, "c": 2, "b2": {"d": 3}}}),
        ({".a": 1, "b.": 2, ".": 3, "": 4, "..": 5}, {".a": 1, "b.": 2, ".": 3, "": 4, "..": 5}),
        ({"a": "X", "a.b": "Y"}, {"a": "X", "a_lc": "x"}),
        ({"a.b": "Y", "a": "X"}, {"a": "X", "a_lc": "x"}),
        ({"a.b": 1, "a.b.c": 2}, {"a": {"b": 1}}),
        ({"a.b.c": 2, "a.b": 1}, {"a": {"b": 1}}),
        ({"n": None, "l": ["A", {"b": "C"}], "f": 1.5}, {"n": None, "l": ["A", {"b": "C"}], "f": 1.5}),
        ({"o": {"A": "B", "c.d": "E"}}, {"o": {"A": "B", "A_lc": "b", "c.d": "E", "c.d_lc": "e"}}),
        ({"o": {"p": {}}, "o.p.q": "R"}, {"o": {"p": {"q": "R", "q_lc": "r"}}}),
        ({"É": "ÉÈ"}, {"É": "ÉÈ", "É_lc": "éè"}),
    ],
)
def test_dotted_names_become_objects_and_texts_get_a_lower_cased_sibling(parameters, expanded):
    before = copy.deepcopy(parameters)
    assert expand_parameters(parameters) == expanded
    assert parameters == before


def test_a_name_of_very_many_pieces_stays_flat():
    deepest = ".".join(["a"] * DEEPEST_NAME)
    assert set(expand_parameters({deepest: 1})) == {"a"}
    assert set(expand_parameters({f"{deepest}.a": 1, "b." * 100_000 + "b": 2})) == {
        f"{deepest}.a",
        "b." * 100_000 + "b",
    }


names = st.text("aBé", min_size=1, max_size=3)
trees = st.recursive(
    st.dictionaries(names, st.text() | st.integers() | st.none(), min_size=1, max_size=3),
    lambda inner: st.dictionaries(names, inner | st.text(), min_size=1, max_size=3),
)


def flattened(tree, path=""):
    flat = {}
    for name, value in tree.items():
        flat |= flattened(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return flat


def with_siblings(tree):
    siblings = {f"{name}_lc": value.lower() for name, value in tree.items() if isinstance(value, str)}
    return siblings | {name: with_siblings(v) if isinstance(v, dict) else v for name, v in tree.items()}


@given(trees)
def test_dotted_names_give_back_the_tree_they_were_written_from(tree):
    assert expand_parameters(flattened(tree)) == with_siblings(tree) == expand_parameters(tree)


@given(
    st.dictionaries(st.text("ab.", max_size=8), st.text("Xy") | st.dictionaries(st.text("ab."), st.text()), max_size=9)
)
def test_no_name_whatever_its_dots_breaks_or_changes_anything(parameters):
    before = copy.deepcopy(parameters)
    expanded = expand_parameters(parameters)
    assert parameters == before
    assert all(name in expanded or "." in name for name in parameters)


NAMES = st.sampled_from(["a", "a_lc", "a_lc_lc", "a.b", "a.b_lc", "b", "b_lc", "b.a", "a_lc.b", "c\nb.x", ".a", "_lc"])


@given(st.dictionaries(NAMES, st.sampled_from(["X", "y", 1, True, None, {"b": "C"}])), NAMES)
def test_finding_one_parameter_gives_what_expanding_them_all_gives(parameters, name):
    absent = object()
    found = find_parameter(parameters, name, absent)
    if "." not in name and found is not UNSURE:
        assert found == expand_parameters(parameters).get(name, absent)


def test_a_dotted_name_that_ends_in_lc_may_replace_the_lower_case_of_a_text():
    """On-device 7.3: found by chance; names are expanded before lower-case siblings are added."""
    parameters = {"a_lc.b": "X", "a": "X"}
    assert find_parameter(parameters, "a_lc", None) is UNSURE
