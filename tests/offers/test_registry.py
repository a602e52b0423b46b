"""Which schemas there are, and what a type's row and its JSON Schema document make of it."""

from typing import Any

import msgspec
import pytest

from gateway.errors import ConfigError, Problem
from gateway.offers.registry import Registry
from gateway.offers.repository import create, settle
from tests.offers.stage import REGISTRY, body, draft, faults_of, inside, make, name_faults, put

OFFERS = "https://ns.adobe.com/experience/offer-management/"
COUPON: dict[str, Any] = {
    "$id": "https://shop.example.com/schemas/coupon;version=2.3",
    "type": "object",
    "required": ["code"],
    "properties": {
        "@id": {"type": "string", "format": "uri", "meta:immutable": True, "meta:usereditable": False},
        "code": {"type": "string", "xcore:unique": True},
        "issued": {"type": "string", "format": "date-time", "meta:immutable": True},
        "audit": {
            "type": "object",
            "properties": {"number": {"type": "integer", "meta:usereditable": False}, "note": {"type": "string"}},
        },
        "offer": {"$ref": "#/$defs/offer"},
        "tags": {"type": "array", "items": {"type": "string", "xcore:reference": [f"{OFFERS}tag"]}},
        "prices": {"type": "object", "additionalProperties": {"type": "string", "format": "date-time"}},
        "kind": {"type": "string", "default": "plain"},
    },
    "$defs": {"offer": {"type": "string", "xcore:reference": [f"{OFFERS}offer;version=0.4", f"{OFFERS}tag"]}},
}
FURTHER = Registry([COUPON])


@pytest.mark.parametrize("suffix", ["", ";version=0.1", ";version=0.4", ";version=12.34"])
def test_any_version_selects_the_one_schema(suffix: str) -> None:
    """repo:S2."""
    found = REGISTRY.find(f"{OFFERS}tag{suffix}")
    assert found is not None
    assert found.versioned_id == f"{OFFERS}tag;version=0.1"


@pytest.mark.parametrize("schema_id", ["", "tag", f"{OFFERS}Tag", f"{OFFERS}tag;version=", f"{OFFERS}tag;v=1", "x;"])
def test_another_id_selects_none(schema_id: str) -> None:
    """The schema value is case-sensitive (spec repository M11)."""
    assert REGISTRY.find(schema_id) is None


def test_foreign_keys_point_at_everything_but_activities() -> None:
    """ent:N8: only an activity is never a target."""
    targets = {row.name for row in REGISTRY.types() if REGISTRY.is_target(row)}
    assert targets == {
        "offer-placement",
        "tag",
        "offer-filter",
        "eligibility-rule",
        "personalized-offer",
        "fallback-offer",
    }


def test_offers_are_listed_under_the_abstract_schema_too() -> None:
    """repo:S4."""
    assert make("fallback-offer", {"xdm:name": "n"}).schemas == ("fallback-offer", "offer")
    assert make("tag", {"xdm:name": "n"}).schemas == ("tag",)


def test_an_abstract_schema_cannot_be_instantiated() -> None:
    """repo:S4, X8."""
    with pytest.raises(Problem) as caught:
        create(REGISTRY, draft("offer"), body({"xdm:name": "n"}))
    assert (caught.value.status, caught.value.code) == (422, "schema-abstract")


def test_an_instance_of_two_schemas_may_have_the_properties_of_both() -> None:
    """repo:M12, S4; ent:X1: it is validated against each; the first gives the @id its name."""
    sent = {"xdm:name": "n", "xdm:filterType": "anyTags", "ids": [], "xdm:channel": "urn:web"}
    change = settle(REGISTRY, create(REGISTRY, draft("offer-placement", "offer-filter", "offer-placement"), body(sent)))
    assert change.schemas == ("offer-placement", "offer-filter")
    assert change.at_id.startswith("xcore:offer-placement:")
    envelope = msgspec.json.decode(change.document)
    assert envelope["schemas"] == [f"{OFFERS}offer-placement;version=0.1", f"{OFFERS}offer-filter;version=0.1"]
    faults = faults_of(create(REGISTRY, draft("offer-placement", "offer-filter"), body({"xdm:x": 1})))
    assert name_faults(faults) == [
        "additional-property /_instance/xdm:x",
        "required /_instance/ids",
        "required /_instance/xdm:filterType",
        "required /_instance/xdm:name",
    ]


