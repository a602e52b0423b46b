"""The algorithm from request to propositions, and the response (dec §4, §5)."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from gateway.errors import Problem, Violation
from gateway.offers.catalog import Catalog
from gateway.offers.content import HTML, IMAGE_LINK, TEXT
from gateway.offers.decide import Decision, Surroundings, resolve
from gateway.offers.decision_requests import read_request
from gateway.offers.model import ProfileView
from gateway.offers.response import respond
from tests.offers.containers import (
    NOW,
    activity,
    at_id,
    begin,
    body,
    collection,
    compiled,
    decide,
    fallback,
    finish,
    gone,
    names,
    offer,
    one_activity,
    placement,
    rule,
)

FIVE = [
    offer("X"),
    placement(),
    fallback(),
    collection("F", "X"),
    activity("A", "F"),
    activity("draft", "F", status="draft"),
    activity("archived", "F", status="archived"),
    activity("complete", "F", status="complete"),
    activity("deleting", "F", operation="op-1"),
    activity("lost", "gone"),
]


def answer_of(decision: Decision, proposition_id: str, created_ms: int) -> dict[str, Any]:
    answer: dict[str, Any] = msgspec.json.decode(respond(decision, proposition_id, created_ms))
    return answer


def refusal(catalog: Catalog, request: dict[str, Any], **more: Any) -> Problem:
    with pytest.raises(Problem) as refused:
        resolve(catalog, read_request(request), **more)
    assert refused.value.status == 422
    return refused.value


def test_every_entry_that_cannot_be_asked_for_is_named() -> None:
    """Spec dec §5.1, dec:X6: the first one's code in request order, all of them listed."""
    request = body("draft", "A", "nowhere", "archived", "complete", "deleting", "lost", "A")
    problem = refusal(compiled(*FIVE), request)
    assert problem.code == "activity-not-live"
    place = "/xdm:propositionRequests/{}/xdm:activityId".format
    assert [(each.code, each.pointer) for each in problem.violations] == [
        ("activity-not-live", place(0)),
        ("activity-not-found", place(2)),
        ("activity-not-live", place(3)),
        ("activity-not-live", place(4)),
        ("activity-not-live", place(5)),
        ("activity-not-live", place(6)),
        ("duplicate-request", place(7)),
    ]


def test_the_placement_has_to_be_the_activitys() -> None:
    """Spec dec §3, placementId; dec:Q2: naming the placement does not make a pair another one."""
    catalog = compiled(*FIVE)
    request = body("A")
    request["xdm:propositionRequests"][0]["xdm:placementId"] = at_id("offer-placement", "web")
    assert names(decide(catalog, request)) == [["X"]]
    assert (
        refusal(
            catalog,
            {
                **request,
                "xdm:propositionRequests": [*request["xdm:propositionRequests"], *body("A")["xdm:propositionRequests"]],
            },
        ).code
        == "duplicate-request"
    )
    request["xdm:propositionRequests"][0]["xdm:placementId"] = "elsewhere"
    problem = refusal(catalog, request)
    assert problem.code == "placement-mismatch"
    assert problem.violations[0].pointer == "/xdm:propositionRequests/0/xdm:placementId"


def test_context_data_are_validated_when_asked_for() -> None:
    """Spec dec §3, validateContextData; entries come before context (dec:X6)."""
    context = [{"@type": "known", "xdm:data": {}}, {"@type": "unknown", "xdm:data": {}}]
    request = body("A", **{"xdm:contextData": context, "xdm:validateContextData": True})

    def check(schema: str, _data: object) -> list[Violation] | None:
        return [Violation("required", "/size", "is required")] if schema == "known" else None

    problem = refusal(compiled(*FIVE), request, check_context=check)
    assert problem.code == "context-invalid"
    assert [each.pointer for each in problem.violations] == [
        "/xdm:contextData/0/xdm:data/size",
        "/xdm:contextData/1/@type",
    ]
    assert (
        refusal(compiled(*FIVE), body("draft", **{"xdm:contextData": context, "xdm:validateContextData": True})).code
        == "activity-not-live"
    )


DAY = timedelta(days=1)
DATES = {
    "at its first instant": (NOW, NOW + DAY, ["X"]),
    "at its last instant": (NOW - DAY, NOW, ["X"]),
    "a moment too early": (NOW + timedelta(milliseconds=1), NOW + DAY, []),
    "a moment too late": (NOW - DAY, NOW - timedelta(milliseconds=1), []),
}


