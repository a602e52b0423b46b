"""The walk of a write: read, compare, check, save; again when somebody else was faster (spec repository §7-§10)."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from msgspec import Struct

from gateway.errors import Problem
from gateway.ids import new_uuid
from gateway.offers.documents import MAX_BODY_BYTES, read_json
from gateway.offers.instances import Change, Conflict, Instance, Missing, Saved, Stale
from gateway.offers.receipts import make_receipt, self_path
from gateway.offers.repository import Author, Proposal, Target, explain, settle
from gateway.web.hal import answer_hal, read_state, state_headers
from gateway.web.preconditions import check_write, read_conditions
from gateway.web.response import Answer
from gateway.web.rest import Call
from gateway.web.subjects import Subject
from gateway.web.wire import read_limited

_MOST_TRIES = 64
_RETRY = {"Retry-After": "1"}
_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
_SHORT = 0x10000
Propose = Callable[[Target, Any], Proposal]
Result = TypeVar("Result")


class Writing(Struct, frozen=True):
    """One write under way: who asks, what kind of thing it is about, the media type of the receipt."""

    call: Call
    subject: Subject
    media_type: str


class Body(Struct, frozen=True):
    """A decoded body, and how long it was."""

    value: Any
    length: int


async def read_body(call: Call, most_bytes: int = MAX_BODY_BYTES) -> Body:
    """Give the decoded body; raises Problem 413 (K10) or 400 (K2)."""
    limits = call.services.settings.web
    raw = await read_limited(call.request, most_bytes, limits.body_timeout_ms)
    return Body(await check_aside(call, len(raw), partial(read_json, raw, most_bytes)), len(raw))


async def check_aside(call: Call, length: int, work: Callable[[], Result]) -> Result:
    """Do what takes the longer the more bytes there are: a few at once, many beside the event loop, one at a time.

    A body of 1 MiB that somebody took pains with needs up to a second.
    """
    if length <= _SHORT:
        return work()
    async with call.services.checking:
        done: list[Result] = []  # in the future the result would stay until the garbage collector finds it
        await asyncio.to_thread(lambda: done.append(work()))
        return done.pop()


def make_author(call: Call) -> Author:
    """Give who writes, and when (H11)."""
    return Author(call.caller.account, call.caller.client_id, int(time.time() * 1000))


async def change(writing: Writing, instance_id: str, propose: Propose) -> Answer:
    """Replace or patch an instance and answer its receipt.

    Preconditions are looked at before the body (Q13). Whoever named no revision is never told of a conflict: the
    change is made again on what is there by then (Q5).
    """
    call, subject = writing.call, writing.subject
    conditions = read_conditions(call.request.headers)
    current = await subject.read(instance_id)
    check_write(conditions, read_state(current))
    body = await read_body(call)
    done = await _try_change(writing, current, propose, body)
    if done is not None:
        return done
    async with _turns.setdefault(instance_id, asyncio.Lock()):  # one after the other, or all would lose but one
        for attempt in range(_MOST_TRIES):
            await _pause(attempt)
            current = await subject.read(instance_id)
            check_write(conditions, read_state(current))
            done = await _try_change(writing, current, propose, body)
            if done is not None:
                return done
    raise give_up()


async def _try_change(writing: Writing, current: Instance, propose: Propose, body: Body) -> Answer | None:
    """Make the change on `current` and give the answer, None where somebody else was faster."""
    target = Target(author=make_author(writing.call), current=current, container=writing.subject.container)
    length = body.length + len(current.document)
    proposal = await check_aside(writing.call, length, partial(propose, target, body.value))
    made = await _settle(writing, proposal, length)
    verdict = await writing.subject.save(made, new_uuid())
    if isinstance(verdict, Saved):
        return answer_receipt(writing, 200, made.document)
    if isinstance(verdict, Missing):  # gone meanwhile, or its container is
        await writing.subject.read(current.instance_id)
    if not isinstance(verdict, Stale | Conflict):
        raise explain(verdict)
    return None


async def create(writing: Writing, length: int, propose: Callable[[], Proposal]) -> Answer:
    """Make a new instance of a body of `length` bytes and answer its receipt (K1)."""
    for attempt in range(_MOST_TRIES):
        await _pause(attempt)
        made = await _settle(writing, await check_aside(writing.call, length, propose), length)
        verdict = await writing.subject.save(made, new_uuid())
        if isinstance(verdict, Saved):
            return answer_receipt(writing, 201, made.document)
        if isinstance(verdict, Missing):
            raise Problem(404, "container-not-found", "There is no container with this id")
        if not isinstance(verdict, Stale):
            raise explain(verdict)
    raise give_up()


async def _settle(writing: Writing, proposal: Proposal, length: int) -> Change:
    neighbours = await writing.subject.meet(proposal.needs)
    length += sum(len(one.document) for one in (*neighbours.by_id.values(), *neighbours.referrers))
    work = partial(settle, writing.call.services.registry, proposal, neighbours)
    return await check_aside(writing.call, length, work)


async def _pause(attempt: int) -> None:
    """Let the others of this worker go first, longer each time."""
    if attempt:
        await asyncio.sleep(0.001 * min(attempt, 20))


def give_up() -> Problem:
    """Give the answer when others were faster again and again."""
    return Problem(503, "unavailable", "Too many others change this at once; try again", headers=_RETRY)


def answer_receipt(writing: Writing, status: int, document: bytes) -> Answer:
    """Answer a write with the state after it (E5)."""
    receipt = make_receipt(document)
    stored = Instance(receipt["instanceId"], receipt["repo:etag"], document)
    location = self_path(stored.instance_id, writing.subject.container)
    headers = [("Location", location), *state_headers(read_state(stored))]
    return answer_hal(writing.call, status, receipt, writing.media_type, headers)


def expected_revision(call: Call, current: Instance) -> int | None:
    """Give the revision a delete depends on: none, unless the caller set a condition that holds now."""
    return current.revision if read_conditions(call.request.headers) else None
