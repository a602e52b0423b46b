"""A program written for Adobe's SDK for Python, run as it is with any module in its place.

    python moved_program.py target_python_sdk delivery_api_client PORT

It makes the calls that such programs make and prints, as JSON, what they get to see. Nothing but this machine is asked.
"""

import importlib
import json
import os
import sys
import threading
import time
from typing import Any

CLIENT, MODELS, PORT = sys.argv[1:4]
WAIT_S = 20


def guard_hosts(event: str, details: tuple[Any, ...]) -> None:
    """Let no host but this machine be reached."""
    if event == "socket.getaddrinfo" and details[0] not in ("127.0.0.1", None):
        raise OSError(f"{details[0]} is off limits")


sys.addaudithook(guard_hosts)
TargetClient = importlib.import_module(CLIENT).TargetClient
models = importlib.import_module(MODELS)

ORIGIN = f"http://127.0.0.1:{PORT}"
OPTIONS: dict[str, Any] = {
    "client": "demo",
    "organization_id": "DEMO@AdobeOrg",
    "secure": False,
    "server_domain": f"127.0.0.1:{PORT}",
    "telemetry_enabled": False,
    "timeout": 10_000,
    "settings": {"upstream": {"target": {"edge-url": ""}}},  # the gateway's own option, for it keeps to edges in tests
}
COOKIE = "session#moved#99999999999|PC#0123456789abcdef0123456789abcdef#99999999999"


def create(**changes: Any) -> Any:
    """Give a client that is ready."""
    ready = threading.Event()
    events = {"client_ready": lambda _event: ready.set()} | changes.pop("events", {})
    client = TargetClient.create({**OPTIONS, **changes, "events": events})
    assert ready.wait(WAIT_S), "the client was never ready"
    return client


def ask_for(*names: str, **more: Any) -> Any:
    """Give a request for mboxes."""
    mboxes = [models.MboxRequest(name=name, index=at) for at, name in enumerate(names, 1)]
    execute = models.ExecuteRequest(mboxes=mboxes) if mboxes else None
    return models.DeliveryRequest(context=models.Context(channel=models.ChannelType.WEB), execute=execute, **more)


def show(envelope: Any) -> dict[str, Any]:
    """Give what a program reads of an answer."""
    response = envelope["response"]
    return {
        "members": sorted(name for name in envelope if envelope[name] is not None),
        "response": response.to_dict(),
        "cookie": [part.split("#")[:2] for part in envelope["target_cookie"]["value"].split("|")],
        "cookie_name": envelope["target_cookie"]["name"],
        "max_age": envelope["target_cookie"]["maxAge"] // 100,
        "hint": {name: envelope["target_location_hint_cookie"][name] for name in ("name", "value", "maxAge")},
        "tokens": envelope.get("response_tokens"),
        "trace": len(envelope.get("trace") or []),
        "analytics": [detail.payload.pe for detail in envelope.get("analytics_details") or []],
        "meta": envelope["meta"],
    }


def write_json(value: Any) -> Any:
    """Give an object as JSON: by the SDK's own means where they are at hand, which programs use on what they got."""
    if hasattr(models, "ApiClient"):
        return models.ApiClient().sanitize_for_serialization(value)
    return importlib.import_module("gateway.client.conversion").to_json(value)


def read_offers(client: Any) -> Any:
    """Go through the objects as a page's code does."""
    found = client.get_offers({"request": ask_for("homepage-hero", "cart-upsell"), "target_cookie": COOKIE})
    seen = []
    for mbox in found["response"].execute.mboxes:
        options = mbox.options or []
        seen.append([mbox.name, mbox.index])
        seen.append([[option.type, option.content, option.event_token] for option in options])
        seen.append([[metric.type, metric.selector, metric.event_token] for metric in mbox.metrics or []])
    return [*seen, found["response"].prefetch, found["response"].id.tnt_id, found["response"].status]


def call_back(client: Any, options: dict[str, Any]) -> Any:
    """Make a call with callbacks."""
    done, told = threading.Event(), []

    def succeed(answer: Any) -> None:
        told.append(["answer", show(answer)])
        done.set()

    def fail(error: Any) -> None:
        told.append(["error", isinstance(error, Exception)])
        done.set()

    pending = client.get_offers({**options, "callback": succeed, "err_callback": fail})
    assert done.wait(WAIT_S), "no callback was called"
    pending.wait(WAIT_S)
    return [*told, pending.ready(), pending.successful()]


