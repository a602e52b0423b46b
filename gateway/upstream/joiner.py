"""Waiting calls of a session, sent together (gw:M3, M5, M6; who may join whom stands in `delivery/merging`).

Target runs a session's calls one after another, so while one is under way the next ones gather here. A bundle is sent
when its window has passed and nothing of its session is under way; or at once when it is full, or when to wait on
would take more than half of the time that its most hurried caller had. Only who names a consumer says that others of
its page may come: in an idle session nobody else waits for the window.
"""

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct, field

from gateway.config import Merge, Target
from gateway.delivery.merging import Share, is_repetition
from gateway.delivery.model import JsonObject
from gateway.delivery.stitching import make_sdid
from gateway.errors import UpstreamError, UpstreamOverloaded, UpstreamTimeout
from gateway.upstream.bundle import Answer, Asked, Bundle, Member, is_invalid
from gateway.upstream.fanout import Fanout, Pending
from gateway.upstream.target import Call, Outcome

GROUP_SIZES = (1, 2, 3, 5, 10, 20, 50)


class Counts(Struct):
    """What became of callers, for metrics; every figure only grows."""

    joined: int = 0
    """callers who travelled in another's call"""
    repeated: int = 0
    """callers who got the answer to a call they had made already"""
    split: int = 0
    """calls made because a call had more mboxes than one may have"""
    parted: int = 0
    """callers asked for on their own, after Target had found the joined call invalid"""
    refused: int = 0
    """callers turned away because too many waited"""
    sizes: list[int] = field(default_factory=lambda: [0] * (len(GROUP_SIZES) + 1))
    """bundles sent, by how many callers they had: up to each of GROUP_SIZES, and more"""
    callers: int = 0
    """callers in those bundles"""


