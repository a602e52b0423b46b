"""What is wrong or looks wrong in a container (dec §10, §11)."""

from typing import Any

import pytest

from gateway.errors import Problem
from gateway.offers.candidates import list_candidates
from gateway.offers.catalog import EMPTY, Catalog, run_through
from gateway.offers.diagnostics import WARNINGS, diagnose
from gateway.offers.instances import Instance
from tests.offers.containers import (
    HTML,
    activity,
    at_id,
    collection,
    compiled,
    fallback,
    offer,
    one_activity,
    placement,
    rule,
    stored,
)


def diagnosis(catalog: Catalog) -> dict[str, Any]:
    found: dict[str, Any] = run_through(diagnose(catalog, "c-1"))
    return found


def warnings(catalog: Catalog) -> list[tuple[str, str]]:
    return [(each["gw:code"], each["xdm:details"]["@id"]) for each in diagnosis(catalog)["gw:warnings"]]


def test_a_container_nothing_was_compiled_for_has_no_operations() -> None:
    """dec:DG1."""
    assert diagnosis(EMPTY) == {"xdm:operations": {}}


def test_a_sound_container_has_dates_and_nothing_else() -> None:
    """Spec dec §11."""
    state = {"xdm:date": "2024-05-15T10:30:00.000Z", "xdm:errors": []}
    assert diagnosis(one_activity(offer("X"))) == {
        "xdm:operations": {"xdm:offerCatalogUpdate": state, "xdm:activitiesUpdate": state},
        "gw:warnings": [],
    }


def test_an_error_says_what_where_and_why() -> None:
    """dec:DG2, dec:DG3."""
    catalog = compiled(
        rule("r", "loyalty.tier = ", revision=3),
        offer("X", rule="gone"),
        Instance("personalized-offer-bad", 2, b"{"),
        stored("offer-activity", "bad", {}),
        activity("A", "F"),
        placement(),
        fallback(),
    )
    operations = diagnosis(catalog)["xdm:operations"]
    by_id = {each["xdm:details"]["instanceId"]: each for each in operations["xdm:offerCatalogUpdate"]["xdm:errors"]}
    assert by_id.keys() == {"eligibility-rule-r", "personalized-offer-X", "personalized-offer-bad"}
    broken = by_id["eligibility-rule-r"]
    assert broken["xdm:details"] == {
        "@id": at_id("eligibility-rule", "r"),
        "instanceId": "eligibility-rule-r",
        "href": "/c-1/instances/eligibility-rule-r",
        "etag": "3",
    }
    assert "does not compile" in broken["xdm:causes"][0]["xdm:description"]
    activities = operations["xdm:activitiesUpdate"]["xdm:errors"]
    assert {each["xdm:details"]["instanceId"] for each in activities} == {"offer-activity-bad", "offer-activity-A"}


def live(*made: Instance, shown: dict[str, Any] | None = None, **more: Any) -> Catalog:
    base = [placement(**(shown or {})), fallback(), collection("F", "XY"), activity("A", "F", **more)]
    return compiled(*base, *made)


WEB = {"componentType": HTML, "contentTypes": ["text/html", "text/html"]}
RECOVERED = "(select e from xEvent where e.a = 1 and (e.timestamp occurs <= 6 months before now).count() > 3)"
LOOKS_WRONG: dict[str, tuple[Catalog, list[tuple[str, str]]]] = {
    "fallback": (
        live(offer("X"), stored("fallback-offer", "default", {"xdm:status": "draft"}, revision=2)),
        [("fallback-not-approved", at_id("offer-activity", "A"))],
    ),
    "the fallback of a draft": (
        live(offer("X"), stored("fallback-offer", "default", {}, revision=2), status="draft"),
        [],
    ),
    "nobody to propose": (live(offer("X", status="draft")), [("no-candidates", at_id("offer-activity", "A"))]),
    "fitting component": (live(offer("X"), shown=WEB), []),
    "type and format": (
        live(offer("X", components=[{"@type": "urn:json", "dc:format": "application/json"}]), shown=WEB),
        [("component-mismatch", at_id("personalized-offer", "X"))] * 2,
    ),
    "names": (
        live(offer("X"), offer("Y", extra={"xdm:name": "X"})),
        [("repeated-name", at_id("personalized-offer", "Y"))],
    ),
    "recovered": (
        live(offer("X", rule="r"), rule("r", RECOVERED)),
        [("recovered-aggregate", at_id("eligibility-rule", "r"))],
    ),
}


@pytest.mark.parametrize("case", LOOKS_WRONG.values(), ids=LOOKS_WRONG)
def test_what_looks_wrong_is_a_warning(case: tuple[Catalog, list[tuple[str, str]]]) -> None:
    """dec:DG4; pql:RW2."""
    catalog, expected = case
    assert warnings(catalog) == expected


def test_every_kind_of_warning_has_a_case() -> None:
    assert {code for _, expected in LOOKS_WRONG.values() for code, _ in expected} == set(WARNINGS)


def test_a_recovered_rule_is_shown_in_its_canonical_form() -> None:
    """pql:RW2."""
    (found,) = diagnosis(LOOKS_WRONG["recovered"][0])["gw:warnings"]
    assert found["xdm:causes"][0]["xdm:description"].endswith(".count() > 3")


def test_very_many_findings_are_cut() -> None:
    catalog = live(*(offer(f"x{at}", extra={"xdm:name": "same"}) for at in range(1500)))
    assert len(diagnosis(catalog)["gw:warnings"]) == 1000


def test_candidates_are_listed_by_rank_then_id() -> None:
    """Spec dec §10: any activity status; calendar, rules and caps are not applied; etags are strings."""
    catalog = one_activity(
        offer("b", 1, rule="no", ends="2020-01-01T00:00:00Z"),
        offer("a", 1, global_cap=1),
        offer("c", 2, revision=7),
        offer("d", 9, status="draft"),
        status="draft",
    )
    (listed,) = list_candidates(catalog, "c-1", [at_id("offer-activity", "A")])["xdm:activityOffers"]
    assert [each["@id"] for each in listed["xdm:offers"]] == [at_id("personalized-offer", name) for name in "cab"]
    assert listed["xdm:offers"][0] == {
        "@id": at_id("personalized-offer", "c"),
        "repo:etag": "7",
        "_links": {"self": {"href": "/c-1/instances/personalized-offer-c"}},
    }
    assert listed["xdm:offerActivity"]["@id"] == at_id("offer-activity", "A")
    assert listed["xdm:fallbackOffer"]["@id"] == at_id("fallback-offer", "default")


@pytest.mark.parametrize(("ids", "status"), [([], 400), (["a"] * 31, 400), (["nowhere"], 422)])
def test_candidates_of_nothing_too_many_or_unknown_activities_are_refused(ids: list[str], status: int) -> None:
    """Spec dec §10."""
    with pytest.raises(Problem) as refused:
        list_candidates(one_activity(), "c-1", ids)
    assert refused.value.status == status
