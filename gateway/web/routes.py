"""Every route, one list per listener."""

from aiohttp import web

from gateway.services import Services
from gateway.web.admin import live, metrics, ready
from gateway.web.cors import make_preflight_headers
from gateway.web.delivery import answer_delivery
from gateway.web.middleware import SERVICES, answer, make_response

DELIVERY = "/rest/v1/delivery"


async def answer_preflight(request: web.Request) -> web.Response:
    """Tell a browser what it may send (spec delivery-api §4 point 3)."""
    return make_response(204, b"", make_preflight_headers(request.headers, request.app[SERVICES].settings.web))


def make_public_app(services: Services) -> web.Application:
    """Give the application of the public listener."""
    most = services.settings.web.max_body_kb * 1024
    app = web.Application(middlewares=[answer], client_max_size=most)
    app[SERVICES] = services
    app.add_routes([web.post(DELIVERY, answer_delivery), web.options(DELIVERY, answer_preflight)])
    return app


def make_admin_app(services: Services) -> web.Application:
    """Give the application of the admin listener, which is meant for this machine only."""
    app = web.Application()
    app[SERVICES] = services
    app.add_routes([web.get("/health/live", live), web.get("/health/ready", ready), web.get("/metrics", metrics)])
    return app
