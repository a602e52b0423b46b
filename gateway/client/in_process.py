"""An engine and an upstream of the client's own: the same walk that a gateway takes, in this process."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from gateway import __version__
from gateway.client.events import Events
from gateway.client.options import ClientOptions, make_settings
from gateway.delivery.cookies import is_cluster
from gateway.delivery.geo import merge_geo
from gateway.delivery.model import Context, JsonObject
from gateway.delivery.session import read_answered
from gateway.errors import ArtifactMissing, UpstreamError
from gateway.ids import new_id
from gateway.services import Embedding, Services, open_services
from gateway.upstream.outbox import Message
from gateway.upstream.target import Call, make_address, make_headers
from gateway.walk.offers import OffersCall, answer_offers

_READY_S = 0.1
_HINT_SESSION = "ping123"
_HINT_BODY = b'{"context":{"channel":"web"}}'
_FLUSH_S = 1.0


class InProcess:
    """Answers calls by the walk; `hint` is the edge that answered the client's first call, "" for none."""

    def __init__(self, services: Services, options: ClientOptions, events: Events) -> None:
        """Take open services with one tenant."""
        self.hint = ""
        self._services = services
        self._tenant = services.tenants[options.client]
        self._options = options
        self._events = events

    async def ask(self, endpoint: str, given: JsonObject, timeout_s: float) -> JsonObject:
        """Give the envelope, in which nothing is shared with the engine."""
        if self.hint and not given.get("target_location_hint"):
            given = given | {"target_location_hint": self.hint}
        call = OffersCall(
            services=self._services,
            tenant=self._tenant,
            given=given,
            request_id=new_id(),
            started=time.perf_counter(),
            deadline=asyncio.get_running_loop().time() + timeout_s,
            version=self._options.version or "",
            notifies=endpoint == "send-notifications",
        )
        offered = await answer_offers(call)
        if offered.dropped:
            self._events.log_error(f"{offered.dropped} mboxes or notifications were left out: validation failed")
        envelope: JsonObject = msgspec.json.decode(msgspec.json.encode(offered.envelope))
        return envelope

    async def announce(self, loaded: asyncio.Event) -> None:
        """Tell when the client is ready: an on-device or hybrid one with its artifact and location hint (§10.4)."""
        if self._tenant.client.method == "server-side":
            await asyncio.sleep(_READY_S)
        else:
            await asyncio.gather(self._learn_hint(), loaded.wait())
        self._events.emit("client_ready")

    async def _learn_hint(self) -> None:
        if self._options.target_location_hint:
            return
        target = self._services.settings.upstream.target
        query = {"imsOrgId": self._tenant.client.organization_id, "sessionId": _HINT_SESSION}
        deadline = asyncio.get_running_loop().time() + self._options.timeout / 1000
        headers = make_headers(new_id(), __version__)
        call = Call(make_address(target, self._tenant.code, "", query), _HINT_BODY, headers, deadline)
        try:
            reply = await self._services.fanout.ask(call)
        except UpstreamError as error:
            self._events.log_debug(f"the location hint is not known: {error}")
            return
        _, hint = read_answered(reply.get("id"), reply.get("edgeHost"))
        self.hint = hint if is_cluster(hint) else ""

    async def flush(self) -> None:
        """Give notifications that still wait a second to leave."""
        try:
            async with asyncio.timeout(_FLUSH_S):
                while await self._services.outbox.send_some():
                    pass
        except (TimeoutError, UpstreamError) as error:
            self._events.log_error(f"notifications were not sent: {type(error).__name__}")


@asynccontextmanager
async def open_in_process(options: ClientOptions, events: Events) -> AsyncIterator[InProcess]:
    """Give the open engine; raises ConfigError or StoreError."""
    settings, loaded = make_settings(options), asyncio.Event()

    def report(event: str, detail: str) -> None:
        feed = services.tenants[options.client].feed
        if event == "artifact.swapped":
            loaded.set()
            payload = feed.artifact.payload if feed.artifact else None
            events.emit("artifact_download_succeeded", artifact_location=feed.location, artifact_payload=payload)
        elif event == "artifact.failed":
            events.emit("artifact_download_failed", artifact_location=feed.location, error=ArtifactMissing(detail))
            events.log_error(f"the artifact cannot be used: {detail}")
        else:
            events.log_error(f"{event}: {detail}")

    artifact = None if options.artifact_payload is None else msgspec.json.encode(options.artifact_payload)
    environ = {settings.redis.url_env: options.redis_url or "", settings.redis.key_secret_env: options.key_secret or ""}
    embedding = Embedding(report, asyncio.Event(), artifact)
    async with open_services(settings, environ, embedding) as services:
        _listen(services, events)
        embedding.opened.set()
        backend = InProcess(services, options, events)
        announcing = asyncio.create_task(backend.announce(loaded), name="client.announce")
        try:
            yield backend
            await backend.flush()
        finally:
            announcing.cancel()
            await asyncio.wait([announcing])


def _listen(services: Services, events: Events) -> None:
    def tell_place(found: dict[str, Any]) -> None:
        geo = msgspec.to_builtins(merge_geo(Context(), found).geo)
        known = {name: value for name, value in geo.items() if value is not None}
        events.emit("geo_location_updated", geo_context=known)

    def tell_failure(message: Message, error: UpstreamError) -> None:
        events.emit("send_notification_error", notification=message.body, error=error)

    services.geo.on_found = tell_place
    services.outbox.on_failure = tell_failure
