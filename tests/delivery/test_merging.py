"""Which calls travel together, and that every item finds its way back (gw:M1, M2, M4, M5; design T7)."""

import copy
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery import merging
from gateway.delivery.answer import check_reply
from gateway.delivery.chunking import PARTS, count_mboxes
from gateway.delivery.merging import Group, Share, is_repetition, join, part
from gateway.errors import UpstreamGarbled
from tests.delivery.calls import MEMBERS, SDID, answer, make_near_pair, make_share

_CASES = Path(__file__).parent.parent / "cases" / "merging"
GROUPS = json.loads((_CASES / "groups.json").read_text(encoding="utf-8"))
PARTINGS = json.loads((_CASES / "parts.json").read_text(encoding="utf-8"))
PAIRS = 20_000  # a million in `python -m tests.load.merging`


def gather(shares, most=50):
    """Give the groups that shares form, each joining the first that takes it."""
    groups = []
    for share in shares:
        group = next((one for one in groups if one.has_room(share, most)), None)
        if group is None:
            groups.append(Group([share], share.sdid or SDID))
        else:
            group.add(share)
    return groups


@pytest.mark.parametrize("case", GROUPS, ids=lambda case: case["name"][:60])
def test_calls_travel_together_as_the_cases_say(case):
    shares = [Share(**({"scope": "here"} | call)) for call in case["calls"]]
    found = [[shares.index(share) for share in group.shares] for group in gather(shares)]
    assert found == case["groups"], case["rule"]


@pytest.mark.parametrize("case", PARTINGS, ids=lambda case: case["name"][:60])
def test_calls_are_joined_and_answers_parted_as_the_cases_say(case):
    shares = [Share(body=body, scope="here", consumer=str(at)) for at, body in enumerate(case["bodies"])]
    assert len(gather(shares)) == 1
    assert join(shares) == case["joined"]
    before = copy.deepcopy(case["reply"])
    assert part(case["reply"], shares) == case["answers"], case["rule"]
    assert case["reply"] == before


def owners_of(element):
    return [option["content"] for option in element.get("options", ())]


@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_every_item_goes_back_to_its_caller_and_nothing_of_anothers(chance, count):
    """Merge and part: each caller has what it would have had alone, in the order in which it was answered."""
    shares = [make_share(chance, at, page=at == 1) for at in range(count)]
    (group,) = gather(shares, most=1000)
    joined = join(group.shares)
    assert count_mboxes(joined) == sum(count_mboxes(share.body) for share in shares)
    reply = answer(joined, chance)
    for at, (share, own) in enumerate(zip(shares, part(reply, group.shares), strict=True)):
        for name in PARTS:
            asked = (share.body.get(name) or {}).get("mboxes", [])
            found = own.get(name, {}).get("mboxes", [])
            assert {one["index"] for one in found} == {one["index"] for one in asked}
            assert all(owners_of(one) == [f"{at}-{name}-{one['index']}"] for one in found)
            theirs = [
                one for one in reply.get(name, {}).get("mboxes", ()) if owners_of(one)[0].startswith(f"{at}-{name}")
            ]
            assert [(owners_of(one), "again" in one) for one in found] == [
                (owners_of(one), "again" in one) for one in theirs
            ]
            assert ("metrics" in own.get(name, {})) == (at == 1)
        assert [one["id"] for one in own.get("notifications", ())] == (
            [f"n{at}"] if "notifications" in share.body else []
        )
        assert own["id"] == {"tntId": "a.35_0"}
        assert own.get("execute", {}).get("pageLoad") == ({"options": ["1"]} if at == 1 else None)


