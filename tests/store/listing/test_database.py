"""The index gives what the specification's own words give, over random documents and random changes."""

import json

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gateway.errors import Problem
from tests.store.listing import oracle
from tests.store.listing.stage import OTHER, SCHEMA, ids, make_instance, opened, parse, walk

ODD_TEXTS = ["", "a", "A", "b,c", "b\\,c", "é", "z\n", "a\x00", "\U0001f600", "a b", "\\", "\\\\", ","]
LOOKALIKES = ["\\-", "\\s", "\\s1", "\\x", "true", "false", "1", "1.0", "-2e3", "+1", "null", "2020-01-01T00:00:00Z"]
TEXTS = st.sampled_from([*ODD_TEXTS, *LOOKALIKES])
NUMBERS = st.one_of(
    st.sampled_from([0, -0.0, 1, 1.0, 10, 9, -1, 0.1, 1e21, 1e-7, 2**53, 2**53 + 1, 10**30, -(10**30), 5e-324, -1.5]),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
)
DATES = st.sampled_from(
    [
        "2020-01-01T00:00:00Z",
        "2020-01-01T01:00:00+01:00",
        "2019-12-31T23:59:59.999Z",
        "2020-01-01T00:00:00.000001Z",
        None,
    ]
)
SCALARS = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("pq"), inner, max_size=2)),
    max_leaves=4,
)
CONTENTS = st.fixed_dictionaries(
    {},
    optional={
        "p": VALUES,
        "q": VALUES,
        "a.b": VALUES,
        "when": DATES,
        "word": st.one_of(TEXTS, st.none()),
        "count": st.integers(-5, 5),
        "switch": st.booleans(),
        "map": st.dictionaries(st.sampled_from("pq"), SCALARS, max_size=2),
    },
)
FLAT = [("p",), ("q",), ("a.b",), ("when",), ("word",), ("count",), ("switch",), ("repo:createdDate",), ("none",)]
DEEP = [("p", "p"), ("p", "q"), ("q", "p", "q"), ("map", "p"), ("_instance", "map", "q")]
PATHS = st.sampled_from([*FLAT, *DEEP])
WORLDS = st.lists(st.tuples(CONTENTS, st.integers(1, 5)), max_size=9)


def spell(path):
    return ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in path)


def make_world(contents):
    return [make_instance(f"i{number}", content, day) for number, (content, day) in enumerate(contents)]


def envelopes(instances):
    return [json.loads(instance.document) for instance in instances]


ORDERS = st.lists(
    st.tuples(PATHS.map(oracle.resolve), st.booleans()), min_size=1, max_size=3, unique_by=lambda each: each[0]
)


@settings(max_examples=150, deadline=None)
@given(WORLDS, ORDERS, st.booleans(), st.integers(1, 4))
def test_walking_all_pages_gives_every_item_once_in_order(contents, order, unique, limit):
    """repo:L8, L10, L12, L13, L15, L16, L17, L18, X5: mixed, missing and equal values; each start goes back exactly."""
    order = [*order, *([(("instanceId",), False)] if unique else [])]
    instances = make_world(contents)
    left = oracle.sort(envelopes(instances), order)
    text = ",".join(("-" if descending else "+") + spell(path) for path, descending in order)
    with opened(instances) as database:
        for page in walk(database.page, "", ("orderBy", text), ("limit", str(limit))):
            expected = oracle.cut(left, order, limit)
            assert ids(page) == [document["instanceId"] for document in expected]
            assert (page.total, page.next_start is None) == (len(left), len(expected) == len(left))
            left = left[len(expected) :]
    assert left == []


LITERALS = st.one_of(TEXTS, NUMBERS.map(str), DATES.map(str))
EXPRESSIONS = st.sampled_from([".*", "a", "A.*", "[^b]*", ".", "\\s*", "^a", "z\\s", "(a|é)", ".*1.*", "", "a$"])
COMPARED = st.tuples(PATHS, st.sampled_from(["", "==", "!=", "<", "<=", ">", ">="]), LITERALS)
FILTERS = st.one_of(COMPARED, st.tuples(PATHS, st.just("~"), EXPRESSIONS))


@settings(max_examples=250, deadline=None)
@given(WORLDS, st.lists(FILTERS, min_size=1, max_size=3))
@example([({"p": ""}, 1)], [(("p",), "!=", "a")])
def test_filters_keep_what_the_rules_say(contents, filters):
    """repo:F1-F9 over values of every type, arrays, nested arrays and missing ones."""
    resolved = [(oracle.resolve(path), operator, value) for path, operator, value in filters]
    assume(
        all(path != ("repo:createdDate",) or op in ("", "~") or oracle.read_date(value) for path, op, value in resolved)
    )
    instances = make_world(contents)
    kept = [each["instanceId"] for each in envelopes(instances) if all(oracle.keeps(each, *one) for one in resolved)]
    pairs = [("property", spell(path) + operator + (value if operator else "")) for path, operator, value in filters]
    with opened(instances) as database:
        page = database.page(parse("", *pairs))
        assert ids(page) == kept
        assert page.total == len(kept)
        database.apply(instances)
        assert ids(database.page(parse("", *pairs))) == kept


