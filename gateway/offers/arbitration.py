"""Who gets which option when several entries of one call want the same (dec §6).

Entries are served in request order and take the best they may have (dec:DU1). One that would get nothing may have an
earlier entry switch to another of its own candidates (dec:DU2); nobody ever gives one up without a replacement
(dec:DU3). An option is also out of reach when as many as its caps leave are handed out (X1): then one that holds it can
make room in the same way.
"""

from collections.abc import Sequence

from msgspec import Struct

from gateway.offers.capping import Room
from gateway.offers.inventory import PersonalizedOffer
from gateway.offers.ranking import RankedOrder


class Duplicates(Struct, frozen=True):
    """Across which dimensions the same option may be handed out more than once."""

    across_activities: bool = False
    across_placements: bool = False


class Contender(Struct, frozen=True, eq=False):
    """One entry of a call: what it asks for, and its candidates best first."""

    activity_id: str
    placement_id: str
    count: int
    order: RankedOrder

    def conflicts_with(self, other: "Contender", allowed: Duplicates) -> bool:
        """Whether the two must not have the same option: every dimension they differ in has to be allowed."""
        return not (
            (allowed.across_activities or self.activity_id == other.activity_id)
            and (allowed.across_placements or self.placement_id == other.placement_id)
        )


class Allotment:
    """Which options each contender holds, best first once all are served."""

    __slots__ = ("_allowed", "_contenders", "_holders", "_room", "held")

    def __init__(self, contenders: Sequence[Contender], allowed: Duplicates, room: Room) -> None:
        """Serve `contenders` in their order with what `room` leaves."""
        self._contenders = contenders
        self._allowed = allowed
        self._room = room
        self._holders: dict[PersonalizedOffer, list[int]] = {}
        self.held: list[list[PersonalizedOffer]] = [[] for _ in contenders]
        for at in range(len(contenders)):
            self._serve(at)
        for at, options in enumerate(self.held):
            if len(options) > 1:
                options.sort(key=contenders[at].order.position)

    def conflicting_holder(self, at: int, option: PersonalizedOffer) -> int | None:
        """Give the first other contender that holds `option` and shuts contender `at` out of it."""
        return next(iter(self._conflicting(at, option)), None)

    def held_count(self, option: PersonalizedOffer) -> int:
        """Give how often an option is handed out."""
        return len(self._holders.get(option, ()))

    def _serve(self, at: int) -> None:
        contender, mine = self._contenders[at], self.held[at]
        for option in contender.order:
            if self._is_free(at, option):
                self._take(at, option)
                if len(mine) == contender.count:
                    return
        if not mine:
            self._free_one(at)

    def _free_one(self, at: int) -> None:
        visited: set[PersonalizedOffer] = set()
        for option in self._contenders[at].order:
            if option not in visited:
                visited.add(option)
                if self._vacate(at, option, visited):
                    self._take(at, option)
                    return

    def _vacate(self, at: int, option: PersonalizedOffer, visited: set[PersonalizedOffer]) -> bool:
        """Have whoever shuts contender `at` out of `option` switch; when that fails nothing has changed."""
        conflicting = self._conflicting(at, option)
        if not conflicting:  # its caps are used up: one holder less is enough
            return any(self._switch(holder, option, visited) for holder in list(self._holders.get(option, ())))
        before = [list(options) for options in self.held] if len(conflicting) > 1 else []
        if all(self._switch(holder, option, visited) for holder in conflicting):
            return True
        if before:
            self._restore(before)
        return False

    def _switch(self, at: int, option: PersonalizedOffer, visited: set[PersonalizedOffer]) -> bool:
        """Have a holder go through its other candidates in rank order, depth first (X7)."""
        for other in self._contenders[at].order:
            if other in visited or other in self.held[at]:
                continue
            visited.add(other)
            if self._is_free(at, other) or self._vacate(at, other, visited):
                self._leave(at, option)
                self._take(at, other)
                return True
        return False

    def _is_free(self, at: int, option: PersonalizedOffer) -> bool:
        if self._room.of(option) <= len(self._holders.get(option, ())):
            return False
        return not self._conflicting(at, option)

    def _conflicting(self, at: int, option: PersonalizedOffer) -> list[int]:
        holders = self._holders.get(option)
        if not holders:
            return []
        contender, others = self._contenders[at], self._contenders
        return [holder for holder in holders if contender.conflicts_with(others[holder], self._allowed)]

    def _take(self, at: int, option: PersonalizedOffer) -> None:
        self.held[at].append(option)
        self._holders.setdefault(option, []).append(at)

    def _leave(self, at: int, option: PersonalizedOffer) -> None:
        self.held[at].remove(option)
        self._holders[option].remove(at)

    def _restore(self, held: list[list[PersonalizedOffer]]) -> None:
        self.held = held
        self._holders = {}
        for at, options in enumerate(held):
            for option in options:
                self._holders.setdefault(option, []).append(at)
