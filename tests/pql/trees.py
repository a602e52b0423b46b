"""Generated syntax trees and generated data for them."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from gateway.pql import nodes
from gateway.pql.operators import AGGREGATES
from gateway.pql.times import UNITS

NAMES = ["a", "b", "x", "tags", "xdm:a", "ns:b", "_id", "offer", "profile", "xEvent", "at", "all", "Count"]
NAMES += ["sum", "min", "over"]
WORDS = st.sampled_from(["a", "b", "x", "tags", "at", "_id", "xdm:a", "from", "like", "all"])
VARIABLES = ["v", "w"]
TEXTS = st.sampled_from(
    ["", "a", "ab", "5", "5.0", "true", "2024-05-15", "2024-02-29T12:00:00Z", 'q"\\\n\t', "ä😀", "%a_"]
)
NUMBERS = st.one_of(st.integers(0, 6), st.sampled_from([2**53, 10**17, 0.5, 5.0, 1e21, 1e-7, 1.7e308]))
SCHEMAS = ["S", "S;version=1", "T", "{braced}"]
NOW = datetime(2024, 2, 29, 10, 30, tzinfo=UTC)

literals = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none()).map(nodes.Literal)
others = st.one_of(
    st.sampled_from([*NAMES, *VARIABLES]).map(nodes.Name),
    st.sampled_from(NAMES[:3]).map(nodes.Name),
    st.sampled_from(["now", "today", "yesterday", "tomorrow"]).map(nodes.Moment),
    st.integers(1, 2).map(nodes.Parameter),
    st.sampled_from(SCHEMAS).map(nodes.Context),
)
leaves = literals | others
outer = st.builds(nodes.Outer, st.just(1), WORDS)
names = st.sampled_from([*NAMES[:3], *VARIABLES]).map(nodes.Name)
paths = st.builds(nodes.Step, names, st.lists(WORDS, min_size=1, max_size=2).map(tuple))
ORDERS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
FUNCTIONS = [
    *[(name, 1) for name in ("equals", "notEqualTo", "contains", "doesNotContain", "startsWith", "doesNotEndWith")],
    *[(name, 1) for name in ("endsWith", "doesNotStartWith", "intersection", "subsetOf", "supersetOf", "groupBy")],
    ("equals", 2),
    *[
        (name, 0)
        for name in ("isNull", "isNotNull", "count", "sum", "average", "min", "max", "head", "keys", "getMonth")
    ],
    *[(name, 0) for name in ("distinct", "values", "getYear", "getDayOfMonth")],
    *[(name, 1) for name in ("count", "sum", "max", "filter", "exists", "map", "includes", "intersects", "get")],
    ("topN", 2),
    ("bottomN", 2),
]
CURRENT = st.sampled_from(["currentYear", "currentMonth", "currentDayOfMonth"])
REGEX = st.sampled_from(["^a", "b$", "[0-9]+", "(?i)A", "a|b", "", "(a)|(b)", "(.)(.)?"]).map(nodes.Literal)


def steps(target: nodes.Node, names: list[str]) -> nodes.Node:
    """Build a path; a step from a step is one path."""
    if isinstance(target, nodes.Step):
        return nodes.Step(target.target, (*target.names, *names))
    return nodes.Step(target, tuple(names))


time = st.one_of(
    others,
    st.sampled_from(["2024-02-29", "2024-02-01T00:00:00Z"]).map(nodes.Literal),
    st.builds(
        nodes.Period, st.sampled_from(["this", "last", "next"]), st.sampled_from([u.name for u in UNITS.values()])
    ),
    paths,
)
count, unit = st.integers(0, 40), st.sampled_from([unit.name for unit in UNITS.values()])
direction = st.sampled_from(["before", "after", "from"])
whens = st.one_of(
    st.builds(nodes.Within, ORDERS, count, unit, direction, time),
    st.builds(nodes.Relative, direction, time),
    st.builds(nodes.Between, time, time),
    st.builds(nodes.On, time),
)


def grow(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Build the nodes that have others inside."""
    few = st.lists(inner, min_size=2, max_size=3).map(tuple)
    clause = st.builds(nodes.Clause, st.sampled_from(VARIABLES), inner, st.none() | inner)
    clauses = st.lists(clause, min_size=1, max_size=2).map(tuple)
    receiver = st.one_of(names, paths, paths, inner)
    of_items = inner | outer
    chains = [
        st.lists(st.tuples(st.sampled_from(signs), inner), min_size=1, max_size=2)
        for signs in (["+", "-"], ["*", "/", "%"])
    ]
    plain = st.sampled_from(FUNCTIONS).flatmap(
        lambda row: st.builds(nodes.Call, receiver, st.just(row[0]), st.tuples(*[inner] * row[1]))
    )
    return st.one_of(
        st.builds(nodes.Listing, st.lists(inner, max_size=3).map(tuple)),
        st.builds(steps, inner, st.lists(WORDS, min_size=1, max_size=2)),
        st.builds(nodes.Filter, receiver, of_items),
        st.builds(nodes.Call, receiver, st.sampled_from(["filter", "exists", "map"]), st.tuples(of_items)),
        st.builds(nodes.Prefix, st.sampled_from(["not", "!", "-"]), inner),
        st.builds(nodes.Logic, st.sampled_from(["and", "or"]), few),
        st.builds(nodes.Arithmetic, inner, st.one_of(*chains).map(tuple)),
        st.builds(nodes.Compare, ORDERS | st.sampled_from(["in", "notIn", "like"]), inner, inner),
        st.builds(nodes.Compare, ORDERS, inner, literals),
        st.builds(nodes.Occurs, names | paths | st.builds(nodes.Filter, paths, of_items), whens),
        st.builds(nodes.Query, st.sampled_from(["select", "exists", "forall", "none", "one"]), clauses),
        st.builds(nodes.Over, st.sampled_from(AGGREGATES), inner, clauses),
        st.builds(nodes.Let, st.sampled_from(VARIABLES), inner, inner),
        st.builds(nodes.Call, receiver, st.just("matches"), st.tuples(REGEX)),
        st.builds(nodes.Call, receiver, st.just("map"), st.tuples(st.builds(nodes.Lambda, st.just(("v",)), inner))),
        st.builds(nodes.Call, st.none(), st.just("if"), st.tuples(inner, inner, inner)),
        st.builds(nodes.Call, st.none(), st.just("date"), st.tuples(*[st.integers(1, 12).map(nodes.Literal)] * 3)),
        st.builds(nodes.Call, st.none(), CURRENT, st.just(())),
        st.builds(nodes.Call, st.none(), st.just("inSegment"), st.tuples(inner)),
        st.builds(nodes.Call, receiver, st.just("regexGroup"), st.tuples(REGEX) | st.tuples(REGEX, inner)),
        plain,
        plain,
    )


