"""Problem documents (repository §14): their slug, the order of their errors, and refusals of the store."""

import pytest

from gateway.errors import Violation
from gateway.offers.instances import Conflict, Deleting, Missing, Refused, Stale
from gateway.offers.problems import MOST_LISTED, describe, refuse
from gateway.offers.repository import explain

TAGS = Violation("reference-not-found", "/_instance/xdm:tags/1", "no such tag")
CAP = Violation("minimum", "/_instance/xdm:cappingConstraint/xdm:globalCap", "must be at least 1")


def test_errors_are_sorted_by_pointer_and_listed_once() -> None:
    """repo:14X1, X13."""
    problem = refuse([TAGS, CAP, TAGS])
    assert problem.violations == (CAP, TAGS)
    assert (problem.status, problem.code) == (422, "schema-validation")


@pytest.mark.parametrize(
    ("violations", "slug"),
    [
        ([TAGS], "reference-not-found"),
        ([TAGS, TAGS._replace(pointer="/_instance/xdm:tags/2")], "reference-not-found"),
        ([CAP], "minimum"),
        ([CAP, TAGS], "schema-validation"),
        ([CAP._replace(code="multiple-of")], "schema-validation"),
        ([Violation("required", "/_instance", "x")], "schema-validation"),
        ([Violation("type", "/_links", "x")], "schema-validation"),
        ([Violation("required", "/_instance/xdm:name", "x")], "required"),
    ],
)
def test_the_type_is_the_code_all_share(violations: list[Violation], slug: str) -> None:
    """repo:14X2, K3: a missing `_instance` or `_links` is always schema-validation."""
    assert refuse(violations).code == slug


def test_an_entry_has_code_pointer_and_detail() -> None:
    """repo:X13, 14X1: the index of a patch's operation; ent:X3: the place in a rule."""
    assert describe(CAP) == {"code": "minimum", "pointer": CAP.pointer, "detail": "must be at least 1"}
    assert describe(CAP._replace(operation=0))["operation"] == 0
    place = {"position": 3, "line": 1, "column": 4, "excerpt": "a =\n   ^"}
    assert describe(CAP._replace(place=dict(place))).items() >= place.items()


def test_endless_lists_of_errors_are_cut() -> None:
    problem = refuse(Violation("type", f"/_instance/a/{number}", "x") for number in range(MOST_LISTED + 5))
    assert len(problem.violations) == MOST_LISTED
    assert "1005 violations" in problem.message


def test_refusals_of_the_store_are_explained() -> None:
    """repo:W5, K8, K9, W8: code and pointer of each; Q4, Q12: a conflict says the current revision; D5, Q14."""
    refused = explain(Refused((("name-not-unique", "/_instance/xdm:name"),)))
    assert (refused.status, refused.code) == (422, "name-not-unique")
    assert refused.violations[0].pointer == "/_instance/xdm:name"
    two = explain(Refused((("reference-not-found", "/b"), ("reference-deleting", "/a"))))
    assert (two.code, [each.pointer for each in two.violations]) == ("schema-validation", ["/a", "/b"])
    conflict = explain(Conflict(7))
    assert (conflict.status, conflict.code, conflict.members) == (409, "etag-mismatch", {"currentEtag": 7})
    assert (explain(Deleting("op")).status, explain(Deleting("op")).code) == (409, "delete-pending")
    assert (explain(Missing()).status, explain(Missing()).code) == (404, "instance-not-found")
    assert (explain(Stale()).status, explain(Stale()).headers) == (503, {"Retry-After": "1"})
