"""What is known of people: attributes, events, identities, erasure (spec profiles-api)."""

import asyncio
import time
from datetime import UTC, datetime

import msgspec

from gateway.errors import Problem, Violation
from gateway.offers.instances import JsonObject
from gateway.offers.model import Identity
from gateway.offers.profile_documents import (
    MOST_ATTRIBUTES_BYTES,
    MOST_EVENT_BYTES,
    MOST_EVENTS,
    check_attributes,
    check_identity,
    merge,
    read_events,
    read_identities,
    write_identities,
)
from gateway.offers.profiles import MOST_IDENTITIES, Condition, StoredProfile, Taken, TooMany, Unknown, Written
from gateway.store.profiles import Profiles
from gateway.web.callers import refuse_rate
from gateway.web.hal import read_pairs, read_raw_query
from gateway.web.negotiation import JSON, choose, make_native, read_content_type
from gateway.web.preconditions import State, check_write, is_unchanged, read_conditions
from gateway.web.response import Answer, Header
from gateway.web.rest import Area, Call, Route
from gateway.web.wire import encode
from gateway.web.writing import give_up, read_body

PREFIX = "/v1/profiles"
MERGE_PATCH = "application/merge-patch+json"
MOST_LISTED = 1000
_EVENTS_BYTES = MOST_EVENTS * MOST_EVENT_BYTES + 4096  # their brackets, commas and blanks
_MAP_BYTES = 262_144
_MOST_TRIES = 64
_NATIVE = make_native(JSON)


async def replace_profile(call: Call) -> Answer:
    """Answer U1."""
    identity = _begin_write(call, (JSON,))
    # Whoever says nothing of what is there need not be told of it, and a write without a read cannot lose to others.
    known = await _read_for_write(call, identity) if _is_conditional(call) else None
    document = check_attributes((await read_body(call, MOST_ATTRIBUTES_BYTES)).value)
    for attempt in range(_MOST_TRIES):
        condition = Condition()
        if _is_conditional(call):
            known = known if attempt == 0 else await _read_for_write(call, identity)
            condition = Condition(revision=known.revision if known else 0)
        outcome = await _profiles(call).save(call.caller.space, identity, document, condition)
        if isinstance(outcome, Written):
            return _answer_saved(outcome, document)
        await _let_others_go(attempt)
    raise give_up()


async def patch_profile(call: Call) -> Answer:
    """Answer U2."""
    identity = _begin_write(call, (MERGE_PATCH, JSON))
    known = await _read_for_write(call, identity)
    patch = (await read_body(call, MOST_ATTRIBUTES_BYTES)).value
    for attempt in range(_MOST_TRIES):
        known = known if attempt == 0 else await _read_for_write(call, identity)
        if known is None:
            raise _not_found()
        document = check_attributes(merge(msgspec.json.decode(known.attributes), patch))
        revision = known.revision if _is_conditional(call) else None
        condition = Condition(revision=revision, changed=known.changed, must_exist=True)
        outcome = await _profiles(call).save(call.caller.space, identity, document, condition)
        if isinstance(outcome, Written):
            return _answer_saved(outcome, document)
        if isinstance(outcome, Unknown):
            raise _not_found()
        await _let_others_go(attempt)
    raise give_up()


async def read_profile(call: Call) -> Answer:
    """Answer U3."""
    identity = _begin_read(call)
    known = await _profiles(call).read(call.caller.space, identity)
    if known is None:
        raise _not_found()
    state = _state_of(known)
    if is_unchanged(read_conditions(call.request.headers), state):
        return Answer(304, b"", _tags(state))
    return Answer(200, encode(_show(known)), _tags(state))


async def erase_profile(call: Call) -> Answer:
    """Answer U4."""
    identity = _check_write(call)
    await _profiles(call).erase(call.caller.space, identity, call.services.forget)
    return Answer(204, b"")


