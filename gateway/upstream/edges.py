"""Where calls to Target go: for each host its kept connections and its circuit breaker (gw:F6, F7)."""

import asyncio
import ssl
from collections import deque
from typing import Final

from gateway.config import Target
from gateway.telemetry import get_log
from gateway.upstream.breaker import Breaker
from gateway.upstream.connection import Connection, Limits
from gateway.upstream.target import Origin


class Edge:
    """One host that calls go to; `idle` holds its kept connections, the latest one last."""

    __slots__ = ("breaker", "host", "idle", "is_tls", "port")

    def __init__(self, origin: Origin, breaker: Breaker) -> None:
        """Go to `origin`; nothing is connected yet."""
        self.is_tls = origin.is_tls
        self.host = origin.host
        self.port = origin.port
        self.idle: deque[Connection] = deque()
        self.breaker = breaker


class Edges:
    """Every host in use; at most `max-in-flight` connections are kept in all."""

    def __init__(self, target: Target) -> None:
        """Keep the limits."""
        self._limits: Final = Limits(most=target.max_response_kb * 1024, ratio=target.max_ratio)
        self._keepalive_s = target.keepalive_s
        self._most_idle = target.max_in_flight
        self._breaker_percent = target.breaker_percent
        # Reading the trusted certificates takes 40 ms: once, not for each connection.
        self._tls = ssl.create_default_context() if _speaks_tls(target) else None
        self._edges: dict[str, Edge] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self.idle = 0

    @property
    def open_circuits(self) -> int:
        """How many hosts are mostly left alone now."""
        return sum(edge.breaker.is_open for edge in list(self._edges.values()))

    def find(self, origin: Origin, now: float) -> Edge:
        """Give the host of `origin`."""
        edge = self._edges.get(origin.key)
        if edge is None:
            edge = self._edges[origin.key] = Edge(origin, Breaker(now, self._breaker_percent))
            self._begin_sweeping()
        return edge

    def take(self, edge: Edge, now: float) -> Connection | None:
        """Give a kept connection to `edge` that can be used, or None."""
        oldest = now - self._keepalive_s
        while edge.idle:
            connection = edge.idle.pop()
            self.idle -= 1
            if connection.is_usable and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    def keep(self, edge: Edge, connection: Connection, now: float) -> None:
        """Keep a connection for the next call; closed where enough are kept."""
        if self.idle >= self._most_idle:
            connection.close()
            return
        connection.idle_since = now
        edge.idle.append(connection)
        self.idle += 1

    def note(self, edge: Edge, now: float, *, failed: bool) -> None:
        """Count the outcome of a call for the host's breaker."""
        if edge.breaker.note(now, failed=failed):
            log = get_log()
            if edge.breaker.is_open:
                log.error("upstream.opened", host=edge.host)
            else:
                log.info("upstream.closed", host=edge.host)

    async def connect(self, edge: Edge) -> Connection:
        """Make a new connection; raises OSError."""
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._limits), edge.host, edge.port, ssl=self._tls if edge.is_tls else None
        )
        return connection

    async def close(self) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for edge in self._edges.values():
            for connection in edge.idle:
                connection.close()
        self._edges.clear()
        self.idle = 0
        await asyncio.sleep(0)  # transports let go of their sockets in the next turn

    def _begin_sweeping(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._keepalive_s, self.sweep)

    def sweep(self) -> None:
        """Close connections that have been idle for too long, and forget hosts nobody has called lately."""
        now = asyncio.get_running_loop().time()
        oldest = now - self._keepalive_s
        for key, edge in list(self._edges.items()):
            while edge.idle and (edge.idle[0].idle_since <= oldest or not edge.idle[0].is_usable):
                edge.idle.popleft().close()
                self.idle -= 1
            if not edge.idle and edge.breaker.is_quiet(now):
                del self._edges[key]
        self._sweeper = None
        if self._edges:
            self._begin_sweeping()


def _speaks_tls(target: Target) -> bool:
    return target.url.startswith("https:") or target.edge_url.startswith("https:")
