"""The envelope of bodies (repository §7, §9.1) and custom links."""

import json
from typing import Any

import msgspec
import pytest

from gateway.errors import Problem
from gateway.offers.receipts import show
from gateway.offers.repository import Author, create, envelop, replace, settle
from tests.offers.stage import (
    AUTHOR,
    CONTAINER,
    CONTEXTS,
    DIGITS,
    EDITOR,
    INSTANCE,
    REGISTRY,
    body,
    draft,
    faults_of,
    inside,
    make,
    name_faults,
    put,
    stored,
    target,
)

TAG = {"xdm:name": "gold"}
SET_BY_THE_SERVER = {
    "instanceId": INSTANCE,
    "schemas": [],
    "productContexts": list(CONTEXTS),
    "repo:etag": 1,
    "repo:createdDate": "2024-05-02T08:15:30.120Z",
    "repo:lastModifiedDate": "2024-05-02T08:15:30.120Z",
    "repo:createdBy": "acct-71",
    "repo:lastModifiedBy": "acct-71",
    "repo:createdByClientId": "client-shop",
    "repo:lastModifiedByClientId": "client-shop",
    "sandboxName": "prod",
    "_score": 1,
}


def faults(sent: Any) -> list[str]:
    return name_faults(faults_of(create(REGISTRY, draft("tag"), sent)))


def test_a_new_instance_has_all_control_data() -> None:
    """repo:K1, E1, E5, H11, S2, C4; §6.1: both dates are equal after create, the revision is 1."""
    envelope = msgspec.json.decode(make("tag", TAG).document)
    assert envelope == {
        **{name: SET_BY_THE_SERVER[name] for name in SET_BY_THE_SERVER if name not in ("sandboxName", "_score")},
        "schemas": ["https://ns.adobe.com/experience/offer-management/tag;version=0.1"],
        "_instance": {"xdm:name": "gold", "@id": f"xcore:tag:{DIGITS}"},
        "_links": {},
    }


@pytest.mark.parametrize("sent", [None, [], "x", 7, True])
def test_a_body_that_is_no_object_is_malformed(sent: object) -> None:
    """repo:K2."""
    for propose in (
        lambda: create(REGISTRY, draft("tag"), sent),
        lambda: replace(REGISTRY, target(make("tag", TAG)), sent),
    ):
        with pytest.raises(Problem) as caught:
            propose()
        assert (caught.value.status, caught.value.code) == (400, "malformed-json")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, ["required /_instance", "required /_links"]),
        ({"_instance": TAG}, ["required /_links"]),
        ({"_links": {}}, ["required /_instance"]),
        ({"_instance": None, "_links": {}}, ["type /_instance"]),
        ({"_instance": TAG, "_links": []}, ["type /_links"]),
    ],
)
def test_instance_and_links_are_required_objects(sent: Any, expected: list[str]) -> None:
    """repo:K3: 422 schema-validation."""
    assert faults(sent) == expected
    for proposal in (create(REGISTRY, draft("tag"), sent), replace(REGISTRY, target(make("tag", TAG)), sent)):
        with pytest.raises(Problem) as caught:
            settle(REGISTRY, proposal)
        assert (caught.value.status, caught.value.code) == (422, "schema-validation")


@pytest.mark.parametrize("name", SET_BY_THE_SERVER)
def test_a_create_must_not_bring_server_managed_members(name: str) -> None:
    """repo:K4, W1, C10: nothing is set yet, so any value differs."""
    assert faults(body(TAG, **{name: SET_BY_THE_SERVER[name]})) == [f"not-editable /{name}"]


def test_unknown_members_are_refused() -> None:
    """repo:K5."""
    assert faults(body(TAG, name="x", _embedded={})) == ["additional-property /_embedded", "additional-property /name"]


def test_a_put_may_send_back_exactly_what_was_read() -> None:
    """repo:P2, W4, E12: equal values are tolerated, `_score` and `sandboxName` ignored."""
    change = make("tag", TAG)
    shown = {**json.loads(show(change.document, CONTAINER)), "_score": 0.5, "sandboxName": "prod", "repo:etag": 1.0}
    assert inside(settle(REGISTRY, replace(REGISTRY, target(change), shown))) == inside(change)


@pytest.mark.parametrize("name", [name for name in SET_BY_THE_SERVER if name not in ("sandboxName", "_score")])
def test_a_put_must_not_change_server_managed_members(name: str) -> None:
    """repo:P2, W1."""
    assert name_faults(faults_of(put(make("tag", TAG), TAG, **{name: "other"}))) == [f"not-editable /{name}"]


def test_a_put_writes_the_next_revision_and_who_wrote_it() -> None:
    """repo:H11; §6.1: +1 on every successful PUT, also when nothing changed."""
    before = make("tag", TAG)
    change = settle(REGISTRY, put(before, TAG))
    old, new = msgspec.json.decode(before.document), msgspec.json.decode(change.document)
    assert (change.expected, change.revision) == (1, 2)
    assert {name for name in old if old[name] != new[name]} == {
        "repo:etag",
        "repo:lastModifiedDate",
        "repo:lastModifiedBy",
        "repo:lastModifiedByClientId",
    }
    assert (new["repo:lastModifiedBy"], new["repo:createdBy"]) == (EDITOR.account, AUTHOR.account)
    assert new["repo:lastModifiedDate"] == "2024-05-06T10:00:00.000Z"


def test_a_put_replaces_properties_and_custom_links() -> None:
    """repo:P3: what is absent is removed, but the @id stays."""
    before = settle(REGISTRY, create(REGISTRY, draft("tag"), body({**TAG, "hint": 1}, {"docs": {"href": "/d"}})))
    change = settle(REGISTRY, put(before, {"xdm:name": "new"}))
    assert inside(change) == {"xdm:name": "new", "@id": f"xcore:tag:{DIGITS}"}
    assert msgspec.json.decode(change.document)["_links"] == {}