class Line(Struct, eq=False):
    """One session: bundles that gather, calls that wait for a place, and those that are under way."""

    key: tuple[str, str]
    gathering: list[Bundle] = field(default_factory=list)
    queued: deque[tuple[Bundle, int, Call]] = field(default_factory=deque)
    repeatable: dict[tuple[str, bool], Member] = field(default_factory=dict)
    callers: int = 0
    flights: list["Flight"] = field(default_factory=list)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way or about to be."""
        return not self.flights and not self.queued


class Joiner:
    """Everyone who waits for Target."""

    def __init__(self, fanout: Fanout, merge: Merge, target: Target, new_id: Callable[[], str]) -> None:
        """Send through `fanout`."""
        self.fanout = fanout
        self._merge = merge
        self._target = target
        self._new_id = new_id
        self._lines: dict[tuple[str, str], Line] = {}
        self.callers = 0
        self.counts = Counts()

    def __repr__(self) -> str:
        """Say how busy it is."""
        return f"<Joiner {self.callers} callers in {len(self._lines)} sessions>"

    def start(self, asked: Asked) -> "Ticket":
        """Take a call on its way; one that does not wait is on the wire when this returns.

        The caller must await `reply()` or call `end()`.
        """
        key = (asked.client, asked.session_id)
        line = self._lines.get(key)
        callers = 0 if line is None else line.callers
        if self.callers >= self._merge.max_waiting or callers >= self._merge.waiting_per_session:
            self.counts.refused += 1
            ticket = Ticket(self, None, None)
            ticket.fail(UpstreamOverloaded("too many callers are already waiting for Target"))
            return ticket
        if line is None:
            line = self._lines[key] = Line(key)
        line.callers += 1
        self.callers += 1
        member = self._find_repeated(line, asked) or self._place(line, asked)
        ticket = Ticket(self, line, member)
        member.tickets.append(ticket)
        if not member.bundle.is_sent:
            self._send_or_wait(line, member)
        if member.bundle.lands_by != asked.deadline:
            ticket.wait_until(asked.deadline)
        return ticket

    def _find_repeated(self, line: Line, asked: Asked) -> Member | None:
        if not line.repeatable or not asked.repeatable:
            return None
        member = line.repeatable.get((asked.repeatable, asked.alongside))
        if member is None or not is_repetition(member.asked.share, asked.share):
            return None
        self.counts.repeated += 1
        return member

    def _place(self, line: Line, asked: Asked) -> Member:
        bundle = None if asked.alongside or not line.gathering else self._find_open(line, asked.share)
        if bundle is not None:
            self.counts.joined += 1
            member = bundle.add(asked)
        else:
            line.gathering.append(bundle := Bundle(asked, asked.share.sdid or make_sdid(self._new_id)))
            (member,) = bundle.members
        if asked.repeatable:
            line.repeatable.setdefault((asked.repeatable, asked.alongside), member)
        return member

    def _find_open(self, line: Line, share: Share) -> Bundle | None:
        most = self._target.mboxes_per_call
        return next((one for one in line.gathering if one.facts.has_room(share, most)), None)

    def _send_or_wait(self, line: Line, member: Member) -> None:
        bundle, merge = member.bundle, self._merge
        gathers = merge.window_ms and bundle.awaits_others
        goes = not merge.enabled or member.asked.alongside or (line.is_idle and not gathers)
        if goes or bundle.facts.mboxes >= self._target.mboxes_per_call:
            self._send(line, bundle)
            return
        now = self.fanout.loop.time()
        risk = now + (member.asked.deadline - now) / 2
        bundle.risk = min(bundle.risk, risk) if bundle.risk else risk
        window_end = now + merge.window_ms / 1000
        if bundle.timer is None:
            self._wake_at(line, bundle, min(window_end, bundle.risk), at_risk=bundle.risk <= window_end)
        elif bundle.risk < bundle.wakes_at:
            self._wake_at(line, bundle, bundle.risk, at_risk=True)

    def _wake_at(self, line: Line, bundle: Bundle, when: float, *, at_risk: bool) -> None:
        bundle.stop_timer()
        bundle.wakes_at = when  # uvloop's timers do not tell
        bundle.timer = self.fanout.loop.call_at(when, self._wake, line, bundle, at_risk)

    def _wake(self, line: Line, bundle: Bundle, at_risk: bool) -> None:  # noqa: FBT001 - a timer passes by position
        bundle.is_ripe = True
        if at_risk or line.is_idle:
            self._send(line, bundle)
            self._go_on(line)
        else:
            self._wake_at(line, bundle, bundle.risk, at_risk=True)

    def _send(self, line: Line, bundle: Bundle) -> None:
        bundle.stop_timer()
        line.gathering.remove(bundle)
        calls = bundle.write_calls(self._target.mboxes_per_call, self._new_id)
        size = len(bundle.members)
        self.counts.sizes[bisect_left(GROUP_SIZES, size)] += 1
        self.counts.callers += size
        self.counts.split += len(calls) - 1
        line.queued.extend((bundle, number, call) for number, call in enumerate(calls))
        self._launch(line)

    def _launch(self, line: Line) -> None:
        while line.queued and len(line.flights) < self._target.parallel_per_session:
            bundle, number, call = line.queued.popleft()
            if call.deadline - self.fanout.loop.time() < self._target.minimum_budget_ms / 1000:
                self._record(line, bundle, number, UpstreamTimeout("there was no time left to ask Target"))
                continue
            line.flights.append(flight := Flight(self, line, bundle, number, call))
            if bundle.is_single:
                bundle.lands_by = call.deadline
            self.fanout.launch(flight)

    def land(self, flight: "Flight", outcome: Outcome) -> None:
        """Take note of what became of a call, and let the next ones leave."""
        line = flight.line
        line.flights.remove(flight)
        self._record(line, flight.bundle, flight.number, outcome)
        self._go_on(line)

    def _record(self, line: Line, bundle: Bundle, number: int, outcome: Outcome) -> None:
        """Keep what became of one call; with the last one its callers get their answers."""
        bundle.outcomes[number] = outcome
        bundle.left -= 1
        if not bundle.left:
            self._settle(line, bundle)

    def _go_on(self, line: Line) -> None:
        """Let the next calls of a session leave; forget a session that has none."""
        if line.queued:
            self._launch(line)
        while line.gathering and line.is_idle and (ripe := next((one for one in line.gathering if one.is_ripe), None)):
            self._send(line, ripe)
        self._forget(line)

    def _forget(self, line: Line) -> None:
        if not line.callers and line.is_idle and self._lines.get(line.key) is line:
            del self._lines[line.key]

    def _settle(self, line: Line, bundle: Bundle) -> None:
        try:
            answers = bundle.read_answers()
        except UpstreamError as error:
            error.__traceback__ = None  # its frames know it, too, and all of them would wait for the garbage collector
            if is_invalid(error) and len(bundle.members) > 1:
                self._part(line, bundle)
            else:
                self._fail(line, bundle, error)
            return
        except Exception as error:  # noqa: BLE001 - a defect: those who wait must be told, and its frames be seen
            self._fail(line, bundle, error)
            return
        for member, answer in zip(bundle.members, answers, strict=True):
            self._forget_repeatable(line, member)
            for ticket in member.tickets:
                if isinstance(answer, Answer):
                    ticket.settle(answer)
                else:
                    ticket.fail(answer)
        bundle.let_go()

    def _part(self, line: Line, bundle: Bundle) -> None:
        """Ask for each caller alone: one of them made the call invalid, and the others are not to suffer (gw:M5)."""
        for member in bundle.members:
            if member.tickets:
                self.counts.parted += 1
                alone = Bundle.part_from(member)
                line.gathering.append(alone)
                self._send(line, alone)
        bundle.let_go()

    def _fail(self, line: Line, bundle: Bundle, error: Exception) -> None:
        for member in bundle.members:
            self._forget_repeatable(line, member)
            for ticket in member.tickets:
                ticket.fail(error)
        bundle.let_go()

    def leave(self, line: Line, member: Member, ticket: "Ticket") -> None:
        """Take note that a caller has its answer or has gone away; nobody else notices."""
        line.callers -= 1
        self.callers -= 1
        member.tickets.remove(ticket)
        if not member.tickets:
            self._drop(line, member)
        self._forget(line)

    def _drop(self, line: Line, member: Member) -> None:
        self._forget_repeatable(line, member)
        bundle = member.bundle
        if not bundle.is_sent:
            if len(bundle.members) > 1:
                bundle.leave(member)
            else:
                bundle.stop_timer()
                line.gathering.remove(bundle)
                bundle.let_go()
        elif bundle.left and not any(one.tickets for one in bundle.members):
            line.queued = deque(one for one in line.queued if one[0] is not bundle)
            self._end_flights(line, bundle)
            self._go_on(line)

    def _end_flights(self, line: Line, bundle: Bundle) -> None:
        """Break off the calls of a bundle nobody waits for any more."""
        for flight in [one for one in line.flights if one.bundle is bundle]:
            line.flights.remove(flight)  # which frees its place
            flight.end()
        bundle.let_go()

    def _forget_repeatable(self, line: Line, member: Member) -> None:
        if not line.repeatable:
            return
        key = (member.asked.repeatable, member.asked.alongside)
        if line.repeatable.get(key) is member:
            del line.repeatable[key]

    async def close(self) -> None:
        """End every wait and every call."""
        for line in list(self._lines.values()):
            under_way = [flight.bundle for flight in line.flights]
            waiting = [*line.gathering, *(queued[0] for queued in line.queued), *under_way]
            line.queued.clear()
            for bundle in {id(one): one for one in waiting}.values():
                bundle.stop_timer()
                bundle.is_ripe = False
                self._fail(line, bundle, UpstreamError("the gateway is closing"))
                self._end_flights(line, bundle)
            self._forget(line)
        await asyncio.sleep(0)  # transports let go of their sockets in the next turn


class Flight(Pending):
    """One call of a bundle, under way."""

    __slots__ = ("_joiner", "bundle", "line", "number")

    def __init__(self, joiner: Joiner, line: Line, bundle: Bundle, number: int, call: Call) -> None:
        """Make ready for take-off."""
        super().__init__(joiner.fanout, call)
        self._joiner = joiner
        self.line = line
        self.bundle = bundle
        self.number = number

    def land(self, outcome: Outcome) -> None:
        """Tell the joiner."""
        self._joiner.land(self, outcome)


class Ticket:
    """One caller's wait for its part of a call.

    `lost` says, once there is a reply, why something is missing; with `lacks_first` what is no mbox is missing, too.
    """

    __slots__ = ("_ended", "_future", "_joiner", "_line", "_member", "_timer", "lacks_first", "lost")

    def __init__(self, joiner: Joiner, line: Line | None, member: Member | None) -> None:
        """Wait until the call has landed; without a line nobody has taken it."""
        self.lost: Sequence[str] = ()
        self.lacks_first = False
        self._joiner = joiner
        self._line = line
        self._member = member
        self._future: asyncio.Future[JsonObject] = joiner.fanout.loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    def wait_until(self, deadline: float) -> None:
        """Wait no longer than that; a call of its own that is under way already ends by the same deadline."""
        if not self._future.done():
            self._timer = self._joiner.fanout.loop.call_at(deadline, self._expire)

    async def reply(self) -> JsonObject:
        """Give this caller's part of Target's answer. Raises UpstreamError of the kind that fits."""
        try:
            return await self._future
        finally:
            self.end()

    @property
    def sdid(self) -> str:
        """The SDID the call has; "" when it was not taken."""
        return self._member.bundle.sdid if self._member is not None else ""

    @property
    def impression_id(self) -> str:
        """The impression id that was made for the call; "" where the caller's own is used, or Target makes one."""
        return self._member.bundle.impression_id if self._member is not None else ""

    def settle(self, answer: Answer) -> None:
        """End the wait with an answer."""
        if not self._future.done():
            self.lost, self.lacks_first = answer.lost, answer.lacks_first
            self._future.set_result(answer.reply)

    def fail(self, error: Exception) -> None:
        """End the wait with `error`."""
        if not self._future.done():
            self._future.set_exception(error)

    def end(self) -> None:
        """Let go of everything this caller holds; an answer that is not there yet is lost to it."""
        if self._ended:
            return
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if not self._future.done():
            self._future.cancel()
        elif not self._future.cancelled():
            self._future.exception()  # seen: nobody is waiting any more
        self._future = self._joiner.fanout.ended  # as an error knows, by its traceback, who waited for it
        if self._line is not None and self._member is not None:
            self._joiner.leave(self._line, self._member, self)

    def _expire(self) -> None:
        self.fail(UpstreamTimeout("Target did not answer in time"))
