"""Artifact files, good and hostile (spec on-device-decisioning §2-§4)."""

import json
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery.artifact import is_blank, load_artifact, read_artifact, unscramble
from gateway.errors import ArtifactUnsupported
from tests.delivery.decisions import decide_mbox, make_payload

ORGANIZATION = "1234567890@AdobeOrg"
KEY = b"abcdefghijklmnopqrstuvwxyz012345"
VECTOR = bytes.fromhex(
    "41544f443a3030316162636465666768696a6b6c6d6e6f707172737475767778797a3031323334354a10455147455e5757127a635541524b7f501a"
)
RULE = {"ruleKey": "1", "condition": True, "consequence": {"name": "hero", "options": []}, "meta": {"activity.id": 1}}


def whole(**members: Any) -> dict[str, Any]:
    """Give the smallest artifact with `members` laid over."""
    return {"version": "1.0.0", "meta": {}, "rules": {"mboxes": {"hero": [RULE]}, "views": {}}} | members


def with_rule(**members: Any) -> dict[str, Any]:
    """Give an artifact whose one rule has `members` laid over."""
    return whole(rules={"mboxes": {"hero": [RULE | members]}})


def nested(levels: int, opening: str, closing: str) -> bytes:
    return (opening * levels + "1" + closing * levels).encode()


def scramble(plain: bytes, organization: str = ORGANIZATION, head: bytes = b"ATOD:001", key: bytes = KEY) -> bytes:
    """Write §3's form by its own words, byte by byte."""
    mask = organization.encode() + key
    return head + key + bytes(byte ^ other for byte, other in zip(plain, cycle(mask), strict=False))


NOT_JSON = {
    "empty": b"",
    "a web page": b"<html>Not here</html>",
    "cut short": json.dumps(whole()).encode()[:-5],
    "text after it": json.dumps(whole()).encode() + b"x",
    "not UTF-8": b'{"version": "1.0.0", "rules": {}, "x": "\xff"}',
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(whole()).encode(),
    "NaN": b'{"version": NaN}',
    "very deep lists": nested(100_000, "[", "]"),
    "very deep objects": nested(100_000, '{"a":', "}"),
    "deep inside an artifact": b'{"version":"1.0.0","rules":{},"meta":{"a":' + nested(100_000, "[", "]") + b"}}",
}
REFUSED: dict[str, tuple[Any, str]] = {
    "a list": ([], "no rules"),
    "a text": ("1.0.0", "no rules"),
    "null": (None, "no rules"),
    "a number": (1, "no rules"),
    "no rules": ({"version": "1.0.0"}, "no rules"),
    "rules are null": (whole(rules=None), "no rules"),
    "rules are a list": (whole(rules=[]), "no rules"),
    "rules are true": (whole(rules=True), "no rules"),
    "no version": ({"rules": {}}, "version"),
    "version 2": (whole(version="2.0.0"), "version 2.0.0 is not supported"),
    "version x": (whole(version="x"), "version x is not supported"),
    "an empty version": (whole(version=""), "version"),
    "version 10": (whole(version="10.0.0"), "version 10.0.0 is not supported"),
    "version 01": (whole(version="01.0"), "version 01.0 is not supported"),
    "version with a blank": (whole(version=" 1.0.0"), "version"),
    "version as a number": (whole(version=1), "version"),
    "version as a fraction": (whole(version=1.0), "version"),
    "version null": (whole(version=None), "version"),
    "version as a list": (whole(version=["1.0.0"]), "version"),
    "a very long version": (whole(version="9" * 100_000), "version"),
    "meta is a list": (whole(meta=[]), "meta"),
    "mboxes are a list": (whole(rules={"mboxes": []}), "rules.mboxes"),
    "views are a list": (whole(rules={"views": []}), "rules.views"),
    "the rules of an mbox are an object": (whole(rules={"mboxes": {"hero": RULE}}), "rules.mboxes"),
    "a rule is null": (whole(rules={"mboxes": {"hero": [None]}}), "rules.mboxes"),
    "a rule is a text": (whole(rules={"mboxes": {"hero": ["rule"]}}), "rules.mboxes"),
    "a rule has no key": (
        whole(rules={"mboxes": {"hero": [{k: v for k, v in RULE.items() if k != "ruleKey"}]}}),
        "ruleKey",
    ),
    "a rule has no condition": (
        whole(rules={"mboxes": {"hero": [{k: v for k, v in RULE.items() if k != "condition"}]}}),
        "condition",
    ),
    "a key is a number": (with_rule(ruleKey=1), "ruleKey"),
    "a consequence is a list": (with_rule(consequence=[]), "consequence"),
    "meta of a rule is null": (with_rule(meta=None), "meta"),
    "property tokens are a text": (with_rule(propertyTokens="p"), "propertyTokens"),
    "remoteMboxes are a text": (whole(remoteMboxes="hero"), "remoteMboxes"),
    "localMboxes hold a number": (whole(localMboxes=[1]), "localMboxes"),
    "response tokens are an object": (whole(responseTokens={}), "responseTokens"),
    "globalMbox is a list": (whole(globalMbox=[]), "globalMbox"),
}


