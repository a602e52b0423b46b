"""Rules and data that try to take too much: depth, length, loops in loops, patterns, long texts, odd numbers.

`CORPUS` names each rule; `facts()` is the data they run on. The tests hold them to the fuel, the benchmark to the
clock.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
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


def too_deep() -> list[str]:
    """Nest everything that nests: around the limit, and far beyond it."""
    shapes = (
        ("(", "true", ")"),
        ("not ", "true", ""),
        ("!", "true", ""),
        ("-", "1", ""),
        ("[", "1", "]"),
        ("numbers.filter(", "true", ")"),
        ("numbers[", "true", "]"),
        ("if(", "true, 1, 2", ", 1, 2)"),
        ("let x = 1 in ", "x", ""),
        ("exists e from xEvent where ", "true", ""),
        ("select e from numbers, f from ", "numbers", ""),
        ("sum ", "1 over x from numbers", " over y from numbers"),
        ("count (", "numbers", ")"),
        ("numbers.map((x) => ", "x", ")"),
        ("@{", "a", "}"),
        ("a.b(", "", ")"),
        ("a in (", "b", ")"),
        ("1 + (", "1", ")"),
    )
    depths = (5, 29, 31, 1_000)
    return [open_ * depth + core + close * depth for (open_, core, close), depth in product(shapes, depths)]


def too_long() -> list[str]:
    """Say one thing very often, up to the limit of the source and beyond."""
    parts = (
        ("a", ".a"),
        ("1", " + 1"),
        ("2", " * 2"),
        ("true", " and true"),
        ("false", " or false"),
        ("1 = 1", " and 1 = 1"),
        ("xEvent", ".type"),
        ("numbers", ".distinct()"),
        ("numbers", "[true]"),
        ("sum", " + sum"),
        ("sum a", " + sum a over b from c"),
        ("min - 1", " - min"),
        ("^", "^"),
        ("@{S}", " = @{S}"),
        ("select a from x", ", b from x"),
        ("a", "b"),
        ('"', "x"),
        ("$1", "1"),
        ("1", "0"),
        ("1e", "9"),
        ("not", " not"),
        ("numbers.sum()", " + numbers.sum()"),
        ("widePrefixed.k", " + widePrefixed.k"),
        ("deep.x", " + deep.x"),
        (f"@{{{SCHEMA}}}.n.sum()", f" + @{{{SCHEMA}}}.n.sum()"),
        ("a occurs on b", " or a occurs on b"),
        ("a occurs <1 day before b", " or a occurs <1 day before b"),
        ("if(a,b,c)", " = c or if(a,b,c)"),
        ("a in [0.0", ", 0.1"),
        ("@{a}", " + @{a}"),
        ("(exists a from b)", " + (exists a from b)"),
        ("not a", " or not a"),
        ("today = today", " and today = today"),
        ("long = longer", " or long = longer"),
        ('a.matches("b")', ' or a.matches("b")'),
        ("similar.distinct()", " = similar.distinct()"),
    )
    times = (100, 200, 260, 315, 395, 795, 2_400, 20_000)
    return [head + tail * count for (head, tail), count in product(parts, times)]


def long_lists() -> list[str]:
    """Ask for members of very long lists."""
    numbers = ", ".join(map(str, range(2_300)))
    texts = ", ".join(f'"{i}"' for i in range(1_900))
    return [
        f"homeAddress.city in [{numbers}]",
        f"numbers in [{numbers}]",
        f"names in [{texts}]",
        f"names notIn [{texts}]",
        f"numbers[$1 in [{numbers}]].count() > 1",
        f"names.filter((x) => x in ({texts})).count() > 1",
        f"[{numbers}].topN($1, 5)",
        f"[{texts}].distinct() = [{texts}]",
        f"numbers.intersects([{numbers}])",
        f"let x = [{numbers}] in x.map(x)",
        "numbers in numbers",
        "names in similar",
        "names notIn names",
        "numbers = names",
        "numbers = numbers",
        "numbers != others",
        "similar = similar",
        "numbers[$1 in numbers]",
        "names[$1 in names].count()",
        "names.filter($1 in ^similar).count()",
        "numbers.subsetOf(numbers)",
        "numbers.supersetOf(others)",
        "names.intersection(similar)",
        "similar.intersection(similar)",
        "objects.intersection(objects)",
        "xEvent.intersection(xEvent)",
        "xEvent.includes(xEvent)",
        "xEvent = xEvent",
        "xEvent.distinct()",
        "objects.distinct()",
        "deep.distinct()",
        "deep = deep",
        "deepObject = deepObject",
        "deepObject in [deepObject]",
        "deep.x.y.z",
        "matrix.includes(matrix)",
        "matrix = matrix",
        "wide = wide",
        "[wide].distinct()",
        "wide.keys().count()",
        "wide.values().sum()",
        "wide.values().topN($1, 10)",
        "widePrefixed.key",
        "widePrefixed.keys().map(^widePrefixed.key)",
        'xEvent.map(^wide.get("key1"))',
        "xEvent.map(^widePrefixed.missing)",
        "objects.v.w.distinct().count()",
        "objects.v.w.v.w",
        "objects.map(v.w).distinct()",
    ]


def loops() -> list[str]:
    """Loop over ten thousand events, and over them again inside."""
    conditions = (
        'e.type = "flight"',
        'e.type = "flight" and e.flightnumber = "NV5" and e.timestamp occurs <= 6 months before now',
        "e.timestamp occurs this month",
        "e.timestamp occurs between date(2024, 1, 1) and date(2024, 5, 1)",
        "e.productListItems.quantity = 3",
        "e.missing.path.here = 1",
        "e.commerce.order.priceTotal * 2 + 1 > 100 and e.commerce.order.priceTotal / 3 < 50",
        'e.flightnumber like "%5"',
        'e._id.matches("0+1$")',
        'e._id.contains("99", false)',
        'e.productListItems[SKU = "PS"].count() = 1',
        "e.timestamp.getMonth() = currentMonth()",
        "date(2024, 1, e.productListItems.count()) < today",
        "(exists f from xEvent where f._id = e._id and f.type = e.type)",
        "(exists f from xEvent where (exists g from xEvent where g._id = f._id and f._id = e._id))",
        "e in xEvent",
        'e.type in ["a", "b", e.flightnumber]',
        'if(e.type = "flight", e.productListItems, xEvent).count() > 1',
        "let x = e in (let y = x in (let z = y in z.type = y.type and z.type = x.type))",
        "inSegment(e.type)",
        f"@{{{SCHEMA}}}.n = e.n",
        "offer.characteristics.c5 = e.type",
        "e = e",
        "e.type.matches(pattern)",
        "e.wide = wide",
        "wide.get(e.type) = 1",
        "similar.includes(e.type)",
        "long.contains(e.type)",
        "long = longer",
        "long < longer",
        'long like "%y"',
        "names.map($1)",
        "[e, e, e, e, e, e, e, e].count() > 8",
        "e.timestamp occurs on e.timestamp",
        "e.timestamp occurs <= 3 days before e.timestamp",
        "dates occurs today",
        "e.type = 1 or e.type = 2 or e.type = 3 or e.type = 4 or e.type = 5 or e.type = 6 or e.type = 7",
        "not not not not not not not not (e.type = 3)",
        "e.commerce.order.priceTotal = -1.5",
        'e.type != "flight" and e.type != "purchase"',
    )
    shapes = (
        "select e from xEvent where {0}",
        "none e from xEvent where {0}",
        "forall e from xEvent where not ({0})",
        "select d from xEvent, e from xEvent where {0}",
    )
    aggregates = [
        "sum e.commerce.order.priceTotal over e from xEvent",
        "sum e.commerce.order.priceTotal * f.commerce.order.priceTotal over e from xEvent, f from xEvent",
        "count 1 over a from numbers, b from numbers, c from numbers, d from numbers",
        "max a over a from similar, b from similar",
        "xEvent.topN(commerce.order.priceTotal, 5)",
        "xEvent.bottomN(_id, 10000)",
        "similar.topN($1, 10000)",
        "names.bottomN($1, 5)",
        "numbers.map($1 * 2)[$1 > 5].distinct().topN(-$1, 100).sum()",
        "xEvent.groupBy(type).map($1.groupBy(flightnumber))",
        "xEvent.groupBy($1)",
        "xEvent.map(xEvent.map(xEvent.map(1)))",
        "xEvent.map(^numbers.sum())",
        "xEvent.map(^similar)",
        "xEvent[productListItems[^^.numbers[^^.type = 1]]]",
        "numbers.filter(^numbers.filter(^^numbers.exists($1 = -1)))",
        "numbers.average($1 / 0)",
        "numbers.sum(^big)",
        "numbers.sum(^huge)",
        "names.min()",
        "similar.max()",
        "dates.map(getYear()) = 1",
        "dates[$1.getYear() = 2024].count()",
        "wrongDates[$1 = now].count()",
        "exists e from xEvent where e.timestamp occurs > 10 years after e.timestamp",
        "numbers.exists($1 occurs = 13 decades before $1)",
        "times.exists($1 occurs = 13 decades before $1)",
        "times.exists($1 occurs > 13 decades after $1)",
        "exists e from xEvent where not (e.timestamp occurs between e.timestamp and e.timestamp)",
        "times.exists($1 occurs before $1)",
        "times > tomorrow",
        "otherTimes > tomorrow",
        "tomorrow in times",
        "now in otherTimes",
        "now = otherTimes",
        "times.includes(date(2100, 1, 1))",
        "times occurs date(2100, 1, 1)",
        "times.exists($1 > tomorrow)",
        "otherTimes.exists($1 > tomorrow)",
        "times.exists($1.getYear() = 1)",
        "exists e from xEvent where e.timestamp.getDayOfMonth() = 32",
    ]
    return [shape.format(condition) for condition, shape in product(conditions, shapes)] + aggregates


RANDOM = ("random60", "random200", "random400", "random3000")
SMALL = ("([ab]a|b|a)[ab]{13}c", "(a|b)*a(a|b){9}c", "([ab]{2}|a|b)*c", "[ab]{6}c", "(?i)a[ab]{3}c")
SIMILAR = ("a63", "a255", "a2400", "a29000", "a")
SOUGHT = tuple("a" * half + "b" + "a" * half for half in (600, 60, 15, 2))


def patterns() -> list[str]:
    """Match patterns that make other engines backtrack, or whose automaton is large."""
    texts = ("a", "ab", "umlauts", "long")
    hard = (
        "(a+)+$",
        "(a|aa)+$",
        "(a*)*b",
        "(.*)(.*)(.*)(.*)(.*)x$",
        "(a|b)*a(a|b){20}$",
        "((a{0,100}){0,9}){0,1}b",
        "(a?){200}a{20}",
        "[^a]{200}b",
        "(?i)(ß|SS)+$",
        "(\\\\pL{1,20}\\\\b)+$",
    )
    matches = [f'{text}.matches("{pattern}")' for text, pattern in product(texts, hard)]
    many = " or ".join(f'a.matches("{i}x")' for i in range(400))
    return [
        *matches,
        " or ".join(f'a.matches("(a|b|c)*{i}")' for i in range(19)) + " or exists a from b" * 200,
        " or ".join(f'a.matches("(?i)[\u0100-\uffff]{i}")' for i in range(19)) + " or a occurs on b" * 230,
        " or ".join(f'a.matches("(?:[^\\\\pL]|\\\\pM)*{i}x12")' for i in range(4)),
        *[f'numbers.exists(^{text}.matches("{pattern}"))' for text, pattern in product(RANDOM, SMALL)],
        *[f'randoms.matches("{pattern}")' for pattern in SMALL],
        *[f'numbers.exists(^{text}.contains("{sought}"))' for text, sought in product(SIMILAR, SOUGHT)],
        *[f'numbers.exists(^{text}.contains("{sought}", false))' for text, sought in product(SIMILAR, SOUGHT[:2])],
        *[f'numbers.exists(not ^{text}.doesNotContain("{sought}"))' for text, sought in product(SIMILAR, SOUGHT[:2])],
        many,
        many.replace("x", "\\\\pL"),
        f'a.matches("{"(" * 300}")',
        f'a.matches("{"a{1000}" * 30}")',
        'a.matches("((a{100}){100}){100}")',
        'a.matches("(?=a)b")',
        'a.matches("(a)\\\\1")',
        'a.regexGroup("(a*)(a*)(a*)$", 3)',
        'a.regexGroup("(a)", 99)',
        "a.matches(pattern)",
        "names.filter($1.matches(^pattern))",
        "patterns.filter(^a.matches($1))",
        f'a like "{"%a" * 2000}b"',
        f'a like "{"_" * 7000}"',
        f'ab like "{"%_" * 100}c"',
        "a like percent",
        "a like long",
        "a like names or names like names or umlauts like umlauts",
        "names.filter($1 like $1)",
        "names like percent",
        'similar.matches("(x+x+)+y")',
        'similar like "%x%x%x%x%y"',
    ]


def odd_values() -> list[str]:
    """Compute with numbers and dates at the edges, and grow whatever might grow."""
    doubling = "let b = [a, a] in (" * 25 + "b" + ")" * 25
    squares = "let n = huge in (" + "let n = n * n in (" * 25 + "n" + ")" * 26
    return [
        f"let a = numbers in ({doubling.replace('a, a', 'b, b').replace('b, b', 'a, a', 1)}) = numbers",
        f"let b = numbers in ({doubling.replace('a, a', 'b, b')} = {doubling.replace('a, a', 'b, b')})",
        f"(let b = numbers in ({doubling.replace('a, a', 'b, b')})).x",
        squares,
        squares.replace("huge", "big"),
        squares.replace("huge", "9223372036854775807"),
        "9" * 5_000 + " > 1",
        "1e308 * 10",
        "1e999",
        "huge % 7 = huge / 7",
        "huge + 1 = huge",
        "huge = names",
        "-huge < huge",
        "broken = broken or broken < 1 or numbers.includes(broken)",
        "[broken, broken].distinct().topN($1, 2)",
        "tiny = names",
        "names[$1 = ^big].count()",
        "now occurs <= 999999999999999999999999 millennia before now",
        "now occurs = 999999999999999999 centuries after now",
        "now occurs != 99999999999999 seconds from now",
        "dates occurs > 2000000000 weeks before today",
        "now occurs between date(1, 1, 1) and date(9999, 12, 31)",
        "date(1, 1, 1) occurs this millennium",
        "date(9999, 12, 31) occurs next millennium",
        "date(0, 0, 0)",
        "date(huge, 1, 1) = now",
        "date(numbers.count(), 13, 40) = now",
        "long = umlauts",
        "long.equals(longer, false)",
        "umlauts.equals(umlauts, false)",
        "umlauts.contains(long, false)",
        "long.contains(longer)",
        "similar.contains(long)",
        "similar.startsWith(long)",
        "long = 5 or 5 = long",
        "long occurs today",
        "wide.get(long)",
        "inSegment(long)",
        "numbers.topN($1, 99999999999999999)",
        "numbers.topN($1, huge)",
        "numbers.topN($1, -1)",
        "xEvent.xEvent.xEvent",
        "$1.$1",
        "\\",
        "\x00",
        "a = \ud800",
        "\u202e\u202e",
        "a\u00a0= 1",
        '"\\ud800"',
        "@{" + "{" * 5_000,
        "@{" + "{" * 2_000 + "}" * 2_001,
        "'" + "\\" * 9_999,
        "a" * 16_000,
        "ä" * 8_000,
        "",
        " " * 15_000,
        ")" * 10_000,
        "=" * 10_000,
        "." * 10_000,
        "from " * 2_000,
        "over " * 2_000,
        "select select from select where select",
    ]


def named(group: str, rules: list[str]) -> list[tuple[str, str]]:
    """Give rules names that can be printed."""
    return [(f"{group} {i}: {re.sub(r'[^ -~]', '?', rule)[:70]}", rule) for i, rule in enumerate(rules)]


CORPUS = [
    *named("deep", too_deep()),
    *named("long", too_long()),
    *named("lists", long_lists()),
    *named("loops", loops()),
    *named("patterns", patterns()),
    *named("odd", odd_values()),
]
