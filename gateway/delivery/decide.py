"""Rules to consequences (spec on-device-decisioning §10, §11, §13): the engine, for execute and prefetch.

Pure: the clock, the ids and the visitor come in with the `Case`. Results share the artifact's own option objects
where nothing in them depends on the request; nobody may change them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from gateway.delivery.artifact import Artifact, Rule, Shown
from gateway.delivery.content import Filling, fill_in_macros
from gateway.delivery.context import Scope
from gateway.delivery.model import Context, JsonObject
from gateway.delivery.plan import Item, Part
from gateway.delivery.trace import TraceFacts, Tracer

Results = list[JsonObject]


class Case(Struct, frozen=True):
    """Everything a decision depends on besides the artifact and the items."""

    client: str
    context: Context
    bucketing_id: str
    now_ms: int
    new_id: Callable[[], str]
    property_token: str = ""
    escape_macros: bool = False
    trace: TraceFacts | None = None


class Decision(Struct, frozen=True):
    """The results of each item, in the order of the items, and what `execute` displayed (§13)."""

    results: list[Results]
    notifications: list[JsonObject]


def decide(artifact: Artifact, case: Case, items: Sequence[Item]) -> Decision:
    """Decide `items`, which come in the order of evaluation (§10)."""
    run = _Run(artifact, case)
    return Decision([_DECIDE[item.kind](run, item) for item in items], run.notifications)


class _Run:
    """One decision under way: where we are, and what has been displayed so far."""

    __slots__ = ("artifact", "case", "filling", "geo_tokens", "notifications", "scope", "seen", "tracers")

    def __init__(self, artifact: Artifact, case: Case) -> None:
        self.artifact = artifact
        self.case = case
        self.filling = Filling(case.escape_macros)
        self.scope = Scope(case.context, case.client, case.bucketing_id, case.now_ms)
        geo = self.scope.geo
        self.geo_tokens = {token: geo[name] for token, name in artifact.geo_tokens if name in geo} if geo else {}
        self.seen: set[tuple[str, str]] = set()
        self.notifications: list[JsonObject] = []
        self.tracers: dict[Part, Tracer] = {}

    def tracer(self, item: Item) -> Tracer | None:
        """Give the tracer of the item's mode, which collects over all items of that mode (§12)."""
        facts = self.case.trace
        if facts is None:
            return None
        if item.part not in self.tracers:
            self.tracers[item.part] = Tracer(facts, item.part)
        self.tracers[item.part].enter(item, self.scope, self.artifact.global_mbox)
        return self.tracers[item.part]


def _decide_mbox(run: _Run, item: Item) -> Results:
    run.scope.enter(item.details)
    tracer = run.tracer(item)
    rules = run.artifact.mboxes.get(item.name, ())
    if item.name == run.artifact.global_mbox:
        return [_show(run, item, rule, tracer) for rule in _satisfied_once(run, rules, tracer)]
    if tracer is None and (pick := run.artifact.pickers.find(item.name, rules)) is not None:
        place = pick(run.scope, run.case.property_token)
        return [_show(run, item, rules[place], None) if place >= 0 else _show_nothing(item, None)]
    for rule in _allowed(run, rules):
        if _is_satisfied(run, rule, tracer):
            return [_show(run, item, rule, tracer)]
    return [_show_nothing(item, tracer)]


def _decide_view(run: _Run, item: Item) -> Results:
    run.scope.enter(item.details)
    tracer = run.tracer(item)
    views = run.artifact.views
    rules = views.get(item.name, ()) if item.name else [rule for rules in views.values() for rule in rules]
    merged: dict[str, JsonObject] = {}
    for rule in _satisfied_once(run, rules, tracer):
        result = _show(run, item, rule, tracer)
        first = merged.setdefault(rule.name, result)
        if first is not result:
            for member in ("options", "metrics"):
                if member in result:
                    first[member] = [*first.get(member, ()), *result[member]]
    return list(merged.values())


