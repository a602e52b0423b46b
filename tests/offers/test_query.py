"""Parameters of lists and searches, as they come over the wire (spec repository §11, §12)."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Problem
from gateway.offers.query import (
    Condition,
    ListQuery,
    Order,
    parse_container_query,
    parse_list_query,
    parse_search_query,
    write_next,
)
from gateway.offers.registry import Registry
from gateway.offers.search import Search, Term
from tests.store.listing.stage import OTHER, REGISTRY, SCHEMA, parse, split_query

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "listing" / "refused.toml").read_text())
OFFERS = "https://ns.adobe.com/experience/offer-management/"
ID = Order(("instanceId",), "string")


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["query"])
def test_what_cannot_be_used_is_refused(case):
    """repo:L1, L9, L12, L13, L14, F1, F5, F9, F12, S3, U16, X11; qop and field of §12."""
    pairs = split_query(f"{case.get('schema', f'schema={SCHEMA}')}&{case['query']}")
    with pytest.raises(Problem) as refused:
        parse_search_query(pairs, REGISTRY)
    assert (refused.value.status, refused.value.code) == (400, case["slug"])
    assert len(refused.value.message) < 400


def test_a_bare_query_lists_everything_by_instance_id():
    """repo:L6, L14."""
    assert parse("") == ListQuery(name="thing", schema_ns=f"{SCHEMA};version=0.1", order=(ID,), limit=50)


@pytest.mark.parametrize("text", [SCHEMA, f'"{SCHEMA}"', f"{SCHEMA};version=0.4", f'"{SCHEMA};version=9.9"'])
def test_any_version_and_quotes_name_the_same_schema(text):
    """repo:L1, S2, U17: a semicolon is an ordinary character."""
    assert parse_list_query([("schema", text)], REGISTRY).name == "thing"


def test_unknown_parameters_are_ignored_even_twice():
    """repo:U16, X9; a list knows nothing of `q`."""
    assert parse("colour=red&colour=blue&q=a&q=b&qop=none") == parse("")


def test_limits_are_hints_up_to_a_thousand():
    """repo:L14."""
    assert [parse(f"limit={text}").limit for text in ("1", "007", "1000", "1001", "9" * 5000)] == [
        1,
        7,
        1000,
        1000,
        1000,
    ]


def test_sort_properties_have_signs_and_kinds():
    """repo:L4, L5, L7: an envelope property from the root, anything else inside `_instance`."""
    text = "orderBy=+when,-count,repo:etag,%2B_instance.word,-_links.next.href,a%5C.b%5C,c"
    assert parse(text).order == (
        Order(("_instance", "when"), "date-time"),
        Order(("_instance", "count"), "number", True),
        Order(("repo:etag",), "number"),
        Order(("_instance", "word"), "string"),
        Order(("_links", "next", "href"), "", True),
        Order(("_instance", "a.b,c")),
    )


def test_the_abstract_offer_knows_the_dates_of_its_heirs():
    """repo:L8, S4."""
    pairs = [("schema", f"{OFFERS}offer"), ("orderBy", "xdm:selectionConstraint.xdm:startDate,xdm:status")]
    assert [each.kind for each in parse_list_query(pairs, Registry()).order] == ["date-time", "string"]


def test_filters_and_ids_become_conditions():
    """repo:F2, F4, F11, F12."""
    query = parse("property=word~a.*&property=when&property=when~2020.*&property=none.x<5&id=x&id=y")
    assert query.conditions == (
        Condition(("_instance", "word"), "string", "~", ("a.*",)),
        Condition(("_instance", "when"), "date-time"),
        Condition(("_instance", "when"), "", "~", ("2020.*",)),
        Condition(("_instance", "none", "x"), "", "<", ("5",)),
        Condition(("_instance", "@id"), "uri", "==", ("x", "y")),
    )
    assert parse("name=a*").conditions == (Condition(("_instance", "xdm:name"), "string", "name", ("a*",)),)
    assert parse("name=a").conditions == (Condition(("_instance", "xdm:name"), "string", "==", ("a",)),)


def refusal(*pairs, parser=parse_search_query):
    with pytest.raises(Problem) as refused:
        parser([("schema", SCHEMA), *pairs], REGISTRY)
    assert refused.value.status == 400
    return refused.value.code


def test_counts_are_limited():
    """repo:F9, F10, F11: 20 filters, 200 ids, 256 characters of pattern; our own: 64 terms, 16 fields."""
    assert len(parse("", *[("property", "a")] * 20).conditions) == 20
    assert refusal(*[("property", "a")] * 21) == "invalid-filter"
    assert len(parse("", *[("id", "a")] * 200).conditions[0].values) == 200
    assert refusal(*[("id", "a")] * 201) == "invalid-parameter"
    assert parse("", ("property", f"a~{'b' * 256}")).conditions
    assert refusal(("property", f"a~{'b' * 257}")) == "invalid-filter"
    assert refusal(("property", f"{'.'.join('a' * 65)}==b")) == "invalid-filter"
    assert refusal(("name", "a" * 257)) == "invalid-parameter"
    assert refusal(("q", " ".join("a" * 65))) == "invalid-parameter"
    assert refusal(("q", "a"), ("field", ",".join(f"f{number}" for number in range(17)))) == "invalid-parameter"


@pytest.mark.parametrize(
    "pattern", ["(((a{1,9}){1,9}){1,9}){1,9}", "(?P<x>a)(?P=x)", "\ud800", "[[:alpha:]]", "a**", "(?"]
)
def test_patterns_outside_the_common_dialect_are_refused(pattern):
    """repo:F9."""
    assert refusal(("property", f"a~{pattern}")) == "invalid-filter"


def test_a_search_has_terms_fields_and_an_operator():
    """repo:§12; `field` may be repeated and comma-separated."""
    query = parse("q=a+b&field=when,map.x&field=word&field=word&qop=AND", search=True)
    fields = (("_instance", "when"), ("_instance", "map", "x"), ("_instance", "word"))
    assert query.search == Search((Term(("a",)), Term(("b",))), fields, every=True)
    assert parse("q=a", search=True).search == Search((Term(("a",)),))
    assert parse("q=", search=True).search == Search(())
    assert parse("qop=or", search=True).search is None


def test_containers_are_ordered_by_creation_and_filtered_by_product():
    """repo:C3, C5, C6, X2; `orderBy` and `schema` mean nothing there."""
    pairs = split_query("product=acp&product=dma_offers&start=2024-05-01T00:00:00Z&limit=5&orderBy=a,a&schema=none")
    query = parse_container_query([*pairs, ("property", "repo:name==x")], REGISTRY)
    assert query.order == (Order(("repo:createdDate",), "date-time"),)
    assert (query.name, query.limit, len(query.start)) == ("container", 5, 1)
    assert query.conditions == (
        Condition(("productContexts",), "string", "==", ("acp", "dma_offers")),
        Condition(("_instance", "repo:name"), "string", "==", ("x",)),
    )
    assert parse_container_query([], REGISTRY).conditions == ()


def test_the_next_start_is_made_of_an_items_own_values():
    """repo:L12, L13, X5."""
    query = parse("orderBy=word,-count,when,none,instanceId")
    content = {"word": "1,5", "count": 7, "when": "2024-05-01T02:00:00+02:00"}
    text = write_next(query, {"instanceId": "i\\1", "_instance": content})
    assert text == "1\\,5,7,2024-05-01T02:00:00+02:00,\\-,i\\\\1"
    assert parse("orderBy=word,-count,when,none,instanceId", ("start", text)).start[4] == b"\x04i\\1"
    assert (
        parse("orderBy=word,-count,when", ("start", "1\\,5,7.0,1714521600000")).start
        == parse("orderBy=word,-count,when,none,instanceId", ("start", text)).start[:3]
    )


NAMES = st.sampled_from(["schema", "orderBy", "start", "limit", "property", "id", "name", "q", "field", "qop", "x"])
TEXT = st.one_of(st.text(max_size=20), st.text('\\.,=!<>~"+-* ab1', max_size=12))


@given(st.lists(st.tuples(NAMES, TEXT), max_size=6), st.sampled_from([SCHEMA, OTHER]))
def test_whatever_is_sent_is_a_query_or_a_400(pairs, schema):
    named = pairs if any(name == "schema" for name, _ in pairs) else [("schema", schema), *pairs]
    status = 400
    try:
        query = parse_search_query(named, REGISTRY)
        assert query.schema_ns == f"{schema};version=0.1"
    except Problem as refused:
        status = refused.status
    assert status == 400
