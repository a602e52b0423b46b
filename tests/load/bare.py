"""The bare handler: what aiohttp and msgspec cost by themselves, on one route. `python -m tests.load.bare`."""

import asyncio
import signal

import msgspec
import uvloop
from aiohttp import web

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


async def echo(request: web.Request) -> web.Response:
    """Decode the body and encode it again."""
    return web.Response(body=_encode(_decode(await request.read())), content_type="application/json")


async def main() -> None:
    """Serve until SIGTERM, after printing one JSON line with the port."""
    app = web.Application()
    app.add_routes([web.post("/rest/v1/delivery", echo)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(msgspec.json.encode({"port": runner.addresses[0][1]}).decode(), flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main())
