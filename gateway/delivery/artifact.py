"""The decisioning artifact (spec on-device-decisioning §3, §4): payload in, immutable `Artifact` of closures out.

Everything that does not depend on the request is done here, once: conditions become closures, options are split into
what `execute` and `prefetch` may show, response tokens that come from a rule's `meta` are laid out (§11).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from gateway.delivery.conditions import Condition, ConditionTooLarge, UnknownOperator, compile_condition
from gateway.delivery.decoding import Slices, decode_artifact, run_through, unscramble_slices
from gateway.delivery.model import JsonObject
from gateway.delivery.nesting import measure_depth
from gateway.delivery.pickers import Pickers
from gateway.errors import ArtifactUnsupported

SUPPORTED_MAJOR = "1"
DEFAULT_GLOBAL_MBOX = "target-global-mbox"
DECIDED_ON_DEVICE = {"activity.decisioningMethod": "on-device"}
META_TOKENS = tuple(
    f"{thing}.{member}"
    for thing, members in {
        "activity": ("id", "name", "type"),
        "experience": ("id", "name"),
        "location": ("id", "name", "type"),
        "offer": ("id", "name"),
        "option": ("id", "name"),
    }.items()
    for member in members
)
GEO_TOKENS = {
    "geo.city": "city",
    "geo.country": "country",
    "geo.state": "region",
    "geo.latitude": "latitude",
    "geo.longitude": "longitude",
}
DEEPEST = 100
MOST_RULES = 100_000
_MAPS = {"mbox": "mboxes", "view": "views"}
MOST_MACROS = 1_000


class Shown(Struct, frozen=True):
    """What one mode shows of a satisfied rule: members of the result, options with the response tokens from `meta`."""

    members: JsonObject
    options: list[JsonObject] | None
    with_macros: bool


class Rule(Struct, frozen=True):
    """One experience of one activity at one location, ready to be tested."""

    key: str
    activity_id: int
    name: str
    properties: frozenset[str] | None
    test: Condition
    condition: Any
    meta: JsonObject
    event_tokens: tuple[str, ...]
    response_tokens: JsonObject
    execute: Shown
    prefetch: Shown


class Artifact(Struct, frozen=True, weakref=True):
    """Every rule of one client and environment, by mbox and by view; `faults` says what could not be compiled.

    What is remote is numbered in the order of the artifact.
    """

    version: str
    meta: JsonObject
    global_mbox: str
    geo_targeting: bool
    geo_tokens: tuple[tuple[str, str], ...]
    remote_mboxes: Mapping[str, int]
    remote_views: Mapping[str, int]
    local_mboxes: frozenset[str]
    only_local: frozenset[str]
    local_views: frozenset[str]
    mboxes: Mapping[str, Sequence[Rule]]
    views: Mapping[str, Sequence[Rule]]
    faults: tuple[str, ...]
    payload: JsonObject
    pickers: Pickers = field(default_factory=Pickers)


class _TokenWire(Struct, rename="camel"):
    """What is read of an option or a metric; the rest is free."""

    type: str | None = None
    event_token: str | None = None


class _ConsequenceWire(Struct):
    """What is read of a consequence."""

    name: str | None = None
    options: list[_TokenWire] | None = None
    metrics: list[_TokenWire] | None = None


class _MetaWire(Struct):
    """What is read of a rule's meta beside its response tokens."""

    audience_ids: list[int | str] | None = field(default=None, name="audience.ids")


class _RuleWire(Struct, rename="camel"):
    """A rule as it stands in the file."""

    rule_key: str
    condition: Any
    consequence: JsonObject
    meta: JsonObject
    activity_id: int | None = None
    property_tokens: list[str] | None = None


class _RulesWire(Struct):
    """The two maps of rules, each of which is read in its turn."""

    mboxes: dict[str, list[Any]] = {}
    views: dict[str, list[Any]] = {}


class _ArtifactWire(Struct, rename="camel"):
    """The members of the file that we read."""

    version: str
    rules: _RulesWire
    meta: JsonObject = {}
    global_mbox: str | None = None
    geo_targeting_enabled: bool | None = None
    response_tokens: list[str] | None = None
    remote_mboxes: list[str] | None = None
    local_mboxes: list[str] | None = None
    remote_views: list[str] | None = None
    local_views: list[str] | None = None


