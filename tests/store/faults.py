"""A proxy in front of a real Redis that does to its replies what networks do."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote


class FaultProxy:
    """Listens on a unix socket of its own and forwards; set an attribute at any time to bring a fault about."""

    def __init__(self, upstream_url: str, folder: Path) -> None:
        self._upstream = unquote(upstream_url.removeprefix("unix://"))
        self._path = folder / "proxy.sock"
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = f"unix://{self._path}"
        self.delay_s = 0.0  # before each piece of a reply
        self.cut_after: int | None = None  # bytes of reply let through before the connection is reset
        self.garbage = b""  # sent once, in place of the next piece of a reply
        self.black_hole = False  # whether replies vanish

    @property
    def connections(self) -> int:
        """How many connections it holds now."""
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
        asking = asyncio.create_task(_forward(reader, up_writer))
        try:
            await self._answer(up_reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the other side hung up, or the test is over
        finally:
            asking.cancel()
            up_writer.transport.abort()
            writer.transport.abort()
            await asyncio.gather(asking, return_exceptions=True)
            self._tasks.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if self.black_hole:
                continue
            if self.cut_after is not None:
                writer.write(piece[: self.cut_after])
                self.cut_after = None
                await writer.drain()
                return
            piece, self.garbage = self.garbage or piece, b""
            writer.write(piece)
            await writer.drain()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65_536):
        writer.write(piece)
        await writer.drain()
    writer.transport.abort()
