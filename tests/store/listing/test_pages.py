"""Pages, filters and searches that the specification spells out (repo:L10-L17, F1-F12, T1-T9)."""

import json
import tomllib
from pathlib import Path

import pytest

from gateway.errors import Problem
from tests.store.listing.stage import ids, make_instance, opened, parse

CASES = Path(__file__).parents[2] / "cases" / "listing"


def read(name):
    return tomllib.loads((CASES / f"{name}.toml").read_text())


PAGES, FILTERS, SEARCHES = read("pages"), read("filters"), read("search")


@pytest.fixture(scope="module")
def numbered():
    with opened(make_instance(name, {"P": value}) for name, value in PAGES["values"].items()) as database:
        yield database


@pytest.mark.parametrize("case", PAGES["page"], ids=lambda case: case["query"])
def test_a_page_never_splits_equal_sort_values(numbered, case):
    """repo:L4, L5, L6, L10, L11, L12, L15, L16, L17 and the worked example; the total counts from the page on (L2)."""
    page = numbered.page(parse(f"limit=2&{case['query']}"))
    assert ids(page) == list(case["items"])
    assert (page.total, page.count, page.next_start) == (case["total"], len(case["items"]), case.get("next"))


def test_pages_are_given_in_any_order_and_again(numbered):
    """repo:L2, L3: nothing is remembered of an earlier page."""
    asked = ["start=d&limit=2", "limit=2", "start=b&limit=2", "start=b&limit=2", "start=d&limit=9", "start=g"]
    pages = [numbered.page(parse(text)) for text in asked]
    assert ["".join(ids(page)) for page in pages] == ["ef", "ab", "cd", "cd", "efg", ""]
    assert [page.total for page in pages] == [3, 7, 5, 5, 3, 0]


@pytest.fixture(scope="module")
def filtered():
    contents = enumerate(FILTERS["instances"].items(), 1)
    with opened(make_instance(name, json.loads(text), day) for day, (name, text) in contents) as database:
        yield database


@pytest.mark.parametrize("case", FILTERS["filter"], ids=lambda case: case["query"])
def test_a_filter_keeps(filtered, case):
    """repo:F1, F2, F3, F4, F5, F6, F7, F8, F11, F12, X11, L7."""
    page = filtered.page(parse(case["query"]))
    assert ids(page) == case["keeps"].split()
    assert page.total == page.count


@pytest.fixture(scope="module")
def searched():
    with opened(make_instance(name, json.loads(text)) for name, text in SEARCHES["instances"].items()) as database:
        yield database


@pytest.mark.parametrize("case", SEARCHES["search"], ids=lambda case: case["q"])
def test_a_search_finds(searched, case):
    """repo:T1, T2, T3, T4, T5, T6, T7, T8, T9, X10 and the worked example."""
    further = [("q", case["q"]), *(("field", field) for field in case.get("field", []))]
    further += [("qop", case["qop"])] if "qop" in case else []
    page = searched.page(parse("", *further, search=True))
    assert ids(page) == case["matches"].split()
    if "scores" in case:
        assert [item.score for item in page.items][: len(case["scores"])] == case["scores"]


def test_a_search_without_q_is_a_plain_list(searched):
    """repo:§12."""
    page = searched.page(parse("qop=and&field=map", search=True))
    assert ids(page) == list(SEARCHES["instances"])
    assert {item.score for item in page.items} == {None}


def test_a_search_takes_everything_a_list_does(searched):
    """repo:U11."""
    query = "q=gold+card+scarlet&property=xdm:name~.*g.*&orderBy=-instanceId&limit=1"
    first = searched.page(parse(query, search=True))
    assert (ids(first), first.total, first.next_start) == (["t2"], 2, "t2")
    assert ids(searched.page(parse(f"{query}&start=t2", search=True))) == ["t1"]


def test_a_page_ends_early_where_its_items_are_long(monkeypatch: pytest.MonkeyPatch):
    """repo:L14, L15: the limit is a hint; what is left out begins the next page, and no group is split."""
    with opened(make_instance(f"i{number}", {"P": number // 2, "t": "x" * 1000}) for number in range(12)) as database:
        monkeypatch.setattr("gateway.store.listing.database.PAGE_BYTES", 6_000)
        assert ids(database.page(parse("limit=50"))) == ["i0", "i1", "i10", "i11"]
        first = database.page(parse("limit=50&orderBy=P"))
        assert ids(first) == ["i0", "i1", "i2", "i3"]
        assert (first.total, first.next_start) == (12, "1")
        assert ids(database.page(parse("limit=50&orderBy=P&start=1")))[0] == "i4"


def test_a_group_is_given_whole_up_to_a_bound(monkeypatch: pytest.MonkeyPatch):
    """repo:L16, L17: beyond it the caller is told what to add."""
    with opened(make_instance(f"i{number}", {"P": 1, "t": "x" * 1000}) for number in range(9)) as database:
        monkeypatch.setattr("gateway.store.listing.database.PAGE_BYTES", 3_000)
        assert database.page(parse("limit=2&orderBy=P")).count == 9
        monkeypatch.setattr("gateway.store.listing.database.GROUP_BYTES", 6_000)
        with pytest.raises(Problem, match=r"9 instances have equal sort values.*instanceId") as caught:
            database.page(parse("limit=2&orderBy=P"))
        assert (caught.value.status, caught.value.code) == (400, "invalid-parameter")
        assert database.page(parse("limit=2&orderBy=P,instanceId")).count == 2
