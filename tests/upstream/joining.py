"""A joiner with a stand-in Target behind it, for tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from yarl import URL

from gateway.config import Merge, Target
from gateway.delivery.merging import Share
from gateway.demo.target import StandIn
from gateway.ids import new_id
from gateway.upstream.bundle import Asked
from gateway.upstream.fanout import Fanout
from gateway.upstream.joiner import Joiner, Ticket
from gateway.upstream.target import read_address
from tests.store.servers import wait_until

SDID = "0123456789ABCDEF-0123456789ABCDEF"
LONG_MS = 300


class Bench(msgspec.Struct):
    """A joiner with a stand-in Target behind it."""

    stand_in: StandIn
    fanout: Fanout
    joiner: Joiner
    port: int

    def ask(self, *names: str, session: str = "s", seconds: float = 20.0, **more: Any) -> Asked:
        """Give the call of a consumer that asks for mboxes; `more` are members of its body, or of `Asked`."""
        consumer = more.pop("consumer", names[0] if names else "c")
        raw = more.pop("raw", None)
        extra = {
            name: more.pop(name) for name in ("repeatable", "take_entries", "is_complete", "alongside") if name in more
        }
        body = {"context": {"channel": "web"}, "id": {"tntId": "a"}, "requestId": f"r-{consumer}"} | more
        if names:
            body["execute"] = {"mboxes": [{"index": 7 + at, "name": name} for at, name in enumerate(names)]}
        url = URL(f"http://127.0.0.1:{self.port}/rest/v1/delivery?client=demo&sessionId={session}")
        return Asked(
            client="demo",
            session_id=session,
            address=read_address(url),
            share=Share(body=body, raw=raw, scope=str(url), consumer=consumer, sdid=SDID),
            request_id="x",
            version="1",
            deadline=asyncio.get_running_loop().time() + seconds,
            **extra,
        )

    def start(self, *names: str, **more: Any) -> Ticket:
        return self.joiner.start(self.ask(*names, **more))

    def sent(self) -> list[list[str]]:
        """Give the names of the mboxes of each call Target has had."""
        return [
            [one["name"] for one in (call.body.get("execute") or {}).get("mboxes", ())]
            for call in self.stand_in.requests
        ]

    def is_empty(self) -> bool:
        joiner = self.joiner
        return not (joiner.callers or joiner._lines or self.fanout.under_way)


@asynccontextmanager
async def run_bench(target: dict[str, Any] | None = None, **merge: Any) -> AsyncIterator[Bench]:
    stand_in = StandIn(["demo"])
    port = await stand_in.start()
    limits = Target(**(target or {}))
    try:
        async with Fanout(limits) as fanout:
            joiner = Joiner(fanout, Merge(**merge), limits, new_id)
            try:
                yield Bench(stand_in, fanout, joiner, port)
                await wait_until(lambda: Bench(stand_in, fanout, joiner, port).is_empty())
            finally:
                await joiner.close()
    finally:
        await stand_in.stop()


def waiting(entries: list[Any]) -> Callable[[], list[Any]]:
    """Give what takes `entries` once."""
    return lambda: [entries.pop(0) for _ in list(entries)]


def names_of(reply: Any) -> list[tuple[str, int]]:
    return [(one["name"], one["index"]) for one in reply["execute"]["mboxes"]]


async def gather(*tickets: Ticket) -> list[Any]:
    return await asyncio.gather(*(ticket.reply() for ticket in tickets), return_exceptions=True)
