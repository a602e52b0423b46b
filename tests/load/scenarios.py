"""What is asked of the gateway, and what must come back for the scenario to measure what it says."""

import secrets
from collections.abc import Callable
from http.client import HTTPConnection
from random import Random
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tests.load.generator import BenchError
from tests.load.report import Goal

LOCAL, REMOTE = "benchmark-hero", ("cart-upsell", "recommendations")
CALM = Goal("p99_over_bare_ms", at_most=6.0)
_VISITORS = 256
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605",
    "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0 Mobile Safari/537.36",
)


class Scenario(Struct, frozen=True, kw_only=True):
    """One kind of request; `known` visitors bring a device id, others are new with every request.

    `settles` scenarios leave work behind them (notifications for Target); it counts as part of them.
    """

    name: str
    about: str
    mboxes: tuple[str, ...]
    part: Literal["execute", "prefetch"] = "prefetch"
    known: bool = True
    calls: int = 0
    settles: bool = False
    goals: tuple[Goal, ...] = ()


BARE = Scenario(name="bare", about="bare aiohttp handler: decode, encode", mboxes=(LOCAL,))
SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="local-known",
            about="decided here, known visitor",
            mboxes=(LOCAL,),
            goals=(Goal("ratio", at_least=0.55), CALM),
        ),
        Scenario(
            name="local-new",
            about="decided here, new session each time",
            mboxes=(LOCAL,),
            known=False,
            goals=(Goal("ratio", at_least=0.4), CALM),
        ),
        Scenario(
            name="hybrid",
            about="one mbox here, one at Target",
            mboxes=(LOCAL, REMOTE[0]),
            calls=1,
            goals=(Goal("ratio", at_least=0.2), CALM),
        ),
        Scenario(
            name="server-side",
            about="everything at Target",
            mboxes=REMOTE,
            calls=1,
            goals=(Goal("ratio", at_least=0.2), CALM),
        ),
        Scenario(
            name="local-executed",
            about="decided here and told to Target",
            mboxes=(LOCAL,),
            part="execute",
            settles=True,
        ),
    )
}


def make_body(scenario: Scenario, number: int) -> dict[str, Any]:
    """Give the body of visitor `number`: about 2 KB, as a web page sends it."""
    random = Random(number)
    visitor: dict[str, Any] = {
        "customerIds": [{"id": f"crm-{number}", "integrationCode": "crm", "authenticatedState": "authenticated"}],
    }
    if scenario.known:
        visitor = {"tntId": f"{random.getrandbits(128):032x}.35_0"} | visitor
    return {
        "requestId": f"{random.getrandbits(128):032x}",
        "impressionId": f"{random.getrandbits(128):032x}",
        "id": visitor,
        "context": _make_context(number),
        "experienceCloud": {
            "audienceManager": {"locationHint": 9, "blob": f"{random.getrandbits(400):x}"},
            "analytics": {
                "supplementalDataId": f"{random.getrandbits(64):016X}-{random.getrandbits(64):016X}",
                "logging": "server_side",
                "trackingServer": "metrics.shop.example",
            },
        },
        scenario.part: {"mboxes": [_make_mbox(name, at) for at, name in enumerate(scenario.mboxes)]},
    }


def _make_context(number: int) -> dict[str, Any]:
    return {
        "channel": "web",
        "timeOffsetInMinutes": 60,
        "userAgent": _AGENTS[number % len(_AGENTS)],
        "browser": {"host": "www.shop.example", "language": "de-CH", "webGLRenderer": "ANGLE (Intel, UHD 620)"},
        "screen": {"width": 1920, "height": 1080, "colorDepth": 24, "orientation": "landscape", "pixelRatio": 1.25},
        "window": {"width": 1903, "height": 969},
        "address": {
            "url": f"https://www.shop.example/kitchen/stoneware-mug?utm_source=newsletter&utm_campaign=spring&n={number}",
            "referringUrl": "https://www.search.example/results?q=stoneware+mug+blue+handmade",
        },
        "clientHints": {
            "mobile": False,
            "platform": "Windows",
            "browserUAWithMajorVersion": '"Chromium";v="144", "Google Chrome";v="144", "Not_A Brand";v="24"',
        },
    }