def _decide_page_load(run: _Run, item: Item) -> Results:
    run.scope.enter(item.details)
    tracer = run.tracer(item)
    rules = run.artifact.mboxes.get(run.artifact.global_mbox, ())
    options: list[JsonObject] = []
    metrics: dict[Any, JsonObject] = {}
    result: JsonObject = {"options": options}
    for rule in _satisfied_once(run, rules, tracer):
        shown = _show(run, item, rule, tracer)
        options.extend(shown.get("options") or ())
        metrics |= {metric.get("eventToken"): metric for metric in shown.get("metrics", ())}
        if "trace" in shown:
            result["trace"] = shown["trace"]
    if metrics:
        result["metrics"] = list(metrics.values())
    return [result]


_DECIDE: dict[str, Callable[[_Run, Item], Results]] = {
    "mboxes": _decide_mbox,
    "views": _decide_view,
    "pageLoad": _decide_page_load,
}


def _allowed(run: _Run, rules: Sequence[Rule]) -> Iterator[Rule]:
    token = run.case.property_token
    return (rule for rule in rules if rule.properties is None or token in rule.properties)


def _satisfied_once(run: _Run, rules: Sequence[Rule], tracer: Tracer | None) -> Iterator[Rule]:
    """Give each satisfied rule, but of rules with one key only the first (§10.3, §10.4)."""
    done: set[str] = set()
    for rule in _allowed(run, rules):
        if rule.key not in done and _is_satisfied(run, rule, tracer):
            done.add(rule.key)
            yield rule


def _is_satisfied(run: _Run, rule: Rule, tracer: Tracer | None) -> bool:
    run.scope.activity_id = rule.activity_id
    satisfied = rule.test(run.scope)
    if tracer is not None:
        tracer.add_evaluation(rule, run.scope, satisfied=satisfied)
    return satisfied


def _show(run: _Run, item: Item, rule: Rule, tracer: Tracer | None) -> JsonObject:
    shown = rule.execute if item.part == "execute" else rule.prefetch
    created = _notify(run, rule) if item.part == "execute" and rule.event_tokens else []
    result = dict(shown.members)
    if item.kind == "mboxes" and item.index is not None:
        result["index"] = item.index
    if shown.options is not None:
        result["options"] = _dress(run, item, rule, shown)
    if tracer is not None:
        result["trace"] = tracer.finish(rule, created)
    return result


def _dress(run: _Run, item: Item, rule: Rule, shown: Shown) -> list[JsonObject]:
    """Give the options of `rule` with geo tokens and macros filled in, where it has any."""
    options = shown.options or []
    if run.geo_tokens:
        options = [option | {"responseTokens": rule.response_tokens | run.geo_tokens} for option in options]
    if shown.with_macros:
        options = _fill_in(run, item, rule, options)
    return options


def _show_nothing(item: Item, tracer: Tracer | None) -> JsonObject:
    result: JsonObject = {"name": item.name}
    if item.index is not None:
        result["index"] = item.index
    if tracer is not None:
        result["trace"] = tracer.finish(None, [])
    return result


def _fill_in(run: _Run, item: Item, rule: Rule, options: list[JsonObject]) -> list[JsonObject]:
    named = item.raw if item.kind != "pageLoad" else item.raw | {"name": run.artifact.global_mbox}
    sources = (rule.meta, named, item.details.parameters or {})
    return [fill_in_macros(option, sources, run.filling) for option in options]


def _notify(run: _Run, rule: Rule) -> list[JsonObject]:
    """Note that the options of `rule` were displayed, each event token once per request (§13)."""
    fresh = [token for token in dict.fromkeys(rule.event_tokens) if (rule.name, token) not in run.seen]
    if not fresh:
        return []
    run.seen.update((rule.name, token) for token in fresh)
    notification: JsonObject = {
        "id": run.case.new_id(),
        "impressionId": run.case.new_id(),
        "timestamp": run.case.now_ms,
        "type": "display",
        "mbox": {"name": rule.name},
        "tokens": fresh,
    }
    run.notifications.append(notification)
    return [notification]
