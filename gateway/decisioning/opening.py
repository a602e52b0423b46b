"""All that decisions need, opened together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

from gateway.config import Offers
from gateway.decisioning.catalogues import Catalogues
from gateway.decisioning.decider import Decider
from gateway.decisioning.mboxes import Counting, OfferMboxes
from gateway.decisioning.repeats import Repeats
from gateway.offers.providers import ProfileProvider
from gateway.store.answers import AnswerStore
from gateway.store.caps import Caps
from gateway.store.decision_events import DecisionEvents
from gateway.store.displays import Displays
from gateway.store.entities import Entities
from gateway.telemetry import Metrics


class Stores(Struct, frozen=True, kw_only=True):
    """Where what decisions need is kept."""

    entities: Entities
    profiles: ProfileProvider
    caps: Caps
    events: DecisionEvents
    answers: AnswerStore
    displays: Displays
    secret: bytes
    ample_s: float
    """longer than a look-up of a profile may take by itself"""


class Decisioning(Struct, frozen=True, kw_only=True):
    """What handlers of decisions use."""

    catalogues: Catalogues
    decider: Decider
    repeats: Repeats
    events: DecisionEvents
    mboxes: OfferMboxes


@asynccontextmanager
async def open_decisioning(stores: Stores, settings: Offers, metrics: Metrics) -> AsyncIterator[Decisioning]:
    """Give the open parts; this worker's own writes are in its next decision (dec X4)."""
    catalogues = Catalogues(stores.entities, settings.most_containers, stores.caps.forget_offer)
    stores.entities.changed = catalogues.note_change
    decider = Decider(stores.profiles, stores.caps, stores.events, metrics, stores.ample_s)
    counting = Counting(caps=stores.caps, events=stores.events, displays=stores.displays, secret=stores.secret)
    mboxes = OfferMboxes(settings, catalogues, decider, counting)
    repeats = Repeats(stores.answers, settings.repeats_mb * 1_048_576)
    metrics.watch(
        lambda: {"catalogues": float(len(catalogues)), "catalogue_age_seconds": catalogues.oldest_s}, kind="gauge"
    )
    metrics.watch(lambda: {"repeats_forgotten": float(repeats.forgotten)}, kind="counter")
    try:
        yield Decisioning(catalogues=catalogues, decider=decider, repeats=repeats, events=stores.events, mboxes=mboxes)
    finally:
        decider.close()
        await catalogues.close()