def _make_mbox(name: str, index: int) -> dict[str, Any]:
    return {
        "index": index,
        "name": name,
        "parameters": {
            "tier": "gold",
            "pageType": "product",
            "categoryPath": "home/kitchen/mugs",
            "cartValue": "104.40",
            "currency": "CHF",
            "availability": "in stock",
            "user.categoryId": "mugs",
        },
        "profileParameters": {"memberSince": "2019", "newsletter": "yes", "favouriteColour": "grün"},
        "product": {"id": "MUG-01", "categoryId": "mugs"},
        "order": {"id": f"o-{index}", "total": 104.4, "purchasedProductIds": ["MUG-01", "BLK-12"]},
    }


def make_requests(scenario: Scenario) -> Callable[[int], bytes]:
    """Give the function that gives the n-th request; apart from session ids, all bytes are made beforehand."""
    prefix = secrets.token_hex(6)
    bodies = [_make_tail(scenario, number) for number in range(_VISITORS)]
    start = f"POST /rest/v1/delivery?client=demo&sessionId={prefix}-".encode()
    if scenario.known:
        ready = [b"%b%09d%b" % (start, number, body) for number, body in enumerate(bodies)]
        return lambda n: ready[n % _VISITORS]
    return lambda n: b"%b%09d%b" % (start, n, bodies[n % _VISITORS])


def _make_tail(scenario: Scenario, number: int) -> bytes:
    """Give a request from after the session id on; JSON as `JSON.stringify` writes it: no blanks, UTF-8."""
    body = msgspec.json.encode(make_body(scenario, number))
    head = (
        "&version=2.11.8 HTTP/1.1\r\nHost: gateway.shop.example\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def find_begin(scenario: Scenario) -> bytes:
    """Give the bytes that every good answer's body begins with."""
    return b'{"requestId":' if scenario is BARE else b'{"status":200,'


def check_answer(scenario: Scenario, port: int, count_calls: Callable[[], int]) -> None:
    """Ask once and look at everything; `count_calls` gives how many calls Target has had. Raises BenchError."""
    before = count_calls()
    body = make_body(scenario, 1)
    answer = _ask(scenario, port, secrets.token_hex(8), body)
    if scenario is BARE:
        _demand(scenario, "the body of the answer", body, answer)
        return
    shown = {mbox["name"]: _decided_by(mbox) for mbox in answer.get(scenario.part, {}).get("mboxes", [])}
    _demand(scenario, "who decided", {n: "gateway" if n == LOCAL else "Target" for n in scenario.mboxes}, shown)
    if not scenario.settles:
        _demand(scenario, "calls to Target", scenario.calls, count_calls() - before)
    if scenario.known:
        _demand(scenario, "the visitor", _bare(body), _bare(answer))
    else:
        _check_new_visitors(scenario, port, body)


def _check_new_visitors(scenario: Scenario, port: int, body: dict[str, Any]) -> None:
    """Redis must have been asked: one session is one visitor, another session is another one."""
    session = secrets.token_hex(8)
    first, again, other = (_bare(_ask(scenario, port, name, body)) for name in (session, session, f"{session}-2"))
    _demand(scenario, "the visitor of one session asked twice", first, again)
    _demand(scenario, "another session has a visitor of its own", True, bool(other) and other != first)


def _ask(scenario: Scenario, port: int, session: str, body: dict[str, Any]) -> Any:
    path = f"/rest/v1/delivery?client=demo&sessionId={session}"
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, msgspec.json.encode(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        raw = response.read()
    finally:
        connection.close()
    _demand(scenario, f"the HTTP status (the answer is {raw[:300]!r})", 200, response.status)
    _demand(scenario, "what the gateway could not get", None, response.headers.get("X-Gateway-Degraded"))
    answer = msgspec.json.decode(raw)
    if scenario is not BARE:
        _demand(scenario, "`status`", 200, answer.get("status"))
    return answer


def _decided_by(mbox: dict[str, Any]) -> str:
    """Say who decided an mbox: the stand-in Target marks its options, the artifact's have a `hero`."""
    options = mbox.get("options") or [{}]
    if options[0].get("responseTokens", {}).get("activity.decisioningMethod") == "server-side":
        return "Target"
    content = options[0].get("content")
    return "gateway" if isinstance(content, dict) and content.get("hero") in ("a", "b") else "nobody"


def _bare(message: dict[str, Any]) -> str:
    return str(message.get("id", {}).get("tntId", "")).partition(".")[0]


def _demand(scenario: Scenario, what: str, expected: object, found: object) -> None:
    if found != expected:
        raise BenchError(f"{scenario.name} does not measure what it says: {what} should be {expected}, is {found}")