@pytest.mark.parametrize("case", DATES.values(), ids=DATES)
def test_both_ends_of_a_calendar_are_in(case: tuple[datetime, datetime, list[str]]) -> None:
    """Spec dec §5.1, §5.5; ent:SC2; also of an activity, which then gives its fallback."""
    starts, ends, options = case
    dated = one_activity(offer("X", starts=starts.isoformat(), ends=ends.isoformat()))
    assert names(decide(dated, body("A"))) == [options]
    running = one_activity(offer("X"), startDate=starts.isoformat(), endDate=ends.isoformat())
    assert names(decide(running, body("A"))) == [options]


def test_a_dry_run_can_decide_for_another_instant() -> None:
    """Spec dec §3, gw:at; dec:X9: the creation date stays the server's clock."""
    catalog = one_activity(offer("X", ends="2024-05-01T00:00:00Z"))
    decision = decide(catalog, body("A", **{"xdm:dryRun": True, "gw:at": "2024-05-01T02:00:00+02:00"}))
    assert names(decision) == [["X"]]
    assert answer_of(decision, "id", 1715769000000)["ode:createDate"] == 1715769000000


ELIGIBLE = {
    "true": ["X"],
    "false": [],
    "nothing": [],
    "favorites": ["X"],
    "(select e from xEvent)": [],
    "loyalty.points + loyalty.tier > 1": [],
    '@{S;version=1}.weather = "hot"': ["X"],
    'offer.characteristics.size = "42"': ["X"],
    'offer.characteristics.size = "43"': [],
}


@pytest.mark.parametrize(("text", "options"), ELIGIBLE.items())
def test_a_rule_has_to_be_true(text: str, options: list[str]) -> None:
    """Spec dec §5.6, pql §6.6."""
    catalog = compiled(
        offer("X", rule="r", extra={"xdm:characteristics": {"size": "42"}}),
        rule("r", text),
        placement(),
        fallback(),
        collection("F", "X"),
        activity("A", "F"),
    )
    context = [{"@type": "S;version=1", "xdm:data": {"weather": "hot"}}]
    attributes = {"favorites": ["red"], "loyalty": {"points": 1, "tier": "gold"}}
    assert names(decide(catalog, body("A", **{"xdm:contextData": context}), attributes=attributes)) == [options]


def test_a_rule_about_the_offer_is_asked_for_each_offer() -> None:
    """Spec dec §5.6."""
    catalog = compiled(
        *(offer(name, rule="r", extra={"xdm:characteristics": {"city": name}}) for name in ("Rome", "Oslo")),
        rule("r", "offer.characteristics.city = homeAddress.city"),
        placement(),
        fallback(),
        collection("F", ["Rome", "Oslo"]),
        activity("A", "F"),
    )
    assert names(decide(catalog, body("A*2"), attributes={"homeAddress": {"city": "Oslo"}})) == [["Oslo"]]


def test_what_the_request_says_of_the_profile_replaces_the_stored() -> None:
    """Spec dec §3, gw:profile and gw:events."""
    catalog = compiled(
        offer("X", rule="r"),
        rule("r", "vip and xEvent.count() = 1"),
        placement(),
        fallback(),
        collection("F", "X"),
        activity("A", "F"),
    )
    request = body("A")
    request["xdm:profiles"][0] |= {"gw:profile": {"vip": True}, "gw:events": [{}]}
    plan = resolve(catalog, read_request(request, inline_profile=True))
    decision = Decision(plan, ProfileView("CRM|1", attributes={"vip": False}), Surroundings(NOW, lambda: 0.0))
    assert names(finish(decision)) == [["X"]]


def test_a_decision_keeps_the_catalogue_it_began_with() -> None:
    """dec:AL2."""
    catalog = one_activity(offer("X"))
    decision = begin(catalog, body("A"))
    emptied = compiled(gone("personalized-offer", "X"), base=catalog)
    assert names(finish(decision)) == [["X"]]
    assert names(decide(emptied, body("A"))) == [[]]


