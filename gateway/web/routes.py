"""Every route, one table per listener."""

from functools import partial

from aiohttp import web

from gateway.services import Services
from gateway.web import docs
from gateway.web.admin import SERVICES, live, metrics, ready
from gateway.web.connections import JsonServer, make_http_log
from gateway.web.cors import make_preflight_headers
from gateway.web.decisions import ALIAS, DECISIONS
from gateway.web.delivery_api import answer_delivery
from gateway.web.get_offers import answer_get_attributes, answer_get_offers, answer_send_notifications
from gateway.web.middleware import AnyAnswer, Ask, Routes, answer
from gateway.web.profiles import PROFILES
from gateway.web.repository import REPOSITORY
from gateway.web.response import Answer

DELIVERY = "/rest/v1/delivery"
_LINGER_S = 1.0  # how long the rest of a refused body is read, so that its sender can read the refusal


async def answer_preflight(ask: Ask) -> Answer:
    """Tell a browser what it may send (spec delivery-api §4 point 3)."""
    return Answer(204, b"", make_preflight_headers(ask.request.headers, ask.services.settings.web))


AREAS = (DECISIONS, ALIAS, REPOSITORY, PROFILES)


def find_area(path: str) -> AnyAnswer | None:
    """Give what answers the paths of an area, None where none covers `path`."""
    for area in AREAS:
        if area.covers(path):
            return area.answer
    return None


ROUTES = Routes(
    exact={
        DELIVERY: {"POST": answer_delivery, "OPTIONS": answer_preflight},
        "/v1/get-offers": {"POST": answer_get_offers, "OPTIONS": answer_preflight},
        "/v1/send-notifications": {"POST": answer_send_notifications, "OPTIONS": answer_preflight},
        "/v1/get-attributes": {"POST": answer_get_attributes, "OPTIONS": answer_preflight},
    },
    find_area=find_area,
)


def make_public_server(services: Services, *, keepalive_s: int) -> web.Server:
    """Give the server of the public listener; without aiohttp's router and middlewares, which cost a tenth of it."""
    most = services.settings.web.max_body_kb * 1024
    return JsonServer(
        partial(answer, services, ROUTES),
        most_body=most,
        request_factory=partial(_make_request, most),
        access_log=None,
        keepalive_timeout=keepalive_s,
        lingering_time=_LINGER_S,
        logger=make_http_log(services.metrics),
    )


def _make_request(most: int, *parts: object) -> web.BaseRequest:
    message, payload, protocol, writer, task = parts
    return web.BaseRequest(
        message,  # type: ignore[arg-type]  # aiohttp hands these through as it made them
        payload,  # type: ignore[arg-type]
        protocol,  # type: ignore[arg-type]
        writer,  # type: ignore[arg-type]
        task,  # type: ignore[arg-type]
        task.get_loop(),  # type: ignore[attr-defined]
        client_max_size=most,
    )


def make_admin_app(services: Services) -> web.Application:
    """Give the application of the admin listener, which is meant for this machine only."""
    app = web.Application()
    app[SERVICES] = services
    app.add_routes([web.get("/health/live", live), web.get("/health/ready", ready), web.get("/metrics", metrics)])
    app.add_routes(
        [web.get("/openapi.json", docs.openapi), web.get("/docs", docs.page), web.get("/docs/{name}", docs.asset)]
    )
    return app
