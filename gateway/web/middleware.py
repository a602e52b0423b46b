"""What every public answer has: a request id, CORS headers, JSON also for errors (gw:F9, Q2)."""

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.errors import GatewayError
from gateway.ids import new_id
from gateway.services import Services
from gateway.telemetry import get_log
from gateway.web.cors import make_cors_headers
from gateway.web.wire import encode

SERVICES = web.AppKey("services", Services)
REQUEST_ID = web.RequestKey("request_id", str)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_FIXED = {
    "Content-Type": "application/json;charset=UTF-8",
    "Cache-Control": "no-cache, no-store",
    "Server": "decisioning-gateway",
}


def make_response(status: int, body: bytes, headers: dict[str, str] | None = None) -> web.Response:
    """Give a JSON response with the headers every answer has; 204 has no body and no content type."""
    response = web.Response(status=status, body=body if status != 204 else None, headers=_FIXED)
    if status == 204:
        del response.headers["Content-Type"]
    if headers:
        response.headers.update(headers)
    return response


@web.middleware
async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Run the handler; turn whatever goes wrong into the error object; add request id and CORS headers."""
    given = request.headers.get("X-Request-Id", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else new_id()
    request[REQUEST_ID] = request_id
    services = request.app[SERVICES]
    try:
        response = await handler(request)
    except GatewayError as error:
        response = _answer_error(error)
        services.metrics.count_answer("", error.status, "refused", 0.0)
    except web.HTTPException as error:
        response = _answer_http_error(error)
    except Exception as error:  # noqa: BLE001 - the last resort: an answer must leave, and the defect must be seen
        get_log().error("web.failed", request_id=request_id, error=type(error).__name__, exc_info=error)
        services.metrics.count_event("web.failed")
        response = make_response(500, encode({"status": 500, "message": "the gateway failed; see its log"}))
    headers = response.headers
    headers["X-Request-Id"] = request_id
    origin = request.headers.get("Origin")
    if origin:
        headers.update(make_cors_headers(origin, services.settings.web))
    return response


def _answer_error(error: GatewayError) -> web.Response:
    response = make_response(error.status, encode({"status": error.status, "message": str(error)}))
    if error.status in (408, 413):
        response.force_close()  # the rest of the body is not wanted
    return response


def _answer_http_error(error: web.HTTPException) -> web.Response:
    messages = {
        404: "there is nothing here; delivery requests go to POST /rest/v1/delivery",
        405: "this method is not allowed here",
    }
    body = encode({"status": error.status, "message": messages.get(error.status, error.reason)})
    allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return make_response(error.status, body, allowed)