@given(st.randoms(use_true_random=False), st.integers(2, 12), st.data())
def test_who_leaves_takes_only_its_own_items(chance, count, data):
    """gw:M5: the group is as if the others had come without it."""
    shares = [make_share(chance, at, page=at == 1) for at in range(count)]
    (group,) = gather(shares, most=1000)
    gone = data.draw(st.lists(st.integers(0, count - 1), unique=True, max_size=count - 1))
    for at in gone:
        group.leave(shares[at])
    left = [share for at, share in enumerate(shares) if at not in gone]
    (fresh,) = gather(left, most=1000)
    assert (group.shares, group.consumers, group.mboxes) == (fresh.shares, fresh.consumers, fresh.mboxes)
    assert (group.has_page, group.notifications) == (fresh.has_page, fresh.notifications)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_whatever_a_hostile_reply_says_nobody_gets_what_they_had_not_asked_for(value):
    """gw:M5."""
    shares = [make_share(random.Random(at), at, page=at == 1) for at in range(3)]
    for reply in (
        {"execute": value},
        {"prefetch": {"mboxes": value}},
        {"notifications": value},
        {"prefetch": {"views": value}},
    ):
        for own, share in zip(part(reply, shares), shares, strict=True):
            assert set(own) <= set(share.body)
            for name in PARTS:
                if isinstance(own.get(name), dict):
                    assert set(own[name]) <= {*share.body[name], "metrics"}


@pytest.mark.parametrize("reply", [{"execute": {"pageLoad": []}}, {"prefetch": {"views": {}}}, {"prefetch": "x"}])
def test_what_is_of_the_wrong_kind_is_a_matter_of_those_who_asked_for_it(reply):
    """gw:M5: alone, the others would not have met it."""
    asks = [{"prefetch": {"views": [{}]}, "execute": {"pageLoad": {}}}, {"execute": {"mboxes": [{"name": "m"}]}}]
    shares = [Share(body=body, scope="here", consumer=str(at)) for at, body in enumerate(asks)]
    theirs, mine = part({"execute": {"mboxes": [{"index": 0, "name": "m"}]}} | reply, shares)
    with pytest.raises(UpstreamGarbled):
        check_reply(theirs, asks[0])
    check_reply(mine, asks[1])


def count_wrong_merges(pairs, seed=1):
    """Give how many of so many near-equal pairs would travel together."""
    chance = random.Random(seed)
    return sum(len(gather(make_near_pair(chance))) == 1 for _ in range(pairs))


def test_near_equal_calls_never_travel_together():
    assert count_wrong_merges(PAIRS) == 0


@pytest.mark.parametrize("member", MEMBERS)
def test_the_test_above_notices_when_a_member_is_left_out_of_the_digest(member, monkeypatch):
    monkeypatch.setattr(merging, "PARTED", merging.PARTED | {member})
    assert count_wrong_merges(2000) > 0


@pytest.mark.parametrize("member", ["requestId", "execute", "notifications"])
def test_a_member_that_should_not_count_in_the_digest_would_be_noticed(member, monkeypatch):
    shares = [make_share(random.Random(7), 0), make_share(random.Random(8), 3)]
    assert len(gather(shares)) == 1
    monkeypatch.setattr(merging, "PARTED", merging.PARTED - {member})
    assert len(gather([Share(body=one.body, scope="here", consumer=one.consumer) for one in shares])) == 2


def test_the_pairs_are_near_and_equal_ones_do_travel_together():
    """So that no merge at all would be noticed too."""
    chance = random.Random(3)
    for _ in range(2000):
        first, second = make_near_pair(chance)
        names = {*first.body, *second.body} - {"requestId"}
        assert (
            sum(
                json.dumps(first.body.get(one), sort_keys=True) != json.dumps(second.body.get(one), sort_keys=True)
                for one in names
            )
            <= 1
        )
        second = Share(body=json.loads(json.dumps(first.body, sort_keys=True)), scope="here", consumer="b")
        assert len(gather([first, second])) == 1


REPEATED = {"context": {"channel": "web"}, "requestId": "r", "execute": {"mboxes": [{"index": 1, "name": "m"}]}}


@pytest.mark.parametrize(
    ("change", "scope", "repeats"),
    [
        ({}, "here", True),
        ({}, "there", False),
        ({"requestId": "s"}, "here", False),
        ({"execute": {"mboxes": [{"index": 1, "name": "m", "parameters": {}}]}}, "here", False),
        ({"notifications": []}, "here", False),
        ({"experienceCloud": {"analytics": {"supplementalDataId": SDID}}}, "here", False),
    ],
)
def test_only_the_same_call_is_a_repetition(change, scope, repeats):
    """gw:M6."""
    second = dict(sorted((REPEATED | change).items()))
    assert is_repetition(Share(body=REPEATED, scope="here"), Share(body=second, scope=scope)) is repeats
