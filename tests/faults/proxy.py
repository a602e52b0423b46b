"""A TCP proxy that does to connections what networks, crashes and broken middle boxes do to them."""

import asyncio
import socket
import struct
from collections import deque
from types import TracebackType
from typing import Literal, Self

Fault = Literal["", "delay", "drip", "cut", "half-open", "vanish", "reset", "garbage", "refuse", "twice", "swap"]
GARBAGE = b"\x00\xff\x16\x03 what is this?\r\n\r\n"
_DRIP_S = 0.05
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: the connection ends with RST
Upstream = tuple[str, int] | str


class Proxy:
    """Listens on a port of 127.0.0.1 and forwards to `upstream`, host and port or a unix path, until `begin(fault)`.

    delay: replies come `delay_s` late. drip: a byte every 50 ms. cut: one byte of a reply, then the end. reset: RST in
    place of a reply. garbage: other bytes in place of one. refuse: nobody listens. half-open: connections end, new ones
    are accepted and never answered. vanish: old and new connections fall silent, without a word that they have ended.
    twice: replies come twice. swap: each two replies change places, so that each goes where the other was asked for.
    """

    def __init__(self, upstream: Upstream = "", delay_s: float = 5.0) -> None:
        self.upstream = upstream
        self.delay_s = delay_s
        self.port = 0
        self._fault: Fault = ""
        self._over = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._unpaired: tuple[bytes, asyncio.StreamWriter] | None = None

    @property
    def connections(self) -> int:
        """How many connections it has accepted that have not ended."""
        return len(self._writers)

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def begin(self, fault: Fault) -> None:
        """Bring a fault about, on connections that are there and on new ones."""
        self._fault = fault
        self._over.clear()
        if fault == "refuse":
            self._stop_listening()
        if fault in ("refuse", "half-open"):
            for writer in self._writers:
                writer.transport.abort()

    async def end(self) -> None:
        """Be well again; connections that were silent stay so, as those of a machine that is gone."""
        self._fault = ""
        self._unpaired = None
        self._over.set()
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("proxy")
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            if self._fault in ("half-open", "vanish"):
                await _swallow(reader)
            else:
                await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # a side hung up, or the test is over
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await self._dial()
        asking = asyncio.create_task(self._forward(reader, far_writer), name="proxy")
        answering = asyncio.create_task(self._answer(far_reader, writer), name="proxy")
        try:
            await asyncio.wait([asking, answering], return_when=asyncio.FIRST_COMPLETED)
        finally:
            far_writer.transport.abort()
            asking.cancel()
            answering.cancel()
            await asyncio.gather(asking, answering, return_exceptions=True)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.upstream, str):
            return await asyncio.open_unix_connection(self.upstream)
        return await asyncio.open_connection(*self.upstream)

    async def _forward(self, reader: asyncio.StreamReader, far_writer: asyncio.StreamWriter) -> None:
        """Pass on what is asked, until the asking side ends."""
        silent = False
        while piece := await reader.read(65_536):
            silent = silent or self._fault == "vanish"
            if not silent:
                far_writer.write(piece)

    async def _answer(self, far_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what is answered, as the fault will have it, until the answering side or the fault ends it."""
        late: deque[bytes] = deque()
        while piece := await far_reader.read(65_536):
            if self._fault == "delay" or late:
                late.append(piece)
                after_s = self.delay_s if self._fault == "delay" else 0.0
                asyncio.get_running_loop().call_later(after_s, _pass_on, late, writer)
                continue
            if self._fault == "vanish":
                await asyncio.get_running_loop().create_future()
            if self._fault == "reset":
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return
            if self._fault == "swap":
                self._swap(piece, writer)
            elif self._fault == "drip":
                await self._drip(piece, writer)
            elif self._fault == "cut":
                writer.write(piece[:1])
                writer.close()
                await writer.wait_closed()
                return
            else:
                writer.write(GARBAGE if self._fault == "garbage" else piece * (2 if self._fault == "twice" else 1))

    def _swap(self, piece: bytes, writer: asyncio.StreamWriter) -> None:
        if self._unpaired is None:
            self._unpaired = piece, writer
            return
        (other_piece, other), self._unpaired = self._unpaired, None
        for there, reply in ((writer, other_piece), (other, piece)):
            if not there.is_closing():
                there.write(reply)

    async def _drip(self, piece: bytes, writer: asyncio.StreamWriter) -> None:
        for at in range(len(piece)):
            if self._fault != "drip":
                writer.write(piece[at:])
                return
            writer.write(piece[at : at + 1])
            await self._wait(_DRIP_S)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return


def _pass_on(late: deque[bytes], writer: asyncio.StreamWriter) -> None:
    piece = late.popleft()  # the oldest, whichever timer this is: order is kept
    if not writer.is_closing():
        writer.write(piece)


async def _swallow(reader: asyncio.StreamReader) -> None:
    """Read what comes and say nothing, until the other side ends."""
    while await reader.read(65_536):
        pass
