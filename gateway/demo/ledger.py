"""What the stand-in has seen: the latest calls and notifications, and counters that only grow."""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.demo.messages import DeliveryRequest

MOST_TOKENS = 10_000


class Call(Struct):
    """One delivery call as it arrived; `started` and `finished` order the answering of all calls (0: not yet)."""

    number: int
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    started: int = 0
    finished: int = 0

    @property
    def body(self) -> Any:
        """Give the decoded body; raises msgspec.DecodeError when it was not JSON."""
        return msgspec.json.decode(self.raw)


class Ledger:
    """`requests` and `notifications` hold the latest `remembered` of each, the rest counts since the start."""

    def __init__(self, remembered: int) -> None:
        """Start empty."""
        self.requests: deque[Call] = deque(maxlen=remembered)
        self.notifications: deque[dict[str, Any]] = deque(maxlen=remembered)
        self.impressions: Counter[str] = Counter()
        self.received = 0
        self.in_flight = 0
        self.connections = 0
        self.artifact_downloads = 0
        self.geo_lookups = 0
        self._ticks = 0
        self._waiting: list[asyncio.Future[None]] = []

    def record_call(self, query: Mapping[str, str], headers: Mapping[str, str], raw: bytes) -> Call:
        """Keep a call that has just arrived, whatever will become of it."""
        self.received += 1
        call = Call(self.received, query, headers, raw)
        self.requests.append(call)
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
        return call

    async def wait_received(self, count: int) -> None:
        """Wait until `count` calls have arrived since the start and have taken their places in line."""
        while self.received < count:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter

    def tick(self) -> int:
        """Give the next number of the order in which calls start and finish."""
        self._ticks += 1
        return self._ticks

    def record_shown(self, request: DeliveryRequest, executed: Sequence[str]) -> None:
        """Count the impressions of what was executed and of what the call's notifications say was displayed."""
        self._count(executed)
        for notification in request.notifications or ():
            self.notifications.append({**msgspec.to_builtins(notification), "timestamp": int(notification.timestamp)})
            if notification.type == "display":
                self._count(notification.tokens or ())

    def _count(self, tokens: Sequence[str]) -> None:
        for token in tokens:
            if token in self.impressions or len(self.impressions) < MOST_TOKENS:
                self.impressions[token] += 1