def test_dates_and_uris_are_known_by_their_path() -> None:
    """For filters, sort orders and searches; also below arrays, of references, of the heirs of an abstract schema."""
    offer, activity = REGISTRY.named("offer"), REGISTRY.named("offer-activity")
    assert REGISTRY.kind_of(offer, ("repo:lastModifiedDate",)) == "date-time"
    assert REGISTRY.kind_of(offer, ("_instance", "xdm:selectionConstraint", "xdm:endDate")) == "date-time"
    assert REGISTRY.kind_of(offer, ("_instance", "xdm:representations", "xdm:components", "@type")) == "uri"
    assert REGISTRY.kind_of(offer, ("_instance", "xdm:tags")) == "uri"
    assert REGISTRY.kind_of(offer, ("_instance", "@id")) == "uri"
    assert REGISTRY.kind_of(offer, ("_instance", "xdm:name")) == ""
    assert REGISTRY.kind_of(activity, ("_instance", "xdm:startDate")) == "date-time"
    assert REGISTRY.kind_of(REGISTRY.named("offer-filter"), ("_instance", "ids")) == "uri"
    assert FURTHER.kind_of(FURTHER.named("coupon"), ("_instance", "prices", "any")) == "date-time"
    assert FURTHER.kinds_of(FURTHER.named("coupon"))["_instance", "prices", "*"] == "date-time"


def test_a_json_schema_document_is_a_type_with_all_a_type_has() -> None:
    """repo:S1, U13: references, unique values, defaults, @id and guarded properties follow from its annotations."""
    row = FURTHER.find("https://shop.example.com/schemas/coupon")
    assert row is not None
    assert (row.name, row.versioned_id) == ("coupon", "https://shop.example.com/schemas/coupon;version=2.3")
    change = make("coupon", {"code": "A", "offer": "xcore:o:1", "tags": ["xcore:tag:1"]}, registry=FURTHER)
    assert inside(change)["kind"] == "plain"
    assert change.at_id == "xcore:coupon:5d1f2b7c90aa4e01"
    assert {(each.pointer, each.target, each.schemas) for each in change.references} == {
        ("/_instance/offer", "xcore:o:1", ("offer", "tag")),
        ("/_instance/tags/0", "xcore:tag:1", ("tag",)),
    }
    assert [(each.schema, each.scope, each.value) for each in change.unique] == [("coupon", "code", "A")]
    assert FURTHER.is_target(FURTHER.named("personalized-offer"))
    assert not FURTHER.is_target(FURTHER.named("coupon"))


def test_an_immutable_property_can_be_set_once_and_then_never_changes() -> None:
    """repo:W2, W3: 422 immutable, whoever asks; also when a PUT leaves it out."""
    empty = make("coupon", {"code": "A"}, registry=FURTHER)
    dated = {"code": "A", "issued": "2024-05-01T00:00:00Z"}
    first = settle(FURTHER, put(empty, dated, registry=FURTHER))
    assert inside(first)["issued"] == "2024-05-01T00:00:00Z"
    for later in ({"code": "A"}, {"code": "A", "issued": "2025-05-01T00:00:00Z"}):
        with pytest.raises(Problem) as caught:
            settle(FURTHER, put(first, later, registry=FURTHER))
        assert name_faults(list(caught.value.violations)) == ["immutable /_instance/issued"]
    assert settle(FURTHER, put(first, {**dated, "code": "B"}, registry=FURTHER)).revision == 3


def test_a_property_that_is_not_editable_keeps_its_value() -> None:
    """repo:W1, P3: it may be left out or sent as it is, with the objects around it; W4: 7 is 7.0."""
    made = make("coupon", {"code": "A", "audit": {"note": "n"}}, registry=FURTHER)
    numbered = msgspec.structs.replace(made, document=made.document.replace(b'"note"', b'"number":7,"note"'))
    assert inside(settle(FURTHER, put(numbered, {"code": "A"}, registry=FURTHER)))["audit"] == {"number": 7}
    for audit in ({}, {"number": 7.0}, {"note": "m", "number": 7}):
        change = settle(FURTHER, put(numbered, {"code": "A", "audit": audit}, registry=FURTHER))
        assert inside(change)["audit"] == {"number": 7, **audit}
    for sent, on in (({"number": 8}, numbered), ({"number": 7}, made)):
        with pytest.raises(Problem) as caught:
            settle(FURTHER, put(on, {"code": "A", "audit": sent}, registry=FURTHER))
        assert caught.value.code == "not-editable"


def test_a_schema_of_its_own_openness_decides_for_itself() -> None:
    """ent:N5 holds for objects that list their properties and say no more."""
    closed = {
        "$id": "https://shop.example.com/closed",
        "properties": {"a": {"type": "integer"}, "xdm:b": {}},
        "additionalProperties": False,
    }
    registry = Registry([closed, {"$id": "https://shop.example.com/open", "properties": {"c": {}}}])
    proposal = create(registry, draft("closed", registry=registry), body({"a": 1, "z": 1, "xdm:z": 1}))
    with pytest.raises(Problem) as caught:
        settle(registry, proposal)
    assert name_faults(list(caught.value.violations)) == [
        "additional-property /_instance/xdm:z",
        "additional-property /_instance/z",
    ]
    both = create(registry, draft("closed", "open", registry=registry), body({"a": 1, "c": 1}))
    assert settle(registry, both).schemas == ("closed", "open")