trees = st.recursive(leaves, grow, max_leaves=12)
whole = trees | st.builds(nodes.Lambda, st.sampled_from([("v",), ("v", "w")]), trees)

scalars = st.one_of(st.none(), st.booleans(), NUMBERS, NUMBERS.map(lambda n: -n), TEXTS)
KEYS = st.sampled_from(["a", "b", "x", "xdm:a", "ns:b", "other:b", "@id", "tags", "at", "offer", "xdm:profile"])
json = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
objects = st.dictionaries(KEYS, json, max_size=5)
statuses = st.sampled_from(["realized", "existing", "exited", None]).map(lambda status: {"xdm:status": status})
memberships = st.dictionaries(st.sampled_from(["a", "5", "true"]), statuses | scalars)
namespaces = st.dictionaries(KEYS, memberships | scalars, max_size=2)
segments = st.dictionaries(st.sampled_from(["segmentMembership", "xdm:segmentMembership"]), namespaces, max_size=2)
inputs = st.fixed_dictionaries(
    {
        "profile": objects | st.builds(lambda record, held: {**record, **held}, objects, segments),
        "events": st.lists(objects, max_size=3),
        "context": st.lists(
            st.fixed_dictionaries({"@type": st.sampled_from(SCHEMAS), "xdm:data": objects}), max_size=3
        ),
        "offer": st.none() | objects,
        "now": st.just(NOW),
    }
)


def shape(node: Any) -> Any:
    """Give a tree without positions, in which 1, 1.0 and true differ."""
    if isinstance(node, nodes.Node):
        fields = [name for name in node.__struct_fields__ if name != "at"]
        return (type(node).__name__, *[shape(getattr(node, name)) for name in fields])
    if isinstance(node, tuple):
        return tuple(shape(part) for part in node)
    return (type(node).__name__, repr(node))
