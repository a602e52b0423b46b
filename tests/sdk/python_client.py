"""Makes calls with Adobe's SDK for Python, in its own environment; speaks the lines that node_client.js speaks."""

import json
import os
import re
import sys
import threading
from typing import Any

from delivery_api_client import (
    ApiClient,
    ChannelType,
    Context,
    DeliveryRequest,
    ExecuteRequest,
    MboxRequest,
    MetricType,
    Notification,
    NotificationMbox,
    PrefetchRequest,
)
from target_python_sdk import TargetClient

HOSTS: list[str] = []
CALLS = {"getOffers": "get_offers", "sendNotifications": "send_notifications"}


def guard_hosts(event: str, details: tuple[Any, ...]) -> None:
    """Note every host that a connection is to be made to, and let none but this machine be reached."""
    if event == "socket.getaddrinfo":
        host, port = details[:2]
        HOSTS.append(f"{host}:{port}")
        if host != "127.0.0.1":
            raise OSError(f"{host} is off limits")


def to_snake(name: str) -> str:
    return re.sub("[A-Z]", lambda capital: "_" + capital[0].lower(), name)


def build_request(raw: dict[str, Any]) -> DeliveryRequest:
    """Build the SDK's own objects, as its documentation shows, from the JSON of a delivery request."""
    mboxes = {
        part: [MboxRequest(**mbox) for mbox in raw[part]["mboxes"]] for part in ("execute", "prefetch") if part in raw
    }
    return DeliveryRequest(
        context=Context(channel=ChannelType.WEB),
        execute=ExecuteRequest(mboxes=mboxes["execute"]) if "execute" in mboxes else None,
        prefetch=PrefetchRequest(mboxes=mboxes["prefetch"]) if "prefetch" in mboxes else None,
        notifications=[build_notification(told) for told in raw.get("notifications", [])] or None,
    )


def build_notification(raw: dict[str, Any]) -> Notification:
    known = {"type": MetricType.DISPLAY, "mbox": NotificationMbox(**raw["mbox"])}
    return Notification(**{**raw, **known})


def create(options: dict[str, Any]) -> TargetClient:
    ready = threading.Event()
    known = {to_snake(name): value for name, value in options.items()}
    client = TargetClient.create({**known, "events": {"client_ready": lambda _event: ready.set()}})
    ready.wait()
    return client


def call(client: TargetClient, name: str, options: dict[str, Any]) -> dict[str, Any]:
    known = {to_snake(option): value for option, value in options.items()}
    known["request"] = build_request(known["request"])
    answer = getattr(client, CALLS[name])(known)
    return {
        "response": ApiClient().sanitize_for_serialization(answer["response"]),
        "targetCookie": answer["target_cookie"],
        "targetLocationHintCookie": answer.get("target_location_hint_cookie"),
        "meta": answer.get("meta"),
    }


def main() -> None:
    sys.addaudithook(guard_hosts)
    client = None
    for line in sys.stdin:
        told = json.loads(line)
        HOSTS.clear()
        try:
            if "create" in told:
                client, done = create(told["create"]), {}
            else:
                done = call(client, told["call"], told["options"])
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises is what the test asks for
            done = {"error": str(error)}
        print(json.dumps({**done, "hosts": HOSTS}), flush=True)
    os._exit(0)  # a client that polls would keep the process alive


if __name__ == "__main__":
    main()
