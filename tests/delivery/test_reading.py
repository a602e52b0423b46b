"""A request read straight from its bytes is the request the careful way reads, or none."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.delivery.reading import LONGEST, read_request
from gateway.delivery.validation import Leniency, check_request
from gateway.errors import InvalidBody
from tests.delivery.test_validation import KEYS, VALID, anything
from tests.web.bodies import list_refused, list_taken, whole_body

REFUSED = {case.name: case for case in list_refused()}
TAKEN = {case.name: case for case in list_taken()}
PLAIN = {name: value for name, value in whole_body().items() if name not in ("notifications", "telemetry", "trace")}


def compact(body: Any) -> bytes:
    return msgspec.json.encode(body)


def read_carefully(raw: bytes) -> Any:
    return check_request(msgspec.json.decode(raw), Leniency())


def test_a_body_of_all_members_we_know_is_read_at_once() -> None:
    body = json.loads(compact(PLAIN))
    for part in ("execute", "prefetch"):
        body.get(part, {}).pop("views", None)
    raw = compact(body)
    assert read_request(raw) == read_carefully(raw) is not None


@pytest.mark.parametrize("name", REFUSED)
def test_no_body_that_must_be_refused_is_taken(name: str) -> None:
    raw = REFUSED[name].raw
    if read_request(raw) is not None:
        read_carefully(raw)  # then something outside the body is what is wrong with it
        assert json.loads(raw, object_pairs_hook=refuse_pairs) is not None


def refuse_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), "a member twice"
    return dict(pairs)


@pytest.mark.parametrize("name", TAKEN)
def test_an_odd_body_is_read_alike_or_left_to_the_careful_way(name: str) -> None:
    raw = TAKEN[name].raw
    found = read_request(raw)
    assert found is None or found == read_carefully(raw)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), anything, max_size=4), st.booleans())
def test_what_is_read_is_what_the_careful_way_reads(changes: dict[str, Any], spaced: bool) -> None:
    body = VALID | changes
    raw = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace") if spaced else compact(body)
    found = read_request(raw)
    if found is not None:
        assert found == read_carefully(raw)


MEMBERS = ['"name":"m"', '"index":1', '"index":1E2', '"parameters":{"a":"b"}', '"n\\u0061me":"m"', '"x\\"y":1']


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(MEMBERS), max_size=4), st.sampled_from(["", " ", "\n"]))
@example(['"name":"m"', '"name":"n"', '"parameters":{"\\u0022\\u0022":"1"}'], "")
@example(['"name":"m"', '"index":1', '"index":1E2'], "")
def test_a_member_that_is_there_twice_is_never_read(members: list[str], blank: str) -> None:
    """RFC 8259 §4: of two members with one name, different readers would believe different ones."""
    raw = ('{"context":{"channel":"web"},"execute":{"mboxes":[{' + f",{blank}".join(members) + "}]}}").encode()
    found = read_request(raw)
    if found is not None:
        assert json.loads(raw, object_pairs_hook=refuse_pairs)


@pytest.mark.parametrize(
    "change",
    [
        {"context": {"channel": "watch"}},
        {"context": {"channel": "web", "unknown": 1}},
        {"requestId": None},
        {"property": {"token": "  "}},
        {"execute": {"mboxes": [{"name": " "}]}},
        {"execute": {"mboxes": [{"name": "m", "parameters": {"profile.x": "1"}}]}},
        {"execute": {"pageLoad": {"product": {"id": "\t"}}}},
        {"trace": {"authorizationToken": "t"}},
        {"qaMode": {}},
        {"preview": {"token": "t"}},
        {"notifications": []},
        {"prefetch": {"views": [{}]}},
        {"execute": {"mboxes": [{"name": "m" * LONGEST}]}},
    ],
)
def test_what_is_in_doubt_is_left_to_the_careful_way(change: dict[str, Any]) -> None:
    assert read_request(compact({"context": {"channel": "web"}} | change)) is None


def test_a_blank_text_is_named_by_the_careful_way() -> None:
    """delivery-api §16, §17: the first member at fault, by its path."""
    body = {"context": {"channel": "web"}, "execute": {"mboxes": [{"name": "m", "product": {"id": " "}}]}}
    with pytest.raises(InvalidBody) as refused:
        check_request(body, Leniency())
    assert refused.value.path == "$.execute.mboxes[0].product.id"