@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ArtifactUnsupported, match="unable to read artifact JSON"):
        read_artifact(raw)


@pytest.mark.parametrize(("payload", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_no_artifact_is_refused_with_the_reason(payload: Any, reason: str) -> None:
    """on-device §2 GATEWAY: checked on load."""
    with pytest.raises(ArtifactUnsupported) as caught:
        read_artifact(json.dumps(payload).encode())
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("version", ["1", "1.0", "1.0.0", "1.99.7", "1.x", "1."])
def test_every_version_with_the_major_number_1_is_taken(version: str) -> None:
    """on-device §2: the number before the first dot counts."""
    assert load_artifact(whole(version=version)).version == version


def test_missing_lists_are_empty_and_unknown_members_are_passed_over() -> None:
    """on-device §4."""
    artifact = load_artifact(
        {"version": "1.0.0", "rules": {}, "hasGeoTargeting": True, "targetAdminActivityUrls": ["x"], "new": {}}
    )
    assert (artifact.meta, artifact.global_mbox, artifact.geo_targeting) == ({}, "target-global-mbox", False)
    assert (artifact.remote_mboxes, artifact.remote_views) == ({}, {})
    assert (artifact.local_mboxes, artifact.local_views) == (frozenset(), frozenset())
    assert (dict(artifact.mboxes), dict(artifact.views), artifact.faults) == ({}, {}, ())


def test_null_members_are_as_absent_ones() -> None:
    names = (
        "globalMbox",
        "geoTargetingEnabled",
        "responseTokens",
        "remoteMboxes",
        "localMboxes",
        "remoteViews",
        "localViews",
    )
    artifact = load_artifact(whole(**dict.fromkeys(names)))
    assert artifact.global_mbox == "target-global-mbox"
    assert not artifact.geo_targeting


def test_the_order_of_rules_and_of_names_is_the_files() -> None:
    """on-device §4: it reflects priority and is never sorted."""
    rules = {name: [RULE | {"ruleKey": key} for key in "291"] for name in ("z", "a", "m")}
    artifact = load_artifact(whole(rules={"mboxes": rules, "views": rules}, remoteMboxes=["z", "a"]))
    assert list(artifact.mboxes) == list(artifact.views) == ["z", "a", "m"]
    assert [rule.key for rule in artifact.mboxes["z"]] == ["2", "9", "1"]
    assert artifact.remote_mboxes == {"z": 0, "a": 1}


@pytest.mark.parametrize(
    ("meta", "activity_id", "expected"),
    [({"activity.id": 5}, 5, 5), ({}, 6, 6), ({"activity.id": 5}, None, 5), ({"activity.id": 5}, 6, 5), ({}, None, 0)],
)
def test_the_activity_of_a_rule_is_that_of_its_meta(meta: Any, activity_id: Any, expected: int) -> None:
    """on-device §4, §8."""
    (rule,) = load_artifact(with_rule(meta=meta, activityId=activity_id)).mboxes["hero"]
    assert rule.activity_id == expected


def test_each_unknown_operator_is_reported_once_and_names_its_rule() -> None:
    """on-device §9.3 GATEWAY: that rule is not satisfied, the others go on."""
    odd = {"and": [{"starts_with": ["a", "b"]}, {"starts_with": ["a", "b"]}]}
    artifact = load_artifact(
        make_payload(
            {
                "mboxes": {
                    "hero": [{"key": "1", "when": odd}, {"key": "2", "options": [{"type": "html", "content": "x"}]}]
                }
            }
        )
    )
    assert len(artifact.faults) == 1
    assert "rule 1" in artifact.faults[0]
    assert "starts_with" in artifact.faults[0]
    for _ in range(3):
        assert decide_mbox(artifact)[0]["options"][0]["content"] == "x"


def test_an_odd_operator_name_makes_no_long_report() -> None:
    faults = load_artifact(with_rule(condition={"x" * 100_000: [1]})).faults
    assert len(faults) == 1
    assert len(faults[0]) < 500


def deep(levels: int) -> Any:
    condition: Any = True
    for _ in range(levels):
        condition = {"!": [condition]}
    return condition


@pytest.mark.parametrize("condition", [deep(300), {"and": [True] * 20_000}], ids=["deep", "wide"])
def test_a_condition_too_large_refuses_the_file_and_names_the_rule(condition: Any) -> None:
    with pytest.raises(ArtifactUnsupported, match="rule 1"):
        load_artifact(with_rule(condition=condition))


def test_the_vector_of_the_specification_is_read() -> None:
    """on-device §3."""
    assert len(VECTOR) == 59
    assert unscramble(VECTOR, ORGANIZATION) == b'{"version":"1.0.0"}'
    assert scramble(b'{"version":"1.0.0"}') == VECTOR
    with pytest.raises(ArtifactUnsupported, match="no rules"):
        read_artifact(VECTOR, organization_id=ORGANIZATION, binary=True)


@given(
    st.binary(max_size=300),
    st.text(max_size=40).filter(lambda text: text.isprintable()),
    st.binary(min_size=32, max_size=32),
)
def test_scrambling_twice_gives_the_plain_text(plain: bytes, organization: str, key: bytes) -> None:
    assert unscramble(scramble(plain, organization, key=key), organization) == plain


BAD_BINARIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "header"),
    "a head alone, too short": (b"ATOD:001" + KEY[:-1], "header"),
    "version 002": (scramble(b"{}", head=b"ATOD:002"), "header"),
    "version 010": (scramble(b"{}", head=b"ATOD:010"), "header"),
    "version x": (scramble(b"{}", head=b"ATOD:xyz"), "header"),
    "version in other digits": (scramble(b"{}", head=b"ATOD:\xb2\xb2\xb9"), "header"),
    "plain JSON": (json.dumps(whole()).encode(), "header"),
    "nothing after the head": (b"ATOD:001" + KEY, "artifact JSON"),
    "another organization": (scramble(json.dumps(whole()).encode(), "other@AdobeOrg"), "artifact JSON"),
    "another key": (
        scramble(json.dumps(whole()).encode())[:8] + KEY[::-1] + scramble(json.dumps(whole()).encode())[40:],
        "artifact JSON",
    ),
    "cut short": (scramble(json.dumps(whole()).encode())[:-3], "artifact JSON"),
}