def test_a_put_gives_absent_defaults_back() -> None:
    """repo:P4: a PUT without a status makes a draft; transition rules apply."""
    approved = make("personalized-offer", {"xdm:name": "n", "xdm:status": "approved", "xdm:rank": {"xdm:priority": 4}})
    assert inside(settle(REGISTRY, put(approved, {"xdm:name": "n"}))) == {
        "xdm:name": "n",
        "@id": f"xcore:personalized-offer:{DIGITS}",
        "xdm:status": "draft",
        "xdm:rank": {"xdm:priority": 0},
    }


def test_a_put_that_names_another_schema_is_refused() -> None:
    """repo:P5, S2: any version of a schema the instance has will do, the abstract one too."""
    offer = make("personalized-offer", {"xdm:name": "n"})
    for name in ("personalized-offer", "offer"):
        assert replace(REGISTRY, target(offer, types=(REGISTRY.named(name),)), body({"xdm:name": "n"}))
    with pytest.raises(Problem) as caught:
        replace(REGISTRY, target(offer, types=(REGISTRY.named("tag"),)), body({"xdm:name": "n"}))
    assert (caught.value.status, caught.value.code) == (422, "schema-mismatch")


def test_an_instance_that_is_being_deleted_is_not_written() -> None:
    """repo:D5."""
    change = make("tag", TAG)
    on = msgspec.structs.replace(target(change), current=stored(change, operation="op-1"))
    with pytest.raises(Problem) as caught:
        replace(REGISTRY, on, body(TAG))
    assert (caught.value.status, caught.value.code) == (409, "delete-pending")


def test_an_instance_whose_schema_is_no_longer_loaded_is_not_written() -> None:
    change = make("tag", TAG)
    document = change.document.replace(b"offer-management/tag;", b"offer-management/gone;")
    on = msgspec.structs.replace(target(change), current=msgspec.structs.replace(stored(change), document=document))
    with pytest.raises(Problem) as caught:
        replace(REGISTRY, on, body(TAG))
    assert caught.value.status == 503


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ({"docs": {"href": "/d", "title": "kept", "n": None}, "more": [{"href": "a"}, {"href": ""}], "none": []}, []),
        ({"docs": {}}, ["required /_links/docs/href"]),
        ({"docs": {"href": None}}, ["type /_links/docs/href"]),
        ({"docs": "x"}, ["type /_links/docs"]),
        ({"docs": [{"href": "a"}, 7, {}]}, ["required /_links/docs/2/href", "type /_links/docs/1"]),
    ],
)
def test_custom_links_need_an_href(links: Any, expected: list[str]) -> None:
    """repo:E11."""
    assert faults(body(TAG, links)) == expected
    if not expected:
        change = settle(REGISTRY, create(REGISTRY, draft("tag"), body(TAG, links)))
        assert msgspec.json.decode(change.document)["_links"] == links


@pytest.mark.parametrize(
    "links", [{f"r{number}": {"href": "/"} for number in range(201)}, {"docs": [{"href": "/"}] * 201}]
)
def test_links_are_bounded(links: Any) -> None:
    with pytest.raises(Problem) as caught:
        create(REGISTRY, draft("tag"), body(TAG, links))
    assert (caught.value.status, caught.value.code) == (413, "too-large")


def test_unknown_members_are_listed_up_to_a_bound() -> None:
    """repo:K5."""
    assert 100 < len(faults(body(TAG, **{f"m{number}": 1 for number in range(5_000)}))) < 1_000


def test_self_is_ignored_on_create_and_must_not_change_on_put() -> None:
    """repo:E12."""
    change = settle(REGISTRY, create(REGISTRY, draft("tag"), body(TAG, {"self": 7})))
    assert msgspec.json.decode(change.document)["_links"] == {}
    on = target(change)
    assert name_faults(faults_of(replace(REGISTRY, on, body(TAG, {"self": {"href": "/x"}})))) == [
        "not-editable /_links/self"
    ]
    own = {"self": json.loads(show(change.document, CONTAINER))["_links"]["self"]}
    assert faults_of(replace(REGISTRY, on, body(TAG, own))) == []


def test_a_bare_instance_gets_an_envelope() -> None:
    """repo:M8: on PUT existing custom links are kept."""
    assert envelop(TAG) == {"_instance": TAG, "_links": {}}
    change = settle(REGISTRY, create(REGISTRY, draft("tag"), body(TAG, {"docs": {"href": "/d"}})))
    again = settle(REGISTRY, replace(REGISTRY, target(change), envelop({"xdm:name": "x"}, stored(change))))
    assert msgspec.json.decode(again.document)["_links"] == {"docs": {"href": "/d"}}


def test_an_instance_deeper_than_the_limit_is_refused() -> None:
    deep: object = 1
    for _ in range(70):
        deep = [deep]
    with pytest.raises(Problem) as caught:
        create(REGISTRY, draft("tag"), body({**TAG, "deep": deep}))
    assert caught.value.status == 413


def test_a_zero_character_is_kept() -> None:
    assert inside(make("tag", {"xdm:name": "a\0b", "\0": "\0"}))["\0"] == "\0"


def test_the_author_is_who_was_given() -> None:
    """repo:H11."""
    somebody = msgspec.structs.replace(draft("tag"), author=Author("a", "c", 0))
    envelope = msgspec.json.decode(settle(REGISTRY, create(REGISTRY, somebody, body(TAG))).document)
    assert (envelope["repo:createdBy"], envelope["repo:createdByClientId"]) == ("a", "c")
    assert envelope["repo:createdDate"] == "1970-01-01T00:00:00.000Z"