COMPONENT = {
    "@type": IMAGE_LINK,
    "dc:format": "image/png",
    "dc:language": ["en"],
    "repo:id": "urn:1",
    "repo:name": "boots.png",
    "repo:resolveURL": "https://assets.example.com/boots.png",
    "xdm:linkURL": "https://shop.example.com/boots",
    "offerui:previewThumbnail": 1,
}
CONTENTS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "image link: the click target": (
        [COMPONENT],
        {
            **{name: value for name, value in COMPONENT.items() if name != "offerui:previewThumbnail"},
            "xdm:content": "https://shop.example.com/boots",
            "xdm:deliveryURL": "https://assets.example.com/boots.png",
        },
    ),
    "an address of its own first": (
        [{"@type": "urn:x", "dc:format": "a/b", "repo:resolveURL": "r", "xdm:deliveryURL": "d"}],
        {"@type": "urn:x", "dc:format": "a/b", "repo:resolveURL": "r", "xdm:deliveryURL": "d"},
    ),
    "text: the copy line": (
        [{"@type": TEXT, "dc:format": "text/plain", "xdm:copyline": "Hi"}],
        {"@type": TEXT, "dc:format": "text/plain", "xdm:copyline": "Hi", "xdm:content": "Hi"},
    ),
    "text: its content first": (
        [{"@type": TEXT, "dc:format": "text/plain", "xdm:copyline": "Hi", "xdm:content": ""}],
        {"@type": TEXT, "dc:format": "text/plain", "xdm:copyline": "Hi", "xdm:content": ""},
    ),
    "html: a copy line is no content": (
        [{"@type": HTML, "dc:format": "text/html", "xdm:copyline": "Hi", "xdm:deliveryURL": "u"}],
        {"@type": HTML, "dc:format": "text/html", "xdm:copyline": "Hi", "xdm:deliveryURL": "u"},
    ),
    "several": (
        [{"@type": "urn:x", "dc:format": "a/b", "xdm:content": "1"}, COMPONENT],
        {
            "@type": "urn:x",
            "dc:format": "a/b",
            "xdm:content": "1",
            "xdm:components": [{"@type": "urn:x", "dc:format": "a/b", "xdm:content": "1"}, COMPONENT],
        },
    ),
    "none": ([], {}),
}


