"""What the stores of a gateway show at every scrape of its metrics."""

from collections.abc import Mapping

from gateway.store.connection import Store
from gateway.store.counting import Counting
from gateway.store.entities import Entities
from gateway.store.profiles import Profiles
from gateway.telemetry import Metrics


def watch_store(metrics: Metrics, store: Store) -> None:
    """Show how the Redis of sessions does."""
    metrics.watch(lambda: {"store_connected": float(store.connected)}, kind="gauge")
    metrics.watch(
        lambda: {
            "store_sent": store.counts.sent,
            "store_failed": store.counts.failed,
            "store_timed_out": store.counts.timed_out,
            "store_dropped": store.counts.dropped,
            "store_reconnected": store.counts.reconnected,
        },
        kind="counter",
    )


def watch_counting(metrics: Metrics, counting: Counting) -> None:
    """Show what became of claims and of decision events."""
    caps, events = counting.caps, counting.events
    metrics.watch(
        lambda: {"caps_lost": float(caps.epoch.is_lost), "events_waiting": float(events.waiting)}, kind="gauge"
    )
    metrics.watch(
        lambda: {
            "caps_granted": caps.counts.granted,
            "caps_refused": caps.counts.refused,
            "caps_unavailable": caps.counts.unavailable,
            "caps_repeated": caps.counts.repeated,
            "caps_moves": caps.escrow.counts.moves,
            "caps_terms": caps.escrow.counts.terms,
            "events_put": events.counts.put,
            "events_written": events.counts.written,
            "events_dropped": events.counts.dropped,
        },
        kind="counter",
    )


def watch_stores(metrics: Metrics, stores: Mapping[str, Entities | Profiles]) -> None:
    """Show how other Redis connections do, by name."""
    metrics.watch(lambda: {f"{name}_connected": float(store.connected) for name, store in stores.items()}, kind="gauge")
    metrics.watch(
        lambda: {
            f"{name}_{what}": getattr(store.counts, what)
            for name, store in stores.items()
            for what in ("sent", "failed", "timed_out", "dropped", "reconnected")
        },
        kind="counter",
    )
