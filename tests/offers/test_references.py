"""Foreign keys and unique values (repository §9.5, §9.6; entities §1.3)."""

import msgspec
import pytest

from gateway.errors import Problem
from gateway.offers.instances import Reference
from gateway.offers.registry import Registry
from gateway.offers.repository import Neighbours, create, settle
from tests.offers.stage import (
    EXAMPLES,
    REGISTRY,
    WORLD,
    body,
    draft,
    faults_of,
    make,
    name_faults,
    patched,
    put,
    stored,
)

PLACEMENT = "xcore:offer-placement:1f0c9a7be2d44310"
TAG = "xcore:tag:5d1f2b7c90aa4e01"


def pairs(references: tuple[Reference, ...]) -> set[tuple[str, str]]:
    return {(each.pointer, each.schemas[0]) for each in references}


def test_every_foreign_key_of_the_matrix_is_handed_to_the_store() -> None:
    """repo:W5, W6; entities §1.3."""
    assert pairs(make("personalized-offer", EXAMPLES["offer"]).references) == {
        ("/_instance/xdm:representations/0/xdm:placement", "offer-placement"),
        ("/_instance/xdm:tags/0", "tag"),
        ("/_instance/xdm:selectionConstraint/xdm:eligibilityRule", "eligibility-rule"),
    }
    assert pairs(make("fallback-offer", {**EXAMPLES["fallback"], "xdm:tags": [TAG]}).references) == {
        ("/_instance/xdm:representations/0/xdm:placement", "offer-placement"),
        ("/_instance/xdm:tags/0", "tag"),
    }
    assert pairs(make("offer-activity", EXAMPLES["activity"]).references) == {
        ("/_instance/xdm:placement", "offer-placement"),
        ("/_instance/xdm:filter", "offer-filter"),
        ("/_instance/xdm:fallback", "fallback-offer"),
    }


@pytest.mark.parametrize("spelling", ["ids", "xdm:ids"])
@pytest.mark.parametrize(("kind", "target"), [("offers", "personalized-offer"), ("anyTags", "tag"), ("allTags", "tag")])
def test_what_a_filter_refers_to_depends_on_its_type(spelling: str, kind: str, target: str) -> None:
    """ent:OF2, OF3; §9: under either spelling of ids."""
    change = make("offer-filter", {"xdm:name": "n", "xdm:filterType": kind, spelling: ["a", "b"]})
    assert change.references == (
        Reference(f"/_instance/{spelling}/0", "a", (target,)),
        Reference(f"/_instance/{spelling}/1", "b", (target,)),
    )


def test_a_target_that_is_being_deleted_is_refused() -> None:
    """repo:W5, D5, K8: reference-deleting."""
    going = Neighbours(by_id={**WORLD.by_id, TAG: msgspec.structs.replace(WORLD.by_id[TAG], operation="op-1")})
    faults = faults_of(create(REGISTRY, draft("personalized-offer"), body(EXAMPLES["offer"])), going)
    assert name_faults(faults) == ["reference-deleting /_instance/xdm:tags/0"]


def test_the_status_of_a_target_does_not_matter() -> None:
    """ent:N7: a draft may be referred to."""
    assert b'"xdm:status":"draft"' in make("personalized-offer", {"xdm:name": "n"}).document
    offer = make("personalized-offer", {"xdm:name": "n"}, digits="00000000000000aa")
    world = Neighbours(by_id={offer.at_id: stored(offer)})
    sent = {"xdm:name": "n", "xdm:filterType": "offers", "ids": [offer.at_id]}
    assert faults_of(create(REGISTRY, draft("offer-filter"), body(sent)), world) == []


def test_a_refusal_names_wrong_references_beside_all_else() -> None:
    """repo:K8, K6; §9.7: what can be collected is collected."""
    sent = {"xdm:name": "", "xdm:tags": ["xcore:tag:none", PLACEMENT, TAG]}
    proposal = create(REGISTRY, draft("fallback-offer"), body(sent))
    assert proposal.needs.at_ids == ("xcore:tag:none", PLACEMENT, TAG)
    with pytest.raises(Problem) as caught:
        settle(REGISTRY, proposal, WORLD)
    assert name_faults(list(caught.value.violations)) == [
        "length /_instance/xdm:name",
        "reference-not-found /_instance/xdm:tags/0",
        "reference-wrong-schema /_instance/xdm:tags/1",
    ]


