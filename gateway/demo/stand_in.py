"""The stand-in Target as a server: what it keeps count of, what it refuses, and when it goes wrong.

It answers `POST /rest/v1/delivery` (spec/delivery-api.md), the artifact and the geo look-up
(spec/on-device-decisioning.md §1, §3, §6.3) and `/control`, which takes and shows a `Trouble`.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from gateway.demo import assets
from gateway.demo.answers import Edge, Visit, answer
from gateway.demo.ledger import Ledger
from gateway.demo.messages import DeliveryRequest, RefusedError, read_request, read_session
from gateway.demo.sessions import Sessions
from gateway.demo.trouble import JSON, Trouble, spoil

ORGANIZATION = "0123456789ABCDEF01234567@AdobeOrg"
MOST_BODY_BYTES = 60_000_000
STOP_SECONDS = 0.2
_ARTIFACT = re.compile(r"/artifact/(?P<client>[^/]+)/[^/]+/v1(?:/[^/]+)?/rules\.(?P<form>json|bin)")


class Options(Struct, frozen=True, kw_only=True):
    """How a stand-in differs from the usual one: the edge it plays, its ids, how many calls it remembers."""

    cluster: str = "35"
    seed: int = 1
    remembered: int = 1000


class _Listener(web.Server):
    """aiohttp's plain server (no routing: four addresses), with the ledger told of every connection."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], ledger: Ledger) -> None:
        super().__init__(handler, request_factory=_make_request, handler_cancellation=True, access_log=None)
        self._ledger = ledger

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        self._ledger.connections += 1
        super().connection_made(handler, transport)


def _make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MOST_BODY_BYTES)


class StandIn(Ledger):
    """Target, as far as a client can tell.

    Set `trouble` to make it go wrong and `artifact` to change what it serves; what came in is in the ledger's
    `requests`, `notifications`, `impressions` and counters.
    """

    def __init__(
        self,
        client_codes: Sequence[str],
        organizations: Mapping[str, str] | None = None,
        options: Options | None = None,
    ) -> None:
        """Know `client_codes` and `organizations` (imsOrgId → client code; by default ORGANIZATION → the first)."""
        self.options = options or Options()
        super().__init__(self.options.remembered)
        self.client_codes = frozenset(client_codes)
        self.organizations = dict(organizations or {ORGANIZATION: client_codes[0]})
        self.trouble: Trouble | None = None
        self.artifact = assets.read_artifact()
        self._sessions = Sessions()
        random = Random(self.options.seed)
        self._edge = Edge(self.options.cluster, lambda: f"{random.getrandbits(128):032x}")
        self._runner: web.ServerRunner | None = None

    @property
    def max_in_flight_per_session(self) -> int:
        """Give the highest number of calls one session ever had under way, waiting ones included."""
        return self._sessions.most

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen and give the port; 0 takes a free one."""
        self._runner = web.ServerRunner(_Listener(self._dispatch, self), shutdown_timeout=STOP_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        """Stop listening, end what is under way and close every connection."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path == "/rest/v1/delivery":
            return await self._deliver(request) if request.method == "POST" else _refuse(405, "Use POST")
        if path == "/control":
            return await self._control(request)
        if path == "/v1/geo":
            return await self._locate(request)
        if found := _ARTIFACT.fullmatch(path):
            return await self._serve_artifact(request, found["client"], found["form"])
        return _refuse(404, f"There is nothing at {path}")

    async def _deliver(self, request: web.BaseRequest) -> web.StreamResponse:
        self.in_flight += 1
        try:
            call = self.record_call(request.query, request.headers, await request.read())
            visit = Visit(self._find_client(call.query), read_session(call.query), "")
            message = read_request(call.raw)
            async with self._sessions.turn(visit.session):
                call.started = self.tick()
                try:
                    return await self._answer(request, message, visit)
                finally:
                    call.finished = self.tick()
        except RefusedError as refused:
            return _refuse(refused.status, refused.message)
        except web.HTTPRequestEntityTooLarge:
            return _refuse(413, f"The body is longer than {MOST_BODY_BYTES} bytes")
        finally:
            self.in_flight -= 1

    async def _answer(self, request: web.BaseRequest, message: DeliveryRequest, visit: Visit) -> web.StreamResponse:
        trouble = await self._meet_trouble("delivery", message)
        body = answer(message, visit, self._edge)
        if not trouble.undone:
            self.record_shown(message, visit.shown)
        if message.context.beacon and not trouble.kind:
            return web.Response(status=204)
        return await spoil(request, trouble, msgspec.json.encode(body))

    def _find_client(self, query: Mapping[str, str]) -> str:
        """Give the client code of a call; either of the two names is enough (spec/delivery-api.md §2)."""
        client, organization = query.get("client", ""), query.get("imsOrgId", "")
        if organization in self.organizations:
            return self.organizations[organization]
        if client in self.client_codes:
            return client
        if organization:
            raise RefusedError(f"Invalid request: Invalid imsOrg -  {organization}")
        raise RefusedError(f"Invalid request: Invalid client -  {client}")

    async def _meet_trouble(self, place: str, message: DeliveryRequest | None = None) -> Trouble:
        """Use up one call of the trouble that is meant for this place, if there is one, and wait out its delay."""
        trouble = self.trouble
        if trouble is None or trouble.on != place:
            return _NO_TROUBLE
        if trouble.mboxes and not (message and message.mbox_names().intersection(trouble.mboxes)):
            return _NO_TROUBLE
        self.trouble = trouble.after_one()
        if trouble.delay_ms:
            await asyncio.sleep(trouble.delay_ms / 1000)
        return trouble

    async def _serve_artifact(self, request: web.BaseRequest, client: str, form: str) -> web.StreamResponse:
        self.artifact_downloads += 1
        if client not in self.client_codes:
            return _refuse(403, "On-device decisioning is not enabled for this client")
        content = self.artifact
        if form == "bin":
            organization = next((name for name, code in self.organizations.items() if code == client), "")
            content = assets.scramble(content, organization)
        trouble = await self._meet_trouble("artifact")
        return await spoil(request, trouble, content) if trouble.kind else assets.serve_file(content, request.headers)

    async def _locate(self, request: web.BaseRequest) -> web.StreamResponse:
        self.geo_lookups += 1
        place = assets.locate(request.headers.get("X-Forwarded-For", ""))
        return await spoil(request, await self._meet_trouble("geo"), msgspec.json.encode(place))

    async def _control(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "PUT":
            try:
                self.trouble = msgspec.json.decode(await request.read(), type=Trouble)
            except msgspec.DecodeError as error:
                return _refuse(400, f"This is no trouble I know: {error}")
        elif request.method == "DELETE":
            self.trouble = None
        elif request.method != "GET":
            return _refuse(405, "Use GET, PUT or DELETE")
        return web.Response(body=msgspec.json.encode(self._describe()), headers=JSON)

    def _describe(self) -> dict[str, Any]:
        counters = ("received", "in_flight", "max_in_flight_per_session", "connections", "artifact_downloads")
        return {
            "trouble": self.trouble,
            **{name: getattr(self, name) for name in (*counters, "geo_lookups")},
            "impressions": self.impressions,
            "notifications": list(self.notifications)[-20:],
        }


_NO_TROUBLE = Trouble()


def _refuse(status: int, message: str) -> web.Response:
    body = msgspec.json.encode({"status": status, "message": message})
    return web.Response(status=status, body=body, headers=JSON)
