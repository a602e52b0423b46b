"""What a compiled rule tells about itself, and how evaluation reports trouble."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from gateway import pql
from tests.pql.cases import DATA, NOW, facts

PRINTED = (
    'loyalty.tier = "gold" and (select e from xEvent where e.type = "flight" and e.flightnumber = @{S}.flightnumber '
    "and (e.timestamp occurs <= 6 months before now).count() > 3)"
)
CANONICAL = (
    '(select e from xEvent where e.type = "flight" and e.flightnumber = @{S}.flightnumber '
    "and e.timestamp occurs <= 6 months before now).count() > 3"
)


@pytest.mark.parametrize(
    ("rule", "roots"),
    [
        ("true", set()),
        ("a.b = 1", {"profile"}),
        ("$1.a", {"profile"}),
        ("profile.a", {"profile"}),
        ("offer.a", {"offer", "profile"}),
        ("xEvent", {"xEvent"}),
        ("xEvent[a = 1]", {"xEvent"}),
        ("xEvent[^a = 1]", {"xEvent", "profile"}),
        ("xEvent[offer.a = 1]", {"xEvent", "offer"}),
        ("xEvent.offer", {"xEvent"}),
        ("let offer = 1 in offer = 1", set()),
        ("@{S}.offer", {"context"}),
        ("now = now", {"now"}),
        ("currentYear() = 2024", {"now"}),
        ("date(2024, 1, 1) occurs this year", {"now"}),
        ('inSegment("a")', {"profile"}),
        ("(p) => p.a", {"profile"}),
        ("(p, e) => true", {"profile", "xEvent"}),
    ],
)
def test_a_rule_names_the_roots_it_reads(rule: str, roots: set[str]) -> None:
    assert pql.compile(rule).roots == roots


def test_a_rule_names_the_context_schemas_it_reads() -> None:
    rule = pql.compile("@{a;version=1}.x = 1 or @{ b }.y = 2 or @{a;version=1}.z = 3")
    assert rule.schemas == {"a;version=1", "b"}


def test_the_printed_aggregate_is_moved_out_and_its_canonical_form_is_told() -> None:
    """Spec pql:RW1, RW2."""
    rule = pql.compile(PRINTED)
    assert rule.recovered == (CANONICAL,)
    assert str(rule) == f'loyalty.tier = "gold" and {CANONICAL}'
    assert pql.compile(str(rule)).recovered == ()


@pytest.mark.parametrize(
    ("rule", "printed"),
    [
        ("a||b&&!c", "a or b and !c"),
        ("((a))", "a"),
        ("(a and b) and c", "(a and b) and c"),
        ("(a or b) and c", "(a or b) and c"),
        ("a - (b - c)", "a - (b - c)"),
        ("(a - b) - c", "(a - b) - c"),
        ("a - b - c", "a - b - c"),
        ("not(a=b)", "not a = b"),
        ("(not a) = b", "(not a) = b"),
        ("- -a", "--a"),
        ("a IN (1, 2)", "a in [1, 2]"),
        ("a not in ('x')", 'a notIn "x"'),
        ("a <> b", "a != b"),
        ("SOME e FROM xs : e.a, f from e.b", "exists e from xs where e.a, f from e.b"),
        ("select e from xs select f from ys", "select e from xs, f from ys"),
        ("(select e from xs where (exists f from ys)).count()", "(select e from xs where (exists f from ys)).count()"),
        ("a occurs TODAY", "a occurs on today"),
        ("a occurs < 1 months from now", "a occurs < 1 month from now"),
        ("a occurs < 2 century before now", "a occurs < 2 centuries before now"),
        ("let a = b in let c = a in c", "let a = b in let c = a in c"),
        ("xs.map((x) => x.a)[^.b = $1]", "xs.map((x) => x.a)[^b = $1]"),
        ("@{{a}}.b", "@{a}.b"),
        ("@{{{a}}}.b", "@{{{a}}}.b"),
        ("sum (sum - 1) over x from [1, 2]", "sum (sum - 1) over x from [1, 2]"),
        ("sum sum over x from xs", "sum (sum) over x from xs"),
        ("min -1 over x from xs", "min (-1) over x from xs"),
        ("count (Min.a) over x from xs", "count (Min.a) over x from xs"),
        ("sum (x.a) over x from xs", "sum x.a over x from xs"),
        (r'"\w\"\n"', r'"\\w\"\n"'),
    ],
)
def test_a_rule_prints_itself_in_canonical_form(rule: str, printed: str) -> None:
    expression = pql.compile(rule)
    assert str(expression) == printed
    assert str(pql.compile(printed)) == printed
    assert expression.text == rule


@pytest.mark.parametrize(
    ("rule", "message", "place"),
    [
        ("loyalty.tier + 1 > 2", "`+` takes numbers, not a text", (1, 14)),
        ("true and\n  -loyalty.tier = 1", "`-` takes a number, not a text", (2, 3)),
        ("loyalty.tier.count() = 1", "`count` takes a list", (1, 14)),
        ("loyalty.optIn < true", "a boolean has no order", (1, 15)),
        ("loyalty.tier occurs today", "`occurs` takes timestamps, and this text is none", (1, 14)),
        ("not loyalty.points", "a number cannot be read as true or false", (1, 5)),
        ("exists e from loyalty.tier", "a query reads a list or an object", (1, 8)),
        ("orders[loyalty]", "", (0, 0)),
        ("orders[price]", "a number cannot be read as true or false", (1, 8)),
        ("loyalty.tier[true]", "`[…]` takes a list", (1, 13)),
        ("sum o.id over o from orders", "`sum` takes numbers of one kind, not text", (1, 1)),
        ("orders.average(id) = 1", "`average` takes numbers of one kind, not text", (1, 8)),
        ('loyalty.tier.regexGroup("(g)", 1.5) = "g"', "the group of `regexGroup` is a whole number", (1, 14)),
        ("loyalty + 1 = 1", "`+` takes numbers, not an object", (1, 9)),
        ("-orders[0 = 1].head().x = 1 or\n  -loyalty = 1", "`-` takes a number, not an object", (2, 3)),
        ('loyalty.tier like ["x"]', "`like` takes text, not a list", (1, 14)),
        ("loyalty.tier.get(loyalty) = 1", "`get` takes an object, not a text", (1, 14)),
        ("date(2024, loyalty.points, 1) = now", "there is no such date", (1, 1)),
        ("loyalty.points", "a number cannot be read as true or false", (1, 1)),
    ],
)
def test_a_fault_says_what_and_where_but_never_a_value(rule: str, message: str, place: tuple[int, int]) -> None:
    verdict = pql.compile(rule).test(facts("A"))
    assert not verdict.holds
    if not message:
        assert verdict.fault is None
        return
    assert verdict.fault is not None
    assert (verdict.fault.message, (verdict.fault.line, verdict.fault.column)) == (message, place)
    assert str(verdict.fault) == (f"{message} (line {place[0]}, column {place[1]})" if place[0] else message)


@pytest.mark.parametrize(
    ("rule", "column"),
    [("now in many", 5), ("many notIn many", 6), ('many like "x"', 6), ("records.missing", 1), ("many = many", 6)],
)
def test_a_rule_that_is_stopped_says_where(rule: str, column: int) -> None:
    many = [str(number) for number in range(30_000)]
    facts = pql.Facts(now=NOW, profile={"many": many, "records": [{}] * 30_000})
    fault = pql.compile(rule).test(facts).fault
    assert fault is not None
    assert "steps" in fault.message
    assert (fault.line, fault.column) == (1, column)


@pytest.mark.parametrize("rule", ["a.matches(b)", "a like b", "date(a, 1, 1)", "a + b", "a.topN(b, 1)", "a.get(1)"])
def test_faults_do_not_quote_personal_data(rule: str) -> None:
    verdict = pql.compile(rule).test(pql.Facts(now=NOW, profile={"a": "secret-a", "b": "(secret-b"}))
    assert "secret" not in str(verdict.fault)


@pytest.mark.parametrize(
    "rule",
    ["a.matches(b)", "b.matches('x')", "b like '_'", "b like b", "b.regexGroup('(.)')", "b = b", "b.contains(b)"],
)
def test_data_that_are_no_unicode_text_do_no_harm(rule: str) -> None:
    verdict = pql.compile(rule).test(pql.Facts(now=NOW, profile={"a": "x", "b": "\ud800"}))
    assert verdict.fault is None or verdict.fault.code == "rule-error"


@pytest.mark.parametrize("number", [10**4000, -(10**4000), float("inf"), float("nan"), 5e-324, 2**63])
@pytest.mark.parametrize(
    "rule",
    [
        "n = 1",
        "t = n",
        "n + n",
        "n * n",
        "n / 3",
        "n % 7",
        "7 % n",
        "-n",
        "l.sum()",
        "l.average()",
        "l.max()",
        "n in l",
    ],
)
def test_numbers_beyond_measure_are_a_fault_at_most(rule: str, number: float) -> None:
    facts = pql.Facts(now=NOW, profile={"n": number, "t": "x", "l": [number, 1, "1"][: 3 if "in" in rule else 2]})
    outcome = pql.compile(rule).evaluate(facts)
    assert outcome.fault is None or outcome.fault.code == "rule-error"


def test_a_rule_shows_itself_to_programmers() -> None:
    assert repr(pql.compile("a=1")) == "Expression('a=1')"


def test_a_bug_in_the_evaluator_is_a_fault_of_its_own_kind_and_not_an_exception() -> None:
    """Spec pql:V3."""
    rule = pql.compile("a = 1")
    verdict = rule.test(pql.Facts(now=NOW, profile="not an object"))  # type: ignore[arg-type]
    assert verdict.fault is not None
    assert verdict.fault.code == "rule-internal"
    assert rule.evaluate(pql.Facts(now=NOW, profile="not an object")).fault == verdict.fault  # type: ignore[arg-type]


def test_now_is_any_aware_datetime_and_is_read_in_utc() -> None:
    """Spec pql:V1."""
    local = datetime(2024, 5, 16, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    outcome = pql.compile("currentDayOfMonth()").evaluate(pql.Facts(now=local))
    assert outcome.value == 15
    with pytest.raises(ValueError, match="time zone"):
        pql.Facts(now=datetime(2024, 5, 16))  # noqa: DTZ001 - what is refused


def test_one_set_of_facts_serves_many_rules_and_offers() -> None:
    shared = facts("A")
    rule = pql.compile('offer.name = "b" and @{https://ns.example.com/acme/schemas/17}.weather = "hot"')
    offers = [{"xdm:name": name} for name in "abc"]
    assert [rule.test(shared.about(offer)).holds for offer in offers] == [False, True, False]
    assert not rule.test(shared).holds


def test_intervals_are_not_remembered_across_instants() -> None:
    rule = pql.compile("(select e from xEvent where e.timestamp occurs <= 6 months before now).count()")
    values = []
    for day in (15, 16, 15):
        now = datetime(2024, 5, day, 10, 30, tzinfo=UTC)
        values.append(rule.evaluate(pql.Facts(now=now, events=DATA["events"])).value)
    assert values == [5, 4, 5]


def test_two_context_items_of_one_schema_are_a_list_in_request_order() -> None:
    """Spec pql:CX1, CX2: an item without version matches any reference to its id."""
    items = [("S", 1), ("S;version=1", 2), ("S;version=2", 3), ("T", 4), (None, 5), ("S", 6)]
    context: list[Any] = [{"@type": kind, "xdm:data": {"n": n}} for kind, n in items]
    found = pql.Facts(now=NOW, context=[*context, {}, "x", None])
    values = {ref: pql.compile(f"@{{{ref}}}.n").evaluate(found).value for ref in ("S", "S;version=1", "T", "U")}
    assert values == {"S": [1, 2, 3, 6], "S;version=1": [1, 2, 6], "T": 4, "U": None}