@pytest.mark.parametrize("case", CONTENTS.values(), ids=CONTENTS)
def test_the_first_component_is_flattened_into_the_option(case: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    """dec:R4, dec:R5; dec:X10: of a fallback too."""
    components, expected = case
    request = body("A", "B", **{"xdm:responseFormat": {"xdm:includeContent": True}})
    held = {"xdm:representations": [{"xdm:placement": at_id("offer-placement", "web"), "xdm:components": components}]}
    catalog = compiled(
        offer("X", components=components),
        placement(),
        fallback(**held),
        collection("F", "X"),
        collection("none", []),
        activity("A", "F"),
        activity("B", "none"),
    )
    first, second = answer_of(decide(catalog, request), "id", 0)["xdm:propositions"]
    (option,) = first["xdm:options"]
    assert option == {"xdm:id": at_id("personalized-offer", "X"), "repo:etag": 1, **expected}
    assert second["xdm:fallback"] == {"xdm:id": at_id("fallback-offer", "default"), "repo:etag": 1, **expected}


def test_a_response_has_ids_and_revisions_and_nothing_else_unless_asked() -> None:
    """dec:R1, dec:R3; spec dec §4: request order, the request's own id."""
    catalog = compiled(
        offer("X", 3, revision=7),
        placement(),
        fallback(),
        collection("F", "X"),
        activity("A", "F", revision=4),
        activity("B", "F"),
    )
    request = body("A", "B")
    request["xdm:profiles"][0]["xdm:decisionRequestId"] = "page-77"
    place = {"xdm:id": at_id("offer-placement", "web"), "repo:etag": 1}
    assert answer_of(decide(catalog, request), "uuid", 5) == {
        "xdm:propositionId": "uuid",
        "xdm:decisionRequestId": "page-77",
        "xdm:propositions": [
            {
                "xdm:activity": {"xdm:id": at_id("offer-activity", "A"), "repo:etag": 4},
                "xdm:placement": place,
                "xdm:options": [{"xdm:id": at_id("personalized-offer", "X"), "repo:etag": 7}],
            },
            {
                "xdm:activity": {"xdm:id": at_id("offer-activity", "B"), "repo:etag": 1},
                "xdm:placement": place,
                "xdm:fallback": {"xdm:id": at_id("fallback-offer", "default"), "repo:etag": 1},
            },
        ],
        "ode:createDate": 5,
    }


@pytest.mark.parametrize("sent", ["", None])
def test_the_requests_own_id_is_there_exactly_when_sent(sent: str | None) -> None:
    """Spec dec §4."""
    request = body("A")
    if sent is not None:
        request["xdm:profiles"][0]["xdm:decisionRequestId"] = sent
    answer = answer_of(decide(one_activity(), request), "id", 0)
    assert answer.get("xdm:decisionRequestId") == sent


def test_metadata_come_as_asked_for() -> None:
    """Spec dec §3, includeMetadata: names nobody knows are ignored, what has no value is left out."""
    catalog = compiled(
        offer("X", 3, extra={"xdm:characteristics": {"size": "42"}}),
        placement(channel="urn:web"),
        fallback(),
        collection("F", "X"),
        activity("A", "F"),
    )
    wanted = {
        "xdm:activity": ["name"],
        "xdm:option": ["name", "characteristics", "priority", "at_id"],
        "xdm:placement": ["name", "channel", "componentType"],
    }
    answer = answer_of(decide(catalog, body("A", **{"xdm:responseFormat": {"xdm:includeMetadata": wanted}})), "id", 0)
    (proposition,) = answer["xdm:propositions"]
    assert proposition["xdm:activity"]["xdm:name"] == "A"
    assert proposition["xdm:options"] == [
        {
            "xdm:id": at_id("personalized-offer", "X"),
            "repo:etag": 1,
            "xdm:name": "X",
            "xdm:characteristics": {"size": "42"},
            "xdm:priority": 3,
        }
    ]
    assert proposition["xdm:placement"] == {
        "xdm:id": at_id("offer-placement", "web"),
        "repo:etag": 1,
        "xdm:name": "web",
        "xdm:channel": "urn:web",
    }


def test_every_call_gets_the_members_it_asked_for_whatever_others_asked_before() -> None:
    """Spec dec §3, dec:R4: what is most often asked for is written once."""
    held = {"components": [{"@type": TEXT, "xdm:content": "hello"}]}
    catalog = compiled(offer("X", 3, **held), placement(), fallback(**held), collection("F", "X"), activity("A", "F"))
    chosen = [(content, some) for content in (True, False) for some in ([], ["name"], ["priority", "no"], ["name"])]
    for content, some in 2 * chosen:
        wanted = {"xdm:includeContent": content, "xdm:includeMetadata": {"xdm:option": some}}
        answer = answer_of(decide(catalog, body("A", **{"xdm:responseFormat": wanted})), "id", 0)
        (option,) = answer["xdm:propositions"][0]["xdm:options"]
        expected = {"xdm:id": at_id("personalized-offer", "X"), "repo:etag": 1}
        expected |= {"xdm:name": "X"} if "name" in some else {}
        expected |= {"xdm:priority": 3} if "priority" in some else {}
        expected |= {"@type": TEXT, "xdm:content": "hello"} if content else {}
        assert option == expected


def test_an_offer_shows_in_each_placement_what_it_has_for_it_whoever_asked_first() -> None:
    """dec:R4."""
    said = {"web": "on the web", "mail": "in a mail"}
    shown = [
        {"xdm:placement": at_id("offer-placement", name), "xdm:components": [{"@type": TEXT, "xdm:content": text}]}
        for name, text in said.items()
    ]
    catalog = compiled(
        offer("X", extra={"xdm:representations": shown}),
        placement(),
        placement("mail"),
        fallback(),
        collection("F", "X"),
        activity("A", "F"),
        activity("B", "F", "mail"),
    )
    wanted = {
        "xdm:responseFormat": {"xdm:includeContent": True},
        "xdm:allowDuplicatePropositions": {"xdm:acrossActivities": True, "xdm:acrossPlacements": True},
    }
    for asked in ("A", "B"), ("B", "A"), ("B",), ("A",):
        answer = answer_of(decide(catalog, body(*asked, **wanted)), "id", 0)
        contents = [each["xdm:options"][0]["xdm:content"] for each in answer["xdm:propositions"]]
        assert contents == [{"A": said["web"], "B": said["mail"]}[each] for each in asked]


def test_of_what_an_offer_shows_little_is_kept() -> None:
    """Whatever callers ask for: one text for each placement, and none that is long."""
    short, long = ({"components": [{"@type": TEXT, "xdm:content": text}]} for text in ("hello", "x" * 20_000))
    for held, kept in (short, 1), (long, 0):
        catalog = one_activity(offer("X", **held))
        for names_asked in ([], *([f"name {number}"] for number in range(100))):
            wanted = {"xdm:includeContent": True, "xdm:includeMetadata": {"xdm:option": names_asked}}
            answer_of(decide(catalog, body("A", **{"xdm:responseFormat": wanted})), "id", 0)
        assert len(catalog.offers[at_id("personalized-offer", "X")].shown) == kept


def test_fewer_options_than_asked_for_are_normal_and_never_filled_up() -> None:
    """dec:R1, dec:R2."""
    answer = answer_of(decide(one_activity(offer("X"), offer("Y")), body("A*30")), "id", 0)
    (proposition,) = answer["xdm:propositions"]
    assert sorted(option["xdm:id"][-1] for option in proposition["xdm:options"]) == ["X", "Y"]
    assert "xdm:fallback" not in proposition
