"""What every public answer has: a request id, CORS headers, JSON also for errors (gw:F9, Q2)."""

import re
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from gateway.errors import GatewayError, RequestError
from gateway.ids import new_id
from gateway.services import Services
from gateway.telemetry import get_log
from gateway.web.cors import make_cors_headers
from gateway.web.plain import Request
from gateway.web.response import Answer, answer_failure
from gateway.web.wire import encode

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_REREAD = (408, 413)  # the rest of the body is still on its way: the connection cannot be used again


class Ask(Struct, frozen=True):
    """One request to answer, with the id it is logged under."""

    services: Services
    request: Request
    request_id: str


Handler = Callable[[Ask], Awaitable[Answer]]
Methods = Mapping[str, Handler]
AnyAnswer = Callable[[Services, Request], Awaitable[Answer]]


class Routes(Struct, frozen=True):
    """Where requests go: `exact` paths with one look, all others by `find_area`, which gives None where nothing is."""

    exact: Mapping[str, Methods]
    find_area: Callable[[str], AnyAnswer | None]


class NotFound(RequestError):
    """There is nothing at this path."""

    status = 404


class MethodNotAllowed(RequestError):
    """The path is right, the method is not; `allowed` names those that are."""

    status = 405

    def __init__(self, allowed: str) -> None:
        """Keep the methods for the `Allow` header."""
        super().__init__(f"this method is not allowed here, only {allowed}")
        self.allowed = allowed


def answer(services: Services, routes: Routes, request: Request) -> Awaitable[Answer]:
    """Give what answers a request, whatever comes of it."""
    methods = routes.exact.get(request.path)
    if methods is None and (area := routes.find_area(request.path)) is not None:
        return area(services, request)
    return _answer(services, methods, request)


async def _answer(services: Services, methods: Methods | None, request: Request) -> Answer:
    """Find and run the handler; turn whatever goes wrong into the error object; add request id and CORS headers."""
    headers = request.headers
    given = headers.get("X-Request-Id")
    request_id = given if given and _REQUEST_ID.fullmatch(given) else new_id()
    try:
        response = await find_handler(methods, request.method)(Ask(services, request, request_id))
    except GatewayError as error:
        response = _answer_error(error)
        services.metrics.count_refused(error.status)
    except Exception as error:  # noqa: BLE001 - the last resort: an answer must leave, and the defect must be seen
        get_log().error("web.failed", request_id=request_id, error=type(error).__name__, exc_info=error)
        services.metrics.count_event("web.failed")
        response = answer_failure()
    response.extra.append(("X-Request-Id", request_id))
    origin = headers.get("Origin")
    if origin:
        response.extra.extend(make_cors_headers(origin, services.settings.web))
    return response


def find_handler(methods: Methods | None, method: str) -> Handler:
    """Give the handler of a method, or raise NotFound or MethodNotAllowed."""
    if methods is None:
        raise NotFound("there is nothing here; delivery requests go to POST /rest/v1/delivery")
    handler = methods.get(method)
    if handler is None:
        raise MethodNotAllowed(", ".join(methods))
    return handler


def _answer_error(error: GatewayError) -> Answer:
    response = Answer(error.status, encode({"status": error.status, "message": str(error)}))
    if error.status in _REREAD:
        response.force_close()
    if isinstance(error, MethodNotAllowed):
        response.extra.append(("Allow", error.allowed))
    return response
