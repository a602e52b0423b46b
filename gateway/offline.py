"""`gateway decide`: one decision from two files, and why it came out so; no server, no network, no Redis."""

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from gateway.delivery.answer import join, place_of
from gateway.delivery.artifact import Artifact, read_artifact
from gateway.delivery.decide import Case, decide
from gateway.delivery.explain import Explanation, Story, explain
from gateway.delivery.model import DeliveryRequest, JsonObject
from gateway.delivery.plan import find_needs, list_items
from gateway.delivery.session import adopt_device, read_visitor
from gateway.delivery.validation import Leniency, check_request
from gateway.errors import ConfigError
from gateway.ids import new_id
from gateway.web.wire import decode_object

ABOUT = """\
Decides one delivery request by an artifact, on this machine alone, and prints the response as JSON. With --explain it
also says, on standard error, for every rule that was asked for why it did or did not match: each part of its condition
with true or false before it, and behind each variable, in brackets, the value that was seen.

  gateway decide --artifact rules.json --request request.json
  gateway decide --artifact rules.json --request request.json --explain --now 2026-11-27T09:00Z
  echo '{"execute":{"mboxes":[{"index":1,"name":"hero"}]}}' | gateway decide --artifact rules.json --request - --explain

Nothing is looked up: a place comes from context.geo of the request only. A visitor without an id is a new one on every
call; give "id":{"tntId":"anything"} to stay in one experience. The client code takes part in the splits of an activity:
with another code than the artifact's own the same visitor sees another experience.
"""
_DEEPEST = 64
_MARKS = {True: "true ", False: "false", None: "?    "}
_VERDICTS = {"matched": "+ matched", "not matched": "- not matched", "not asked": "  not asked"}


class Question(Struct, frozen=True):
    """What is decided, by what, for whom and when."""

    artifact: Artifact
    request: DeliveryRequest
    body: JsonObject
    case: Case
    identity: JsonObject


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "--artifact", required=True, metavar="FILE", help="decisioning artifact: rules.json or rules.bin"
    )
    parser.add_argument(
        "--request", required=True, metavar="FILE", help="delivery request, JSON; - reads standard input"
    )
    parser.add_argument("--explain", action="store_true", help="say why each rule did or did not match")
    parser.add_argument(
        "--now", metavar="TIME", help="decide as of then: 2026-11-27T09:00Z, or ms since 1970 (default: now)"
    )
    parser.add_argument("--client", metavar="CODE", help="client code (default: the artifact's own, else demo)")
    parser.add_argument("--organization", default="", metavar="ID", help="organization id, which a rules.bin needs")
    parser.add_argument("--property", default="", metavar="TOKEN", help="property token, where the request has none")


def run(options: argparse.Namespace) -> int:
    """Print the decision that `options` ask for; raises GatewayError with what is wrong with a file."""
    asked = read_question(options)
    items = list_items(asked.request, asked.body)
    decision = decide(asked.artifact, asked.case, items)
    found = {place_of(item): results for item, results in zip(items, decision.results, strict=True)}
    needs = find_needs(asked.artifact, asked.request, items)
    response: JsonObject = {
        "status": 206 if needs else 200,
        "requestId": asked.request.request_id or new_id(),
        "id": asked.identity,
        "client": asked.case.client,
        **join(asked.request, items, found),
    }
    print(msgspec.json.format(msgspec.json.encode(response), indent=2).decode())
    if options.explain:
        sys.stdout.flush()
        for fault in asked.artifact.faults:
            print(f"ignored: {fault}", file=sys.stderr)
        for line in write_explanations(explain(asked.artifact, asked.case, items), needs.mboxes + needs.views):
            print(line, file=sys.stderr)
    return 0


def read_question(options: argparse.Namespace) -> Question:
    """Read the files and the rest of the command line."""
    location = options.artifact
    artifact = read_artifact(
        _read(location), organization_id=options.organization, binary=location.lower().endswith(".bin")
    )
    body: JsonObject = {"context": {}} | decode_object(_read(options.request), _DEEPEST)
    request = check_request(body, Leniency())
    visitor = read_visitor(body.get("id"), "")
    if not visitor.is_known:
        visitor = adopt_device(visitor, new_id(), "")
    case = Case(
        client=options.client or str(artifact.meta.get("clientCode") or "demo"),
        context=request.context,
        bucketing_id=visitor.bucketing,
        now_ms=read_time(options.now) if options.now else int(time.time() * 1000),
        new_id=new_id,
        property_token=request.property.token if request.property else options.property,
    )
    return Question(artifact, request, body, case, visitor.id)


def _read(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


def read_time(text: str) -> int:
    """Give ms since 1970 of an ISO 8601 time (UTC unless it says otherwise) or of a number of ms."""
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--now {text}: write a time as 2026-11-27T09:00Z, or as ms since 1970") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def write_explanations(explanations: list[Explanation], remote: tuple[str, ...]) -> Iterator[str]:
    """Give the lines that tell a person why."""
    for explanation in explanations:
        kind = {"mboxes": "mbox", "views": "view", "pageLoad": "page load"}[explanation.item.kind]
        yield ""
        yield f"{explanation.item.part} {kind} {_quote(explanation.name)}"
        if explanation.name in remote:
            yield "  Target has a say in this one: the artifact does not hold all of its activities"
        if not explanation.stories:
            yield "  the artifact has no rule for it"
        for story in explanation.stories:
            yield from _write_story(story)


def _write_story(story: Story) -> Iterator[str]:
    meta = story.rule.meta
    activity = f"activity {story.rule.activity_id} {_quote(meta.get('activity.name'))}".rstrip()
    experience = f"experience {meta.get('experience.id', '?')} {_quote(meta.get('experience.name'))}".rstrip()
    reason = f": {story.reason}" if story.reason else ""
    verdict = _VERDICTS.get(story.verdict, f"  {story.verdict}")
    yield f"  {verdict}{reason} - rule {story.rule.key}, {activity}, {experience}"
    for part in story.parts:
        yield f"      {_MARKS[part.holds]} {'  ' * part.depth}{part.text}"


def _quote(name: object) -> str:
    """Write a name of the artifact so that it cannot do anything to a terminal."""
    return msgspec.json.encode(str(name)).decode() if name else ""
