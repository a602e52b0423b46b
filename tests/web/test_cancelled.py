"""A caller cancelled at every await of every endpoint: no wrong answer, and nothing is left over (design P3, T8)."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any

import pytest
import pytest_asyncio
from msgspec import Struct

from gateway.demo.target import Trouble
from gateway.web.middleware import Ask
from gateway.web.response import Answer
from gateway.web.routes import DELIVERY, ROUTES
from tests.faults.table import count_tasks, count_unfinished
from tests.faults.visitors import NAMES, Visitor, ask
from tests.stage import Stage, run_stage
from tests.store.servers import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {
    "GATEWAY_CLIENT__DEMO__SECONDARY": '["cart-*"]',
    "GATEWAY_CLIENT__DEMO__SECONDARY_WAIT_MS": "5000",
    "GATEWAY_UPSTREAM__TARGET__RETRY_PERCENT": "10",
    "GATEWAY_OUTBOX__ENABLED": "false",
}
_PLACES = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(bundled_url: str) -> AsyncIterator[Stage]:
    async with run_stage(bundled_url, SETTINGS) as stage:
        yield stage


class Way(Struct, frozen=True):
    """What is asked for, what goes wrong meanwhile, and which endpoint is asked."""

    names: list[str]
    trouble: Trouble | None = None
    path: str = DELIVERY


class Cut:
    """Awaits `walk`; when it waits for the `at`-th time, the task it runs in is cancelled, as a caller would do it."""

    def __init__(self, walk: Coroutine[Any, Any, Answer], at: int) -> None:
        self.walk = walk
        self.at = at
        self.waited = 0
        self.cancelled = False

    def __await__(self) -> Generator[Any, None, Answer]:
        go_on: Callable[[], Any] = lambda: self.walk.send(None)  # noqa: E731 - it is replaced below
        while True:
            try:
                future = go_on()
            except StopIteration as done:
                return done.value
            self.waited += 1
            if self.waited == self.at:
                self.cancelled = True
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield future
            except BaseException as error:  # noqa: BLE001 - whatever it is, the walk gets it
                go_on = lambda error=error: self.walk.throw(error)  # noqa: E731
            else:
                go_on = lambda: self.walk.send(None)  # noqa: E731


def make_body(visitor: Visitor, names: list[str]) -> bytes:
    """Give a request that waits for everything a request may wait for: Redis, a place on the map, Target."""
    body = json.loads(visitor.ask())
    at = next(_PLACES)
    body["context"]["geo"] = {"ipAddress": f"198.51.{at // 250}.{at % 250}"}
    body["execute"]["mboxes"] = [{"index": number, "name": name} for number, name in enumerate(names, 1)]
    return json.dumps(body).encode()


def wrap(path: str, body: bytes) -> bytes:
    """Give what asks the endpoint at `path` for what the delivery request `body` asks, or tells it."""
    request = json.loads(body)
    if path == DELIVERY:
        return body
    if path.endswith("send-notifications"):
        del request["execute"]
        request["notifications"] = [{"id": "n", "type": "click", "timestamp": 1_795_322_548_000}]
    session_id = request["requestId"].replace("request", "session")
    options = {"request": request, "session_id": session_id, "consumer_id": "c"}
    return json.dumps(options | ({"mbox_names": NAMES} if path.endswith("get-attributes") else {})).encode()


async def post_slowly(edge: Stage, path: str, visitor: Visitor, body: bytes) -> bytes:
    """Send the head, wait to be told to go on, send the body; gives the answer's body, b"" when there is none."""
    host, port = edge.running.public.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(
            f"POST {path}?client=demo&sessionId={visitor.session_id} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            f"Expect: 100-continue\r\nX-Request-Timeout-Ms: 20000\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        async with asyncio.timeout(20):
            told = await reader.readline()
            if told.startswith(b"HTTP/1.1 100"):
                await reader.readline()
                writer.write(body)
            return (await reader.read()).partition(b"\r\n\r\n")[2]
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


async def run_cut(edge: Stage, monkeypatch: pytest.MonkeyPatch, way: Way, at: int) -> tuple[Cut, Visitor]:
    """Make one request and cut it at its `at`-th wait; where it was not cut, its answer must be whole."""
    cuts: list[Cut] = []
    handler = ROUTES.exact[way.path]["POST"]

    async def cut_short(ask: Ask) -> Answer:
        cuts.append(Cut(handler(ask), at))
        return await cuts[0]

    visitor = Visitor()
    with monkeypatch.context() as patch:
        patch.setitem(ROUTES.exact[way.path], "POST", cut_short)
        answered = await post_slowly(edge, way.path, visitor, wrap(way.path, make_body(visitor, way.names)))
    if cuts[0].cancelled:
        assert answered == b"", "a cancelled request has no answer"
    else:
        answer = json.loads(answered) if way.path == DELIVERY else json.loads(answered)["response"]
        assert (answer["status"], answer["requestId"]) == (200, f"request-{visitor.canary}")
        if way.path.endswith("send-notifications"):
            assert answer["notifications"] == [{"id": "n"}]
        else:
            assert [mbox["name"] for mbox in answer["execute"]["mboxes"] if mbox["options"]] == way.names
        assert visitor.canary in answered.decode()
    return cuts[0], visitor


KINDS = {
    "remote alone": Way(["recommendations"]),
    "local and remote": Way(NAMES),
    "with a secondary": Way([*NAMES, "cart-upsell"]),
    "with a second attempt": Way(NAMES, Trouble(status=503, times=1)),
    "get-offers": Way([*NAMES, "cart-upsell"], path="/v1/get-offers"),
    "get-offers with a second attempt": Way(NAMES, Trouble(status=503, times=1), "/v1/get-offers"),
    "get-attributes": Way(NAMES, path="/v1/get-attributes"),
    "send-notifications": Way(NAMES, path="/v1/send-notifications"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_cancelled_at_every_await(edge: Stage, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Body, Redis, place, Target, the pause before another attempt, secondaries: each wait of each kind in turn."""
    way = KINDS[kind]
    fanout, strangers = edge.running.services.fanout, list[Visitor]()
    tasks = 1000  # more than there are, until the first run, which is not cut, has opened every connection it takes
    for at in itertools.count(0):
        fanout._retries._saved = 200
        edge.stand_in.trouble = way.trouble
        cut, stranger = await run_cut(edge, monkeypatch, way, at)
        strangers.append(stranger)
        edge.stand_in.trouble = None
        await wait_until(lambda: not any(count_unfinished(edge).values()) and edge.stand_in.in_flight == 0)
        visitor = Visitor()
        met = await ask(edge, visitor)
        assert met.is_whole, (at, met.reasons)
        assert met.is_own([visitor, *strangers])
        if at == 0:
            tasks = count_tasks()
        await wait_until(lambda most=tasks: count_tasks() <= most)
        if at and not cut.cancelled:
            break
    assert at > 3, "the body, Redis, and a place or Target are waited for at least"
