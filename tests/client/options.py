"""Options that point a client at a stand-in, and requests to make."""

from typing import Any

from msgspec import Struct

from gateway.client.models import ChannelType, Context, DeliveryRequest, ExecuteRequest, MboxRequest
from gateway.demo.target import StandIn
from tests.stage import ORGANIZATION

HERO = "homepage-hero"
REMOTE = "recommendations"


class Target(Struct):
    """A stand-in Target and where it listens."""

    stand_in: StandIn
    port: int


def make_options(port: int) -> dict[str, Any]:
    """Give the options of a client that asks the stand-in at `port` alone."""
    origin = f"http://127.0.0.1:{port}"
    return {
        "client": "demo",
        "organization_id": ORGANIZATION,
        "secure": False,
        "server_domain": f"127.0.0.1:{port}",
        "timeout": 10_000,
        "artifact_location": f"{origin}/artifact/demo/production/v1/rules.json",
        "settings": {"upstream": {"target": {"edge-url": ""}}, "artifact": {"geo-url": f"{origin}/v1/geo"}},
    }


def ask_for(*names: str) -> DeliveryRequest:
    """Give a request for mboxes, as code for Adobe's SDK builds it."""
    mboxes = [MboxRequest(name=name, index=at) for at, name in enumerate(names, 1)]
    return DeliveryRequest(context=Context(channel=ChannelType.WEB), execute=ExecuteRequest(mboxes=mboxes))
