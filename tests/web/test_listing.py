"""Lists, searches, pages and links over HTTP (spec repository §11, §12, §15)."""

import asyncio
from urllib.parse import quote

import pytest

from tests.stage import run_stage
from tests.web.callers import NAMESPACE, RESULTS, ROOT, Caller, make_activity, schema_id


async def make_tags(editor: Caller, *names: str) -> list[str]:
    return [(await editor.make("tag", {"xdm:name": name}))["instanceId"] for name in names]


async def test_a_page_tells_what_it_is(editor: Caller):
    """repo:U6, repo:L1, repo:L2, repo:M6, repo:E7, repo:E10."""
    made = await make_tags(editor, "a", "b", "c")
    answer = await editor.list("tag", "&limit=2&unknown=x")
    page = answer.body
    assert answer.headers["Content-Type"] == RESULTS
    assert answer.headers["Content-Base"].endswith("xcore/")
    assert page["containerId"] == editor.container
    assert page["schemaNs"] == f"{NAMESPACE}/tag;version=0.1"
    assert page["requestTime"].endswith("Z")
    assert (page["_embedded"]["count"], page["_embedded"]["total"]) == (2, 3)
    assert [one["instanceId"] for one in page["_embedded"]["results"]] == made[:2]
    assert page["_embedded"]["results"][0] == (await editor.read(made[0])).body
    own = f"{editor.locate()}?schema={NAMESPACE}/tag&limit=2&unknown=x"
    assert page["_links"]["self"]["href"] == own
    assert page["_links"]["next"]["href"] == f"{own}&start={made[1]}"
    following = (await editor.ask("GET", page["_links"]["next"]["href"])).body
    assert [one["instanceId"] for one in following["_embedded"]["results"]] == made[2:]
    assert "next" not in following["_links"]


async def test_a_long_page_arrives_whole(editor: Caller):
    """repo:L2, L16: it is sent in pieces; HEAD says how long it is."""
    made = [(await editor.make("tag", {"xdm:name": f"{n}", "note": "x" * 9_000}))["instanceId"] for n in range(70)]
    for query in ("&limit=70", "&limit=1&orderBy=_instance.note"):
        answer = await editor.list("tag", query)
        page = answer.body["_embedded"]
        assert len(answer.raw) > 600_000
        assert ([one["instanceId"] for one in page["results"]], page["total"], page["count"]) == (made, 70, 70)
        head = await editor.ask("HEAD", f"{editor.locate()}?schema={NAMESPACE}/tag{query}")
        assert (head.headers["Content-Length"], head.raw) == (str(len(answer.raw)), b"")
    assert (await editor.read(made[0])).status == 200


async def test_next_links_lead_through_everything_once(editor: Caller):
    """repo:L10, repo:L12, repo:L18, repo:X5: odd values come back exactly."""
    names = ["plain", "a,b", "a\\b", "12", "true", "&=#%+ ?", "ünï", "2024-05-06T10:00:00Z", '"quoted"', "\\-", "\\s"]
    await make_tags(editor, *names)
    for order in ("xdm:name", "-xdm:name", "xdm:name,instanceId", "-repo:createdDate,xdm:name"):
        seen: list[str] = []
        path = f"{editor.locate()}?schema={schema_id('tag')}&limit=1&orderBy={quote(order)}"
        while path:
            page = (await editor.ask("GET", path)).body
            assert page["_embedded"]["total"] == len(names) - len(seen)
            seen += [one["_instance"]["xdm:name"] for one in page["_embedded"]["results"]]
            path = page["_links"].get("next", {}).get("href", "")
        assert sorted(seen) == sorted(names), order


async def test_sorting_and_filtering_from_the_query_string(editor: Caller):
    """repo:L4, repo:L5, repo:F1, repo:F2, repo:F11, repo:U17."""
    made = await make_tags(editor, "b", "a", "c")
    assert await names_of(editor, "&orderBy=%2Bxdm:name") == ["a", "b", "c"]
    assert await names_of(editor, "&orderby=+xdm:name") == ["a", "b", "c"]
    assert await names_of(editor, "&orderBy=-xdm:name") == ["c", "b", "a"]
    assert await names_of(editor, "&property=_instance.xdm:name>a&property=xdm:name!=c") == ["b"]
    assert await names_of(editor, "&property=xdm:name~%5BAB%5D") == ["b", "a"]
    at_id = (await editor.read(made[0])).body["_instance"]["@id"]
    assert await names_of(editor, f"&id={quote(at_id)}&id=xcore:tag:unknown") == ["b"]


async def names_of(editor: Caller, query: str) -> list[str]:
    answer = await editor.list("tag", query)
    assert answer.status == 200, answer.raw
    return [one["_instance"]["xdm:name"] for one in answer.body["_embedded"]["results"]]


