"""The stand-in Target, for trying things out, for tests and for load: `python -m gateway.demo.target --help`.

A program takes `StandIn` from here; the command runs one as a process of its own.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable

import msgspec

from gateway.demo.stand_in import ORGANIZATION, Options, StandIn
from gateway.demo.trouble import Trouble

__all__ = ["ORGANIZATION", "Options", "StandIn", "Trouble", "main"]

_HELP = f"""\
It answers like Adobe Target would, on this machine only unless told otherwise:

  POST /rest/v1/delivery?client=demo&sessionId=s1      decisions (or imsOrgId={ORGANIZATION})
  GET  /artifact/demo/production/v1/rules.json         the shop's decisioning artifact (also rules.bin)
  GET  /v1/geo                                         where the address in x-forwarded-for is
  GET  /control                                        what it has seen so far
  PUT  /control     {{"status": 500, "times": 3}}        go wrong: delay_ms, status, drop, truncate, garbage,
                                                       wrong_shape, hang, slow_drip, huge, gzip_bomb;
                                                       only for some: times, mboxes, on
  DELETE /control                                      be well again

The first line it prints is JSON with the port it listens on. SIGTERM or Ctrl-C stops it.
"""


def main(arguments: list[str] | None = None) -> None:
    """Run a stand-in until SIGTERM or SIGINT, after printing one JSON line with its host and port."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.demo.target",
        description="A stand-in for Adobe Target that keeps Target's own rules.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one (default)")
    parser.add_argument("--client", action="append", help="client code it knows; may be repeated (default: demo)")
    parser.add_argument("--cluster", default="35", help="edge cluster it plays (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the ids it makes (default: %(default)s)")
    parser.add_argument("--remembered", type=int, default=1000, help="calls it remembers (default: %(default)s)")
    given = parser.parse_args(arguments)
    options = Options(cluster=given.cluster, seed=given.seed, remembered=given.remembered)
    stand_in = StandIn(given.client or ["demo"], options=options)
    with asyncio.Runner(loop_factory=_choose_loop()) as runner:
        runner.run(_serve(stand_in, given.host, given.port))


async def _serve(stand_in: StandIn, host: str, port: int) -> None:
    stopped = asyncio.Event()
    if sys.platform != "win32":  # there Ctrl-C ends the runner
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    bound = await stand_in.start(host, port)
    print(msgspec.json.encode({"host": host, "port": bound}).decode(), flush=True)
    await stopped.wait()
    await stand_in.stop()


def _choose_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - not to be had on Windows

    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
