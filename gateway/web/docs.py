"""The page on which the interface can be read and tried, on the admin listener; nothing comes from elsewhere."""

import asyncio
from functools import cache
from importlib.resources import files

from aiohttp import web

from gateway.errors import ConfigError
from gateway.services import Services
from gateway.web.admin import SERVICES
from gateway.web.openapi.document import make_document
from gateway.web.wire import encode

_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
    "LICENSE": "text/plain",
}
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Decisioning gateway: interface</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="interface"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """\
SwaggerUIBundle({url: "/openapi.json", dom_id: "#interface", deepLinking: true, validatorUrl: null});
"""


async def openapi(request: web.Request) -> web.Response:
    """Give the OpenAPI document."""
    services = request.app[SERVICES]
    document = make_document(services.registry, find_url(services))
    return web.Response(body=encode(document), content_type="application/json")


async def page(request: web.Request) -> web.Response:
    """Give the page; it may call this listener and the public one, and load nothing from anywhere else."""
    allowed = f"default-src 'self'; connect-src 'self' {find_url(request.app[SERVICES])}; "
    allowed += "style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
    return web.Response(text=_PAGE, content_type="text/html", headers={"Content-Security-Policy": allowed})


async def asset(request: web.Request) -> web.Response:
    """Give a file of the page."""
    name = request.match_info["name"]
    if name == "start.js":
        return web.Response(text=_START, content_type="text/javascript")
    if name not in _ASSETS:
        raise web.HTTPNotFound
    body = await asyncio.to_thread(_read_asset, name)
    return web.Response(body=body, content_type=_ASSETS[name], headers={"Cache-Control": "max-age=3600"})


@cache
def _read_asset(name: str) -> bytes:
    """Read a file of the installed Swagger UI."""
    try:
        return (files("swagger_ui") / "static" / name).read_bytes()
    except (ModuleNotFoundError, OSError) as error:
        raise ConfigError("the page of /docs needs the package swagger-ui-py") from error


def find_url(services: Services) -> str:
    """Give where the public listener can be reached."""
    return services.settings.web.public_url or services.public_address
