"""Offer activities behind mboxes: which mboxes they decide, the decision of one, the display of a prefetched offer.

(gw:O1, gw:O2)
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from msgspec import Struct

from gateway.config import Offers
from gateway.decisioning.catalogues import Catalogues
from gateway.decisioning.decider import Asking, Decider, Settled
from gateway.errors import StoreError
from gateway.ids import new_id
from gateway.offers.capping import Granted, Unavailable
from gateway.offers.decide import resolve
from gateway.offers.displays import Display, read_token, select_display, write_token
from gateway.offers.events import record_display
from gateway.offers.instances import Instance, JsonObject, Space
from gateway.offers.inventory import PersonalizedOffer
from gateway.offers.mboxes import ask_for_mbox, write_options
from gateway.offers.model import Identity
from gateway.store.caps import Caps, Claimant
from gateway.store.decision_events import DecisionEvents
from gateway.store.displays import LIFE_S, Displays

_ACTIVITY = "xcore:offer-activity:"
_EVERY = "*"
_LOOK_S = 1.0
_MOST_CONTAINERS = 32


class ContainerList(Protocol):
    """Who knows the containers of a space: `store.entities.Entities`."""

    async def list_containers(self, space: Space) -> list[Instance]:
        """Give their records."""


class Question(Struct, frozen=True, kw_only=True):
    """One mbox: whose it is, what it says of itself, and whether it is only prefetched; `deadline` of the loop."""

    space: Space
    name: str
    identities: Sequence[Identity]
    parameters: Mapping[str, object]
    is_prefetch: bool
    deadline: float


class Shown(Struct, frozen=True):
    """The options of an mbox, and what was done without the counters ("" where they answered)."""

    options: list[JsonObject]
    degraded: str


class Counting(Struct, frozen=True, kw_only=True):
    """Where displays are counted."""

    caps: Caps
    events: DecisionEvents
    displays: Displays
    secret: bytes


class OfferMboxes:
    """The mboxes that offer activities decide."""

    def __init__(self, settings: Offers, catalogues: Catalogues, decider: Decider, counting: Counting) -> None:
        """Know the mboxes of the configuration, and those that are named like an activity of its containers."""
        self.sandbox = settings.sandbox
        self._mapped = settings.mboxes
        named = [*settings.containers, *(one.container for one in settings.mboxes.values())]
        self._containers = [one for one in dict.fromkeys(named) if one != _EVERY]
        self._takes_every = _EVERY in settings.containers
        self._found: dict[Space, list[str]] = {}
        self._catalogues = catalogues
        self._decider = decider
        self._counting = counting

    @property
    def is_used(self) -> bool:
        """Whether there are any."""
        return bool(self._containers) or self._takes_every

    async def follow(self, spaces: Sequence[Space], repository: ContainerList) -> None:
        """Load what will be asked for, and look for further containers where every one counts; until cancelled."""
        while self.is_used:
            for space in spaces:
                if self._takes_every:
                    with suppress(StoreError):  # the store says so; what is known stays good (gw:R5)
                        listed = await repository.list_containers(space)
                        self._found[space] = [one.instance_id for one in listed][:_MOST_CONTAINERS]
                for container in self._containers_of(space):
                    self._catalogues.prepare(space, container)
            if not self._takes_every:
                return
            await asyncio.sleep(_LOOK_S)

    def decides(self, space: Space, name: str) -> bool:
        """Whether an mbox is decided here; one named like an activity nobody knows is left to Target."""
        if name in self._mapped:
            return True
        return name.startswith(_ACTIVITY) and self._container_of(space, name) is not None

    async def decide(self, question: Question) -> Shown:
        """Decide one mbox. Raises Problem and StoreError."""
        mapped = self._mapped.get(question.name)
        activity = mapped.activity if mapped is not None else question.name
        container = mapped.container if mapped is not None else self._container_of(question.space, question.name)
        view = await self._catalogues.find(question.space, container, question.deadline) if container else None
        if view is None or container is None:
            raise StoreError("There is no container with the id that is configured for this mbox")
        request = ask_for_mbox(activity, question.identities, question.parameters, is_prefetch=question.is_prefetch)
        asking = Asking(space=question.space, container=container, deadline=question.deadline)
        settled = await self._decider.decide(resolve(view.catalog, request), asking)
        (proposition,) = settled.decision.propositions
        make_token = partial(self._make_token, settled, container) if question.is_prefetch else None
        return Shown(write_options(proposition, make_token), settled.degraded)

    def read_token(self, token: str) -> Display | None:
        """Give the display that an event token of ours stands for, None for one of somebody else's."""
        return read_token(token, self._counting.secret)

    async def count(self, space: Space, display: Display, deadline: float) -> bool:
        """Count the display of a prefetched offer, once; False where that could not be done."""
        counting = self._counting
        if time.time() * 1000 - display.issued_ms > LIFE_S * 1000:
            return True  # too late: it might have been counted, and is not remembered
        try:
            view = await self._catalogues.find(space, display.container, deadline)
            if view is None or not await counting.displays.take(display.id):
                return True
        except StoreError:
            return False
        claimant = Claimant(space, display.container, digest=display.profile)
        selection = select_display(view.catalog, display)
        verdict = await counting.caps.claim(claimant, selection, display.id, deadline)
        if isinstance(verdict, Unavailable):
            counting.displays.give_back(display.id)
            return False
        event = record_display(view.catalog, display, space.organization)
        if event is not None and isinstance(verdict, Granted):
            counting.events.put(space, event)
        return True

    def _containers_of(self, space: Space) -> list[str]:
        if not self._takes_every:
            return self._containers
        return list(dict.fromkeys([*self._containers, *self._found.get(space, ()), *self._catalogues.loaded(space)]))

    def _container_of(self, space: Space, activity: str) -> str | None:
        for container in self._containers_of(space):
            view = self._catalogues.peek(space, container)
            if view is not None and activity in view.catalog.activities:
                return container
        return None

    def _make_token(self, settled: Settled, container: str, offer: PersonalizedOffer) -> str:
        decision = settled.decision
        display = Display(
            id=new_id(),
            container=container,
            activity=decision.plan.activities[0].at_id,
            offer=offer.at_id,
            profile=self._counting.caps.digest_profile(container, decision.profile.canonical_id),
            issued_ms=settled.created_ms,
        )
        return write_token(display, self._counting.secret)


async def decide_all(mboxes: OfferMboxes, questions: Sequence[Question]) -> list[Shown | BaseException]:
    """Decide several mboxes at once: their waits share round trips. What failed is an exception in the list."""
    return await asyncio.gather(*map(mboxes.decide, questions), return_exceptions=True)


async def count_all(mboxes: OfferMboxes, space: Space, displays: Sequence[Display], deadline: float) -> bool:
    """Count displays at once; False where one could not be counted."""
    counted = await asyncio.gather(*(mboxes.count(space, display, deadline) for display in displays))
    return all(counted)
