"""Artifacts decoded in slices: the same objects as in one piece, no long slice, and limits on what may come of them."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery import artifact, decoding
from gateway.delivery.artifact import read_artifact
from gateway.delivery.content import LONGEST_FILLED, fill_in_macros
from gateway.delivery.decoding import decode_artifact, run_through
from gateway.errors import ArtifactUnsupported
from tests.load.artifacts import make_large_artifact

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
RULES = st.dictionaries(
    st.sampled_from(["mboxes", "views", "more"]),
    JSON | st.dictionaries(st.text(max_size=2), JSON | st.lists(JSON, max_size=3), max_size=3),
    max_size=3,
)


def decode(raw: bytes) -> Any:
    return run_through(decode_artifact(raw, "", binary=False))


@given(JSON | st.fixed_dictionaries({"rules": JSON | RULES}, optional={"version": JSON, "meta": JSON}))
def test_slices_give_what_one_piece_would(payload: Any) -> None:
    """conformance/README.md step 4: loading neither filters nor rewrites, whatever it is."""
    slice_, decoding._SLICE = decoding._SLICE, 4
    try:
        assert decode(json.dumps(payload).encode()) == payload
    finally:
        decoding._SLICE = slice_


def test_a_large_artifact_is_decoded_and_loaded_in_many_slices() -> None:
    raw = make_large_artifact(0.5, "one")
    slices = artifact.read_slices(raw)
    count = 0
    while True:
        try:
            next(slices)
        except StopIteration as end:
            loaded = end.value
            break
        count += 1
    assert count > len(loaded.mboxes)
    assert loaded.payload == json.loads(raw)


def test_one_mbox_with_very_many_rules_is_decoded_rule_by_rule() -> None:
    rules = [
        {"ruleKey": str(at), "condition": True, "consequence": {"name": "m"}, "meta": {"x": "y" * 100}}
        for at in range(1000)
    ]
    raw = json.dumps({"version": "1.0.0", "rules": {"mboxes": {"m": rules}}}).encode()
    assert sum(1 for _ in decode_artifact(raw, "", binary=False)) > 1000
    assert decode(raw)["rules"]["mboxes"]["m"] == rules


BROKEN = [
    b"",
    b"{",
    b'{"rules":{"mboxes":{"a":[{]}}}',
    b'{"rules":' + b"[" * 100_000,
    b'{"rules":{"mboxes":{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}}",
    b'{"rules":{"mboxes":{"a":[' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"]}}}",
    b'{"rules":{"mboxes":{"a":[{"x":"\xff' + b"y" * 70_000 + b'"}]}}}',
    b'{"version":"1.0.0","rules":{}} trailing',
    gzip.compress(b"{}", mtime=0),
]


@pytest.mark.parametrize("raw", BROKEN, ids=lambda raw: repr(raw[:20]))
def test_what_is_not_json_or_too_deep_is_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(ArtifactUnsupported, match="unable to read artifact JSON"):
        decode(raw)


def test_more_elements_than_memory_should_hold_are_refused_before_they_are_decoded() -> None:
    raw = b'{"version":"1.0.0","rules":{"mboxes":{"a":[' + b"[]," * decoding.MOST_ELEMENTS
    with pytest.raises(ArtifactUnsupported, match="more than 5000000 elements"):
        decode(raw)


def test_more_rules_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact, "MOST_RULES", 3)
    rule = {"ruleKey": "1", "condition": True, "consequence": {"name": "m"}, "meta": {}}
    read_artifact(
        json.dumps({"version": "1.0.0", "rules": {"mboxes": {"m": [rule] * 2}, "views": {"v": [rule]}}}).encode()
    )
    with pytest.raises(ArtifactUnsupported, match="more than 3 rules"):
        read_artifact(
            json.dumps({"version": "1.0.0", "rules": {"mboxes": {"m": [rule] * 3}, "views": {"v": [rule]}}}).encode()
        )


@pytest.mark.parametrize(("count", "good"), [(artifact.MOST_MACROS, True), (artifact.MOST_MACROS + 1, False)])
def test_an_offer_may_hold_so_many_macros(count: int, good: bool) -> None:
    option = {"type": "html", "content": "${mbox.name}" * count}
    rule = {"ruleKey": "1", "condition": True, "consequence": {"name": "m", "options": [option]}, "meta": {}}
    raw = json.dumps({"version": "1.0.0", "rules": {"mboxes": {"m": [rule]}}}).encode()
    if good:
        assert read_artifact(raw).mboxes["m"][0].execute.with_macros
    else:
        with pytest.raises(ArtifactUnsupported, match="more than 1000 macros"):
            read_artifact(raw)


def test_a_long_parameter_wanted_often_does_not_fill_memory() -> None:
    """What does not fit stays as it is written."""
    option = {"type": "html", "content": "${mbox.long} " * 1000}
    filled = fill_in_macros(option, [{"long": "z" * 100_000}])["content"]
    assert filled.count("z") == LONGEST_FILLED
    assert filled.count("${mbox.long}") == 1000 - LONGEST_FILLED // 100_000


def test_a_macro_is_not_filled_in_again() -> None:
    """Macros cannot go round in circles: what a parameter brings is literal text (on-device §11.1)."""
    option = {"type": "html", "content": "${mbox.a}"}
    assert fill_in_macros(option, [{"a": "${mbox.b}", "b": "${mbox.a}"}])["content"] == "${mbox.b}"
