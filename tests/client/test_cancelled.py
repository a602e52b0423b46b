"""A caller of `TargetClient` who is cancelled at every await that is done for it (gw:M5; spec get-offers §2)."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any

import pytest
from msgspec import Struct

from gateway.client import TargetClient
from gateway.demo.target import StandIn, Trouble
from gateway.services import Services
from tests.client.options import HERO, REMOTE, Target, ask_for
from tests.stage import ORGANIZATION, Stage, run_stage
from tests.store.servers import wait_until

Open = Callable[..., TargetClient]
SHOWN = {"id": "n", "type": "click", "timestamp": 1_795_322_548_000, "mbox": {"name": HERO}}
TOLD = {"request": {"context": {"channel": "web"}, "notifications": [SHOWN]}}


class Held:
    """Awaits `inner`; at its `at`-th wait it has the caller cancelled and waits for that to arrive instead."""

    def __init__(self, inner: Coroutine[Any, Any, Any], at: int, cancel_caller: Callable[[], None]) -> None:
        self._inner = inner
        self._at = at
        self._cancel_caller = cancel_caller
        self.waits = 0
        self.was_cancelled = False

    def __await__(self) -> Generator[Any, Any, Any]:
        go_on: Callable[[], Any] = lambda: self._inner.send(None)  # noqa: E731 - it is replaced below
        while True:
            try:
                waited = go_on()
            except StopIteration as done:
                return done.value
            self.waits += 1
            try:
                yield from self._hold(waited) if self.waits == self._at else _pass_on(waited)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the call gets it
                go_on = lambda error=error: self._inner.throw(error)  # noqa: E731
            else:
                go_on = lambda: self._inner.send(None)  # noqa: E731

    def _hold(self, waited: Any) -> Generator[Any, Any, None]:
        self._cancel_caller()
        try:
            yield from asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.was_cancelled = True
            if waited is not None and waited.cancel():
                yield waited  # raises when it has been cancelled, as a task's wait does
            elif waited is not None:
                waited._asyncio_future_blocking = False
            raise


def _pass_on(waited: Any) -> Generator[Any, Any, None]:
    yield waited


async def cut(client: TargetClient, call: Callable[[], Any], at: int) -> tuple[Held, Any]:
    """Make a call and cancel its caller at the `at`-th wait; gives what was held, and the answer, None if cancelled."""
    background, loop, held = client._background, asyncio.get_running_loop(), list[Held]()
    ask = background._ask

    def cancel() -> None:  # in the caller's loop, where `waiting` is there by then
        waiting.cancel()

    async def hold(endpoint: str, given: Any, timeout_s: float) -> Any:
        held.append(Held(ask(endpoint, given, timeout_s), at, lambda: _soon(loop, cancel)))
        return await held[0]

    background._ask = hold  # type: ignore[method-assign]
    try:
        waiting = asyncio.ensure_future(call())
        await asyncio.wait([waiting])
        await wait_until(lambda: not background._calls)
    finally:
        background._ask = ask  # type: ignore[method-assign]
    assert held[0].was_cancelled == waiting.cancelled()
    return held[0], None if waiting.cancelled() else waiting.result()


def _soon(loop: asyncio.AbstractEventLoop, cancel: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(cancel)


def is_at_rest(services: Services, stand_in: StandIn) -> bool:
    busy = (services.under_way, services.joiner.callers, services.joiner._lines, services.fanout.under_way)
    return not (any(busy) or services.fanout._sending or stand_in.in_flight)


def check(answer: Any, *names: str) -> None:
    assert answer["response"].status == 200
    found = answer["response"].execute
    assert [mbox.name for mbox in found.mboxes if mbox.options] == list(names) if names else found is None


class Way(Struct, frozen=True):
    """A call, the mboxes that are decided in its answer, and what goes wrong once meanwhile."""

    call: Callable[[TargetClient, Any], Any]
    names: tuple[str, ...] = ()
    trouble: Trouble | None = None


def get_offers(client: TargetClient, more: Any) -> Any:
    return client.get_offers({"request": ask_for(HERO, REMOTE)} | more)


def send_notifications(client: TargetClient, more: Any) -> Any:
    return client.send_notifications(TOLD | more)


WAYS = {
    "get_offers": Way(get_offers, (HERO, REMOTE)),
    "get_offers with a second attempt": Way(get_offers, (HERO, REMOTE), Trouble(status=503, times=1)),
    "send_notifications": Way(send_notifications),
}


async def cut_everywhere(client: TargetClient, services: Services, stand_in: StandIn, name: str) -> int:
    """Cut a call at its first wait, its second, … until it comes through; gives how often it waited."""
    way = WAYS[name]
    for at in itertools.count(1):
        more = {"session_id": f"cancelled-{at}", "consumer_id": "c"}
        stand_in.trouble = way.trouble
        services.fanout._retries._saved = 200
        held, answer = await cut(client, lambda more=more: way.call(client, more), at)
        stand_in.trouble = None
        await wait_until(lambda: is_at_rest(services, stand_in))
        check(await way.call(client, more), *way.names)
        if not held.was_cancelled:
            check(answer, *way.names)
            return held.waits
    raise AssertionError("it never came through")


@pytest.mark.parametrize("name", WAYS)
async def test_in_process(open_client: Open, target: Target, name: str) -> None:
    """The engine, the joiner and the call to Target are the client's own: all of them are let go of."""
    client = open_client(decisioning_method="hybrid", telemetry_enabled=False)
    await wait_until(client._background._opened.done)
    backend: Any = client._background._opened.result()
    await wait_until(lambda: backend._tenant.feed.artifact is not None)
    assert await cut_everywhere(client, backend._services, target.stand_in, name) >= 2


@pytest.fixture
async def edge(redis_url: str) -> AsyncIterator[Stage]:
    async with run_stage(redis_url, {"GATEWAY_OUTBOX__ENABLED": "false"}) as stage:
        yield stage


@pytest.mark.parametrize("name", WAYS)
async def test_in_front_of_a_gateway(edge: Stage, name: str) -> None:
    """The gateway notices that its caller has gone, and lets go of its call to Target."""
    options = {"client": "demo", "organization_id": ORGANIZATION, "gateway_url": edge.running.public, "timeout": 20_000}
    async with TargetClient.create(options) as client:
        assert await cut_everywhere(client, edge.running.services, edge.stand_in, name) >= 2
        backend: Any = client._background._opened.result()
        assert backend._fanout.under_way == 0
