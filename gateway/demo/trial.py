"""What `gateway demo` runs: the stand-in Target where the configuration expects Target, and the gateway before it."""

from urllib.parse import urlsplit

from gateway.config import Settings
from gateway.demo.offers import seed_offers
from gateway.demo.target import StandIn
from gateway.errors import ConfigError
from gateway.server import Running, serve
from gateway.telemetry import get_log

_WORDS = """
The gateway decides at {public}/rest/v1/delivery, health and metrics are at {admin}.
Offers are managed below {public}/data/core/xcore; {admin}/docs shows how.
Try it from another terminal (the README explains the answers); Ctrl-C stops everything.

  curl -s '{public}/rest/v1/delivery?client={client}&sessionId=s1' -d \\
    '{{"context":{{"channel":"web"}},"execute":{{"mboxes":[{{"index":1,"name":"homepage-hero"}},{{"index":2,"name":"recommendations"}},{{"index":3,"name":"summer-sale"}}]}}}}'
"""


async def run_demo(settings: Settings) -> None:
    """Run stand-in and gateway until a signal stops them."""
    place = urlsplit(settings.upstream.target.url)
    if place.hostname not in ("127.0.0.1", "localhost", "::1") or place.port is None:
        raise ConfigError("the demonstration needs upstream.target.url on this machine, as in config/demo.toml")
    organizations = {client.organization_id: code for code, client in settings.client.items()}
    stand_in = StandIn(list(settings.client), organizations)
    try:
        await stand_in.start(place.hostname, place.port)
    except OSError as error:
        raise ConfigError(f"the stand-in Target cannot listen on port {place.port}: {error.strerror}") from error
    get_log().info("demo.started", stand_in=settings.upstream.target.url)
    client = next(iter(settings.client))

    def greet(running: Running) -> None:
        print(_WORDS.format(public=running.public, admin=running.admin, client=client), flush=True)

    async def prepare(running: Running) -> None:
        await seed_offers(running.services)

    try:
        await serve(settings, greet, prepare)
    finally:
        await stand_in.stop()
