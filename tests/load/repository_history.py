"""What a container went through, judged afterwards: every acknowledged write happened once and was allowed then.

The change stream gives the order. Replaying it needs no luck: each entry must be a write that somebody was told is
Saved, and each refusal must have been true at some moment between its question and its answer.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct

from gateway.offers.instances import Change, Conflict, Deleting, Missing, Refused, Saved, Stale, Verdict
from gateway.offers.operations import Outcome
from gateway.store.entity_reads import Event


class Attempt(Struct):
    """A write and its answer: `low` and `high` are sequence numbers between which it was judged, `times` likewise."""

    instance_id: str
    change: Change | None
    expected: int | None
    verdict: Verdict
    low: int
    high: int
    times: tuple[int, int]


class Delete(Struct):
    """An asynchronous delete that was accepted, and how it was decided."""

    instance_id: str
    outcome: Outcome
    low: int
    high: int
    times: tuple[int, int]


class Life(Struct):
    """What an instance was from number `since` up to, not including, `until`."""

    change: Change
    since: int
    until: float = float("inf")


class History:
    """The lives of all instances of a container, by replaying its stream; raises AssertionError where it is wrong."""

    def __init__(self, events: list[Event], attempts: Iterable[Attempt], deletes: Iterable[Delete]) -> None:
        self.attempts, self.deletes = list(attempts), list(deletes)
        self.lives: dict[str, list[Life]] = defaultdict(list)
        self.at_ids: dict[str, str] = {}
        self.now: dict[str, Change] = {}
        saved = {one.verdict.sequence: one for one in self.attempts if isinstance(one.verdict, Saved)}
        assert len(saved) == sum(isinstance(one.verdict, Saved) for one in self.attempts), "a number was given twice"
        decided = {one.instance_id for one in self.deletes if one.outcome.state == "deleted"}
        for event in events:
            self._replay(event, saved.pop(event.sequence, None), decided)
        assert not saved, f"acknowledged and lost: {list(saved)[:3]}"
        assert not decided, f"deletes that were confirmed and did not happen: {list(decided)[:3]}"

    def _replay(self, event: Event, attempt: Attempt | None, decided: set[str]) -> None:
        assert attempt is None or attempt.instance_id == event.instance_id
        if event.gone:
            if attempt is None:
                decided.remove(event.instance_id)  # raises where nobody was told that it is gone
            self._remove(event, attempt)
        elif attempt is None:  # marked as being deleted, or not any more: the instance itself is as it was
            current = self.now.get(event.instance_id)
            known = current is not None and current.revision == event.revision
            assert known, f"a change that nobody was told of: {event}"
        else:
            assert attempt.change is not None
            self._put(event, attempt.change)

    def _remove(self, event: Event, attempt: Attempt | None) -> None:
        current = self.now.pop(event.instance_id)
        assert current.revision == event.revision
        assert attempt is None or attempt.expected in (None, current.revision)
        assert not self._referrers(current.at_id), f"deleted while it was referred to: {event}"
        self.lives[event.instance_id][-1].until = event.sequence

    def _put(self, event: Event, change: Change) -> None:
        current = self.now.get(event.instance_id)
        assert (current.revision if current else 0) == change.expected, f"an update was lost: {event}"
        assert change.revision == event.revision
        for guard, revision in change.guards:
            assert self.now[self.at_ids[guard]].revision == revision, f"a guard had moved: {event}"
        if current:
            self.lives[event.instance_id][-1].until = event.sequence
        self.now[event.instance_id] = change
        self.at_ids[change.at_id] = change.instance_id
        self.lives[event.instance_id].append(Life(change, event.sequence))
        for reference in change.references:
            target = self.now.get(self.at_ids.get(reference.target, ""))
            assert target is not None, f"dangles: {event}"
            assert set(reference.schemas) & set(target.schemas), f"of the wrong schema: {event}"
        for unique in change.unique:
            others = [one for one in self.now.values() if unique.value in names_of(one) and one is not change]
            assert not others, f"a name was given twice: {event}"

    def _referrers(self, at_id: str) -> list[str]:
        return [one.instance_id for one in self.now.values() if at_id in targets_of(one)]

    def judge_refusals(self) -> int:
        """Check every verdict that wrote nothing, and every rejected delete; gives how many there were."""
        refusals = [one for one in self.attempts if not isinstance(one.verdict, Saved)]
        for attempt in refusals:
            assert self._was_true(attempt), f"refused without a reason: {attempt}"
        rejected = [one for one in self.deletes if one.outcome.state == "rejected"]
        for delete in rejected:
            at_id = self.lives[delete.instance_id][0].change.at_id
            for referrer in delete.outcome.referrers:
                lives = self._within(referrer.instance_id, delete.low, delete.high)
                assert any(at_id in targets_of(life.change) for life in lives), f"no referrer: {referrer}"
        return len(refusals) + len(rejected)

    def _within(self, instance_id: str, low: int, high: int) -> Iterator[Life]:
        return (life for life in self.lives.get(instance_id, ()) if life.since <= high and life.until > low)

    def _was_absent(self, instance_id: str, low: int, high: int) -> bool:
        lives = list(self._within(instance_id, low, high))
        return not lives or lives[0].since > low or lives[-1].until <= high

    def _was_marked(self, instance_id: str, attempt: Attempt) -> bool:
        start, end = attempt.times
        marks = (one.times for one in self.deletes if one.instance_id == instance_id)
        return any(marked <= end and decided >= start for marked, decided in marks)

    def _was_true(self, attempt: Attempt) -> bool:
        low, high = attempt.low, attempt.high
        match attempt.verdict:
            case Conflict(revision=revision):
                lives = self._within(attempt.instance_id, low, high)
                return revision != attempt.expected and any(life.change.revision == revision for life in lives)
            case Missing():
                return self._was_absent(attempt.instance_id, low, high)
            case Deleting():
                return self._was_marked(attempt.instance_id, attempt)
            case Stale():
                return any(self._had_moved(guard, low, high) for guard in attempt.change.guards)  # type: ignore[union-attr]
            case Refused(faults=faults):
                return all(self._was_fault(code, pointer, attempt) for code, pointer in faults)
        return False

    def _had_moved(self, guard: tuple[str, int], low: int, high: int) -> bool:
        instance_id = self.at_ids.get(guard[0], "")
        lives = list(self._within(instance_id, low, high))
        return self._was_absent(instance_id, low, high) or any(life.change.revision != guard[1] for life in lives)

    def _was_fault(self, code: str, pointer: str, attempt: Attempt) -> bool:
        low, high, change = attempt.low, attempt.high, attempt.change
        everyone = (life for one in self.lives for life in self._within(one, low, high) if one != attempt.instance_id)
        if code == "still-referenced":
            at_id = self.lives[attempt.instance_id][0].change.at_id
            return any(at_id in targets_of(life.change) for life in everyone)
        assert change is not None
        if code == "name-not-unique":
            return any(names_of(change) & names_of(life.change) for life in everyone)
        target = self.at_ids.get(next(one.target for one in change.references if one.pointer == pointer), "")
        if code == "reference-not-found":
            return self._was_absent(target, low, high)
        return code == "reference-deleting" and self._was_marked(target, attempt)


def targets_of(change: Change) -> set[str]:
    """Give the @ids a change refers to."""
    return {reference.target for reference in change.references}


def names_of(change: Change) -> set[str]:
    """Give the unique values a change has."""
    return {unique.value for unique in change.unique}
