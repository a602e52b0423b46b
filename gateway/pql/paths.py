"""Steps from a value to its members (spec pql §5)."""

from functools import lru_cache
from typing import Any, NamedTuple

from gateway.pql.facts import Facts
from gateway.pql.values import refuse_deep

SECOND_LOOK = 14
"""Steps to look for a property under its other names."""

ALIASES = {"_id": "@id", "_type": "@type"}


class Key(NamedTuple):
    """The spellings under which a property is looked for, in order (pql:PA2)."""

    exact: str
    other: str
    suffix: str | None
    alias: str | None


@lru_cache(maxsize=1024)
def key(name: str) -> Key:
    """Make the key of a name: one without namespace also finds prefixed data, one with a namespace also plain data."""
    _, colon, local = name.rpartition(":")
    if colon:
        return Key(name, local, None, None)
    return Key(name, f"xdm:{name}", f":{name}", ALIASES.get(name))


def member(facts: Facts, record: dict[str, Any], sought: Key) -> Any:
    """Give a property of an object, or None; a name whose value is null is not there (pql:PA4)."""
    value = record.get(sought.exact)
    if value is not None:
        return value
    value = record.get(sought.other)
    if value is not None or sought.suffix is None:
        facts.spend(SECOND_LOOK)
        return value
    facts.spend(SECOND_LOOK + 2 * len(record))
    found = [held for name, held in record.items() if held is not None and name.endswith(sought.suffix)]
    if len(found) == 1:
        value = found[0]
    return record.get(sought.alias) if value is None and sought.alias else value


def step(facts: Facts, value: Any, sought: Key) -> Any:
    """Give a property of any value: None for scalars, and for a list those of its elements (pql:PA4, PA5)."""
    if type(value) is dict:
        return member(facts, value, sought)
    return across(facts, value, sought, 0) if type(value) is list else None


def across(facts: Facts, elements: list[Any], sought: Key, depth: int) -> list[Any]:
    """Apply a step to every element; nulls are left out, inner lists are concatenated."""
    refuse_deep(depth)
    facts.spend(6 * len(elements))
    found: list[Any] = []
    for element in elements:
        if type(element) is dict:
            value = member(facts, element, sought)
        else:
            value = across(facts, element, sought, depth + 1) if type(element) is list else None
        if type(value) is list:
            facts.spend(len(value))
            found.extend(value)
        elif value is not None:
            found.append(value)
    return found


def follow(facts: Facts, value: Any, keys: tuple[Key, ...]) -> Any:
    """Take several steps."""
    for sought in keys:
        if type(value) is dict and (found := value.get(sought.exact)) is not None:
            value = found
        else:
            value = step(facts, value, sought)
    return value
