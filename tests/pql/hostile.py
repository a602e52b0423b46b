"""Rules and data that try to take too much: depth, length, loops in loops, patterns, long texts, odd numbers.

`CORPUS` names each rule; `facts()` is the data they run on. The tests hold them to the fuel, the benchmark to the
clock.
"""

import re

from tests.pql.hostile_data import NOW, deep_object, facts, nested
from tests.pql.hostile_loops import LISTS, LOOPS
from tests.pql.hostile_texts import ODD, patterns, too_deep, too_long

__all__ = ["CORPUS", "NOW", "deep_object", "facts", "nested"]


def named(group: str, rules: list[str]) -> list[tuple[str, str]]:
    """Give rules names that can be printed."""
    return [(f"{group} {i}: {re.sub(r'[^ -~]', '?', rule)[:70]}", rule) for i, rule in enumerate(rules)]


CORPUS = [
    *named("deep", too_deep()),
    *named("long", too_long()),
    *named("lists", LISTS),
    *named("loops", LOOPS),
    *named("patterns", patterns()),
    *named("odd", ODD),
]
