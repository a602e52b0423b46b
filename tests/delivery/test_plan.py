"""Which items go to Target (spec on-device-decisioning §5, get-offers §15; gw:F1)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery.artifact import Artifact, load_artifact
from gateway.delivery.plan import Policy, find_needs, list_items, split
from tests.delivery.decisions import read_request

HYBRID = Policy()


def make_artifact(**members: Any) -> Artifact:
    names = {
        "remoteMboxes": ["r2", "r1", "both"],
        "localMboxes": ["l1", "l2", "both"],
        "remoteViews": ["vr", "vb"],
        "localViews": ["vl", "vb"],
    }
    return load_artifact({"version": "1.0.0", "rules": {}} | names | members)


ARTIFACT = make_artifact()


def asking(
    execute: list[str] | None = None,
    prefetch: list[str] | None = None,
    views: list[str | None] | None = None,
    page: str = "",
) -> dict[str, Any]:
    """Give a request of mboxes and views by name; `page` is the part that has a page load."""
    body: dict[str, Any] = {}
    if execute is not None:
        body["execute"] = {"mboxes": [{"name": name} for name in execute]}
    if prefetch is not None:
        body["prefetch"] = {"mboxes": [{"name": name} for name in prefetch]}
    if views is not None:
        body.setdefault("prefetch", {})["views"] = [{"name": name} if name else {} for name in views]
    if page:
        body.setdefault(page, {})["pageLoad"] = {}
    return body


NEEDS: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "nothing": ({}, [], []),
    "local ones": (asking(["l1", "l2"]), [], []),
    "remote ones in the artifact's order": (asking(["r1", "r2"]), ["r2", "r1"], []),
    "one that is both is remote": (asking(["both"]), ["both"], []),
    "unknown ones after those of the artifact, prefetched ones first": (
        asking(["x1", "r1", "x2"], ["x3", "l1", "x1"]),
        ["r1", "x3", "x1", "x2"],
        [],
    ),
    "names twice are named once": (asking(["x", "x", "r1", "r1"]), ["r1", "x"], []),
    "a page load is the global mbox, here unknown": (asking(page="execute"), ["target-global-mbox"], []),
    "a page load comes after the mboxes": (asking(["x"], page="prefetch"), ["x", "target-global-mbox"], []),
    "views by name": (asking(views=["vl", "vb", "vr", "x"]), [], ["vr", "vb", "x"]),
    "a nameless view means every remote view": (asking(views=[None]), [], ["vr", "vb"]),
    "an empty list of views too": (asking(views=[]), [], ["vr", "vb"]),
    "only names count where some are named": (asking(views=["vl", None]), [], []),
    "no list of views": (asking(prefetch=["l1"]), [], []),
}


@pytest.mark.parametrize(("body", "mboxes", "views"), NEEDS.values(), ids=NEEDS)
def test_the_names_that_need_target(body: dict[str, Any], mboxes: list[str], views: list[str]) -> None:
    """on-device §5."""
    request, whole = read_request(body)
    needs = find_needs(ARTIFACT, request, list_items(request, whole))
    assert (list(needs.mboxes), list(needs.views)) == (mboxes, views)
    assert bool(needs) is bool(mboxes or views)


@pytest.mark.parametrize("part", ["execute", "prefetch"])
@pytest.mark.parametrize(
    ("members", "remote"),
    [
        ({"globalMbox": "everywhere", "localMboxes": ["everywhere"]}, []),
        ({"globalMbox": "everywhere", "localMboxes": ["target-global-mbox"]}, ["everywhere"]),
        ({"globalMbox": "everywhere", "localMboxes": ["everywhere"], "remoteMboxes": ["target-global-mbox"]}, []),
        ({"globalMbox": "everywhere", "localMboxes": ["everywhere"], "remoteMboxes": ["everywhere"]}, ["everywhere"]),
    ],
    ids=["local", "unknown", "another's name", "both"],
)
def test_a_page_load_depends_on_the_artifacts_global_mbox(
    part: str, members: dict[str, Any], remote: list[str]
) -> None:
    """on-device §5.1, BUG line: not on the literal `target-global-mbox`."""
    request, whole = read_request(asking(page=part))
    artifact = make_artifact(**members)
    items = list_items(request, whole)
    assert list(find_needs(artifact, request, items).mboxes) == remote
    plan = split(request, items, artifact, HYBRID)
    assert len(plan.remote) == len(remote)
    assert len(plan.local) == 1 - len(remote)


def test_items_come_in_the_order_of_evaluation() -> None:
    """on-device §10: execute before prefetch; mboxes, views, page load."""
    prefetch = {"pageLoad": {}, "views": [{"name": "v"}, {}], "mboxes": [{"name": "b"}]}
    request, whole = read_request(
        {"prefetch": prefetch, "execute": {"pageLoad": {}, "mboxes": [{"name": "a"}, {"name": "a"}]}}
    )
    items = list_items(request, whole)
    order = [("execute", "mboxes", 0), ("execute", "mboxes", 1), ("execute", "pageLoad", 0)]
    order += [
        ("prefetch", "mboxes", 0),
        ("prefetch", "views", 0),
        ("prefetch", "views", 1),
        ("prefetch", "pageLoad", 0),
    ]
    assert [(item.part, item.kind, item.position) for item in items] == order


def names_of(items: Any) -> list[str]:
    return [item.name or item.kind for item in items]


SPLITS: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "each mbox by its name": (asking(["l1", "r1", "x", "both", "l2"]), ["l1", "l2"], ["r1", "x", "both"]),
    "named views by name": (asking(views=["vl", "vr", "vb", "x"]), ["vl"], ["vr", "vb", "x"]),
    "a nameless view goes remote when any remote view exists": (asking(views=[None]), [], ["views"]),
    "a nameless view beside a local one goes remote too": (asking(views=["vl", None]), ["vl"], ["views"]),
    "a nameless view beside a remote one": (asking(views=["vr", None]), [], ["vr", "views"]),
    "one name in both parts": (asking(["r1"], ["r1", "l1"]), ["l1"], ["r1", "r1"]),
}


@pytest.mark.parametrize(("body", "local", "remote"), SPLITS.values(), ids=SPLITS)
def test_each_item_goes_where_it_can_be_decided(body: dict[str, Any], local: list[str], remote: list[str]) -> None:
    """get-offers §15 point 2."""
    request, whole = read_request(body)
    plan = split(request, list_items(request, whole), ARTIFACT, HYBRID)
    assert (names_of(plan.local), names_of(plan.remote)) == (local, remote)
    assert plan.ask_target is bool(remote)


def test_without_remote_views_a_nameless_view_is_local() -> None:
    request, whole = read_request(asking(views=[None]))
    plan = split(request, list_items(request, whole), make_artifact(remoteViews=[]), HYBRID)
    assert names_of(plan.local) == ["views"]
    assert not plan.ask_target


MIXED = asking(["l1", "r1"])
LOCAL = asking(["l1"])
TOLD = {"notifications": [{"id": "n", "type": "display", "timestamp": 1}]}
POLICIES: list[tuple[str, Policy, bool, dict[str, Any], tuple[int, int, bool, bool]]] = [
    ("hybrid", HYBRID, True, MIXED, (1, 1, True, False)),
    ("hybrid, local", HYBRID, True, LOCAL, (1, 0, False, False)),
    ("hybrid without artifact", HYBRID, False, MIXED, (0, 2, True, False)),
    ("all or nothing", Policy(all_or_nothing=True), True, MIXED, (0, 2, True, False)),
    ("all or nothing, local", Policy(all_or_nothing=True), True, LOCAL, (1, 0, False, False)),
    ("on-device", Policy("on-device"), True, MIXED, (2, 0, False, True)),
    ("on-device, local", Policy("on-device"), True, LOCAL, (1, 0, False, False)),
    ("on-device without artifact", Policy("on-device"), False, LOCAL, (1, 0, False, True)),
    ("server-side", Policy("server-side"), True, LOCAL, (0, 1, True, False)),
    ("notifications travel", HYBRID, True, LOCAL | TOLD, (1, 0, True, False)),
    ("notifications travel on-device too", Policy("on-device"), True, LOCAL | TOLD, (1, 0, True, False)),
    ("notifications alone", HYBRID, True, TOLD, (0, 0, True, False)),
    ("no notifications in the list", HYBRID, True, LOCAL | {"notifications": []}, (1, 0, False, False)),
    ("telemetry travels", HYBRID, True, LOCAL | {"telemetry": {"entries": [{}]}}, (1, 0, True, False)),
    ("telemetry without entries", HYBRID, True, LOCAL | {"telemetry": {"entries": []}}, (1, 0, False, False)),
    ("preview is whole", HYBRID, True, LOCAL | {"preview": {"token": "t"}}, (0, 1, True, False)),
    ("qaMode is whole, on-device too", Policy("on-device"), True, LOCAL | {"qaMode": {}}, (0, 1, True, False)),
    ("server-side with nothing", Policy("server-side"), True, {}, (0, 0, False, False)),
]


@pytest.mark.parametrize(
    ("policy", "loaded", "body", "expected"), [row[1:] for row in POLICIES], ids=[row[0] for row in POLICIES]
)
def test_the_policy_decides_who_is_asked(
    policy: Policy, loaded: bool, body: dict[str, Any], expected: tuple[int, int, bool, bool]
) -> None:
    """get-offers §10.1, §15 points 6 and 8."""
    request, whole = read_request(body)
    plan = split(request, list_items(request, whole), ARTIFACT if loaded else None, policy)
    assert (len(plan.local), len(plan.remote), plan.ask_target, plan.undecided) == expected


mbox_names = st.lists(st.sampled_from(["r1", "r2", "both", "l1", "l2", "x"]), max_size=5)
view_names = st.none() | st.lists(st.none() | st.sampled_from(["vr", "vb", "vl", "x"]), max_size=3)


@settings(max_examples=200, deadline=None)
@given(
    mbox_names,
    mbox_names,
    view_names,
    st.sampled_from(["", "execute", "prefetch"]),
    st.sampled_from([HYBRID, Policy(all_or_nothing=True), Policy("on-device"), Policy("server-side")]),
)
def test_every_item_is_decided_exactly_once(execute: Any, prefetch: Any, views: Any, page: str, policy: Policy) -> None:
    """get-offers §15 point 3; each side keeps the order of the request."""
    request, whole = read_request(asking(execute, prefetch, views, page))
    items = list_items(request, whole)
    plan = split(request, items, ARTIFACT, policy)
    assert sorted(items.index(item) for item in [*plan.local, *plan.remote]) == sorted(
        items.index(item) for item in items
    )
    for side in (plan.local, plan.remote):
        places = [(item.part, item.kind, item.position) for item in side]
        assert places == [place for item in items if (place := (item.part, item.kind, item.position)) in places]
    assert plan.ask_target or not plan.remote