async def add_events(call: Call) -> Answer:
    """Answer U5."""
    identity = _begin_write(call, (JSON,))
    events = read_events((await read_body(call, _EVENTS_BYTES)).value, time.time_ns() // 1_000_000)
    added = await _profiles(call).append(call.caller.space, identity, events) if events else 0
    if isinstance(added, TooMany):
        raise refuse_rate("This profile had too many events within a day", 3600)
    return Answer(202, encode({"accepted": added}))


async def list_events(call: Call) -> Answer:
    """Answer U6."""
    identity = _begin_read(call)
    most = _read_limit(call)
    events = await _profiles(call).read_events(call.caller.space, identity, most)
    if events is None:
        raise _not_found()
    return Answer(200, encode({"events": [msgspec.Raw(event) for event in events]}))


async def add_identities(call: Call) -> Answer:
    """Answer U7."""
    identity = _begin_write(call, (JSON,))
    others = read_identities((await read_body(call, _MAP_BYTES)).value)
    outcome = await _profiles(call).link(call.caller.space, identity, others)
    if isinstance(outcome, Taken):
        wrong = Violation("identity-taken", f"/identityMap/{outcome.identity.namespace}", "belongs to another profile")
        raise Problem(409, "identity-taken", "An identity belongs to another profile", violations=[wrong])
    if isinstance(outcome, TooMany):
        raise Problem(422, "too-many-identities", f"One person may have {MOST_IDENTITIES} identities")
    return Answer(200, encode(_show(outcome)), _tags(_state_of(outcome)))


def _profiles(call: Call) -> Profiles:
    return call.services.profiles


def _begin_read(call: Call) -> Identity:
    if not call.caller.grants.may_read_people:
        raise Problem(403, "read-forbidden", "The token may not read profiles here")
    choose(call.request.headers.getall("Accept", []), _NATIVE)
    return _identity_of(call)


def _begin_write(call: Call, accepted: tuple[str, ...]) -> Identity:
    identity = _check_write(call)
    read_content_type(call.request.headers.get("Content-Type"), accepted)
    choose(call.request.headers.getall("Accept", []), _NATIVE)
    return identity


def _check_write(call: Call) -> Identity:
    if not call.caller.grants.may_write_people:
        raise Problem(403, "write-forbidden", "The token may not change profiles here")
    return _identity_of(call)


def _identity_of(call: Call) -> Identity:
    return check_identity(call.names["namespace"], call.names["id"])


async def _read_for_write(call: Call, identity: Identity) -> StoredProfile | None:
    """Give what is there and meets the caller's conditions (P9); raises Problem 404, 409 or 412 where it does not."""
    known = await _profiles(call).read(call.caller.space, identity)
    if known is not None:
        check_write(read_conditions(call.request.headers), _state_of(known))
    elif "If-Match" in call.request.headers:
        raise _not_found()
    return known


def _is_conditional(call: Call) -> bool:
    return bool(read_conditions(call.request.headers))


async def _let_others_go(attempt: int) -> None:
    """Wait longer each time somebody else was faster."""
    await asyncio.sleep(0.001 * min(attempt, 20))


def _read_limit(call: Call) -> int:
    """Give how many events are wanted; more than 1000 are treated as 1000."""
    given = next((value for name, value in read_pairs(read_raw_query(call)) if name == "limit"), str(MOST_LISTED))
    if not (given.isascii() and given.isdigit() and len(given) <= 9 and int(given) > 0):
        raise Problem(400, "invalid-parameter", "limit must be a whole number above 0")
    return min(int(given), MOST_LISTED)


def _state_of(known: StoredProfile) -> State:
    return State(known.revision, datetime.fromtimestamp(known.modified_ms / 1000, UTC))


def _tags(state: State) -> list[Header]:
    return [("ETag", state.tag), ("Last-Modified", state.last_modified)]


def _show(known: StoredProfile) -> JsonObject:
    return {
        "attributes": msgspec.Raw(known.attributes),
        "identityMap": write_identities(known.identities),
        "eventCount": known.event_count,
    }


def _answer_saved(written: Written, document: bytes) -> Answer:
    body = encode({"attributes": msgspec.Raw(document)})
    return Answer(201 if written.is_new else 200, body, [("ETag", f'"{written.revision}"')])


def _not_found() -> Problem:
    return Problem(404, "profile-not-found", "Nobody is known by this identity")


PROFILES = Area(
    PREFIX,
    (
        Route(
            "{namespace}/{id}",
            {"GET": read_profile, "PUT": replace_profile, "PATCH": patch_profile, "DELETE": erase_profile},
        ),
        Route("{namespace}/{id}/events", {"GET": list_events, "POST": add_events}),
        Route("{namespace}/{id}/identities", {"PUT": add_identities}),
    ),
    personal=True,
)