WORDS = st.sampled_from(
    ["gold", "Gold", "CARD", "straße", "STRASSE", "é", "e\u0301", "x²", "golden", "ﬁne", "-", "½", "٣", "一"]
)
PHRASES = st.lists(WORDS, max_size=4).map(" ".join)
NOTES = st.fixed_dictionaries(
    {},
    optional={"p": PHRASES, "q": st.lists(PHRASES, max_size=2), "map": st.dictionaries(st.sampled_from("pq"), PHRASES)},
)


@settings(max_examples=150, deadline=None)
@given(st.lists(NOTES, max_size=7), st.lists(WORDS.filter(oracle.tokens), min_size=1, max_size=3), st.booleans())
def test_searches_find_what_the_rules_say(contents, words, every):
    """repo:T1, T2, T3, T8, T9 and `_score`."""
    instances = make_world([(content, 1) for content in contents])
    assume(all(len(oracle.tokens(word)) == 1 for word in words))
    terms = [oracle.tokens(word)[0] for word in words]
    found = [each for each in envelopes(instances) if oracle.matches(each, terms, every)]
    with opened(instances) as database:
        page = database.page(parse("", ("q", " ".join(words)), ("qop", "and" if every else "or"), search=True))
    assert ids(page) == [each["instanceId"] for each in found]
    shares = [sum(oracle.matches(each, [term], True) for term in terms) / len(terms) for each in found]
    assert [item.score for item in page.items] == shares


CHANGES = st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), CONTENTS), st.integers(1, 3)), max_size=12)
STEPS = st.lists(st.tuples(CHANGES, ORDERS, FILTERS), min_size=1, max_size=3)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_an_index_that_followed_changes_equals_one_built_afresh(steps):
    """gw:R3: columns, sort orders and texts that were made before a change follow it."""
    state = {}
    with opened([]) as database:
        for changes, order, (path, operator, value) in steps:
            for number, content, kinds in changes:
                name = f"i{number}"
                schemas = [(SCHEMA,), (OTHER,), (SCHEMA, OTHER)][kinds - 1]
                state[name] = None if content is None else make_instance(name, content, 1, schemas)
                database.apply([state[name]] if state[name] else [], [] if state[name] else [name])
            text = ",".join(("-" if descending else "") + spell(each) for each, descending in order)
            pairs = [("orderBy", text), ("property", spell(path) + operator + (value if operator else ""))]
            try:
                queries = [parse("", *pairs, schema=schema) for schema in (SCHEMA, OTHER)]
            except Problem:
                continue
            queries += [parse("q=a+b+true", search=True), parse("q=a+b&field=p,word", search=True)]
            with opened([each for each in state.values() if each]) as fresh:
                assert [database.page(query) for query in queries] == [fresh.page(query) for query in queries]


def test_an_instance_of_two_schemas_is_in_both_lists():
    """repo:M12, S4."""
    with opened([make_instance("i1", {}, 1, (SCHEMA, OTHER)), make_instance("i2", {}, 1, (OTHER,))]) as database:
        assert ids(database.page(parse(""))) == ["i1"]
        assert ids(database.page(parse("", schema=OTHER))) == ["i1", "i2"]


def test_more_paths_than_there_is_room_for_take_turns():
    with opened([make_instance(f"i{number}", {"p": number, "list": [number]}) for number in range(5)]) as database:
        for number in range(200):
            page = database.page(parse(f"orderBy=-p,none{number}&property=other{number}.x!=1"))
            assert ids(page) == []
        assert ids(database.page(parse("orderBy=-p&limit=2&property=list>1"))) == ["i4", "i3"]
        for number in range(40):
            page = database.page(parse(f"q=x&field=f{number}", search=True))
            assert ids(page) == []


def test_the_largest_search_is_answered():
    """64 terms in 16 fields."""
    with opened([make_instance("i1", {f"f{number}": f"w{number}" for number in range(16)})]) as database:
        terms, fields = "+".join(f"w{number}" for number in range(64)), ",".join(f"f{number}" for number in range(16))
        page = database.page(parse(f"q={terms}&field={fields}", search=True))
        assert [item.score for item in page.items] == [0.25]
        assert ids(database.page(parse(f"q={terms}&field={fields}&qop=and", search=True))) == []


def test_a_query_that_takes_too_long_is_refused_and_the_index_goes_on(monkeypatch):
    """repo:F9: whatever the pattern, nobody else waits for long."""
    monkeypatch.setattr("gateway.store.listing.patience.PATIENCE_S", -1.0)
    with opened([make_instance(f"i{number}", {"p": f"text {number}"}) for number in range(3000)]) as database:
        with pytest.raises(Problem, match="simpler") as refused:
            database.page(parse("property=p~^t.*x"))
        assert refused.value.code == "invalid-filter"
        with pytest.raises(Problem, match="simpler"):
            database.page(parse("property=p~t.*9"))
        monkeypatch.setattr("gateway.store.listing.patience.PATIENCE_S", 60.0)
        assert database.page(parse("property=p~t.*9")).total == 300
        assert database.page(parse("property=p~^t.*9$")).total == 300
