"""One Target client code with everything that decides for it: its policy, its artifact, its place in the world."""

import time
from collections.abc import Callable, Sequence

from msgspec import Struct, field
from msgspec.structs import force_setattr

from gateway.config import Client
from gateway.configuration import hide_secrets
from gateway.delivery.artifact import Artifact
from gateway.delivery.decide import Case, Decision, decide
from gateway.delivery.geo import find_address, merge_geo
from gateway.delivery.model import Context, DeliveryRequest, JsonObject
from gateway.delivery.plan import Item, Policy
from gateway.delivery.session import Visitor
from gateway.delivery.telemetry import TelemetryStore, Timing, make_decision_entry, make_download_entry
from gateway.delivery.trace import TraceFacts, describe_visitor
from gateway.upstream.artifact_feed import ArtifactFeed
from gateway.upstream.geo import GeoLookup


class Tenant(Struct, frozen=True):
    """A configured client and its parts."""

    code: str
    client: Client
    feed: ArtifactFeed
    geo: GeoLookup
    new_id: Callable[[], str]
    clock: Callable[[], float] = time.time
    telemetry: TelemetryStore = field(default_factory=TelemetryStore)
    policy: Policy = Policy()

    def __post_init__(self) -> None:
        """Settle how requests are split; be told of downloads, where telemetry is wanted."""
        policy = Policy(self.client.method, all_or_nothing=self.client.split == "all-or-nothing")
        force_setattr(self, "policy", policy)
        if self.client.telemetry:
            self.feed.on_look = self._note_look

    def find_address(self, artifact: Artifact, context: Context) -> str | None:
        """Give the address whose place is to be looked up, if the artifact wants it (on-device §6.2)."""
        return find_address(context) if artifact.geo_targeting and self.client.geo else None

    async def locate(self, context: Context, address: str) -> Context:
        """Give the context with what is known of the place of `address`."""
        return merge_geo(context, await self.geo.look_up(address))

    def decide(
        self, artifact: Artifact, request: DeliveryRequest, context: Context, items: Sequence[Item], visitor: Visitor
    ) -> Decision:
        """Give the local decision of `items`, by `artifact`, in `context` (the request's, located), now."""
        case = Case(
            client=self.code,
            context=context,
            bucketing_id=visitor.bucketing or self.new_id(),
            now_ms=int(self.clock() * 1000),
            new_id=self.new_id,
            property_token=request.property.token if request.property else self.client.property_token,
            escape_macros=self.client.escape_macros,
            trace=self._trace_facts(artifact, visitor) if request.trace is not None and self.client.traces else None,
        )
        return decide(artifact, case, items)

    def _note_look(self, seconds: float, parsing_s: float | None) -> None:
        parsing_ms = None if parsing_s is None else parsing_s * 1000
        self.telemetry.add(make_download_entry(Timing(int(self.clock() * 1000), seconds * 1000, parsing_ms)))

    def note_answer(self, request_id: str, response: JsonObject, method: str, seconds: float) -> None:
        """Keep for Target how long one answer took, where telemetry is wanted (get-offers §11)."""
        if self.client.telemetry:
            timing = Timing(int(self.clock() * 1000), seconds * 1000)
            self.telemetry.add(make_decision_entry(request_id, response, method, timing))

    def _trace_facts(self, artifact: Artifact, visitor: Visitor) -> TraceFacts:
        described: JsonObject = {
            "artifactLocation": hide_secrets(self.feed.location),
            "pollingInterval": self.feed.poll_s * 1000,
            "pollingHalted": False,
            "artifactVersion": artifact.version,
            "artifactRetrievalCount": self.feed.retrieved,
            "artifactLastRetrieved": self.feed.last_retrieved,
        }
        return TraceFacts(
            client=self.code,
            artifact=described | artifact.meta,
            visitor_id=describe_visitor(visitor.id),
            session_id=visitor.session_id,
            environment=str(artifact.meta.get("environment", self.client.environment)),
        )
