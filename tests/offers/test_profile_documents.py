"""What callers say of people: identities, attributes, events, merge patches (spec profiles-api P2 to P5)."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Problem
from gateway.offers.documents import equal, read_json
from gateway.offers.model import Identity
from gateway.offers.profile_documents import (
    DEEPEST_ATTRIBUTES,
    MOST_ATTRIBUTES_BYTES,
    MOST_EVENT_BYTES,
    check_attributes,
    check_identity,
    merge,
    read_events,
    read_identities,
    write_identities,
)

FOLDER = Path(__file__).parent.parent / "cases" / "profiles"
MERGE, EVENTS, IDENTITIES = (
    tomllib.loads((FOLDER / f"{name}.toml").read_text()) for name in ("merge", "events", "identities")
)
NOW_MS = 1_770_000_000_123
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=1), inner, max_size=3),
    max_leaves=8,
)


def pointers(caught: pytest.ExceptionInfo[Problem]) -> set[str]:
    assert caught.value.status == 400
    return {violation.pointer for violation in caught.value.violations}


@pytest.mark.parametrize("name", IDENTITIES["path"]["good"])
def test_an_identity_may_be_anything_without_control_characters(name):
    """prof:P2."""
    namespace, id_ = IDENTITIES["path"]["good"][name]
    assert check_identity(namespace, id_) == Identity(namespace, id_)


@pytest.mark.parametrize("name", IDENTITIES["path"]["bad"])
def test_what_is_no_identity_is_refused_by_the_name_of_the_part(name):
    """prof:P2: and what it said is not repeated."""
    namespace, id_, part = IDENTITIES["path"]["bad"][name]
    with pytest.raises(Problem, match=f"The {part} in the path") as caught:
        check_identity(namespace, id_)
    assert pointers(caught) == {""}


def test_an_id_has_256_characters_at_most():
    """prof:P2: characters, not bytes."""
    assert check_identity("N", "é" * 256).id == "é" * 256
    for bad in ("é" * 257, "\udcff"):
        with pytest.raises(Problem):
            check_identity("N", bad)


@pytest.mark.parametrize("name", IDENTITIES["map"]["good"])
def test_an_identity_map_is_read_and_written(name):
    """prof:U7."""
    found = read_identities(json.loads(IDENTITIES["map"]["good"][name]))
    assert Identity("CRM", "a") in found
    assert len(found) == len(set(found))
    assert read_identities({"identityMap": write_identities(found)}) == found


@pytest.mark.parametrize("name", IDENTITIES["map"]["bad"])
def test_a_bad_identity_map_is_refused_with_pointers(name):
    """prof:U7, prof:P2."""
    body, *expected = IDENTITIES["map"]["bad"][name]
    with pytest.raises(Problem) as caught:
        read_identities(json.loads(body))
    assert pointers(caught) == set(expected)


def test_fifty_identities_are_enough():
    many = [{"xdm:id": str(n)} for n in range(51)]
    assert len(read_identities({"identityMap": {"N": many[:50]}})) == 50
    with pytest.raises(Problem):
        read_identities({"identityMap": {"N": many}})


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def test_attributes_are_an_object_of_limited_size_and_depth():
    """prof:P3: exactly 64 KiB and 16 levels are taken."""
    frame = len(b'{"a":""}')
    assert len(check_attributes({"a": "x" * (MOST_ATTRIBUTES_BYTES - frame)})) == 65_536
    assert check_attributes(nested(DEEPEST_ATTRIBUTES)) == json.dumps(nested(16), separators=(",", ":")).encode()
    for value, status in (
        ({"a": "x" * (MOST_ATTRIBUTES_BYTES - frame + 1)}, 413),
        (nested(DEEPEST_ATTRIBUTES + 1), 413),
        ([], 400),
        (None, 400),
        ("x", 400),
    ):
        with pytest.raises(Problem) as caught:
            check_attributes(value)
        assert caught.value.status == status


@pytest.mark.parametrize(("target", "patch", "expected"), MERGE["merge"])
def test_a_merge_patch_does_what_the_standard_says(target, patch, expected):
    """prof:U2: RFC 7386."""
    assert merge(json.loads(target), json.loads(patch)) == json.loads(expected)


@given(target=JSON, patch=JSON)
def test_a_merge_patch_changes_nothing_it_is_given_and_twice_is_once(target, patch):
    """prof:U2."""
    before = json.dumps([target, patch])
    merged = merge(target, patch)
    assert equal(merge(merged, patch), merged)
    assert json.dumps([target, patch]) == before


@given(target=JSON, patch=st.dictionaries(st.text("abc", max_size=1), JSON, max_size=3))
def test_a_merge_patch_touches_named_members_only_and_null_removes(target, patch):
    """prof:U2."""
    merged = merge(target, patch)
    kept = target if isinstance(target, dict) else {}
    for name in merged.keys() | kept.keys() | patch.keys():
        if name not in patch:
            assert equal(merged[name], kept[name])
        elif patch[name] is None:
            assert name not in merged
        else:
            assert equal(merged[name], merge(kept.get(name), patch[name]))


@pytest.mark.parametrize("name", EVENTS["good"])
def test_good_events_keep_what_they_say_and_get_a_time(name):
    """prof:U5, prof:P4."""
    body = json.loads(EVENTS["good"][name])
    given = body if isinstance(body, list) else [body]
    found = read_events(read_json(EVENTS["good"][name].encode()), NOW_MS)
    assert len(found) == len(given)
    for event, said in zip(found, given, strict=True):
        kept = json.loads(event.document)
        assert kept | said == kept
        if not {"timestamp", "xdm:timestamp"} & said.keys():
            assert kept["timestamp"] == "2026-02-02T02:40:00.123Z"
            assert event.instant_us == NOW_MS * 1000
        assert event.event_id == said.get("_id", said.get("@id", ""))


@pytest.mark.parametrize("name", EVENTS["bad"])
def test_one_bad_event_refuses_all_with_pointers(name):
    """prof:P4."""
    body, *expected = EVENTS["bad"][name]
    with pytest.raises(Problem) as caught:
        read_events(json.loads(body), NOW_MS)
    assert pointers(caught) == set(expected)


def test_events_are_limited_in_size_and_number():
    """prof:P4, prof:U5: exactly 16 KiB and 100 events are taken; a time that is added does not count."""
    frame = len(b'{"a":""}')
    longest = {"a": "x" * (MOST_EVENT_BYTES - frame)}
    assert len(read_events([longest] * 100, NOW_MS)) == 100
    with pytest.raises(Problem) as caught:
        read_events([longest, {"a": longest["a"] + "x"}], NOW_MS)
    assert pointers(caught) == {"/1"}
    with pytest.raises(Problem) as caught:
        read_events([{}] * 101, NOW_MS)
    assert pointers(caught) == {""}