def test_a_valid_write_reads_nothing_beforehand() -> None:
    """The store checks references in the step that writes; reading them before would prove nothing."""
    assert create(REGISTRY, draft("personalized-offer"), body(EXAMPLES["offer"])).needs.at_ids == ()


def test_references_are_bounded() -> None:
    sent = {"xdm:name": "n", "xdm:tags": [f"xcore:tag:{number}" for number in range(5_001)]}
    with pytest.raises(Problem) as caught:
        create(REGISTRY, draft("personalized-offer"), body(sent))
    assert caught.value.status == 413
    many = create(
        REGISTRY, draft("personalized-offer"), body({**sent, "xdm:name": "", "xdm:tags": sent["xdm:tags"][:300]})
    )
    assert len(many.needs.at_ids) == 200


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("winter footwear", " winter footwear ", True),
        ("Caf\u00e9", "Cafe\u0301", True),
        ("\u00a0a\u2003", "a", True),
        ("winter footwear", "Winter footwear", False),
        ("a b", "a  b", False),
        ("\u2460", "1", False),
    ],
)
def test_names_are_compared_trimmed_and_normalised(left: str, right: str, same: bool) -> None:
    """repo:W8, W10, X12: case-sensitive; names are stored as sent."""
    changes = [make("tag", {"xdm:name": name}) for name in (left, right)]
    assert (changes[0].unique == changes[1].unique) is same
    assert [msgspec.json.decode(change.document)["_instance"]["xdm:name"] for change in changes] == [left, right]


def test_only_tag_names_are_unique() -> None:
    """repo:W8, W9: those of offers need not be."""
    (name,) = make("tag", EXAMPLES["tag"]).unique
    assert (name.pointer, name.schema, name.scope) == ("/_instance/xdm:name", "tag", "xdm:name")
    for on, schema in (("offer", "personalized-offer"), ("placement", "offer-placement"), ("rule", "eligibility-rule")):
        assert make(schema, EXAMPLES[on]).unique == ()


def test_a_rename_to_the_current_name_is_the_same_value() -> None:
    """repo:W10."""
    tag = make("tag", EXAMPLES["tag"])
    assert settle(REGISTRY, put(tag, EXAMPLES["tag"])).unique == tag.unique


def test_names_of_offers_are_unique_where_the_configuration_says_so() -> None:
    """repo:W9: among offers of both kinds; not by default."""
    strict = Registry(unique_offer_names=True)
    plain = make("personalized-offer", {"xdm:name": " Boots "}, registry=strict).unique
    assert plain == make("fallback-offer", {"xdm:name": "Boots"}, registry=strict).unique
    assert [(one.pointer, one.schema, one.value) for one in plain] == [("/_instance/xdm:name", "offer", "Boots")]
    assert make("offer-filter", filter_of(1), registry=strict).unique == ()
    assert make("personalized-offer", {"xdm:name": "Boots"}).unique == ()


def filter_of(count: int) -> dict[str, object]:
    return {
        "xdm:name": "n",
        "xdm:filterType": "anyTags",
        "ids": [f"xcore:tag:{number:016x}" for number in range(count)],
    }


def test_an_instance_refers_to_two_thousand_others_at_most() -> None:
    """repo:W5, gw:R1: the store looks at each in the step that writes, and others wait; on create, PUT and PATCH."""
    small = make("offer-filter", filter_of(2_000))
    assert len(small.references) == 2_000
    growing = [{"op": "add", "path": "/_instance/ids/-", "value": TAG}]
    for propose in (
        lambda: create(REGISTRY, draft("offer-filter"), body(filter_of(2_001))),
        lambda: put(small, filter_of(2_001)),
        lambda: patched(small, growing),
    ):
        with pytest.raises(Problem, match="more than 2000 others") as caught:
            propose()
        assert (caught.value.status, caught.value.code) == (413, "too-large")
