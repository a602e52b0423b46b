"""What travels to Target together: the callers of one group, the calls it becomes, and what came back of them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from gateway.delivery.answer import check_reply
from gateway.delivery.chunking import chunk, rejoin
from gateway.delivery.merging import Group, Share, join, part
from gateway.delivery.model import JsonObject
from gateway.delivery.stitching import DEFAULT_CONSUMER, put_sdid, read_sdid
from gateway.delivery.telemetry import attach_entries
from gateway.errors import UpstreamError, UpstreamGarbled, UpstreamRefused
from gateway.upstream.target import Address, Call, Outcome, make_headers

if TYPE_CHECKING:
    from gateway.upstream.joiner import Ticket


class Asked(Struct, kw_only=True, frozen=True):
    """One caller's call to Target.

    Where it `is_complete` the bytes of its share may leave as they are: the SDID is in them, and there are no more
    mboxes than one call may have. `repeatable` is the caller's own request id, which is in the body; where there is
    none `request_id` is in its place. `take_entries` gives our own telemetry that is to travel along, once it leaves.
    `deadline` is a time of the event loop's clock in seconds. A call `alongside` another one of the same request
    neither waits for it nor joins any (gw:F4), and has a request id of its own (get-offers §17).
    """

    client: str
    session_id: str
    address: Address
    share: Share
    request_id: str
    version: str
    deadline: float
    is_complete: bool = False
    repeatable: str = ""
    take_entries: Callable[[], Sequence[JsonObject]] = tuple
    alongside: bool = False


class Member:
    """A share of a bundle with everyone who waits for its answer: its caller, and whoever repeated the call (gw:M6)."""

    __slots__ = ("asked", "bundle", "tickets")

    def __init__(self, asked: Asked, bundle: "Bundle") -> None:
        """Travel in `bundle`."""
        self.asked = asked
        self.bundle = bundle
        self.tickets: list[Ticket] = []


class Answer(Struct, frozen=True):
    """What a member gets: its part of Target's answer, and why something is missing from it (codes of errors).

    `lacks_first` says that the call with everything that is no mbox has no answer.
    """

    reply: JsonObject
    lost: Sequence[str] = ()
    lacks_first: bool = False


class Bundle:
    """Callers that travel together; `sdid` and `impression_id` are fixed from the moment one of them has seen them."""

    def __init__(self, asked: Asked, sdid: str, impression_id: str = "") -> None:
        """Begin with one caller."""
        self.sdid = sdid
        self._impression_id = impression_id or asked.share.impression_id
        self._facts: Group | None = None
        self.members = [Member(asked, self)]
        self.timer: asyncio.TimerHandle | None = None
        self.wakes_at = 0.0
        self.is_ripe = False
        self.risk = 0.0
        self.left = -1
        self.lands_by = 0.0
        """when its one call ends at the latest, once that is under way; 0.0 otherwise"""
        self.outcomes: list[Outcome] = []
        self._bodies: list[JsonObject] = []

    @classmethod
    def part_from(cls, member: Member) -> "Bundle":
        """Give a member a bundle of its own, with the ids of the one it was in; its callers wait on."""
        bundle = cls(member.asked, member.bundle.sdid, member.bundle.impression_id)
        bundle.members = [member]
        member.bundle = bundle
        return bundle

    @property
    def facts(self) -> Group:
        """What its callers have in common; one who travels alone, as most do, is never counted."""
        if self._facts is None:
            self._facts = Group([member.asked.share for member in self.members], self.sdid, self._impression_id)
        return self._facts

    @property
    def impression_id(self) -> str:
        """The impression id that was made for the call; "" where there is none."""
        return self._impression_id if self._facts is None else self._facts.impression_id

    @property
    def awaits_others(self) -> bool:
        """Whether it has callers who named a consumer: others of their page may come."""
        return any(member.asked.share.consumer != DEFAULT_CONSUMER for member in self.members)

    @property
    def is_single(self) -> bool:
        """Whether it is one call of one caller."""
        return self.left == 1 and len(self.members) == 1

    @property
    def is_sent(self) -> bool:
        """Whether its calls have been made: nobody may join any more."""
        return self.left >= 0

    @property
    def deadline(self) -> float:
        """When the last of its callers stops waiting."""
        return max(member.asked.deadline for member in self.members)

    def add(self, asked: Asked) -> Member:
        """Take another caller in."""
        self.facts.add(asked.share)
        self.members.append(member := Member(asked, self))
        return member

    def leave(self, member: Member) -> None:
        """Go without a caller that went away; there must be others."""
        self.facts.leave(member.asked.share)
        self.members.remove(member)

    def let_go(self) -> None:
        """Forget its callers, who have what they came for, so that nothing is left in a cycle."""
        self.members = []
        self.outcomes = []

    def stop_timer(self) -> None:
        """Do not wait any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def write_calls(self, most: int, new_id: Callable[[], str]) -> list[Call]:
        """Give the calls to make, of `most` mboxes at most each; from now on nobody may join or leave."""
        asked = self.members[0].asked
        alone = len(self.members) == 1
        entries = list(asked.take_entries())
        raw = asked.share.raw
        if alone and asked.is_complete and raw is not None and not (asked.alongside or self._impression_id or entries):
            self.left, self.outcomes = 1, [{}]
            return [self._write_call(raw, asked.repeatable or asked.request_id)]
        self._bodies = self._write_bodies(most, new_id, entries)
        self.left = len(self._bodies)
        self.outcomes = [{}] * self.left
        return [self._write_call(self._encode(one), str(one.get("requestId", ""))) for one in self._bodies]

    def _write_bodies(self, most: int, new_id: Callable[[], str], entries: list[JsonObject]) -> list[JsonObject]:
        asked = self.members[0].asked
        alone = len(self.members) == 1
        body = asked.share.body if alone else join(self._shares)
        if asked.alongside or not alone:
            body = body | {"requestId": new_id()}
        if body.get("impressionId") is None and (self.impression_id or self.facts.mboxes > most):
            body = body | {"impressionId": self.impression_id or new_id()}
        if read_sdid(body) != self.sdid:
            body = put_sdid(body, self.sdid)
        body = attach_entries(body, entries)
        if self.facts.mboxes <= most:
            return [body]
        first, *more = chunk(body, most)
        return [first, *(one | {"requestId": new_id()} for one in more)]

    def _write_call(self, body: bytes, request_id: str) -> Call:
        asked = self.members[0].asked
        return Call(asked.address, body, make_headers(asked.request_id, asked.version), self.deadline, request_id)

    def _encode(self, body: JsonObject) -> bytes:
        """Give the bytes of `body`: its caller's own where nothing in it has changed."""
        share = self.members[0].asked.share
        return share.raw if share.raw is not None and body is share.body else msgspec.json.encode(body)

    @property
    def _shares(self) -> list[Share]:
        return [member.asked.share for member in self.members]

    def read_answers(self) -> list[Answer | UpstreamError]:
        """Give each member's answer, or what is wrong with it, in order; raises what went wrong where none has any."""
        if len(self.outcomes) > 1:
            self.outcomes = [_check(*each) for each in zip(self.outcomes, self._bodies, strict=True)]
        errors = [one for one in self.outcomes if isinstance(one, Exception)]
        grave = [error for error in errors if is_invalid(error) or not isinstance(error, UpstreamError)]
        if grave or len(errors) == len(self.outcomes):
            raise (grave or errors)[0]
        replies = [None if isinstance(one, Exception) else one for one in self.outcomes]
        if len(replies) > 1:
            lost = [error.code for error in errors if isinstance(error, UpstreamError)]
            return [Answer(rejoin(self._bodies, replies), lost, lacks_first=replies[0] is None)]
        reply = replies[0] or {}
        return self._part(reply) if len(self.members) > 1 else [Answer(reply)]

    def _part(self, reply: JsonObject) -> list[Answer | UpstreamError]:
        shares = self._shares
        return [_give(own, share.body) for own, share in zip(part(reply, shares), shares, strict=True)]


def _give(own: JsonObject, asked: JsonObject) -> Answer | UpstreamError:
    try:
        check_reply(own, asked)
    except UpstreamGarbled as error:
        return error.with_traceback(None)  # see `Joiner`
    return Answer(own)


def _check(outcome: Outcome, asked: JsonObject) -> Outcome:
    """Give `outcome`, or what is wrong with it where it does not have the shape that `asked` calls for."""
    given = outcome if isinstance(outcome, Exception) else _give(outcome, asked)
    return given.reply if isinstance(given, Answer) else given


def is_invalid(error: Exception) -> bool:
    """Whether Target found the call itself invalid."""
    return isinstance(error, UpstreamRefused) and error.upstream_status == 400
