"""Decision events and feedback: a bounded stream, written without ever delaying a response (dec:EV1-EV3)."""

from collections.abc import Sequence

from gateway.offers.instances import JsonObject, Space


class DecisionEvents:
    """The stream of decision events as one gateway writes it."""

    def put(self, space: Space, event: JsonObject) -> None:
        """Queue one decision event (`offers.events.record_decision`); never waits and never raises (dec:EV1).

        Beyond the greatest queue length the event is dropped, counted and logged.
        """
        raise NotImplementedError

    async def put_feedback(self, space: Space, container: str, events: Sequence[JsonObject]) -> int:
        """Keep feedback events, each `@id` once in 24 h; gives how many were new (dec:EV3). Raises StoreError."""
        raise NotImplementedError