@pytest.mark.parametrize(
    ("keywords", "value", "code"),
    [
        ({"const": 1}, 2, "enum"),
        ({"exclusiveMinimum": 1}, 1, "minimum"),
        ({"maximum": 1}, 2, "maximum"),
        ({"exclusiveMaximum": 1}, 1, "maximum"),
        ({"minItems": 1}, [], "min-items"),
        ({"maxItems": 0}, [1], "max-items"),
        ({"maxLength": 1}, "ab", "length"),
        ({"multipleOf": 2}, 3, "multiple-of"),
        ({"uniqueItems": True}, [1, 1], "unique-items"),
        ({"minProperties": 1}, {}, "min-properties"),
        ({"maxProperties": 0}, {"b": 1}, "max-properties"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1, "any-of"),
        ({"oneOf": [{"type": "integer"}, {"minimum": 0}]}, 1, "one-of"),
        ({"not": {}}, 1, "not"),
        ({"contains": {"type": "string"}}, [1], "contains"),
        (False, 1, "additional-property"),
        ({"format": "uri"}, "x", "format"),
        ({"format": "email"}, "x", "format"),
    ],
)
def test_every_keyword_has_a_code(keywords: Any, value: Any, code: str) -> None:
    """repo:K6, S1."""
    registry = Registry([{"$id": "https://shop.example.com/thing", "properties": {"a": keywords}}])
    proposal = create(registry, draft("thing", registry=registry), body({"a": value}))
    with pytest.raises(Problem) as caught:
        settle(registry, proposal)
    assert name_faults(list(caught.value.violations)) == [f"{code} /_instance/a"]


THING = "https://shop.example.com/thing"


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ([], "absolute URI"),
        ({}, "absolute URI"),
        ({"$id": 7}, "absolute URI"),
        ({"$id": "thing"}, "absolute URI"),
        ({"$id": "https://shop.example.com/a b"}, "plain word"),
        ({"$id": "https://shop.example.com/tag"}, "already"),
        ({"$id": f"{OFFERS}tag"}, "already"),
        ({"$id": THING, "type": "nonsense"}, "JSON Schema"),
        ({"$id": THING, "properties": 7}, "JSON Schema"),
        ({"$id": THING, "properties": {"a": {"pattern": "("}}}, "JSON Schema"),
        ({"$id": THING, "$schema": "https://shop.example.com/dialect"}, "JSON Schema"),
        ({"$id": THING, "properties": {"a": {"minimum": "x"}}}, "JSON Schema"),
        ({"$id": THING, "properties": {"a": {"xcore:reference": ["https://shop.example.com/none"]}}}, "refer"),
        ({"$id": THING, "properties": {"a": {"xcore:reference": "x"}}}, "array of schema ids"),
        ({"$id": THING, "properties": {"a": {"xcore:reference": []}}}, "array of schema ids"),
        ({"$id": THING, "properties": {"a": {"$ref": "https://shop.example.com/other"}}}, "cannot fetch"),
        ({"$id": THING, "$defs": {"b": {"$anchor": "c"}}, "properties": {"a": {"$ref": "#c"}}}, "cannot be followed"),
        ({"$id": THING, "properties": {"a": {"$ref": "#/$defs/b"}}}, "does not exist"),
        ({"$id": THING, "$defs": {"b": 7}, "properties": {"a": {"$ref": "#/$defs/b"}}}, "JSON Schema"),
        ({"$id": THING, "properties": {"a": {"$ref": "#/properties/a"}}}, "recursive"),
        ({"$id": THING, "properties": {"a": {"items": {"xcore:unique": True}}}}, "array or a map"),
        ({"$id": THING, "properties": {"a": {"additionalProperties": {"meta:immutable": True}}}}, "array or a map"),
        ({"$id": THING, "patternProperties": {"^a": {"xcore:unique": True}}}, "has no effect"),
        ({"$id": THING, "anyOf": [{"properties": {"a": {"meta:immutable": True}}}]}, "has no effect"),
        ({"$id": THING, "if": {}, "then": {"properties": {"a": {"xcore:reference": [THING]}}}}, "has no effect"),
    ],
)
def test_a_schema_that_could_not_be_kept_is_refused_at_start(document: dict[str, Any], word: str) -> None:
    """repo:S1: nothing in a document is silently without effect."""
    with pytest.raises(ConfigError, match=word):
        Registry([document])


def test_two_documents_cannot_share_a_name() -> None:
    with pytest.raises(ConfigError, match="already"):
        Registry([{"$id": THING}, {"$id": "https://other.example.com/thing"}])


def test_the_types_of_a_stored_envelope_are_found() -> None:
    """repo:S2: schemas that are no longer loaded are left out."""
    document = {"schemas": [f"{OFFERS}tag;version=0.1", "https://gone.example.com/x;version=1.0"]}
    assert [row.name for row in REGISTRY.types_of(document)] == ["tag"]