def refuse(call: Any) -> Any:
    """Give whether a call raises, and an Exception at that."""
    try:
        call()
    except Exception:  # noqa: BLE001 - programs written for the SDK catch just this
        return "raised"
    return "went through"


def read_attributes(client: Any) -> Any:
    """Read attributes, known and unknown."""
    found = client.get_attributes(
        ["nowhere", "elsewhere"], {"request": ask_for("homepage-hero"), "target_cookie": COOKIE}
    )
    return [
        found.get_value("nowhere", "mbox"),
        found.as_object("elsewhere"),
        sorted(found.as_object()),
        refuse(lambda: found.get_value("nowhere", "unknown")),
        refuse(lambda: found.get_value("unknown", "mbox")),
        sorted(found.get_response())[:2],
        client.get_attributes(["nowhere"], None).get_value("nowhere", "mbox"),
    ]


def notify(client: Any) -> Any:
    """Tell that something was displayed."""
    shown = models.Notification(
        id="n1",
        type=models.MetricType.DISPLAY,
        timestamp=int(time.time() * 1000),
        tokens=["token"],
        mbox=models.NotificationMbox(name="homepage-hero"),
    )
    request = ask_for(notifications=[shown])
    answer = client.send_notifications({"request": request, "target_cookie": COOKIE})
    return [[one.id for one in answer["response"].notifications], answer["meta"]]


def use_server_side(told: dict[str, Any]) -> None:
    """Make every kind of call for which Target is asked."""
    client = create()
    cloud = models.ExperienceCloud(analytics=models.AnalyticsRequest(logging="client_side"))
    views = models.PrefetchRequest(views=[models.ViewRequest()], page_load=models.RequestDetails())
    details = models.RequestDetails(parameters={"a": "b"}, address=models.Address(url="http://shop.example/"))
    told["offers"] = show(client.get_offers({"request": ask_for("homepage-hero"), "target_cookie": COOKIE}))
    told["objects"] = read_offers(client)
    told["json"] = write_json(client.get_offers({"request": ask_for("a"), "target_cookie": COOKIE})["response"])
    told["session"] = show(
        client.get_offers({"request": ask_for("a", id=models.VisitorId(tnt_id="t")), "session_id": "s1"})
    )
    told["views"] = show(client.get_offers({"request": ask_for(prefetch=views), "target_cookie": COOKIE}))
    page = models.ExecuteRequest(page_load=details)
    request = ask_for()
    request.execute = page
    told["page"] = show(client.get_offers({"request": request, "target_cookie": COOKIE}))
    traced = ask_for("a", trace=models.Trace(authorization_token="t"), experience_cloud=cloud)
    told["traced"] = show(client.get_offers({"request": traced, "target_cookie": COOKIE, "consumer_id": "a"}))
    told["callback"] = call_back(client, {"request": ask_for("a"), "target_cookie": COOKIE})
    told["failed"] = call_back(client, {"request": ask_for("x" * 251), "target_cookie": COOKIE})
    told["attributes"] = read_attributes(client)
    told["notified"] = notify(client)
    told["refused"] = [
        refuse(call)
        for call in (
            lambda: client.get_offers(None),
            lambda: client.get_offers({}),
            lambda: client.get_offers({"target_cookie": COOKIE}),
            lambda: client.get_offers({"request": ask_for("x" * 251)}),
            lambda: client.send_notifications({"request": ask_for("a")}),
            lambda: TargetClient.create(None),
            lambda: TargetClient.create({"client": "demo"}),
            lambda: TargetClient.create({**OPTIONS, "decisioning_method": "remote"}),
        )
    ]


def use_on_device(told: dict[str, Any]) -> None:
    """Decide by the artifact."""
    events: list[str] = []
    location = f"{ORIGIN}/artifact/demo/production/v1/rules.json"
    heard = {"artifact_download_succeeded": lambda event: events.append([event["type"], event["artifact_location"]])}
    client = create(decisioning_method="on-device", artifact_location=location, polling_interval=0, events=heard)
    gold = ask_for("homepage-hero", "new-checkout", "nowhere")
    gold.execute.mboxes[0].parameters = {"tier": "gold"}
    told["local"] = show(client.get_offers({"request": gold, "target_cookie": COOKIE}))
    told["local_events"] = events


def main() -> None:
    """Make every call and print what was seen."""
    told: dict[str, Any] = {}
    use_server_side(told)
    use_on_device(told)
    time.sleep(0.5)  # the SDK sends what it displayed from a thread that nobody can wait for
    print("\n" + json.dumps(told, default=str), flush=True)
    os._exit(0)  # a client that polls would keep the process alive


if __name__ == "__main__":
    main()