def read_artifact(raw: bytes, *, organization_id: str = "", binary: bool = False) -> Artifact:
    """Give the artifact in `raw`: JSON text, or with `binary` the scrambled form of §3.

    Raises ArtifactUnsupported that says what is wrong with it.
    """
    return run_through(read_slices(raw, organization_id=organization_id, binary=binary))


def read_slices(raw: bytes, *, organization_id: str = "", binary: bool = False) -> Slices[Artifact]:
    """Do what `read_artifact` does in many short slices: for threads that others must not wait for."""
    payload = yield from decode_artifact(raw, organization_id, binary=binary)
    return (yield from _load_slices(payload))


def unscramble(raw: bytes, organization_id: str) -> bytes:
    """Undo the XOR scrambling of `rules.bin` (§3) with the organization's id, `@AdobeOrg` included."""
    return run_through(unscramble_slices(raw, organization_id))


def load_artifact(payload: Any) -> Artifact:
    """Give the artifact of a decoded file, compiled. Raises ArtifactUnsupported with the reason."""
    return run_through(_load_slices(payload))


def _load_slices(payload: Any) -> Slices[Artifact]:
    if not isinstance(payload, dict) or not isinstance(payload.get("rules"), dict):
        raise ArtifactUnsupported("this is not a decisioning artifact: it has no rules")
    version = str(payload.get("version"))
    if version.split(".", maxsplit=1)[0] != SUPPORTED_MAJOR:
        raise ArtifactUnsupported(f"artifact version {version[:20]} is not supported, only {SUPPORTED_MAJOR}.x.x is")
    try:
        wire = msgspec.convert(payload, _ArtifactWire)
    except msgspec.ValidationError as error:
        raise ArtifactUnsupported(f"this is not a decisioning artifact: {error}") from error
    if _count_rules(wire.rules) > MOST_RULES:
        raise ArtifactUnsupported(f"the artifact has more than {MOST_RULES} rules")
    return (yield from _load(payload, wire))


def _count_rules(rules: _RulesWire) -> int:
    return sum(map(len, rules.mboxes.values())) + sum(map(len, rules.views.values()))


def _load(payload: JsonObject, wire: _ArtifactWire) -> Slices[Artifact]:
    faults: list[str] = []
    tokens = frozenset(wire.response_tokens or ())
    mboxes = yield from _load_places(wire.rules.mboxes, tokens, faults, "mbox")
    views = yield from _load_places(wire.rules.views, tokens, faults, "view")
    return Artifact(
        version=wire.version,
        meta=wire.meta,
        global_mbox=wire.global_mbox or DEFAULT_GLOBAL_MBOX,
        geo_targeting=bool(wire.geo_targeting_enabled),
        geo_tokens=tuple((token, name) for token, name in GEO_TOKENS.items() if token in tokens),
        remote_mboxes=_number(wire.remote_mboxes or ()),
        remote_views=_number(wire.remote_views or ()),
        local_mboxes=frozenset(wire.local_mboxes or ()),
        only_local=frozenset(wire.local_mboxes or ()) - frozenset(wire.remote_mboxes or ()),
        local_views=frozenset(wire.local_views or ()),
        mboxes=mboxes,
        views=views,
        faults=tuple(faults),
        payload=payload,
    )


def _number(names: Sequence[str]) -> dict[str, int]:
    return {name: at for at, name in enumerate(dict.fromkeys(names))}


def _load_places(
    places: dict[str, list[Any]], tokens: frozenset[str], faults: list[str], location: str
) -> Slices[dict[str, tuple[Rule, ...]]]:
    loaded: dict[str, tuple[Rule, ...]] = {}
    for name, rules in places.items():
        ready: list[Rule] = []
        for at, rule in enumerate(rules):
            try:
                ready.append(_load_rule(msgspec.convert(rule, _RuleWire), tokens, faults, location))
            except msgspec.ValidationError as error:
                where = f"rules.{_MAPS[location]}.{name[:80]}[{at}]"
                what = f"this is not a decisioning artifact: {where} is malformed: {error}"
                raise ArtifactUnsupported(what) from error
            yield
        loaded[name] = tuple(ready)
    return loaded


