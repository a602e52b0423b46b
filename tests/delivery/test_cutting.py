"""The body for Target cut from bytes says what the one made of the decoded body says (gw:F1)."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery.answer import make_remote_body, number_mboxes
from gateway.delivery.cutting import cut_body
from gateway.delivery.plan import Policy, list_items, split
from tests.delivery.decisions import read_request
from tests.delivery.test_answer import artifacts, bodies, policies

nothing = st.sampled_from([{}, {"execute": None}, {"prefetch": None}, {"id": {"tntId": "a"}, "new": [None, 1.50, "ü"]}])
changes = st.sampled_from([{}, {"id": {"tntId": "b"}}, {"requestId": "r", "property": {"token": "t"}}])


@settings(max_examples=300, deadline=None)
@given(bodies, nothing, changes, artifacts, policies)
def test_a_body_is_cut_as_it_would_be_made(body: Any, more: Any, added: Any, artifact: Any, policy: Policy) -> None:
    """In any order and with nulls and unknown members; only where mboxes lack numbers of their own it is not cut."""
    request, whole = read_request(more | body)
    plan = split(request, list_items(request, whole), artifact, policy)
    raw = json.dumps(whole, indent=1, ensure_ascii=False).encode()
    sent = cut_body(raw, request, plan.remote, plan.local, added)
    parts = [
        [one for one in plan.remote if one.kind == "mboxes" and one.part == part] for part in ("execute", "prefetch")
    ]
    if any(number_mboxes(part) != [one.index for one in part] for part in parts):
        assert sent is None
    else:
        assert sent is not None
        assert drop_nulls(msgspec.json.decode(sent)) == drop_nulls(
            make_remote_body(whole, plan.remote, plan.local) | added
        )


def drop_nulls(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null: it is taken for absent (delivery-api §5)."""
    return {name: value for name, value in body.items() if value is not None}


def test_a_request_that_goes_to_target_whole_is_not_written_again() -> None:
    request, whole = read_request({"execute": {"mboxes": [{"name": "a", "index": 1.0}]}})
    raw = json.dumps(whole).encode()
    items = list_items(request, whole)
    assert cut_body(raw, request, items, [], {}) is raw
