"""Random writes of several gateways while Redis is killed, against a model (gw:R1, R4; repo:Q11, W7, W10, Z1-Z3)."""

import pytest

from gateway.offers.instances import Conflict, Refused, Saved
from gateway.offers.operations import Outcome
from gateway.store.entity_reads import Event
from tests.load.repository_history import Attempt, Delete, History
from tests.load.repository_model import run_round
from tests.store.objects import make_change
from tests.store.servers import installed_servers

_SERVERS = installed_servers()


@pytest.mark.parametrize("server", _SERVERS)
async def test_no_acknowledged_write_is_lost_and_no_promise_broken_when_redis_is_killed(server, tmp_path):
    tally = await run_round(tmp_path / "data", 7, seconds=2.0, server=_SERVERS[server], clients=6)
    assert tally.kills >= 1
    assert min(tally.saved, tally.refused, tally.reads) >= 1


def saved(sequence: int, instance_id: str, at_id: str, **facts: object) -> Attempt:
    change = make_change(instance_id, at_id, **facts)
    return Attempt(instance_id, change, change.expected, Saved(sequence), 0, sequence, (0, 9))


FIRST = saved(1, "one", "xcore:tag:1", name="winter")
CREATED = Event(1, "one", 1, False)
_GONE = Delete("one", Outcome("op", "one", "deleted", {}), 0, 3, (0, 9))
_REFERS = saved(2, "two", "xcore:tag:2", references=(("xcore:tag:1", "tag"),))


def test_an_innocent_history_is_believed():
    events = [CREATED, Event(2, "two", 1, False)]
    refused = Attempt("six", make_change("six", name="winter"), 0, Refused((("name-not-unique", ""),)), 1, 2, (0, 9))
    history = History(events, [FIRST, _REFERS, refused], [])
    assert set(history.now) == {"one", "two"}
    assert history.judge_refusals() == 1


@pytest.mark.parametrize(
    ("events", "attempts", "deletes", "crime"),
    [
        ([], [FIRST], [], "acknowledged and lost"),
        ([CREATED], [FIRST], [_GONE], "did not happen"),
        ([CREATED, Event(2, "two", 1, False)], [FIRST], [], "nobody was told of"),
        ([CREATED, Event(2, "two", 1, False)], [FIRST, saved(2, "two", "t", name="winter")], [], "given twice"),
        ([CREATED, Event(2, "one", 1, False)], [FIRST, saved(2, "one", "xcore:tag:1")], [], "update was lost"),
        ([Event(2, "two", 1, False)], [_REFERS], [], "dangles"),
        (
            [CREATED, Event(2, "two", 1, False), Event(3, "one", 1, True)],
            [FIRST, _REFERS],
            [_GONE],
            "deleted while it was referred to",
        ),
        (
            [CREATED, Event(2, "two", 1, False)],
            [FIRST, saved(2, "two", "t", guards=(("xcore:tag:1", 3),))],
            [],
            "guard",
        ),
    ],
)
def test_a_broken_promise_is_seen(events, attempts, deletes, crime):
    with pytest.raises(AssertionError, match=crime):
        History(events, attempts, deletes)


@pytest.mark.parametrize(
    "attempt",
    [
        Attempt("one", make_change("one", revision=2), 1, Conflict(4), 1, 1, (0, 9)),
        Attempt("six", make_change("six", name="summer"), 0, Refused((("name-not-unique", ""),)), 1, 1, (0, 9)),
        Attempt("one", None, None, Refused((("still-referenced", ""),)), 1, 1, (0, 9)),
        Attempt(
            "six",
            make_change("six", references=(("xcore:tag:1", "tag"),)),
            0,
            Refused((("reference-not-found", "/_instance/links/0"),)),
            1,
            1,
            (0, 9),
        ),
    ],
)
def test_a_refusal_without_a_reason_is_seen(attempt):
    with pytest.raises(AssertionError, match="without a reason"):
        History([CREATED], [FIRST, attempt], []).judge_refusals()