WRONG = {
    "no schema": ("", "invalid-parameter"),
    "an unknown schema": (f"?schema={NAMESPACE}/unheard-of", "unknown-schema"),
    "a limit of nothing": (f"?schema={NAMESPACE}/tag&limit=0", "invalid-parameter"),
    "a limit in words": (f"?schema={NAMESPACE}/tag&limit=ten", "invalid-parameter"),
    "an order of nothing": (f"?schema={NAMESPACE}/tag&orderBy=", "invalid-parameter"),
    "an order twice": (f"?schema={NAMESPACE}/tag&orderBy=a,-a", "invalid-parameter"),
    "a single equals sign": (f"?schema={NAMESPACE}/tag&property=a=b", "invalid-filter"),
    "no path": (f"?schema={NAMESPACE}/tag&property===b", "invalid-filter"),
    "a look-ahead": (f"?schema={NAMESPACE}/tag&property=a~(?=b)", "invalid-filter"),
    "many filters": (f"?schema={NAMESPACE}/tag" + "&property=a" * 21, "invalid-filter"),
}


@pytest.mark.parametrize(("query", "code"), WRONG.values(), ids=WRONG)
async def test_a_wrong_query_is_refused(editor: Caller, query: str, code: str):
    """repo:L1, repo:L9, repo:L14, repo:F1, repo:F9, repo:F10, repo:S3, repo:X13."""
    answer = await editor.ask("GET", editor.locate() + query)
    assert (answer.status, answer.body["type"]) == (400, f"/problems/{code}")
    assert answer.body["errors"][0]["code"] == code


async def test_a_search_answers_pages_with_scores(editor: Caller):
    """repo:U11, repo:T3, repo:T8: and without `q` it is a list."""
    await make_tags(editor, "Gold Card upgrade", "Card-Gold bundle", "golden hour")
    page = (await editor.search("tag", "&q=gold+upgrade")).body
    assert [(one["_instance"]["xdm:name"], one["_score"]) for one in page["_embedded"]["results"]] == [
        ("Gold Card upgrade", 1.0),
        ("Card-Gold bundle", 0.5),
    ]
    assert page["_links"]["self"]["href"].startswith(f"/{editor.container}/queries/core/search?")
    assert page["schemaNs"].endswith("/tag;version=0.1")
    plain = (await editor.search("tag", "")).body
    assert plain["_embedded"]["total"] == 3
    assert "_score" not in plain["_embedded"]["results"][0]
    assert (await editor.search("tag", "&q=%22gold%20card%22")).body["_embedded"]["total"] == 1
    assert (await editor.search("tag", "&q=gold&qop=xor")).status == 400


async def test_search_pages_are_linked_too(editor: Caller):
    """repo:U11, repo:L2."""
    await make_tags(editor, "gold a", "gold b", "silver")
    page = (await editor.search("tag", "&q=gold&limit=1&orderBy=-xdm:name")).body
    following = (await editor.ask("GET", page["_links"]["next"]["href"])).body
    assert [one["_instance"]["xdm:name"] for one in following["_embedded"]["results"]] == ["gold a"]


async def test_an_abstract_schema_lists_its_heirs(editor: Caller):
    """repo:S4."""
    made = await make_activity(editor)
    listed = (await editor.list("offer")).body["_embedded"]["results"]
    assert {one["instanceId"] for one in listed} == {
        made["personalized-offer"]["instanceId"],
        made["fallback-offer"]["instanceId"],
    }


async def test_pages_are_read_only(editor: Caller):
    """repo:L3."""
    for method in ("PUT", "PATCH", "DELETE"):
        assert (await editor.ask(method, f"{editor.locate()}?schema={schema_id('tag')}")).status == 405


async def test_every_gateway_shows_what_any_of_them_acknowledged(clean_url: str):
    """repo:Z1, repo:Z2, repo:Z3, repo:K1: two gateways of one Redis, written and listed in turns."""
    async with run_stage(clean_url) as one, run_stage(clean_url) as two:
        first = Caller(one)
        container = await first.make_container()
        second = Caller(two, container)
        for number in range(10):
            made = await first.make("tag", {"xdm:name": f"n{number}"})
            assert (await second.list("tag")).body["_embedded"]["total"] == number + 1
            assert (await second.search("tag", f"&q=n{number}")).body["_embedded"]["total"] == 1
            assert (await second.patch(made["instanceId"])).status == 200
            assert (await first.list("tag", "&property=repo:etag==2")).body["_embedded"]["total"] == number + 1
        answers = await asyncio.gather(
            *(who.patch(made["instanceId"], If_Match='"2"') for who in (first, second) for _ in range(10))
        )
        assert sorted(answer.status for answer in answers) == [200] + [409] * 19


async def test_a_query_that_is_no_utf8_is_refused(editor: Caller):
    """repo:U17."""
    answer = await editor.list("tag", "&q=%FF")
    assert (answer.status, answer.body["type"]) == (400, "/problems/invalid-parameter")


async def test_a_list_is_acceptable_as_json_but_not_as_an_instance(editor: Caller):
    """repo:M6, repo:M14."""
    assert (await editor.list("tag", Accept="application/json")).headers["Content-Type"] == "application/json"
    assert (await editor.list("tag", Accept="text/html")).status == 406
    assert ROOT.endswith("xcore")
