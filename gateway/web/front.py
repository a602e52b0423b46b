"""The connection a caller has: plain requests are answered here, one after the other; aiohttp takes over for others.

It takes over the connection for good, with every byte it has to read, and answers as it always does.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, cast

from msgspec import Struct, field

from gateway.telemetry import get_log
from gateway.web.plain import Heads, PlainReader, PlainRequest, Reading
from gateway.web.response import Answer, answer_failure

_PATIENCE_S = 0.02  # how long the rest of a request may take that does not come in one piece
_LOOK_AGAIN_S = 1.0


class Serving(Struct, frozen=True):
    """What the connections of a listener have in common; `others` makes aiohttp's end of a connection."""

    answer: Callable[[PlainRequest], Awaitable[Answer]]
    others: Callable[[], asyncio.Protocol]
    most_body: int
    keepalive_s: float
    fronts: "set[Front]" = field(default_factory=set)
    heads: Heads = field(default_factory=dict)


class Front(asyncio.Protocol):
    """One connection."""

    __slots__ = (
        "_is_closing",
        "_is_stuck",
        "_loop",
        "_patience",
        "_quiet_since",
        "_reader",
        "_seen",
        "_serving",
        "_task",
        "_timer",
        "_transport",
        "_unread",
        "_waiting",
    )
    _reader: PlainReader  # from the time there is a connection

    def __init__(self, serving: Serving) -> None:
        """Wait for the connection."""
        self._serving = serving
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._seen: list[bytes] = []
        self._waiting: list[bytes] = []
        self._quiet_since = self._loop.time()
        self._unread = 0
        self._is_closing = self._is_stuck = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no asyncio.Transport
        self._serving.fronts.add(self)
        peer: Any = transport.get_extra_info("peername")
        remote = str(peer[0]) if isinstance(peer, tuple) else None
        self._reader = PlainReader(self._serving.most_body, remote, self._serving.heads)
        if (sock := transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._timer = self._loop.call_later(self._serving.keepalive_s, self._look)

    def data_received(self, data: bytes) -> None:
        """Take what was sent; what comes while an answer is made, or is not read, waits."""
        if self._task is None and not self._is_stuck:
            self._take(data)
        else:
            self._waiting.append(data)
            if self._transport is not None:
                self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it; an answer that is being made is made, for what it notes on its way."""
        del exc
        self._let_go()

    def pause_writing(self) -> None:
        """Answer nothing more until what was answered has been read."""
        self._is_stuck = True

    def resume_writing(self) -> None:
        """Go on; no answer is being made, as none was begun meanwhile."""
        self._is_stuck = False
        self._go_on()

    def close(self) -> None:
        """End it, after the answer that is being made."""
        self._is_closing = True
        if self._task is None and self._transport is not None:
            self._stop_patience()
            self._transport.close()

    async def shutdown(self, timeout_s: float | None) -> None:
        """End it; an answer that is being made gets `timeout_s` seconds."""
        self.close()
        if (task := self._task) is not None:
            await asyncio.wait([task], timeout=timeout_s)
            task.cancel()
            await asyncio.wait([task])

    def _take(self, data: bytes) -> None:
        found = self._reader.feed(data)
        if isinstance(found, PlainRequest):
            if self._seen:
                self._seen.clear()
                self._stop_patience()
            self._task = self._loop.create_task(self._serve(found))
        elif found is Reading.MORE:
            self._seen.append(data)
            if self._patience is None:
                self._patience = self._loop.call_later(_PATIENCE_S, self._hand_over, b"")
        else:
            self._hand_over(data)

    async def _serve(self, request: PlainRequest) -> None:
        said = b""
        try:
            answer = await self._serving.answer(request)
            stays = request.keep_alive and answer.keep_alive is not False and not self._is_closing
            said = answer.lay_out(keeps_alive=stays)
        except Exception as error:  # noqa: BLE001 - the last resort: an answer must leave, and the defect must be seen
            get_log().error("web.failed", error=type(error).__name__, exc_info=error)
            stays, said = False, answer_failure().lay_out(keeps_alive=False)
        finally:
            self._task = None
            self._leave()
            if not said and self._transport is not None:  # cancelled: the next answer would be taken for this one
                self._transport.abort()
        if (transport := self._transport) is None:
            return
        transport.write(said)
        if not stays:
            transport.close()
            return
        self._quiet_since = self._loop.time()
        if self._waiting:
            self._go_on()

    def _go_on(self) -> None:
        """Take what waits, unless the last answer has yet to be read, or was the last one of all."""
        transport = self._transport
        if not self._waiting or self._is_stuck or transport is None or transport.is_closing():
            return
        waiting, self._waiting = self._waiting, []
        transport.resume_reading()
        self._take(b"".join(waiting))

    def _hand_over(self, data: bytes) -> None:
        """Let aiohttp have the connection, with all that was sent of a request."""
        if (transport := self._transport) is None:
            return
        sent = b"".join((*self._seen, data))
        self._let_go()
        other = self._serving.others()
        transport.set_protocol(other)
        other.connection_made(transport)
        other.data_received(sent)

    def _let_go(self) -> None:
        """Have nothing more to do with the connection, and keep nothing that was sent, also while an answer is made."""
        self._transport = None
        self._stop_patience()
        if self._timer is not None:
            self._timer.cancel()
        self._reader.end()
        self._waiting.clear()
        self._leave()

    def _look(self) -> None:
        """End a connection on which nothing has been answered for long, and nothing been read of what was."""
        if (transport := self._transport) is None:
            return
        now, unread = self._loop.time(), transport.get_write_buffer_size()
        if unread != self._unread:
            self._unread, self._quiet_since = unread, now
        end = self._quiet_since + self._serving.keepalive_s
        if self._task is not None or now < end:
            self._timer = self._loop.call_at(max(end, now + _LOOK_AGAIN_S), self._look)
        else:
            transport.abort()  # `close` would wait for an answer to be read that nobody reads

    def _stop_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _leave(self) -> None:
        """Be forgotten by the listener once there is neither a connection nor an answer to make."""
        if self._transport is None and self._task is None:
            self._serving.fronts.discard(self)
