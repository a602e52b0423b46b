"""Hostile rules whose text is the trouble: deep, long, with hard patterns or odd values."""

from itertools import product

from tests.pql.hostile_data import SCHEMA


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


DOUBLING = "let b = [a, a] in (" * 25 + "b" + ")" * 25
SQUARES = "let n = huge in (" + "let n = n * n in (" * 25 + "n" + ")" * 26
ODD = [
    f"let a = numbers in ({DOUBLING.replace('a, a', 'b, b').replace('b, b', 'a, a', 1)}) = numbers",
    f"let b = numbers in ({DOUBLING.replace('a, a', 'b, b')} = {DOUBLING.replace('a, a', 'b, b')})",
    f"(let b = numbers in ({DOUBLING.replace('a, a', 'b, b')})).x",
    SQUARES,
    SQUARES.replace("huge", "big"),
    SQUARES.replace("huge", "9223372036854775807"),
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
"""Compute with numbers and dates at the edges, and grow whatever might grow."""
