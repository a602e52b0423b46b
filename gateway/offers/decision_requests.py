"""Decoded body in, checked `DecisionRequest` out, or every fault with its pointer (dec §3, §4.2, X6).

The forms are described once, as JSON Schemas; what a schema cannot say is checked after it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import jsonschema_rs
from msgspec import Struct

from gateway.errors import Problem, Violation
from gateway.offers.arbitration import Duplicates
from gateway.offers.instances import JsonObject
from gateway.offers.model import Ask, DecisionRequest, Identity, ResponseFormat
from gateway.offers.request_schemas import FAMILY, MOST_IDENTITIES, MOST_OPTIONS, NEWER, OLDER
from gateway.pql.times import read_timestamp

MOST_FAULTS = 100
"""How many faults of a body are told."""


class Form(Struct, frozen=True):
    """One form of the request: what it is recognised by, what it has to look like, and how it is read."""

    version: str
    member: str
    validator: jsonschema_rs.Draft202012Validator
    asks: Callable[[JsonObject], tuple[Ask, ...]]
    profile: str
    """Where the profile entry stands in the body: a pointer."""


def read_request(body: object, schema: str | None = None, *, inline_profile: bool = False) -> DecisionRequest:
    """Give the request in a decoded body. `schema` is the parameter of the content type, None when it has none.

    `inline_profile` says whether this deployment takes `gw:profile` and `gw:events`. Raises Problem 400 `invalid-body`
    with a violation for every fault, 415 for a schema that is none of the two.
    """
    form = _choose_form(body, schema)
    faults = describe_faults(form.validator, body)
    if faults or not isinstance(body, dict):
        raise refuse(faults)
    profile: JsonObject = body["xdm:profiles"][0] if form.profile else body
    asks = form.asks(body)
    request = _read(body, profile, form, asks)
    faults = [*_check(body, request, form), *_check_inline(profile, form, inline_profile=inline_profile)]
    if faults:
        raise refuse(faults)
    return request


def describe_faults(validator: jsonschema_rs.Draft202012Validator, body: object) -> list[Violation]:
    """Give what a schema finds wrong with a body, at most MOST_FAULTS of it."""
    return [_violation(error) for error in islice(validator.iter_errors(body), MOST_FAULTS)]


def refuse(faults: Iterable[Violation]) -> Problem:
    """Make the 400 that lists every fault, sorted by pointer (X6)."""
    found = sorted(faults, key=lambda fault: (fault.pointer, fault.code))
    many = f"{len(found)} faults, the first: " if len(found) > 1 else ""
    where = found[0].pointer or "the body"
    return Problem(400, "invalid-body", f"{many}{where} {found[0].detail}", violations=found)


def _choose_form(body: object, schema: str | None) -> Form:
    members = body if isinstance(body, dict) else {}
    present = [form for form in FORMS if form.member in members]
    if schema is not None:
        asked = next((form for form in FORMS if schema.replace(" ", "") == f"{FAMILY};version={form.version}"), None)
        if asked is None:
            known = " or ".join(f'"{FAMILY};version={form.version}"' for form in FORMS)
            raise Problem(415, "unknown-schema", f"the schema of the content type has to be {known}")
        if present and present != [asked]:
            detail = f"contradicts the content type, which announces version {asked.version}"
            raise refuse([Violation("contradictory-form", f"/{present[0].member}", detail)])
        return asked
    if len(present) != 1:
        names = " or ".join(form.member for form in FORMS)
        which = "both" if present else "neither"
        raise refuse([Violation("contradictory-form", "", f"needs exactly one of {names} and has {which}")])
    return present[0]


def _newer_asks(body: JsonObject) -> tuple[Ask, ...]:
    return tuple(
        Ask(
            entry["xdm:activityId"],
            entry.get("xdm:placementId"),
            int(entry.get("xdm:itemCount", 1)),
            f"/xdm:propositionRequests/{at}/xdm:activityId",
        )
        for at, entry in enumerate(body["xdm:propositionRequests"])
    )


def _older_asks(body: JsonObject) -> tuple[Ask, ...]:
    return tuple(
        Ask(entry["xdm:offerActivity"], None, 1, f"/xdm:offerActivities/{at}/xdm:offerActivity")
        for at, entry in enumerate(body["xdm:offerActivities"])
    )


FORMS = (
    Form(
        "1.0",
        "xdm:propositionRequests",
        jsonschema_rs.Draft202012Validator(NEWER, validate_formats=True),
        _newer_asks,
        "/xdm:profiles/0",
    ),
    Form(
        "0.9", "xdm:offerActivities", jsonschema_rs.Draft202012Validator(OLDER, validate_formats=True), _older_asks, ""
    ),
)


def _read(body: JsonObject, profile: JsonObject, form: Form, asks: tuple[Ask, ...]) -> DecisionRequest:
    pointers, context = _read_context(body, profile, form)
    at, events = body.get("gw:at"), profile.get("gw:events")
    return DecisionRequest(
        asks=asks,
        lookups=choose_lookups(list(_identities(profile["xdm:identityMap"]))),
        identity_map=profile["xdm:identityMap"],
        context=context,
        context_pointers=pointers,
        decision_request_id=profile.get("xdm:decisionRequestId") if form.profile else None,
        duplicates=_read_duplicates(body.get("xdm:allowDuplicatePropositions", {}), form),
        format=_read_format(body.get("xdm:responseFormat", {})),
        merge_policy=body.get("xdm:mergePolicy", {}).get("xdm:id"),
        is_dry=body.get("xdm:dryRun", False),
        validates_context=body.get("xdm:validateContextData", False),
        wants_trace=body.get("gw:trace", False),
        at=None if at is None else read_timestamp(at),
        profile=profile.get("gw:profile"),
        events=None if events is None else tuple(events),
    )


def _read_context(body: JsonObject, profile: JsonObject, form: Form) -> tuple[tuple[str, ...], tuple[JsonObject, ...]]:
    """Give pointer and item of the context data: those of the profile, then those at the root."""
    holders = [(form.profile, profile), ("", body)] if form.profile else [("", body)]
    found = [
        (f"{where}/xdm:contextData/{at}", {**item, "@type": item["@type"].strip()})
        for where, holder in holders
        for at, item in enumerate(holder.get("xdm:contextData", ()))
    ]
    return tuple(pointer for pointer, _ in found), tuple(item for _, item in found)


def _read_duplicates(flags: JsonObject, form: Form) -> Duplicates:
    activities = flags.get("xdm:acrossActivities", False)
    return Duplicates(activities, flags.get("xdm:acrossPlacements", False) if form.profile else activities)


def _read_format(wanted: JsonObject) -> ResponseFormat:
    metadata = wanted.get("xdm:includeMetadata", {})
    return ResponseFormat(
        wanted.get("xdm:includeContent", False),
        frozenset(metadata.get("xdm:activity", ())),
        frozenset(metadata.get("xdm:option", ())),
        frozenset(metadata.get("xdm:placement", ())),
    )


def _identities(identity_map: JsonObject) -> Iterator[tuple[Identity, bool]]:
    for namespace, listed in identity_map.items():
        for each in listed:
            yield Identity(namespace, each["xdm:id"]), each.get("primary", False) or each.get("xdm:primary", False)


def choose_lookups(found: Sequence[tuple[Identity, bool]]) -> tuple[Identity, ...]:
    """Give the primary identity alone, or without one all in order (dec:PR2); with each stands whether it is marked."""
    if len(found) == 1:
        return (found[0][0],)
    primary = [identity for identity, is_primary in found if is_primary]
    return tuple(primary[:1]) or tuple(sorted({identity for identity, _ in found}))


def _check(body: JsonObject, request: DecisionRequest, form: Form) -> Iterator[Violation]:
    """Give the faults a schema cannot find."""
    identities = list(_identities(request.identity_map))
    where = f"{form.profile}/xdm:identityMap"
    if len(identities) > MOST_IDENTITIES:
        yield Violation("max-items", where, f"has more than {MOST_IDENTITIES} identities")
    if sum(is_primary for _, is_primary in identities) > 1:
        yield Violation("several-primary", where, "marks more than one identity as primary")
    if sum(ask.count for ask in request.asks) > MOST_OPTIONS:
        yield Violation("maximum", f"/{form.member}", f"asks for more than {MOST_OPTIONS} options in all")
    if "gw:at" in body:
        if not request.is_dry:
            yield Violation("needs-dry-run", "/gw:at", "is only allowed with xdm:dryRun true")
        if request.at is None:
            yield Violation("format", "/gw:at", FORMATS["date-time"])


def _check_inline(profile: JsonObject, form: Form, *, inline_profile: bool) -> Iterator[Violation]:
    for name in ("gw:profile", "gw:events"):
        if form.profile and name in profile and not inline_profile:
            yield Violation("not-enabled", f"{form.profile}/{name}", "is not enabled in this deployment")


FORMATS = {"date-time": "must be an RFC 3339 date-time with an offset, such as 2024-05-15T10:30:00Z"}
CODES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "required": ("required", lambda _: "is required"),
    "type": ("type", lambda kind: f"must be of type {' or '.join(kind.types)}"),
    "minimum": ("minimum", lambda kind: f"must be at least {kind.limit}"),
    "maximum": ("maximum", lambda kind: f"must be at most {kind.limit}"),
    "minItems": ("min-items", lambda kind: f"must have {kind.limit} or more elements"),
    "maxItems": ("max-items", lambda kind: f"must have at most {kind.limit} elements"),
    "minProperties": ("min-properties", lambda _: "must name at least one identity"),
    "minLength": ("length", lambda _: "must not be empty"),
    "maxLength": ("length", lambda kind: f"must have at most {kind.limit} characters"),
    "pattern": ("pattern", lambda _: "has characters that are not allowed here"),
    "propertyNames": ("pattern", lambda _: "has a namespace that is not 1 to 64 of A-Z a-z 0-9 . _ -"),
    "enum": ("enum", lambda kind: f"must be one of {', '.join(map(str, kind.options))}"),
    "format": ("format", lambda kind: FORMATS[kind.format]),
}
"""What a failed keyword of a schema is called, and how it is told; a value is never repeated."""


def _violation(error: jsonschema_rs.ValidationError) -> Violation:
    code, tell = CODES[error.kind.name]
    path = [str(step) for step in error.instance_path]
    if error.kind.name == "required":
        path.append(error.kind.as_dict()["property"])
    escaped = (step.replace("~", "~0").replace("/", "~1") for step in path)
    return Violation(code, "".join(f"/{step}" for step in escaped), tell(error.kind))