@pytest.mark.parametrize(("raw", "reason"), BAD_BINARIES.values(), ids=BAD_BINARIES)
def test_a_scrambled_file_with_a_wrong_head_or_key_is_refused(raw: bytes, reason: str) -> None:
    """on-device §3."""
    with pytest.raises(ArtifactUnsupported, match=reason):
        read_artifact(raw, organization_id=ORGANIZATION, binary=True)


def test_the_prefix_of_a_scrambled_file_does_not_matter() -> None:
    """on-device §3: not checked by Node."""
    raw = scramble(json.dumps(whole()).encode(), head=b"ABCD:001")
    assert read_artifact(raw, organization_id=ORGANIZATION, binary=True).version == "1.0.0"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "options", "metrics", "type", "content", "eventToken", "and", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
members = st.dictionaries(
    st.sampled_from(["ruleKey", "condition", "consequence", "meta", "activityId", "propertyTokens"]),
    anything,
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(
    members,
    st.dictionaries(
        st.sampled_from(["version", "meta", "rules", "globalMbox", "remoteMboxes", "responseTokens"]),
        anything,
        max_size=2,
    ),
)
def test_no_file_raises_anything_but_artifact_unsupported(rule: dict[str, Any], top: dict[str, Any]) -> None:
    payload = whole(rules={"mboxes": {"hero": [RULE | rule]}, "views": {"hero": [RULE | rule]}}) | top
    try:
        read_artifact(json.dumps(payload).encode())
    except ArtifactUnsupported:
        return


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100), st.booleans())
def test_no_bytes_raise_anything_but_artifact_unsupported(raw: bytes, binary: bool) -> None:
    with pytest.raises(ArtifactUnsupported):
        read_artifact(raw, organization_id=ORGANIZATION, binary=binary)


@pytest.mark.parametrize(
    ("option", "blank"),
    [
        ({}, True),
        ({"eventToken": "t"}, True),
        ({"type": None, "content": None}, True),
        ({"type": "html"}, False),
        ({"content": ""}, False),
        ({"content": 0}, False),
    ],
)
def test_a_blank_option_has_neither_type_nor_content(option: dict[str, Any], blank: bool) -> None:
    assert is_blank(option) is blank
