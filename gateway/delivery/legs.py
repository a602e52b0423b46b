"""Which remote items go to Target in a call of their own, and the answers of several calls as one (gw:F4)."""

from collections.abc import Sequence

from gateway.delivery.answer import NOTHING, Remote
from gateway.delivery.plan import Item


def is_secondary(name: str, patterns: Sequence[str]) -> bool:
    """Whether an mbox is one that must not delay others: named in `patterns`, or by a prefix with `*` behind it."""
    return any(name.startswith(one[:-1]) if one.endswith("*") else name == one for one in patterns)


def part_secondaries(items: Sequence[Item], patterns: Sequence[str]) -> tuple[list[Item], list[Item]]:
    """Give the items that are waited for, and the secondary mboxes, both in their order."""
    first: list[Item] = []
    secondary: list[Item] = []
    for item in items:
        late = item.kind == "mboxes" and is_secondary(item.name, patterns)
        (secondary if late else first).append(item)
    return first, secondary


def combine(answers: Sequence[Remote]) -> Remote:
    """Give several answers as one: the results of all; who the visitor is as the first of them says it."""
    given = [answer for answer in answers if answer is not NOTHING]
    if len(given) < 2:
        return given[0] if given else NOTHING
    results = {place: found for answer in given for place, found in answer.results.items()}
    metrics = [metric for answer in given for metric in answer.prefetch_metrics]
    members = {name: value for answer in reversed(given) for name, value in answer.members.items()}
    return Remote(results, metrics, given[0].id, members)
