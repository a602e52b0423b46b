"""A call with more mboxes than Target takes becomes several, and their answers one (gw:F2)."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.chunking import PARTS, chunk, count_mboxes, rejoin
from gateway.errors import UpstreamGarbled

ONCE = {
    "notifications": [{"id": "n", "type": "click", "timestamp": 1}],
    "telemetry": {"entries": [{"requestId": "r"}]},
}
EVERYWHERE = {"id": {"tntId": "a"}, "context": {"channel": "web"}, "property": {"token": "p"}, "new": [1]}


def numbered(prefix, count):
    return [{"index": at * 3, "name": f"{prefix}{at}", "parameters": {"at": at}} for at in range(count)]


def make_body(execute, prefetch, *, page=False):
    body = EVERYWHERE | ONCE | {"requestId": "r"}
    body["execute"] = {"mboxes": numbered("e", execute), "own": 1}
    body["prefetch"] = {"mboxes": numbered("p", prefetch), "own": 2}
    if page:
        body["execute"]["pageLoad"] = {"parameters": {}}
        body["prefetch"]["views"] = [{}]
    return body


def answer(body):
    """Give what Target would say: every item answered, in an order of its own, as mboxes of any call may be."""
    reply = {"status": 200, "id": body["id"], "edgeHost": "e"}
    if "notifications" in body:
        reply["notifications"] = [{"id": one["id"]} for one in body["notifications"]]
    for part in PARTS:
        asked = body.get(part)
        if asked is not None:
            reply[part] = {"mboxes": [dict(one, options=[one["name"]]) for one in reversed(asked.get("mboxes") or [])]}
            for kind, found in (("views", [{"name": "v"}]), ("pageLoad", {"options": []})):
                if kind in asked:
                    reply[part][kind] = found
    return reply


def ids_of(reply, part):
    return sorted(one["index"] for one in reply.get(part, {}).get("mboxes", []))


bodies = st.builds(make_body, st.integers(0, 60), st.integers(0, 60), page=st.booleans())


@given(bodies, st.integers(1, 50))
def test_no_call_has_too_many_and_every_mbox_travels_once_in_order(body, most):
    before = copy.deepcopy(body)
    chunks = chunk(body, most)
    assert body == before
    assert len(chunks) == max(1, -(-count_mboxes(body) // most))
    assert all(count_mboxes(one) <= most for one in chunks)
    for part in PARTS:
        travelled = [mbox for one in chunks for mbox in (one.get(part) or {}).get("mboxes") or ()]
        assert travelled == body[part]["mboxes"]


@given(bodies, st.integers(1, 50))
def test_what_must_travel_once_does_and_what_describes_the_visitor_always(body, most):
    first, *more = chunk(body, most)
    assert {name: first[name] for name in ONCE} == ONCE
    for one in more:
        assert ONCE.keys().isdisjoint(one)
        assert not any(kind in (one.get(part) or {}) for part in PARTS for kind in ("views", "pageLoad"))
        assert all(one[part]["own"] == body[part]["own"] for part in PARTS if part in one)
    assert all({name: one[name] for name in EVERYWHERE} == EVERYWHERE for one in (first, *more))
    for part, kind in (("execute", "pageLoad"), ("prefetch", "views")):
        assert first.get(part, {}).get(kind) == body[part].get(kind)


@given(bodies, st.integers(1, 50), st.data())
def test_answers_are_one_again_and_those_that_failed_only_lack_their_own(body, most, data):
    chunks = chunk(body, most)
    failed = data.draw(st.sets(st.integers(0, len(chunks) - 1)))
    replies = [None if at in failed else answer(one) for at, one in enumerate(chunks)]
    whole = rejoin(chunks, replies)
    there = [one for at, one in enumerate(chunks) if at not in failed]
    for part in PARTS:
        asked = [mbox["index"] for one in there for mbox in (one.get(part) or {}).get("mboxes") or ()]
        assert ids_of(whole, part) == sorted(asked)
    assert ("notifications" in whole) == (0 not in failed)
    if there:
        assert (whole["id"], whole["edgeHost"]) == (body["id"], "e")
    if 0 not in failed and "views" in body["prefetch"]:
        assert whole["prefetch"]["views"] == [{"name": "v"}]


def test_nothing_is_taken_that_the_call_had_not_asked_for():
    chunks = chunk(make_body(4, 0), 2)
    foreign = [{"index": 6, "name": "e2"}, {"index": 99}, {"name": "e0"}, {"index": True}, {"index": 1.5}, "x", None]
    replies = [answer(one) for one in chunks]
    replies[0]["execute"]["mboxes"] += foreign
    replies[1]["execute"]["pageLoad"] = {"options": ["foreign"]}
    replies[1]["prefetch"] = {"mboxes": [{"index": 0}], "views": [{"name": "foreign"}]}
    replies[1]["notifications"] = [{"id": "foreign"}]
    whole = rejoin(chunks, replies)
    assert [one["name"] for one in whole["execute"]["mboxes"]] == ["e1", "e0", "e3", "e2"]
    assert "pageLoad" not in whole["execute"]
    assert "prefetch" not in whole
    assert whole["notifications"] == [{"id": "n"}]


@pytest.mark.parametrize("reply", [{"execute": []}, {"execute": {"mboxes": {}}}, {"execute": "x"}])
def test_a_member_of_the_wrong_kind_is_garbled(reply):
    chunks = chunk(make_body(4, 0), 2)
    with pytest.raises(UpstreamGarbled):
        rejoin(chunks, [answer(chunks[0]), reply])
