"""The data hostile rules run on: ten thousand events, and a profile that is unpleasant in every way."""

from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from gateway import pql

NOW = datetime(2024, 5, 15, 10, 30, tzinfo=UTC)
SCHEMA = "https://ns.example.com/hostile"
EVENTS = 10_000


def event(number: int) -> dict[str, Any]:
    """Make one experience event."""
    taken = NOW - timedelta(minutes=number * 50, microseconds=number)
    return {
        "_id": f"event-{number:06}",
        "type": "flight" if number % 3 else "purchase",
        "flightnumber": f"NV{number % 100}",
        "timestamp": taken.isoformat(),
        "commerce": {"order": {"priceTotal": number % 500 + 0.5}},
        "productListItems": [{"SKU": f"S{number % 50}", "quantity": number % 7}, {"SKU": "PS", "quantity": 1}],
    }


def time(number: int) -> str:
    """Give a timestamp that no other number has, in the form that takes longest to read."""
    return f"{(NOW - timedelta(seconds=977 * number)).isoformat()[:-6]}.{number * 7919 % 10**6:06}123+02:00"


def random_text(size: int) -> str:
    """Give a text of `a` and `b` in which nothing repeats, always the same one."""
    numbers = Random(size)
    return "".join(numbers.choice("ab") for _ in range(size))


def nested(levels: int, around: Any) -> Any:
    """Put a value in so many lists."""
    for _ in range(levels):
        around = [around]
    return around


@cache
def profile() -> dict[str, Any]:
    """Make a profile of a few megabytes that is unpleasant in every way."""
    return {
        "numbers": [i * 7919 % 10_007 for i in range(EVENTS)],
        "others": [i * 104_729 % 10_007 + 0.5 for i in range(EVENTS)],
        "names": [f"name-{i * 7919 % 10_007:06}" for i in range(EVENTS)],
        "similar": ["x" * 300 + f"{i * 7919 % 10_007:06}" for i in range(EVENTS)],
        "a": "a" * 100_000,
        "ab": "ab" * 50_000,
        "long": "x" * 1_000_000,
        "longer": "x" * 1_000_000 + "y",
        **{f"random{size}": random_text(size) for size in (60, 200, 400, 3_000)},
        "randoms": [random_text(300)] * 1_000,
        "a63": "a" * 63,
        "a255": "a" * 255,
        "a2400": "a" * 2_400,
        "a29000": "a" * 29_000,
        "umlauts": "ß" * 200_000,
        "deep": nested(2_000, 1),
        "deepObject": deep_object(2_000),
        "wide": {f"key{i}": i for i in range(50_000)},
        "widePrefixed": {f"ns{i}:key": i for i in range(20_000)},
        "matrix": [list(range(100)) for _ in range(100)],
        "objects": [{"v": [{"w": [1, 2, 3]}] * 10}] * 1_000,
        "huge": 10**4_000,
        "tiny": 5e-324,
        "big": 1.7e308,
        "broken": float("nan"),
        "times": [time(i) for i in range(EVENTS)],
        "otherTimes": [time(i).replace("T", "X") for i in range(EVENTS)],
        "dates": ["2024-05-15T10:30:00Z"] * EVENTS,
        "wrongDates": ["2024-13-45"] * EVENTS,
        "pattern": "(a|aa)+$",
        "patterns": [f"(a{{1,{i % 60 + 1}}}){{1,9}}b{i}" for i in range(EVENTS)],
        "percent": "%a" * 100 + "b",
        "segmentMembership": {f"ns{i}": {"s": {"status": "exited"}} for i in range(20_000)},
    }


def deep_object(levels: int) -> dict[str, Any]:
    """Put an object in so many objects."""
    record: dict[str, Any] = {"a": 1}
    for _ in range(levels):
        record = {"a": record}
    return record


@cache
def facts() -> pql.Facts:
    """Give the data of the corpus."""
    events = [event(number) for number in range(EVENTS)]
    context = [{"@type": SCHEMA, "xdm:data": {"n": i}} for i in range(5_000)]
    offer = {"characteristics": {f"c{i}": str(i) for i in range(1_000)}}
    return pql.Facts(now=NOW, profile=profile(), events=events, context=context, offer=offer)