def _load_rule(wire: _RuleWire, tokens: frozenset[str], faults: list[str], location: str) -> Rule:
    consequence = wire.consequence
    if measure_depth(consequence) > DEEPEST or measure_depth(wire.meta) > DEEPEST:
        raise ArtifactUnsupported(f"rule {wire.rule_key}: its content is nested deeper than {DEEPEST} levels")
    msgspec.convert(consequence, _ConsequenceWire)
    msgspec.convert(wire.meta, _MetaWire)
    options: list[JsonObject] = consequence.get("options") or []
    metrics: list[JsonObject] = consequence.get("metrics") or []
    members = {name: value for name, value in consequence.items() if name not in ("options", "metrics")}
    clicks = [metric for metric in metrics if metric.get("type") == "click"]
    keep_metrics = location == "view" and "metrics" in consequence
    activity_id = wire.meta.get("activity.id", wire.activity_id)
    listed = {name: wire.meta[name] for name in META_TOKENS if name in tokens and name in wire.meta} | DECIDED_ON_DEVICE
    execute, prefetch = (
        (_execute_options(options), _prefetch_options(options, metrics)) if "options" in consequence else (None, None)
    )
    return Rule(
        key=wire.rule_key,
        activity_id=activity_id if isinstance(activity_id, int) else 0,
        name=str(consequence.get("name", "")),
        properties=frozenset(wire.property_tokens) if wire.property_tokens else None,
        test=_compile(wire, faults),
        condition=wire.condition,
        meta=wire.meta,
        event_tokens=tuple(option["eventToken"] for option in options if option.get("eventToken")),
        response_tokens=listed,
        execute=_make_shown(members | ({"metrics": clicks} if clicks else {}), execute, listed),
        prefetch=_make_shown(members | ({"metrics": metrics} if keep_metrics else {}), prefetch, listed),
    )


def _compile(wire: _RuleWire, faults: list[str]) -> Condition:
    try:
        return compile_condition(wire.condition)
    except UnknownOperator as error:
        faults.append(f"rule {wire.rule_key}: {error}")
        return _never
    except ConditionTooLarge as error:
        raise ArtifactUnsupported(f"rule {wire.rule_key}: {error}") from error


def _never(_scope: object) -> bool:
    return False


def is_blank(option: JsonObject) -> bool:
    """Whether this option means default content: neither type nor content (delivery-api §7.3)."""
    return option.get("type") is None and option.get("content") is None


def _execute_options(options: list[JsonObject]) -> list[JsonObject]:
    kept = (option for option in options if not is_blank(option))
    return [{name: value for name, value in option.items() if name != "eventToken"} for option in kept]


def _prefetch_options(options: list[JsonObject], metrics: list[JsonObject]) -> list[JsonObject]:
    return [_add_event_token(option, metrics[at] if at < len(metrics) else {}) for at, option in enumerate(options)]


def _add_event_token(option: JsonObject, metric: JsonObject) -> JsonObject:
    if option.get("eventToken") or metric.get("type") != "display" or not metric.get("eventToken"):
        return option
    return option | {"eventToken": metric["eventToken"]}


def _make_shown(members: JsonObject, options: list[JsonObject] | None, tokens: JsonObject) -> Shown:
    macros = sum(text.count("${") for option in options or () for text in macro_texts(option))
    if macros > MOST_MACROS:
        raise ArtifactUnsupported(f"an offer at {members.get('name')!r:.80} has more than {MOST_MACROS} macros")
    dressed = None if options is None else [option | {"responseTokens": tokens} for option in options]
    return Shown(members=members, options=dressed, with_macros=macros > 0)


def macro_texts(option: JsonObject) -> list[str]:
    """Give the texts of an option in which macros are filled in (§11): html content, and the contents of actions."""
    content = option.get("content")
    if option.get("type") == "html" and isinstance(content, str):
        return [content]
    if option.get("type") == "actions" and isinstance(content, list):
        texts = (action.get("content") for action in content if isinstance(action, dict))
        return [text for text in texts if isinstance(text, str)]
    return []
